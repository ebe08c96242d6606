#include "engine/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace herd::engine {

Scheduler::Scheduler(const SchedulerOptions& options, const PrefixCache::Secret& secret,
                     Faults faults)
    : options_(options),
      faults_(faults),
      global_(options.global_pages),
      local_(options.local_pages),
      cache_(options.layout, global_, local_, secret, faults) {
  HERD_CHECK(options.sequences > 0 && options.step_tokens > options.sequences,
             "{} rows a step for {} sequences", options.step_tokens, options.sequences);
  HERD_CHECK(options.global_pages >= options.layout.global_pages(options.context) &&
                 options.local_pages >= options.layout.local_pages(options.context),
             "{} and {} pages for a context of {}", options.global_pages, options.local_pages,
             options.context);
}

const Plan& Scheduler::plan(std::int64_t now_ms) {
  plan_.pieces.clear();
  plan_.expired.clear();
  plan_.admitted.clear();
  plan_.preempted.clear();
  budget_ = options_.step_tokens;
  expire(now_ms);
  admit(now_ms);
  std::ranges::sort(running_, [&](const Sequence* a, const Sequence* b) { return senior(*a, *b); });
  if (faults_.has(Fault::prefill_before_decode)) {
    plan_prefills();
    plan_decodes();
  } else {
    plan_decodes();
    plan_prefills();
  }
  plan_drafts();
  for (Sequence* sequence : running_) sequence->proposed = 0;
  return plan_;
}

bool Scheduler::submit(Arrival arrival, std::int64_t now_ms) {
  HERD_CHECK(
      !arrival.keys.empty() && static_cast<std::int64_t>(arrival.keys.size()) <= options_.context,
      "a prompt of {} for a context of {}", arrival.keys.size(), options_.context);
  HERD_CHECK(!sequences_.contains(arrival.id), "request {} twice", arrival.id);
  const std::int64_t spare = faults_.has(Fault::queues_one_too_many) ? 1 : 0;
  if (waiting() + running() >= options_.queue + options_.sequences + spare) return false;
  auto sequence = std::make_unique<Sequence>();
  sequence->prompt = static_cast<std::int64_t>(arrival.keys.size());
  sequence->keys = std::exchange(arrival.keys, {});
  sequence->arrival = std::move(arrival);
  sequence->first_ready = sequence->arrival.ready;
  sequence->order = ++last_order_;
  sequence->arrived_ms = now_ms;
  const auto known = tenants_.find(sequence->arrival.tenant);
  if (known == tenants_.end()) {
    // Who comes new begins where the least served of those present stands: time away is no credit.
    std::optional<std::int64_t> least;
    for (const auto& [name, tenant] : tenants_)
      if (tenant.running + tenant.waiting > 0)
        least = std::min(least.value_or(tenant.served), tenant.served);
    tenants_[sequence->arrival.tenant].served = least.value_or(0);
  }
  ++tenants_[sequence->arrival.tenant].waiting;
  waiting_.push_back(sequence.get());
  sequences_.emplace(sequence->arrival.id, std::move(sequence));
  return true;
}

bool Scheduler::cancel(std::uint64_t id) {
  if (faults_.has(Fault::cancel_hits_the_neighbour) && sequences_.contains(id + 1)) ++id;
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return false;
  forget(*found->second);
  return true;
}

void Scheduler::finish(std::uint64_t id) {
  const auto found = sequences_.find(id);
  HERD_CHECK(found != sequences_.end(), "no request {}", id);
  forget(*found->second);
}

void Scheduler::forget(Sequence& sequence) {
  Tenant& tenant = tenants_.at(sequence.arrival.tenant);
  --(sequence.holding ? tenant.running : tenant.waiting);
  std::erase(sequence.holding ? running_ : waiting_, &sequence);
  sequences_.erase(sequence.arrival.id);
  close_accounts();
}

