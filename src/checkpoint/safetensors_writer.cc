#include "checkpoint/safetensors_writer.h"

#include <bit>

#include "base/check.h"
#include "base/json.h"

namespace herd::checkpoint {
namespace {

constexpr std::uint64_t alignment = 64;

std::string header_text(std::span<const PlannedTensor> tensors) {
  json::object header;
  header["__metadata__"] = json::object{{"format", "pt"}};
  std::uint64_t begin = 0;
  for (const PlannedTensor& tensor : tensors) {
    json::array shape;
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) shape.push_back(tensor.shape[axis]);
    const std::uint64_t end = begin + tensor.bytes();
    HERD_CHECK(!header.contains(tensor.name), "two tensors are called {}", tensor.name);
    header[tensor.name] = json::object{{"dtype", row_of(tensor.dtype).safetensors_name},
                                       {"shape", std::move(shape)},
                                       {"data_offsets", json::array{begin, end}}};
    begin = end;
  }
  std::string text = json::serialize(header);
  const std::uint64_t length = sizeof(std::uint64_t) + text.size();
  text.append((alignment - length % alignment) % alignment, ' ');
  return text;
}

}  // namespace

Result<SafetensorsWriter> SafetensorsWriter::create(const fs::path& path,
                                                    std::span<const PlannedTensor> tensors,
                                                    WholeFile::Existing existing) {
  HERD_TRY(WholeFile file, WholeFile::create(path, existing));
  SafetensorsWriter writer(std::move(file));
  const std::string header = header_text(tensors);
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t length = header.size();
  writer.left_ = sizeof(length) + header.size();
  for (const PlannedTensor& tensor : tensors) writer.left_ += tensor.bytes();
  HERD_TRY_VOID(writer.write(std::as_bytes(std::span(&length, 1))));
  HERD_TRY_VOID(writer.write(std::as_bytes(std::span(header.data(), header.size()))));
  return writer;
}

Result<void> SafetensorsWriter::write(std::span<const std::byte> bytes) {
  HERD_CHECK(bytes.size() <= left_, "{}: {} bytes more than the tensors have",
             file_.path().string(), bytes.size() - left_);
  left_ -= bytes.size();
  return file_.write(bytes);
}

Result<void> SafetensorsWriter::finish() {
  HERD_CHECK(left_ == 0, "{}: {} bytes were not written", file_.path().string(), left_);
  return file_.finish();
}

std::vector<std::size_t> split_into_shards(std::span<const PlannedTensor> tensors,
                                           std::uint64_t bytes_max) {
  std::vector<std::size_t> begins;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (i == 0 || bytes + tensors[i].bytes() > bytes_max) {
      begins.push_back(i);
      bytes = 0;
    }
    bytes += tensors[i].bytes();
  }
  return begins;
}

std::string shard_name(std::size_t index, std::size_t count) {
  return count == 1 ? "model.safetensors"
                    : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

std::string shard_index_text(std::span<const PlannedTensor> tensors,
                             std::span<const std::size_t> begins) {
  json::object shard_of;
  std::uint64_t bytes = 0;
  std::size_t shard = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (shard + 1 < begins.size() && i == begins[shard + 1]) ++shard;
    shard_of[tensors[i].name] = shard_name(shard, begins.size());
    bytes += tensors[i].bytes();
  }
  return json::serialize(json::object{{"metadata", json::object{{"total_size", bytes}}},
                                      {"weight_map", std::move(shard_of)}}) +
         "\n";
}

}  // namespace herd::checkpoint
