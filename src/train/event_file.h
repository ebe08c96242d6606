// The curves of a training as TensorBoard reads them: `tensorboard --logdir OUT`. Each run, and each time a training is
// taken up again, is a file of its own, events.out.tfevents.SECONDS.herd; it begins by telling TensorBoard to forget
// the later steps of earlier files.
//
// A file is records of length, checksum of the length, data, checksum of the data; the data are protocol-buffer
// messages of TensorFlow's event.proto.
#pragma once

#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "train/trainer.h"

namespace herd::train {

// One record of the file: 8 bytes of length, 4 of masked CRC-32C, the data, 4 of masked CRC-32C; little endian.
std::string event_record(std::string_view data);

struct Scalar {
  std::string_view name;
  double value = 0;
};

// An Event message with these values at `step`. `seconds` since 1970.
std::string event_of(double seconds, std::int64_t step, std::span<const Scalar> scalars);

class EventFile {
 public:
  // A new file in `directory`, for the steps after `step`. Fails with cannot_create or io_failed.
  static Result<EventFile> open(const fs::path& directory, std::int64_t step);

  EventFile(EventFile&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
  EventFile& operator=(EventFile&&) = delete;
  EventFile(const EventFile&) = delete;
  ~EventFile();

  // Written at once. Fails with io_failed.
  Result<void> add(const StepReport& report);

 private:
  explicit EventFile(std::FILE* file) : file_(file) {}
  Result<void> write(std::string_view event);

  std::FILE* file_;
};

}  // namespace herd::train