// Accounts of tenants that are away are kept only while they owe something to those present.
void Scheduler::close_accounts() {
  std::optional<std::int64_t> least;
  for (const auto& [name, tenant] : tenants_)
    if (tenant.running + tenant.waiting > 0)
      least = std::min(least.value_or(tenant.served), tenant.served);
  std::erase_if(tenants_, [&](const auto& entry) {
    const Tenant& tenant = entry.second;
    return tenant.running + tenant.waiting == 0 && (!least || tenant.served <= *least);
  });
}

const Scheduler::Sequence* Scheduler::find(std::uint64_t id) const {
  const auto found = sequences_.find(id);
  return found == sequences_.end() ? nullptr : found->second.get();
}

void Scheduler::ready(std::uint64_t id, std::int64_t positions) {
  const auto found = sequences_.find(id);
  HERD_CHECK(found != sequences_.end(), "no request {}", id);
  found->second->arrival.ready = positions;
}

void Scheduler::propose(std::uint64_t id, std::int64_t drafts) {
  const auto found = sequences_.find(id);
  HERD_CHECK(found != sequences_.end(), "no request {}", id);
  found->second->proposed = drafts;
}

void Scheduler::expire(std::int64_t now_ms) {
  auto late = [&](const Sequence* sequence) {
    return sequence->arrival.deadline_ms && *sequence->arrival.deadline_ms <= now_ms;
  };
  std::vector<Sequence*> gone;
  if (!faults_.has(Fault::ignores_waiting_deadlines))
    std::ranges::copy_if(waiting_, std::back_inserter(gone), late);
  if (!faults_.has(Fault::ignores_running_deadlines))
    std::ranges::copy_if(running_, std::back_inserter(gone), late);
  for (Sequence* sequence : gone) {
    plan_.expired.push_back(sequence->arrival.id);
    forget(*sequence);
  }
}

void Scheduler::admit(std::int64_t now_ms) {
  for (;;) {
    Sequence* candidate = next_waiting(now_ms);
    if (candidate == nullptr) return;
    if (running() >= options_.sequences && !make_place(*candidate)) return;
    while (!fits(*candidate)) {
      // No going round it by smaller ones: they might never let it in.
      Sequence* victim = most_junior(true);
      if (victim == nullptr || victim->granted >= candidate->arrival.priority) return;
      preempt(*victim, false);
    }
    start(*candidate, now_ms);
  }
}

Scheduler::Sequence* Scheduler::next_waiting(std::int64_t now_ms) {
  auto before = [&](const Sequence* a, const Sequence* b) {
    const std::int64_t standing_a = standing(*a, now_ms), standing_b = standing(*b, now_ms);
    if (standing_a != standing_b) return standing_a > standing_b;
    if (!faults_.has(Fault::first_come_first_served)) {
      const std::int64_t served_a = tenants_.at(a->arrival.tenant).served;
      const std::int64_t served_b = tenants_.at(b->arrival.tenant).served;
      if (served_a != served_b) return served_a < served_b;
    }
    return a->order < b->order;
  };
  const auto first = std::ranges::min_element(waiting_, before);
  return first == waiting_.end() ? nullptr : *first;
}

// Priority, and one more for each `aging_ms` since its class had a turn.
std::int64_t Scheduler::standing(const Sequence& sequence, std::int64_t now_ms) const {
  if (faults_.has(Fault::never_ages)) return sequence.arrival.priority;
  const Tenant& tenant = tenants_.at(sequence.arrival.tenant);
  std::int64_t since = sequence.arrived_ms;
  const auto turn = tenant.last_turn_ms.find(sequence.arrival.priority);
  if (turn != tenant.last_turn_ms.end()) since = std::max(since, turn->second);
  return sequence.arrival.priority + std::max<std::int64_t>(0, now_ms - since) / options_.aging_ms;
}

// All places are taken: somebody of lower priority, or of a tenant above its share, goes back to the queue.
bool Scheduler::make_place(const Sequence& candidate) {
  Sequence* victim = most_junior(true);
  if (victim == nullptr || victim->granted >= candidate.arrival.priority)
    victim = over_share(candidate);
  if (victim == nullptr) return false;
  preempt(*victim, false);
  return true;
}

