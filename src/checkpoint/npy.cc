#include "checkpoint/npy.h"

#include "base/bytes.h"
#include "base/check.h"

namespace herd::checkpoint {

Result<NpyWriter> NpyWriter::create(const fs::path& path, const Shape& shape) {
  HERD_TRY(WholeFile file, WholeFile::create(path, WholeFile::Existing::replaced));
  NpyWriter writer(std::move(file), shape.elements());

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
  HERD_TRY_VOID(writer.file_.write(bytes_of(std::string_view(start + header))));
  return writer;
}

Result<void> NpyWriter::write(std::span<const float> numbers) {
  left_ -= static_cast<std::int64_t>(numbers.size());
  HERD_CHECK(left_ >= 0, "more numbers than the shape of {} holds", file_.path().string());
  return file_.write(std::as_bytes(numbers));
}

Result<void> NpyWriter::finish() {
  HERD_CHECK(left_ == 0, "{} numbers of {} are missing", left_, file_.path().string());
  return file_.finish();
}

}  // namespace herd::checkpoint
