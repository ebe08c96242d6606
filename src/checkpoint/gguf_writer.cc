#include "checkpoint/gguf_writer.h"

#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "checkpoint/gguf.h"
#include "tensor/packed_layout.h"

namespace herd::checkpoint {
namespace {

constexpr std::uint32_t version = 3;
constexpr std::uint64_t usual_alignment =
    32;  // the format's own default, so that no key need say it

template <typename T>
void append_pod(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void append_text(std::string& out, std::string_view text) {
  append_pod<std::uint64_t>(out, text.size());
  out.append(text);
}

}  // namespace

std::uint64_t gguf_bytes_of(const PlannedTensor& tensor) {
  const Shape& shape = tensor.shape;
  if (!tensor.packed) return static_cast<std::uint64_t>(bytes_of(tensor.dtype, shape.elements()));
  const auto matrix =
      packed_store_bytes(tensor.dtype, static_cast<std::uint64_t>(shape[shape.rank() - 2]),
                         static_cast<std::uint64_t>(shape[shape.rank() - 1]));
  HERD_CHECK(matrix.has_value(), "{} of shape {}", tensor.name, shape.text());
  return *matrix * (shape.rank() == 3 ? static_cast<std::uint64_t>(shape[0]) : 1);
}

void GgufKeys::begin(std::string_view key, std::uint32_t type) {
  append_text(bytes_, key);
  append_pod(bytes_, type);
  ++count_;
}

void GgufKeys::put(std::string_view key, std::uint32_t value) {
  begin(key, static_cast<std::uint32_t>(GgufType::u32));
  append_pod(bytes_, value);
}

void GgufKeys::put_u16(std::string_view key, std::uint16_t value) {
  begin(key, static_cast<std::uint32_t>(GgufType::u16));
  append_pod(bytes_, value);
}

void GgufKeys::put(std::string_view key, std::int32_t value) {
  begin(key, static_cast<std::uint32_t>(GgufType::i32));
  append_pod(bytes_, value);
}

void GgufKeys::put(std::string_view key, float value) {
  begin(key, static_cast<std::uint32_t>(GgufType::f32));
  append_pod(bytes_, value);
}

void GgufKeys::put(std::string_view key, bool value) {
  begin(key, static_cast<std::uint32_t>(GgufType::boolean));
  append_pod<std::uint8_t>(bytes_, value ? 1 : 0);
}

void GgufKeys::put(std::string_view key, std::string_view value) {
  begin(key, static_cast<std::uint32_t>(GgufType::string));
  append_text(bytes_, value);
}

void GgufKeys::put(std::string_view key, std::span<const std::string> values) {
  begin(key, static_cast<std::uint32_t>(GgufType::array));
  append_pod(bytes_, static_cast<std::uint32_t>(GgufType::string));
  append_pod<std::uint64_t>(bytes_, values.size());
  for (const std::string& value : values) append_text(bytes_, value);
}

void GgufKeys::put(std::string_view key, std::span<const std::int32_t> values) {
  begin(key, static_cast<std::uint32_t>(GgufType::array));
  append_pod(bytes_, static_cast<std::uint32_t>(GgufType::i32));
  append_pod<std::uint64_t>(bytes_, values.size());
  for (const std::int32_t value : values) append_pod(bytes_, value);
}

void GgufKeys::put(std::string_view key, std::span<const float> values) {
  begin(key, static_cast<std::uint32_t>(GgufType::array));
  append_pod(bytes_, static_cast<std::uint32_t>(GgufType::f32));
  append_pod<std::uint64_t>(bytes_, values.size());
  for (const float value : values) append_pod(bytes_, value);
}

void GgufKeys::append(const GgufKeys& more) {
  bytes_ += more.bytes_;
  count_ += more.count_;
}

void GgufKeys::copy(const GgufEntry& entry) {
  bytes_ += text_of(entry.bytes);
  ++count_;
}

Result<GgufWriter> GgufWriter::create(const fs::path& path, const GgufKeys& keys,
                                      std::span<const PlannedTensor> tensors, GgufKind kind) {
  const bool packs = kind == GgufKind::packed_store;
  HERD_TRY(WholeFile file, WholeFile::create(path));
  GgufWriter writer(std::move(file), packs ? packed_page : usual_alignment);
  GgufKeys all;
  if (packs) {
    all.put("general.alignment", static_cast<std::uint32_t>(packed_page));
    all.put(packed_layout_key, packed_layout_version);
  }
  all.append(keys);
  std::string head(packs ? packed_magic : "GGUF");
  append_pod(head, packs ? packed_store_version : version);
  append_pod<std::uint64_t>(head, tensors.size());
  append_pod<std::uint64_t>(head, all.count());
  head += all.bytes();
  std::uint64_t begin = 0;
  for (const PlannedTensor& tensor : tensors) {
    const auto type = gguf_number_of(tensor.dtype, packs);
    HERD_CHECK(type.has_value(), "{} of {} cannot be in a GGUF file", tensor.name,
               row_of(tensor.dtype).name);
    append_text(head, tensor.name);
    append_pod(head, static_cast<std::uint32_t>(tensor.shape.rank()));
    for (int axis = tensor.shape.rank() - 1; axis >= 0; --axis)
      append_pod(head, static_cast<std::uint64_t>(tensor.shape[axis]));
    append_pod(head, *type | (tensor.packed ? packed_type : 0));
    append_pod(head, begin);
    const std::uint64_t size = gguf_bytes_of(tensor);
    begin += size + writer.padding(size);
    writer.sizes_.push_back(size);
  }
  head.append(writer.padding(head.size()), '\0');
  HERD_TRY_VOID(writer.file_.write(bytes_of(std::string_view(head))));
  return writer;
}

Result<void> GgufWriter::write(std::span<const std::byte> bytes) {
  constexpr std::array<std::byte, packed_page> zeros{};
  HERD_CHECK(tensor_ < sizes_.size() && bytes.size() <= sizes_[tensor_] - written_,
             "{}: more bytes than tensor {} has", file_.path().string(), tensor_);
  HERD_TRY_VOID(file_.write(bytes));
  written_ += bytes.size();
  if (written_ < sizes_[tensor_]) return {};
  HERD_TRY_VOID(file_.write(std::span(zeros).first(padding(written_))));
  ++tensor_;
  written_ = 0;
  return {};
}

Result<void> GgufWriter::finish() {
  HERD_CHECK(tensor_ == sizes_.size(), "{}: {} tensors were not written", file_.path().string(),
             sizes_.size() - tensor_);
  return file_.finish();
}

}  // namespace herd::checkpoint