Scheduler::Sequence* Scheduler::over_share(const Sequence& candidate) {
  if (faults_.has(Fault::first_come_first_served)) return nullptr;
  std::int64_t present = 0;
  for (const auto& [name, tenant] : tenants_) present += tenant.running + tenant.waiting > 0;
  const std::int64_t share = std::max<std::int64_t>(1, options_.sequences / present);
  if (tenants_.at(candidate.arrival.tenant).running >= share) return nullptr;
  Sequence* victim = nullptr;
  for (Sequence* sequence : running_) {
    if (pinned(*sequence) || sequence->granted > candidate.arrival.priority) continue;
    if (tenants_.at(sequence->arrival.tenant).running <= share) continue;
    if (victim == nullptr || senior(*victim, *sequence)) victim = sequence;
  }
  return victim;
}

// Whether its keys and one page more fit beside what those who run still need for theirs.
bool Scheduler::fits(const Sequence& candidate) {
  if (running_.empty()) return true;
  const KvLayout& layout = options_.layout;
  auto positions = [&](const Sequence& sequence, std::int64_t more) {
    return std::min(static_cast<std::int64_t>(sequence.keys.size()) + more, options_.context);
  };
  std::int64_t global = cache_.available_global(), local = cache_.available_local();
  for (const Sequence* sequence : running_) {
    const std::int64_t end = positions(*sequence, 1);
    const auto held = static_cast<std::int64_t>(sequence->holding->global().size());
    const auto held_local = static_cast<std::int64_t>(sequence->holding->local().size());
    global -= std::max<std::int64_t>(0, layout.global_pages(end) - held);
    local -= std::max<std::int64_t>(0, layout.local_pages(end) - held_local);
  }
  const std::int64_t end = positions(candidate, layout.page);
  Holding::Match stored;
  if (candidate.arrival.reuses)
    stored = Holding(cache_, candidate.arrival.id, candidate.arrival.tenant, options_.prefix_cache)
                 .match(candidate.keys);
  return layout.global_pages(end) - stored.pages <= global - stored.unused_global &&
         layout.local_pages(end) <= local - stored.unused_local;
}

void Scheduler::start(Sequence& sequence, std::int64_t now_ms) {
  std::erase(waiting_, &sequence);
  running_.push_back(&sequence);
  Tenant& tenant = tenants_.at(sequence.arrival.tenant);
  --tenant.waiting;
  ++tenant.running;
  sequence.granted = standing(sequence, now_ms);
  tenant.last_turn_ms[sequence.arrival.priority] = now_ms;
  sequence.holding.emplace(cache_, sequence.arrival.id, sequence.arrival.tenant,
                           options_.prefix_cache);
  if (sequence.arrival.reuses) {
    const ReuseEnd end = sequence.holding->adopt(sequence.keys);
    if (!sequence.charged) {
      sequence.reuse_end = end;
      sequence.reused = sequence.computed();
    }
  } else {
    sequence.reuse_end = ReuseEnd::not_allowed;
  }
  // A prompt is paid for when it is let in, so that the next of the same tenant already counts behind it; what has to
  // be computed again after a preemption is not the tenant's fault.
  if (!sequence.charged) tenant.served += sequence.left();
  sequence.charged = true;
  plan_.admitted.push_back(sequence.arrival.id);
}

bool Scheduler::pinned(const Sequence& sequence) const {
  return sequence.preemptions >= options_.preemptions && !faults_.has(Fault::preempts_without_end);
}

bool Scheduler::senior(const Sequence& a, const Sequence& b) const {
  if (pinned(a) != pinned(b)) return pinned(a);
  if (!pinned(a) && a.granted != b.granted) return a.granted > b.granted;
  return a.order < b.order;
}

Scheduler::Sequence* Scheduler::most_junior(bool unpinned_only) const {
  Sequence* found = nullptr;
  for (Sequence* sequence : running_) {
    if (unpinned_only && pinned(*sequence)) continue;
    const bool later = found == nullptr || senior(*found, *sequence);
    if (found == nullptr || later != faults_.has(Fault::preempts_the_eldest)) found = sequence;
  }
  return found;
}

