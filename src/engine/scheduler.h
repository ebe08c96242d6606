// Who runs next. Each step takes one token of every answer that is being written, as many prompt tokens as the step's
// budget leaves, and, if some is left even then, guesses to be checked. Decides who is let in, who must make room and
// who has waited too long. A state machine: no threads, no model, no clock; time is an argument, and the same calls
// give the same plans.
//
// Turns: higher priority first; a class (tenant, priority) that has waited `aging_ms` since its last turn counts as
// one priority higher, and so on, so nobody waits for ever. Of equal ones the tenant with the fewest tokens so far is
// next, then who came first. A tenant may keep more than its share of the places only while nobody else waits for
// them. When pages run out the most junior makes room: it goes back to the queue and is computed again later, mostly
// from stored prefixes. After `preemptions` times it is pinned: from then on only lack of pages can move it, and among
// the pinned the one that came last. So there is always a most senior sequence that nobody can move, and it advances.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/holding.h"

namespace herd::engine {

struct SchedulerOptions {
  std::int64_t sequences = 16;     // that run at once
  std::int64_t step_tokens = 512;  // rows of a step; > sequences
  std::int64_t queue = 256;        // that wait; no new ones come in beyond these and the places
  std::int64_t context = 0;        // positions of a sequence
  KvLayout layout;
  std::int64_t global_pages = 0, local_pages = 0;  // enough for one sequence of `context`
  bool prefix_cache = true;
  std::int64_t preemptions = 4;
  std::int64_t aging_ms = 10'000;
};

struct Arrival {
  std::uint64_t id = 0;
  std::string tenant;
  std::int32_t priority = 0;
  std::vector<std::uint64_t> keys;  // what each position of the prompt holds; at most context
  std::optional<std::int64_t> deadline_ms;
  bool reuses = true;         // false: every row of the prompt must be computed
  std::int64_t rows_max = 0;  // of one step; 0: no limit of its own
  std::int64_t ready = std::numeric_limits<std::int64_t>::max();  // see Scheduler::ready
};

// Rows of one sequence in a step: positions [begin, begin + rows). The last `drafts` are guesses; those before hold the
// sequence's next keys. `draws`: they reach its end, so a token is drawn after each of the last 1 + drafts rows.
struct Piece {
  std::uint64_t id = 0;
  std::int64_t begin = 0, rows = 0, drafts = 0;
  bool draws = false;
};

struct Plan {
  std::vector<Piece> pieces;
  std::vector<std::uint64_t> expired;   // gone: their deadline has passed
  std::vector<std::uint64_t> admitted;  // run now; may have run before
  struct Preempted {
    std::uint64_t id = 0;
    bool for_pages = false, pinned = false;
  };
  std::vector<Preempted> preempted;
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerOptions& options, const PrefixCache::Secret& secret,
                     Faults faults = {});

  // False when the queue is full.
  bool submit(Arrival arrival, std::int64_t now_ms);
  // Forgets a request wherever it stands; false when there is none of that number. Not between plan() and the last
  // done() of its step; neither is submit().
  bool cancel(std::uint64_t id);

  // Prompt positions that may be computed: the others wait, for pictures that are still being looked at.
  void ready(std::uint64_t id, std::int64_t positions);
  // How many guesses the next plan may have for a sequence that is being decoded; forgotten after it.
  void propose(std::uint64_t id, std::int64_t drafts);
  // The next step. Every piece must be answered by done() before the next call.
  const Plan& plan(std::int64_t now_ms);
  // A piece was computed. `drawn`: the keys that follow: none unless it draws; else one more than the guesses that were
  // right, which come first.
  void done(std::uint64_t id, std::span<const std::uint64_t> drawn);
  // The answer has ended.
  void finish(std::uint64_t id);

