#include "base/worker.h"

#include <pthread.h>

#include <thread>

namespace herd {

struct Worker::State {
  std::jthread thread;
};

Worker::Worker(const std::string& name, std::function<void(std::stop_token)> body)
    : state_(std::make_unique<State>()) {
  state_->thread = std::jthread(std::move(body));
  ::pthread_setname_np(state_->thread.native_handle(), name.substr(0, 15).c_str());
}

Worker::~Worker() = default;  // ~jthread asks and joins

void Worker::request_stop() { state_->thread.request_stop(); }

}  // namespace herd
