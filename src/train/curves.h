// The curves of a training as a file: one line of comma-separated values a step. A training that is taken up again goes
// on where its checkpoint is, so later lines are dropped first.
#pragma once

#include "base/file.h"
#include "train/trainer.h"

namespace herd::train {

class Curves {
 public:
  // Keeps the lines of steps up to `step`. Fails with cannot_create or io_failed.
  static Result<Curves> open(const fs::path& path, std::int64_t step);

  Curves(Curves&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
  Curves& operator=(Curves&&) = delete;
  Curves(const Curves&) = delete;
  ~Curves();

  // Written at once, so that a watcher sees it. Fails with io_failed.
  Result<void> add(const StepReport& report);

 private:
  explicit Curves(std::FILE* file) : file_(file) {}
  std::FILE* file_;
};

}  // namespace herd::train
