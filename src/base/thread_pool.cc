#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace herd {

// A round is published under the mutex, so a sleeping worker cannot miss it; within a round pieces are claimed from
// one atomic counter, because equal shares leave a core idle whenever the machine gives the other less time.
struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable work_ready;
  std::condition_variable work_done;
  std::uint64_t round = 0;
  int busy = 0;
  bool stopping = false;

  std::int64_t items = 0;
  std::int64_t grain = 1;
  const std::function<void(std::int64_t, std::int64_t, int)>* work = nullptr;
  std::atomic<std::int64_t> next{0};

  std::vector<std::thread> workers;

  void claim_pieces(int thread) {
    for (;;) {
      const std::int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= items) return;
      (*work)(begin, std::min(begin + grain, items), thread);
    }
  }

  void serve(int thread) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      work_ready.wait(lock, [&] { return stopping || round != seen; });
      if (stopping) return;
      seen = round;
      lock.unlock();
      claim_pieces(thread);
      lock.lock();
      if (--busy == 0) work_done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads == 0) threads = usable_cpus();
  HERD_CHECK(threads >= 1, "threads is {}", threads);
  for (int thread = 1; thread < threads; ++thread)
    state_->workers.emplace_back([state = state_.get(), thread] { state->serve(thread); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work_ready.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::run(std::int64_t items, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t, int)>& work) {
  HERD_CHECK(grain >= 1, "grain is {}", grain);
  if (items <= 0) return;
  State& state = *state_;
  if (state.workers.empty() || items <= grain) {
    for (std::int64_t begin = 0; begin < items; begin += grain)
      work(begin, std::min(begin + grain, items), 0);
    return;
  }
  {
    std::lock_guard lock(state.mutex);
    state.items = items;
    state.grain = grain;
    state.work = &work;
    state.next.store(0, std::memory_order_relaxed);
    state.busy = static_cast<int>(state.workers.size());
    ++state.round;
  }
  state.work_ready.notify_all();
  state.claim_pieces(0);
  std::unique_lock lock(state.mutex);
  state.work_done.wait(lock, [&] { return state.busy == 0; });
}

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace herd
