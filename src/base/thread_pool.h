// One pool computes. Work is a count of items that do not depend on each other; each item is done whole by one thread,
// so results have the same bits at any number of threads. The calling thread works too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace herd {

class ThreadPool {
 public:
  // threads >= 1, the caller included; 0 means the number of CPUs this process may run on.
  explicit ThreadPool(int threads = 0);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  [[nodiscard]] int threads() const;

  // Calls work(begin, end, thread) until [0, items) is covered by pieces of at most `grain` items; returns when all are
  // done. `thread` is in [0, threads()), for scratch memory. One caller at a time; work must not call run itself.
  void run(std::int64_t items, std::int64_t grain,
           const std::function<void(std::int64_t begin, std::int64_t end, int thread)>& work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// CPUs this process may run on (its affinity mask, not the machine's count).
int usable_cpus();

}  // namespace herd