  struct Sequence {
    Arrival arrival;
    std::int64_t prompt = 0;  // keys of it
    std::int64_t first_ready =
        0;                   // what `ready` was at first: nothing behind it has been looked at
    std::int64_t order = 0;  // of arrival
    std::int64_t arrived_ms = 0;
    std::vector<std::uint64_t> keys;  // of the prompt and of the answer so far
    std::optional<Holding> holding;   // while it runs
    std::int64_t proposed = 0;
    std::int64_t granted = 0;  // its standing when it was let in: what counts while it runs
    std::int64_t preemptions = 0;
    std::int64_t reused = 0;  // of the prompt, when it was first admitted and since
    ReuseEnd reuse_end = ReuseEnd::new_text;
    bool charged = false;  // its prompt is in its tenant's account
    [[nodiscard]] std::int64_t computed() const { return holding ? holding->length() : 0; }
    [[nodiscard]] std::int64_t left() const {
      return static_cast<std::int64_t>(keys.size()) - computed();
    }
  };
  // Null when there is none.
  [[nodiscard]] const Sequence* find(std::uint64_t id) const;
  [[nodiscard]] std::int64_t running() const { return static_cast<std::int64_t>(running_.size()); }
  [[nodiscard]] std::int64_t waiting() const { return static_cast<std::int64_t>(waiting_.size()); }
  [[nodiscard]] bool idle() const { return running_.empty() && waiting_.empty(); }
  [[nodiscard]] std::span<Sequence* const> running_sequences() const { return running_; }
  [[nodiscard]] std::span<Sequence* const> waiting_sequences() const { return waiting_; }
  [[nodiscard]] const SchedulerOptions& options() const { return options_; }
  [[nodiscard]] const Pages& global() const { return global_; }
  [[nodiscard]] const Pages& local() const { return local_; }
  [[nodiscard]] const PrefixCache& cache() const { return cache_; }
  // For whoever brings prefixes in or takes them out, not between plan() and the last done() of its step.
  [[nodiscard]] PrefixCache& cache() { return cache_; }
  // Tenants that have an account now.
  [[nodiscard]] std::size_t tenants() const { return tenants_.size(); }

 private:
  struct Tenant {
    std::int64_t served = 0;  // tokens, with what it was spared when it came
    std::int64_t running = 0, waiting = 0;
    std::map<std::int32_t, std::int64_t> last_turn_ms;  // by priority
  };

  void expire(std::int64_t now_ms);
  void admit(std::int64_t now_ms);
  [[nodiscard]] Sequence* next_waiting(std::int64_t now_ms);
  [[nodiscard]] std::int64_t standing(const Sequence& sequence, std::int64_t now_ms) const;
  [[nodiscard]] bool make_place(const Sequence& candidate);
  [[nodiscard]] Sequence* over_share(const Sequence& candidate);
  [[nodiscard]] bool fits(const Sequence& candidate);
  void start(Sequence& sequence, std::int64_t now_ms);
  [[nodiscard]] bool pinned(const Sequence& sequence) const;
  [[nodiscard]] bool senior(const Sequence& a, const Sequence& b) const;
  [[nodiscard]] Sequence* most_junior(bool unpinned_only) const;
  void preempt(Sequence& victim, bool for_pages);
  bool reserve(Sequence& sequence, std::int64_t end);
  void plan_decodes();
  void plan_prefills();
  void add_prefill(Sequence& sequence, std::int64_t rows_max);
  void extend_prefill(Sequence& sequence);
  [[nodiscard]] std::int64_t prefill_rows(const Sequence& sequence, std::int64_t rows_max) const;
  void plan_drafts();
  [[nodiscard]] bool will_be_stored(const Sequence& sequence) const;
  [[nodiscard]] std::int64_t chunk_end(std::int64_t position) const;
  void forget(Sequence& sequence);
  void close_accounts();

  SchedulerOptions options_;
  Faults faults_;
  Pages global_, local_;
  PrefixCache cache_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Sequence>> sequences_;
  std::vector<Sequence*> waiting_, running_;
  std::map<std::string, Tenant, std::less<>> tenants_;
  Plan plan_;
  std::int64_t budget_ = 0;  // rows left in this step
  std::int64_t last_order_ = 0;
};

}  // namespace herd::engine
