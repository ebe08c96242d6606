// Any bytes as a .pth file, and as the pickle inside of one, which the fuzzer would hardly find behind a ZIP's checks.
#include "base/check.h"
#include "base/limits.h"
#include "checkpoint/pickle.h"
#include "checkpoint/torch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  const auto file = checkpoint::parse_torch_file(bytes);
  if (file) {
    for (std::size_t i = 0; i < file->tensors.size(); ++i) {
      const checkpoint::TorchTensor& tensor = file->tensors[i];
      HERD_CHECK(i == 0 || file->tensors[i - 1].name < tensor.name, "{}", tensor.name);
      HERD_CHECK(tensor.bytes.size() ==
                     static_cast<std::size_t>(tensor.shape.elements()) * row_of(tensor.dtype).bytes,
                 "{}", tensor.name);
      // Every byte is there to be read.
      unsigned sum = 0;
      for (const std::byte byte : tensor.bytes) sum |= std::to_integer<unsigned>(byte);
      HERD_CHECK(sum <= 0xFF, "{}", tensor.name);
    }
  } else {
    HERD_CHECK(!file.error().message.empty());
  }
  const auto pickle = checkpoint::read_pickle(bytes);
  if (pickle) {
    HERD_CHECK(pickle->size() <= limits::pickle_tensors_max);
    for (const checkpoint::PickledTensor& tensor : *pickle)
      HERD_CHECK(tensor.size.size() == tensor.stride.size() &&
                 tensor.size.size() <= limits::tensor_rank_max);
  } else {
    HERD_CHECK(!pickle.error().message.empty());
  }
  return 0;
}
