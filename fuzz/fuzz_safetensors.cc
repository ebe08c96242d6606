// Any bytes as a safetensors file: refused with a reason, or tensors that tile the data from its begin to the file's
// end, none twice, each as long as its shape and type say.
#include <algorithm>

#include "base/check.h"
#include "base/checked_math.h"
#include "checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const auto header = checkpoint::parse_safetensors(std::as_bytes(std::span(data, size)));
  if (!header) {
    HERD_CHECK(!header.error().message.empty());
    return 0;
  }
  std::vector<checkpoint::SafetensorsEntry> tensors = header->tensors;
  for (std::size_t i = 1; i < tensors.size(); ++i)
    HERD_CHECK(tensors[i - 1].name < tensors[i].name, "{}", tensors[i].name);
  std::ranges::sort(tensors, {},
                    [](const auto& tensor) { return std::pair(tensor.begin, tensor.end); });
  std::uint64_t at = header->data_begin;
  for (const auto& tensor : tensors) {
    HERD_CHECK(tensor.begin == at && tensor.end >= at, "{} begins at {}", tensor.name,
               tensor.begin);
    const auto elements = static_cast<std::uint64_t>(tensor.shape.elements());
    HERD_CHECK(checked_mul(elements, std::uint64_t{row_of(tensor.dtype).bytes}) == tensor.end - at,
               "{}", tensor.name);
    at = tensor.end;
  }
  HERD_CHECK(at == size, "{} bytes of {}", at, size);
  return 0;
}
