#include "engine/testing/simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/scheduler.h"

namespace herd::engine {
namespace {

constexpr std::int64_t step_ms = 10;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a * 0x9E3779B97F4A7C15ull + b + 0x632BE59BD9B4E019ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(mix(seed, 1)) {}
  // In [low, high].
  std::int64_t roll(std::int64_t low, std::int64_t high) {
    state_ = mix(state_, 2);
    return low + static_cast<std::int64_t>(state_ % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return roll(0, 99) < percent; }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[roll(0, static_cast<std::int64_t>(values.size()) - 1)];
  }

 private:
  std::uint64_t state_;
};

// A request as the simulator sees it, from before it arrives until after it has ended.
struct Visitor {
  Arrival arrival;
  std::int64_t arrives = 0;  // step
  std::optional<std::int64_t> gives_up;
  std::int64_t sees = 0;   // step from which on its pictures have been looked at
  std::int64_t wants = 0;  // tokens of its answer
  bool rare = false;       // of the tenant that asks seldom while another floods

  std::vector<std::uint64_t> keys;         // as they should be
  std::vector<std::uint64_t> content;      // of the keys and values of each position
  std::optional<std::int64_t> first_turn;  // step
  std::int64_t prompt = 0;

  void append(std::uint64_t key) {
    content.push_back(mix(content.empty() ? start() : content.back(), key));
    keys.push_back(key);
  }
  [[nodiscard]] std::uint64_t start() const {
    std::uint64_t hash = 3;
    for (const char c : arrival.tenant) hash = mix(hash, static_cast<unsigned char>(c));
    return hash;
  }
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Faults faults)
      : dice_(seed), faults_(faults), options_(options()), scheduler_(options_, secret(), faults) {
    global_memory_.resize(static_cast<std::size_t>(options_.global_pages * layout().page));
    local_memory_.resize(static_cast<std::size_t>(options_.local_pages * layout().page));
    invite();
  }

  SimulationResult run() {
    const std::int64_t patience = 2000 + 60 * work_;
    for (step_ = 0; step_ < patience && result_.violation.empty(); ++step_) {
      come_and_go();
      if (next_ == visitors_.size() && live_.empty()) break;
      compute(scheduler_.plan(step_ * step_ms));
      if (result_.violation.empty()) look();
    }
    if (result_.violation.empty()) farewell(patience);
    result_.steps = step_;
    return result_;
  }

 private:
  [[nodiscard]] const KvLayout& layout() const { return options_.layout; }

  template <typename... Args>
  void rule(bool holds, fmt::format_string<Args...> text, Args&&... args) {
    if (holds || !result_.violation.empty()) return;
    result_.violation =
        fmt::format("step {}: {}", step_, fmt::format(text, std::forward<Args>(args)...));
  }

  SchedulerOptions options() {
    SchedulerOptions options;
    options.layout.page = dice_.pick<std::int64_t>({2, 4, 8});
    const std::int64_t page = options.layout.page;
    options.layout.chunk = dice_.pick<std::int64_t>(
        {0, page / 2, page, 2 * page, 2 * page, 4 * page, 4 * page, 3, page * 3 / 2});
    options.context = dice_.roll(12, 96);
    options.sequences = dice_.roll(1, 6);
    options.step_tokens = options.sequences + dice_.roll(1, dice_.chance(50) ? 8 : 64);
    options.queue = dice_.roll(0, 12);
    options.prefix_cache = !dice_.chance(10);
    options.preemptions = dice_.roll(0, 4);
    options.aging_ms = 30 * step_ms;
    // From just enough for one to enough for all.
    const std::int64_t global = options.layout.global_pages(options.context);
    const std::int64_t local = options.layout.local_pages(options.context);
    flood_ = dice_.chance(15);
    const std::int64_t most = flood_             ? 3 * options.sequences
                              : dice_.chance(50) ? 1
                                                 : options.sequences;
    options.global_pages = global + dice_.roll(flood_ ? global * (most - 1) : 0, global * most);
    options.local_pages = local + dice_.roll(flood_ ? local * (most - 1) : 0, local * most);
    if (flood_) {
      options.queue = 200;
      options.step_tokens = options.sequences + 16;
    }
    return options;
  }

  PrefixCache::Secret secret() {
    return {.words = {7, static_cast<std::uint64_t>(dice_.roll(0, 1000))},
            .bits = dice_.chance(50) ? 2 : 64};
  }