void Scheduler::preempt(Sequence& victim, bool for_pages) {
  plan_.preempted.push_back(
      {victim.arrival.id, for_pages, victim.preemptions >= options_.preemptions});
  std::erase_if(plan_.pieces, [&](const Piece& piece) {
    if (piece.id == victim.arrival.id) budget_ += piece.rows;
    return piece.id == victim.arrival.id;
  });
  std::erase(running_, &victim);
  Tenant& tenant = tenants_.at(victim.arrival.tenant);
  --tenant.running;
  ++tenant.waiting;
  ++victim.preemptions;
  // What it took over from the cache may be gone when it comes back, and whoever looks at pictures looks at those that
  // run: until then it goes no further than at first.
  if (!faults_.has(Fault::preempted_stays_ready)) victim.arrival.ready = victim.first_ready;
  if (!faults_.has(Fault::preempted_is_lost)) waiting_.push_back(&victim);
  if (!faults_.has(Fault::preempted_keeps_its_place)) victim.holding.reset();
}

// Pages for its next positions, others making room where there are none. False when it had to go itself.
bool Scheduler::reserve(Sequence& sequence, std::int64_t end) {
  while (!sequence.holding->reserve(end)) {
    Sequence* victim = most_junior(false);
    preempt(*victim, true);
    if (victim == &sequence) return false;
  }
  return true;
}

std::int64_t Scheduler::chunk_end(std::int64_t position) const {
  const std::int64_t chunk = options_.layout.chunk;
  return chunk == 0 ? options_.context : (position / chunk + 1) * chunk;
}

void Scheduler::plan_decodes() {
  const std::vector<Sequence*> now = running_;  // preemption changes it
  for (Sequence* sequence : now) {
    if (!sequence->holding || sequence->left() != 1 || budget_ <= 0) continue;
    const std::int64_t begin = sequence->computed();
    if (begin >= sequence->arrival.ready || !reserve(*sequence, begin + 1)) continue;
    plan_.pieces.push_back({sequence->arrival.id, begin, 1, 0, true});
    --budget_;
  }
}

// Half of what is left goes to who came first, so that a long prompt gets on; the other half to the shortest rests, so
// that short prompts do not wait for long ones.
void Scheduler::plan_prefills() {
  std::vector<Sequence*> prefills;
  for (Sequence* sequence : running_) {
    if (sequence->left() <= 1) continue;
    if (sequence->arrival.reuses) {
      const std::int64_t before = sequence->computed();
      sequence->holding->adopt(sequence->keys);
      if (sequence->preemptions == 0) sequence->reused += sequence->computed() - before;
    }
    prefills.push_back(sequence);
  }
  if (prefills.empty()) return;
  Sequence* first = *std::ranges::min_element(prefills, {}, &Sequence::order);
  std::int64_t others = 0;
  for (const Sequence* sequence : prefills) others += sequence == first ? 0 : sequence->left();
  add_prefill(*first, std::max((budget_ + 1) / 2, budget_ - others));
  std::ranges::stable_sort(prefills, {}, &Sequence::left);
  for (Sequence* sequence : prefills)
    if (sequence != first && sequence->holding) add_prefill(*sequence, budget_);
  extend_prefill(*first);
}

std::int64_t Scheduler::prefill_rows(const Sequence& sequence, std::int64_t rows_max) const {
  const std::int64_t begin = sequence.computed();
  if (sequence.arrival.rows_max > 0) rows_max = std::min(rows_max, sequence.arrival.rows_max);
  return std::min(
      {sequence.left(), rows_max, chunk_end(begin) - begin, sequence.arrival.ready - begin});
}

void Scheduler::add_prefill(Sequence& sequence, std::int64_t rows_max) {
  const std::int64_t begin = sequence.computed(), rows = prefill_rows(sequence, rows_max);
  if (rows <= 0 || will_be_stored(sequence) || !reserve(sequence, begin + rows)) return;
  plan_.pieces.push_back({sequence.arrival.id, begin, rows, 0, rows == sequence.left()});
  budget_ -= rows;
}

