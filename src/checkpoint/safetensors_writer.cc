#include "checkpoint/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

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
                                                    std::span<const PlannedTensor> tensors) {
  SafetensorsWriter writer(path);
  writer.fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (writer.fd_ < 0)
    return fail(Code::cannot_create, "{}: {}", path.string(), std::strerror(errno));
  const std::string header = header_text(tensors);
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t length = header.size();
  writer.left_ = sizeof(length) + header.size();
  for (const PlannedTensor& tensor : tensors) writer.left_ += tensor.bytes();
  HERD_TRY_VOID(writer.write(std::as_bytes(std::span(&length, 1))));
  HERD_TRY_VOID(writer.write(std::as_bytes(std::span(header.data(), header.size()))));
  return writer;
}

SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), left_(other.left_) {}

SafetensorsWriter::~SafetensorsWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

Result<void> SafetensorsWriter::write(std::span<const std::byte> bytes) {
  HERD_CHECK(bytes.size() <= left_, "{}: {} bytes more than the tensors have", path_.string(),
             bytes.size() - left_);
  left_ -= bytes.size();
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail(Code::io_failed, "{}: {}", path_.string(), std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> SafetensorsWriter::finish() {
  HERD_CHECK(left_ == 0, "{}: {} bytes were not written", path_.string(), left_);
  if (::fsync(fd_) != 0 || ::close(std::exchange(fd_, -1)) != 0)
    return fail(Code::io_failed, "{}: {}", path_.string(), std::strerror(errno));
  return {};
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
