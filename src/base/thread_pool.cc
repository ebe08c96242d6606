#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace herd {

namespace {

// How long a thread that waits stays awake. A token of a small model has some hundred rounds, a few microseconds apart;
// sleeping between them took most of its time on a virtual machine (docs/performance.md).
constexpr std::chrono::microseconds awake{50};

// Waits awake for a while, but in nobody's way; whether it came true meanwhile.
template <typename Condition>
bool waits_awake(const Condition& condition) {
  using Clock = std::chrono::steady_clock;
  for (const Clock::time_point end = Clock::now() + awake; Clock::now() < end;) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return condition();
}

}  // namespace

// A round is published under the mutex, so a sleeping worker cannot miss it. Within a round each thread claims the
// pieces of its own share, which are neighbours in memory: what a kernel asks for beyond the end of a piece is its next
// one. Who is done helps with the others' shares, because equal shares leave a core idle whenever the machine gives
// another less time. For the same reason nobody waits for a worker that has not come yet: when all pieces are claimed
// the round is closed.
struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable work_ready;
  std::condition_variable work_done;
  std::atomic<std::uint64_t> round{0};
  // Workers in the round, and `closed` more when nobody else may enter.
  static constexpr int closed = 1 << 30;
  std::atomic<int> inside{closed};
  std::atomic<bool> stopping{false};
  bool may_wait_awake = false;

  struct alignas(64) Share {  // a cache line each
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };
  std::vector<Share> shares;
  std::int64_t grain = 1;
  const std::function<void(std::int64_t, std::int64_t, int)>* work = nullptr;

  std::vector<std::thread> workers;

  explicit State(int threads) : shares(static_cast<std::size_t>(threads)) {}

  void share_out(std::int64_t items) {
    const std::int64_t pieces = (items + grain - 1) / grain, count = std::ssize(shares);
    for (std::int64_t s = 0; s < count; ++s) {
      Share& share = shares[static_cast<std::size_t>(s)];
      share.next.store(pieces * s / count * grain, std::memory_order_relaxed);
      share.end = std::min(pieces * (s + 1) / count * grain, items);
    }
  }

  void claim_pieces(int thread) {
    for (std::size_t i = 0; i < shares.size(); ++i) {
      Share& share = shares[(static_cast<std::size_t>(thread) + i) % shares.size()];
      // Looked at before it is claimed from: everybody comes by all shares at the end of a round.
      while (share.next.load(std::memory_order_relaxed) < share.end) {
        const std::int64_t begin = share.next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= share.end) break;
        (*work)(begin, std::min(begin + grain, share.end), thread);
      }
    }
  }

  template <typename Condition>
  void wait(std::condition_variable& sleepers, const Condition& condition) {
    if (may_wait_awake && waits_awake(condition)) return;
    std::unique_lock lock(mutex);
    sleepers.wait(lock, condition);
  }

  void serve(int thread) {
    for (std::uint64_t seen = 0;;) {
      wait(work_ready, [&] { return stopping.load() || round.load() != seen; });
      if (stopping) return;
      seen = round;
      if (inside.fetch_add(1) < closed) claim_pieces(thread);
      if (inside.fetch_sub(1) != closed + 1) continue;
      // The caller sleeps already, or has not looked yet.
      std::unique_lock(mutex).unlock();
      work_done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) {
  if (threads == 0) threads = usable_cpus();
  HERD_CHECK(threads >= 1, "threads is {}", threads);
  state_ = std::make_unique<State>(threads);
  state_->may_wait_awake = threads <= usable_cpus();
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
    state.grain = grain;
    state.work = &work;
    state.share_out(items);
    state.inside -= State::closed;
    ++state.round;
  }
  state.work_ready.notify_all();
  state.claim_pieces(0);
  state.inside += State::closed;
  state.wait(state.work_done, [&] { return state.inside.load() == State::closed; });
}

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace herd