// Gives it what the others have left over.
void Scheduler::extend_prefill(Sequence& sequence) {
  const auto piece_of = [&] {
    return std::ranges::find(plan_.pieces, sequence.arrival.id, &Piece::id);
  };
  auto piece = piece_of();
  if (piece == plan_.pieces.end() || budget_ == 0) return;
  const std::int64_t rows = prefill_rows(sequence, piece->rows + budget_);
  if (rows == piece->rows || !reserve(sequence, piece->begin + rows)) return;
  piece = piece_of();  // others may have gone
  budget_ -= rows - piece->rows;
  piece->rows = rows;
  piece->draws = rows == sequence.left();
}

// Whether somebody in this step computes the very block that comes next here: then it is there to be taken up in one of
// the next steps. This is how n answers to one prompt read it once.
bool Scheduler::will_be_stored(const Sequence& sequence) const {
  const KvLayout& layout = options_.layout;
  const bool can_adopt =
      layout.chunk == 0 || layout.shares_local() || layout.page % layout.chunk == 0;
  if (!can_adopt || !options_.prefix_cache || !sequence.arrival.reuses) return false;
  const std::int64_t begin = sequence.computed();
  if (begin % layout.page != 0 || sequence.left() <= layout.page) return false;
  const auto block =
      std::span(sequence.keys)
          .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(layout.page));
  return std::ranges::any_of(plan_.pieces, [&](const Piece& piece) {
    const Sequence& other = *sequences_.at(piece.id);
    if (other.holding->last_node() != sequence.holding->last_node()) return false;
    const auto at = static_cast<std::int64_t>(other.holding->nodes().size()) * layout.page;
    if (at != begin || static_cast<std::int64_t>(other.keys.size()) < at + layout.page)
      return false;
    return std::ranges::equal(
        block, std::span(other.keys)
                   .subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(layout.page)));
  });
}

// Guesses take only what nobody else wants: rows of the budget, pages that are free.
void Scheduler::plan_drafts() {
  for (Piece& piece : plan_.pieces) {
    Sequence& sequence = *sequences_.at(piece.id);
    if (!piece.draws || piece.rows != 1 || sequence.proposed <= 0) continue;
    const std::int64_t after = piece.begin + 1;
    const std::int64_t room =
        faults_.has(Fault::drafts_cross_chunks) ? options_.context : chunk_end(piece.begin);
    std::int64_t drafts = std::min({sequence.proposed, room - after, options_.context - after});
    if (!faults_.has(Fault::drafts_beyond_the_budget)) drafts = std::min(drafts, budget_);
    if (drafts <= 0 || !sequence.holding->reserve(after + drafts)) continue;
    piece.drafts = drafts;
    piece.rows += drafts;
    budget_ -= drafts;
  }
}

void Scheduler::done(std::uint64_t id, std::span<const std::uint64_t> drawn) {
  const auto piece = std::ranges::find(plan_.pieces, id, &Piece::id);
  HERD_CHECK(piece != plan_.pieces.end(), "request {} is not in this step", id);
  Sequence& sequence = *sequences_.at(id);
  HERD_CHECK(piece->draws
                 ? !drawn.empty() && static_cast<std::int64_t>(drawn.size()) <= piece->drafts + 1
                 : drawn.empty(),
             "{} tokens drawn after {} guesses", drawn.size(), piece->drafts);
  std::int64_t computed = piece->begin + piece->rows - piece->drafts;
  if (piece->draws) {
    sequence.keys.insert(sequence.keys.end(), drawn.begin(), drawn.end());
    computed += static_cast<std::int64_t>(drawn.size()) - 1;
    tenants_.at(sequence.arrival.tenant).served += static_cast<std::int64_t>(drawn.size());
    if (faults_.has(Fault::keeps_rejected_drafts))
      computed =
          std::min(piece->begin + piece->rows, static_cast<std::int64_t>(sequence.keys.size()));
  }
  sequence.holding->commit(sequence.keys, computed);
}

}  // namespace herd::engine
