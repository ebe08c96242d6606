// A training's curves in the browser: a page on 127.0.0.1, served by two threads of its own, which only read what the
// training tells them.
#pragma once

#include <cstdint>
#include <memory>

#include "base/file.h"
#include "train/trainer.h"

namespace herd::cli {

class Dashboard {
 public:
  // Listens on `port` of 127.0.0.1; 0 is any free one. Begins with the steps that `curves` (train/curves.h) has, if it
  // is there; the training has `tokens` in all. Fails with address_in_use or io_failed.
  static Result<std::unique_ptr<Dashboard>> start(std::uint16_t port, const fs::path& curves,
                                                  double tokens);
  Dashboard() = default;
  Dashboard(const Dashboard&) = delete;
  Dashboard& operator=(const Dashboard&) = delete;
  virtual ~Dashboard() = default;

  virtual void add(const train::StepReport& report) = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};

}  // namespace herd::cli
