// A thread of its own for work that goes on beside everything else (an engine's loop, a server's). Numbers are computed
// by ThreadPool; this is for what waits.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace herd {

class Worker {
 public:
  // Starts at once. `name` is what debuggers and top show: at most 15 characters of it. The body must return soon after
  // the token says stop.
  Worker(const std::string& name, std::function<void(std::stop_token)> body);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // Asks the body to stop and waits for it.
  ~Worker();

  void request_stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace herd
