// Any bytes as a GGUF file: refused with a reason, or keys and names in order and once each, arrays that can be read,
// and tensors that lie within the file, on their alignment, beside each other, each as long as its shape and type say.
#include <algorithm>

#include "base/check.h"
#include "checkpoint/gguf.h"
#include "tensor/packed_layout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const auto header = checkpoint::parse_gguf(std::as_bytes(std::span(data, size)));
  if (!header) {
    HERD_CHECK(!header.error().message.empty());
    return 0;
  }
  for (std::size_t i = 1; i < header->entries.size(); ++i)
    HERD_CHECK(header->entries[i - 1].key < header->entries[i].key);
  for (const checkpoint::GgufEntry& entry : header->entries)
    if (const auto* array = std::get_if<checkpoint::GgufArray>(&entry.value)) {
      const auto strings = array->strings();
      HERD_CHECK(strings.has_value() == (array->type == checkpoint::GgufType::string));
      HERD_CHECK(!strings || strings->size() == array->count);
      const auto numbers = array->integers();
      HERD_CHECK(!numbers || numbers->size() == array->count);
      const auto floats = array->floats();
      HERD_CHECK(!floats || floats->size() == array->count);
    }
  std::vector<checkpoint::GgufTensor> tensors = header->tensors;
  for (std::size_t i = 1; i < tensors.size(); ++i)
    HERD_CHECK(tensors[i - 1].name < tensors[i].name);
  std::ranges::sort(tensors, {}, [](const auto& t) { return std::pair(t.begin, t.end); });
  std::uint64_t at = header->data_begin;
  for (const checkpoint::GgufTensor& tensor : tensors) {
    HERD_CHECK(tensor.begin >= at && tensor.end >= tensor.begin && tensor.end <= size);
    HERD_CHECK((tensor.begin - header->data_begin) % header->alignment == 0);
    const auto bytes = static_cast<std::int64_t>(tensor.end - tensor.begin);
    if (tensor.packed)
      HERD_CHECK(header->packed && tensor.begin % packed_page == 0 &&
                 bytes % static_cast<std::int64_t>(packed_page) == 0);
    else
      HERD_CHECK(bytes_of(tensor.dtype, tensor.shape.elements()) == bytes);
    at = tensor.end;
  }
  return 0;
}
