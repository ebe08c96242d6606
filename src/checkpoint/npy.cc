#include "checkpoint/npy.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"

namespace herd::checkpoint {

Result<NpyWriter> NpyWriter::create(const fs::path& path, const Shape& shape) {
  NpyWriter writer;
  writer.path_ = path;
  writer.beside_ = fmt::format("{}.{}.part", path.string(), ::getpid());
  writer.left_ = shape.elements();
  writer.out_.open(writer.beside_, std::ios::binary);
  if (!writer.out_) return fail(Code::cannot_create, "{}: cannot be created", path.string());

  std::string axes;
  for (int axis = 0; axis < shape.rank(); ++axis) axes += fmt::format("{},", shape[axis]);
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", axes);
  constexpr std::size_t prefix = 10;  // magic, version, header length
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string start("\x93NUMPY\x01\x00", 8);
  start += static_cast<char>(header.size() & 0xff);
  start += static_cast<char>(header.size() >> 8);
  writer.out_ << start << header;
  return writer;
}

Result<void> NpyWriter::write(std::span<const float> numbers) {
  left_ -= static_cast<std::int64_t>(numbers.size());
  HERD_CHECK(left_ >= 0, "more numbers than the shape of {} holds", path_.string());
  out_ << text_of(std::as_bytes(numbers));
  if (!out_) return fail(Code::io_failed, "{}: writing failed", path_.string());
  return {};
}

Result<void> NpyWriter::finish() {
  HERD_CHECK(left_ == 0, "{} numbers of {} are missing", left_, path_.string());
  out_.close();
  if (!out_) return fail(Code::io_failed, "{}: writing failed", path_.string());
  std::error_code error;
  fs::rename(beside_, path_, error);
  if (error) return fail(Code::cannot_create, "{}: {}", path_.string(), error.message());
  beside_.clear();
  return {};
}

NpyWriter::~NpyWriter() {
  if (beside_.empty()) return;
  std::error_code ignored;
  fs::remove(beside_, ignored);
}

}  // namespace herd::checkpoint
