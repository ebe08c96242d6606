// A listener for tests that wait for the end of an answer.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/engine.h"

namespace herd::engine {

class WaitingListener : public Listener {
 public:
  void finished(Result<Answer> answer) override {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
    done_.notify_all();
  }
  // As the engine said it. From another thread than the engine's.
  Result<Answer> wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return answer_.has_value(); });
    return *answer_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::optional<Result<Answer>> answer_;
};

}  // namespace herd::engine