  void invite() {
    std::vector<std::vector<std::uint64_t>> beginnings;
    for (std::int64_t i = dice_.roll(1, 3); i > 0; --i)
      beginnings.push_back(tokens(dice_.roll(1, options_.context)));
    guesses_ = dice_.chance(50);
    const std::int64_t count = flood_ ? 120 : dice_.roll(3, 24);
    const std::int64_t rush = dice_.pick<std::int64_t>({0, 4, 20});
    const std::int64_t tenants = dice_.roll(1, 3);
    const bool priorities = dice_.chance(flood_ ? 50 : 30);
    std::int64_t at = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      Visitor visitor;
      Arrival& arrival = visitor.arrival;
      arrival.id = static_cast<std::uint64_t>(i + 1);
      at += dice_.roll(0, flood_ ? 1 : rush);
      visitor.arrives = at;
      arrival.tenant = std::string(1, static_cast<char>('a' + dice_.roll(0, tenants - 1)));
      arrival.keys = beginnings[static_cast<std::size_t>(
          dice_.roll(0, static_cast<std::int64_t>(beginnings.size()) - 1))];
      arrival.keys.resize(static_cast<std::size_t>(dice_.roll(0, std::ssize(arrival.keys))));
      for (const std::uint64_t token : tokens(dice_.roll(1, 1 + options_.context / 2)))
        arrival.keys.push_back(token);
      if (dice_.chance(20) && !visitors_.empty()) arrival.keys = visitors_.back().arrival.keys;
      const auto longest = static_cast<std::size_t>(options_.context);
      if (arrival.keys.size() > longest) arrival.keys.resize(longest);
      visitor.wants = dice_.roll(1, 24);
      if (flood_) {
        // One tenant asks without end, the other once in a while.
        visitor.rare = i % 40 == 10;
        arrival.tenant = visitor.rare ? "rare" : "flood";
        arrival.priority = priorities && !visitor.rare ? 1 : 0;
        visitor.wants = dice_.roll(4, 12);
        arrival.keys.resize(std::min<std::size_t>(arrival.keys.size(), 12));
      } else {
        if (priorities) arrival.priority = static_cast<std::int32_t>(dice_.roll(-1, 2));
        if (dice_.chance(10)) arrival.deadline_ms = (at + dice_.roll(0, 30)) * step_ms;
        if (dice_.chance(20)) visitor.gives_up = at + dice_.roll(0, 30);
        arrival.reuses = !dice_.chance(8);
        if (dice_.chance(8)) arrival.rows_max = dice_.roll(1, 4);
        if (dice_.chance(10)) {
          arrival.ready = dice_.roll(0, std::ssize(arrival.keys) - 1);
          visitor.sees = at + dice_.roll(1, 20);
        }
      }
      for (const std::uint64_t key : arrival.keys) visitor.append(key);
      visitor.prompt = std::ssize(arrival.keys);
      work_ += visitor.prompt + visitor.wants;
      visitors_.push_back(std::move(visitor));
    }
    flood_priorities_ = flood_ && priorities;
  }

  std::vector<std::uint64_t> tokens(std::int64_t count) {
    std::vector<std::uint64_t> out;
    for (std::int64_t i = 0; i < count; ++i)
      out.push_back(static_cast<std::uint64_t>(dice_.roll(0, 3)));
    return out;
  }

  // Arrivals, and people who give up.
  void come_and_go() {
    for (; next_ < visitors_.size() && visitors_[next_].arrives <= step_; ++next_) {
      Visitor& visitor = visitors_[next_];
      const std::int64_t before = scheduler_.waiting() + scheduler_.running();
      const std::int64_t room = options_.queue + options_.sequences;
      const bool taken = scheduler_.submit(visitor.arrival, step_ * step_ms);
      rule(taken == (before < room), "{} of {} are there, and one more was {}", before, room,
           taken ? "taken" : "refused");
      if (taken)
        live_[visitor.arrival.id] = &visitor;
      else
        ++result_.refused;
      ++result_.requests;
    }
    // As the engine does: it looks at the pictures of those that run.
    for (const Scheduler::Sequence* sequence : scheduler_.running_sequences())
      if (live_.at(sequence->arrival.id)->sees <= step_)
        scheduler_.ready(sequence->arrival.id, std::numeric_limits<std::int64_t>::max());
    std::vector<std::uint64_t> leaving;
    for (const auto& [id, visitor] : live_)
      if (visitor->gives_up && *visitor->gives_up <= step_) leaving.push_back(id);
    for (const std::uint64_t id : leaving) {
      rule(scheduler_.cancel(id), "request {} could not be cancelled", id);
      rule(scheduler_.find(id) == nullptr, "request {} is cancelled and still there", id);
      live_.erase(id);
      ++result_.cancelled;
    }
  }

  void compute(const Plan& plan) {
    note(plan);
    std::int64_t rows = 0;
    std::set<std::uint64_t> seen;
    for (const Piece& piece : plan.pieces) {
      rows += piece.rows;
      rule(seen.insert(piece.id).second, "request {} twice in a step", piece.id);
      rule(live_.contains(piece.id), "request {} runs but has ended", piece.id);
    }
    rule(rows <= options_.step_tokens, "{} rows in a step of {}", rows, options_.step_tokens);
    const bool somebody_can = std::ranges::any_of(
        scheduler_.running_sequences(),
        [](const auto* sequence) { return sequence->computed() < sequence->arrival.ready; });
    rule(!somebody_can || rows > 0, "nobody advances");
    rule(scheduler_.running() <= options_.sequences, "{} run", scheduler_.running());
    for (const Scheduler::Sequence* sequence : scheduler_.running_sequences())
      rule(sequence->left() != 1 || seen.contains(sequence->arrival.id) ||
               sequence->computed() >= sequence->arrival.ready,
           "request {} waits for its next token", sequence->arrival.id);
    if (!result_.violation.empty()) return;

    result_.rows += rows;
    std::map<std::uint64_t, std::vector<std::uint64_t>> guesses;
    for (const Piece& piece : plan.pieces) guesses[piece.id] = guess(piece);
    for (const Piece& piece : plan.pieces) write(piece, guesses[piece.id]);
    for (const Piece& piece : plan.pieces) read(piece, guesses[piece.id]);
    if (!result_.violation.empty()) return;
    for (const Piece& piece : plan.pieces) answer(piece, guesses[piece.id]);
    if (guesses_)
      for (const auto& [id, visitor] : live_) {
        const Scheduler::Sequence* sequence = scheduler_.find(id);
        if (sequence != nullptr && sequence->holding) scheduler_.propose(id, dice_.roll(0, 5));
      }
  }

  void note(const Plan& plan) {
    for (const std::uint64_t id : plan.expired) {
      rule(live_.contains(id), "request {} expires and has ended", id);
      live_.erase(id);
      ++result_.expired;
      trace(id);
    }
    for (const auto& [id, visitor] : live_)
      rule(!visitor->arrival.deadline_ms || *visitor->arrival.deadline_ms > step_ * step_ms,
           "request {} lives past its deadline", id);
    admitted_ = {plan.admitted.begin(), plan.admitted.end()};
    for (const std::uint64_t id : plan.admitted) {
      if (!live_.contains(id)) continue;
      Visitor& visitor = *live_.at(id);
      if (!visitor.first_turn) {
        visitor.first_turn = step_;
        if (visitor.rare) {
          // Where there is one place, the rarer tenant's own answers are in its way too; not the flood's doing.
          const std::int64_t since =
              options_.sequences > 1 ? visitor.arrives : std::max(visitor.arrives, rare_turn_);
          result_.longest_wait = std::max(result_.longest_wait, step_ - since);
          rare_turn_ = step_;
        }
      }
      trace(id);
    }
    for (const Plan::Preempted& preempted : plan.preempted) {
      rule(preempted.for_pages || !preempted.pinned, "request {} is pinned and made room",
           preempted.id);
      ++result_.preemptions;
      const Scheduler::Sequence* victim = scheduler_.find(preempted.id);
      if (preempted.pinned || !preempted.for_pages || victim == nullptr) continue;
      for (const Scheduler::Sequence* other : scheduler_.running_sequences())
        rule(other->preemptions >= options_.preemptions || other->granted > victim->granted ||
                 other->order < victim->order,
             "request {} made room for {}, which is its junior", preempted.id, other->arrival.id);
    }
    for (const Piece& piece : plan.pieces)
      trace(mix(piece.id, static_cast<std::uint64_t>(piece.begin * 1000 + piece.rows)));
  }
  void trace(std::uint64_t value) { result_.trace = mix(result_.trace, value); }

  // The key that the model would draw after `content`.
  static std::uint64_t next_key(std::uint64_t content) { return mix(content, 5) % 4; }

  std::vector<std::uint64_t> guess(const Piece& piece) {
    std::vector<std::uint64_t> guesses;
    if (piece.drafts == 0) return guesses;
    std::uint64_t content = live_.at(piece.id)->content.back();
    for (std::int64_t i = 0; i < piece.drafts; ++i) {
      guesses.push_back(dice_.chance(70) ? next_key(content) : 9);
      content = mix(content, guesses.back());
    }
    return guesses;
  }

  // Contents that positions [begin, begin + rows) get.
  std::vector<std::uint64_t> contents(const Piece& piece,
                                      const std::vector<std::uint64_t>& guesses) {
    std::vector<std::uint64_t> all = live_.at(piece.id)->content;
    for (const std::uint64_t key : guesses) all.push_back(mix(all.back(), key));
    return all;
  }

  void write(const Piece& piece, const std::vector<std::uint64_t>& guesses) {
    const auto& holding = *scheduler_.find(piece.id)->holding;
    const std::int64_t end = piece.begin + piece.rows, page = layout().page;
    const std::vector<std::uint64_t> all = contents(piece, guesses);
    const Visitor& visitor = *live_.at(piece.id);
    rule(piece.begin == holding.length() && end <= options_.context && end <= std::ssize(all),
         "request {}: rows {} to {} of {}", piece.id, piece.begin, end, all.size());
    const bool looked_at = step_ >= visitor.sees && !admitted_.contains(piece.id);
    rule(looked_at || end <= visitor.arrival.ready,
         "request {}: rows {} to {} show a picture that nobody has seen", piece.id, piece.begin,
         end);
    rule(layout().chunk == 0 || piece.begin / layout().chunk == (end - 1) / layout().chunk,
         "request {}: rows {} to {} cross a chunk", piece.id, piece.begin, end);
    rule(std::ssize(holding.global()) * page >= end, "request {}: no page", piece.id);
    if (!result_.violation.empty()) return;
    const Owner self{Owner::Kind::sequence, piece.id};
    for (std::int64_t at = piece.begin; at < end; ++at) {
      const PageId global = holding.global()[static_cast<std::size_t>(at / page)];
      rule(scheduler_.global().owner(global) == self, "request {} writes page {} of another",
           piece.id, global);
      cell(global_memory_, global, at % page) = all[static_cast<std::size_t>(at)];
      if (layout().chunk == 0) continue;
      const std::int64_t index = at % layout().chunk;
      rule(index / page < std::ssize(holding.local()), "request {}: no local page", piece.id);
      if (!result_.violation.empty()) return;
      const PageId local = holding.local()[static_cast<std::size_t>(index / page)];
      rule(scheduler_.local().owner(local) == self, "request {} writes local page {} of another",
           piece.id, local);
      cell(local_memory_, local, index % page) = all[static_cast<std::size_t>(at)];
    }
  }

  // What the rows see is what the sequence's own tokens would have left there.
  void read(const Piece& piece, const std::vector<std::uint64_t>& guesses) {
    if (!result_.violation.empty()) return;
    const auto& holding = *scheduler_.find(piece.id)->holding;
    const std::int64_t end = piece.begin + piece.rows, page = layout().page;
    const std::vector<std::uint64_t> all = contents(piece, guesses);
    for (std::int64_t at = 0; at < end; ++at) {
      const PageId global = holding.global()[static_cast<std::size_t>(at / page)];
      rule(cell(global_memory_, global, at % page) == all[static_cast<std::size_t>(at)],
           "request {} sees something else at {}", piece.id, at);
      if (layout().chunk == 0 || at / layout().chunk != piece.begin / layout().chunk) continue;
      const std::int64_t index = at % layout().chunk;
      rule(index / page < std::ssize(holding.local()), "request {}: no local page", piece.id);
      if (!result_.violation.empty()) return;
      const PageId local = holding.local()[static_cast<std::size_t>(index / page)];
      rule(cell(local_memory_, local, index % page) == all[static_cast<std::size_t>(at)],
           "request {} sees something else locally at {}", piece.id, at);
    }
  }

  std::uint64_t& cell(std::vector<std::uint64_t>& memory, PageId page, std::int64_t within) {
    return memory[static_cast<std::size_t>(page * layout().page + within)];
  }

  void answer(const Piece& piece, const std::vector<std::uint64_t>& guesses) {
    Visitor& visitor = *live_.at(piece.id);
    std::vector<std::uint64_t> drawn;
    bool ended = false;
    rule(piece.draws == (piece.begin + piece.rows - piece.drafts == std::ssize(visitor.keys)),
         "request {} draws at the wrong place", piece.id);
    if (piece.draws) {
      for (std::size_t i = 0; !ended; ++i) {
        const std::uint64_t key = next_key(visitor.content.back());
        drawn.push_back(key);
        visitor.append(key);
        ended = std::ssize(visitor.keys) - visitor.prompt >= visitor.wants ||
                std::ssize(visitor.keys) > options_.context;
        if (i >= guesses.size()) break;
        ++(guesses[i] == key ? result_.guesses_right : result_.guesses_wrong);
        if (guesses[i] != key) break;
      }
    }
    scheduler_.done(piece.id, drawn);
    if (!ended) return;
    result_.reused += scheduler_.find(piece.id)->reused;
    scheduler_.finish(piece.id);
    live_.erase(piece.id);
  }

  // After each step: everybody is in one place, every page has one owner, and nothing is lost.
  void look() {
    std::set<std::uint64_t> placed;
    std::map<std::uint64_t, std::int64_t> own_global, own_local;
    for (const Scheduler::Sequence* sequence : scheduler_.running_sequences()) {
      const std::uint64_t id = sequence->arrival.id;
      rule(placed.insert(id).second, "request {} is in two places", id);
      own_global[id] =
          std::ssize(sequence->holding->global()) - std::ssize(sequence->holding->nodes());
      own_local[id] = std::ranges::count(sequence->holding->local_nodes(), no_node);
      rule(std::ssize(sequence->keys) == std::ssize(live_.at(id)->keys), "request {}: keys", id);
    }
    for (const Scheduler::Sequence* sequence : scheduler_.waiting_sequences()) {
      rule(placed.insert(sequence->arrival.id).second, "request {} is in two places",
           sequence->arrival.id);
      rule(!sequence->holding, "request {} waits and holds pages", sequence->arrival.id);
    }
    for (const auto& [id, visitor] : live_) rule(placed.contains(id), "request {} is lost", id);
    rule(placed.size() == live_.size(), "{} requests, {} are known", placed.size(), live_.size());
    count_pages(scheduler_.global(), own_global, "global");
    count_pages(scheduler_.local(), own_local, "local");
    if (result_.violation.empty() && step_ % 4 == 0) scheduler_.cache().check();
  }

  void count_pages(const Pages& pages, std::map<std::uint64_t, std::int64_t>& own,
                   std::string_view kind) {
    std::int64_t free = 0;
    for (PageId page = 0; page < pages.count(); ++page) {
      const Owner owner = pages.owner(page);
      if (owner.kind == Owner::Kind::nobody) ++free;
      if (owner.kind == Owner::Kind::sequence) --own[owner.id];
    }
    rule(free == pages.num_free(), "{} {} pages are free, {} on the list", free, kind,
         pages.num_free());
    for (const auto& [id, difference] : own)
      rule(difference == 0, "request {}: {} {} pages too few", id, difference, kind);
  }

  void farewell(std::int64_t patience) {
    rule(live_.empty() && next_ == visitors_.size(), "{} requests have not ended in {} steps",
         live_.size(), patience);
    const PrefixCache& cache = scheduler_.cache();
    if (!result_.violation.empty()) return;
    cache.check();
    rule(cache.available_global() == options_.global_pages &&
             cache.available_local() == options_.local_pages,
         "{} of {} pages and {} of {} local ones are left", cache.available_global(),
         options_.global_pages, cache.available_local(), options_.local_pages);
    rule(scheduler_.tenants() == 0, "{} accounts are open", scheduler_.tenants());
    // A flood delays others by their share or their age, not by its length (hundreds of steps). The bounds: a place
    // comes free, or its class has aged past the flood's one step of priority and then a place comes free.
    if (flood_)
      rule(result_.longest_wait <= (flood_priorities_ ? 120 : 60),
           "the rarer tenant waited {} steps", result_.longest_wait);
  }

  Dice dice_;
  Faults faults_;
  bool flood_ = false, flood_priorities_ = false, guesses_ = false;
  SchedulerOptions options_;
  Scheduler scheduler_;
  std::vector<std::uint64_t> global_memory_, local_memory_;
  std::vector<Visitor> visitors_;  // in order of arrival
  std::size_t next_ = 0;
  std::map<std::uint64_t, Visitor*> live_;
  std::set<std::uint64_t> admitted_;  // in this step
  std::int64_t step_ = 0, work_ = 0;
  std::int64_t rare_turn_ = 0;  // when the rarer tenant last had its turn
  SimulationResult result_;
};

}  // namespace

SimulationResult simulate(std::uint64_t seed, Faults faults) {
  return Simulation(seed, faults).run();
}

}  // namespace herd::engine
