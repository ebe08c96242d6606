#include "train/event_file.h"

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/crc32c.h"

namespace herd::train {
namespace {

template <typename T>
void append_fixed(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  out.append(bytes.data(), bytes.size());
}

// Rotated and shifted, so that a checksum of data that hold checksums is still a good one.
std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8u; }

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

// How a protocol buffer's field is stored.
enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void append_key(std::string& out, std::uint64_t field, Wire wire) {
  append_varint(out, field << 3 | static_cast<std::uint64_t>(wire));
}

void append_bytes(std::string& out, std::uint64_t field, std::string_view bytes) {
  append_key(out, field, Wire::bytes);
  append_varint(out, bytes.size());
  out += bytes;
}

// Numbers of fields in event.proto and summary.proto.
namespace event {
constexpr std::uint64_t wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7;
}
namespace summary {
constexpr std::uint64_t value = 1;
namespace values {
constexpr std::uint64_t tag = 1, simple_value = 2;
}
}  // namespace summary
namespace session_log {
constexpr std::uint64_t status = 1, start = 1;
}

std::string begin_event(double seconds, std::int64_t step) {
  std::string out;
  append_key(out, event::wall_time, Wire::fixed64);
  append_fixed(out, seconds);
  append_key(out, event::step, Wire::varint);
  append_varint(out, static_cast<std::uint64_t>(step));
  return out;
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string event_record(std::string_view data) {
  std::string out;
  append_fixed(out, std::uint64_t{data.size()});
  append_fixed(out, masked(crc32c(out)));
  out += data;
  append_fixed(out, masked(crc32c(data)));
  return out;
}

std::string event_of(double seconds, std::int64_t step, std::span<const Scalar> scalars) {
  std::string values;
  for (const Scalar& scalar : scalars) {
    std::string value;
    append_bytes(value, summary::values::tag, scalar.name);
    append_key(value, summary::values::simple_value, Wire::fixed32);
    append_fixed(value, static_cast<float>(scalar.value));
    append_bytes(values, summary::value, value);
  }
  std::string out = begin_event(seconds, step);
  append_bytes(out, event::summary, values);
  return out;
}

Result<EventFile> EventFile::open(const fs::path& directory, std::int64_t step) {
  // TensorBoard reads files in the order of their names, so a run that begins in the same second takes the next.
  auto second = static_cast<std::int64_t>(seconds_since_1970());
  const auto path_of = [&] {
    return directory / fmt::format("events.out.tfevents.{:010}.herd", second);
  };
  while (fs::exists(path_of())) ++second;
  std::FILE* opened = std::fopen(path_of().c_str(), "wbxe");
  if (opened == nullptr)
    return fail(Code::cannot_create, "{}: {}", path_of().string(), std::strerror(errno));
  EventFile file(opened);
  std::string version = begin_event(seconds_since_1970(), 0);
  append_bytes(version, event::file_version, "brain.Event:2");
  HERD_TRY_VOID(file.write(version));
  std::string start = begin_event(seconds_since_1970(), step + 1), log;
  append_key(log, session_log::status, Wire::varint);
  append_varint(log, session_log::start);
  append_bytes(start, event::session_log, log);
  HERD_TRY_VOID(file.write(start));
  return file;
}

EventFile::~EventFile() {
  if (file_ != nullptr) std::fclose(file_);
}

Result<void> EventFile::write(std::string_view event) {
  const std::string record = event_record(event);
  if (std::fwrite(record.data(), 1, record.size(), file_) != record.size() ||
      std::fflush(file_) != 0)
    return fail(Code::io_failed, "the events for TensorBoard: {}", std::strerror(errno));
  return {};
}

Result<void> EventFile::add(const StepReport& report) {
  std::vector<Scalar> scalars{
      {"loss/train", report.loss},
      {"rate", report.rate},
      {"gradient_length", report.gradient},
      {"tokens_per_second", static_cast<double>(report.step_tokens) / report.seconds},
      {"experts/worst_load", report.worst_load},
      {"experts/unused", static_cast<double>(report.unused_experts)}};
  if (report.held_out) scalars.push_back({"loss/held_out", *report.held_out});
  return write(event_of(seconds_since_1970(), report.step, scalars));
}

}  // namespace herd::train
