// Mistakes that can be planted in the state machines of this folder, to measure the simulator that looks for them
// (simulator_test.cc). Nothing but that test ever sets one.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace herd::engine {

enum class Fault : std::uint8_t {
  cancel_keeps_pages,
  cancel_hits_the_neighbour,
  finish_keeps_prefix_held,
  preempted_is_lost,
  preempted_keeps_its_place,
  preempts_the_eldest,
  preempts_without_end,
  evicts_what_is_used,
  evicts_local_in_use,
  evicts_parents_first,
  shares_across_tenants,
  trusts_the_hash,
  reuses_the_last_token,
  resumes_without_local_pages,
  keeps_local_pages_across_chunks,
  stores_before_computed,
  keeps_rejected_drafts,
  drafts_cross_chunks,
  drafts_beyond_the_budget,
  duplicate_keeps_its_old_page,
  ignores_waiting_deadlines,
  ignores_running_deadlines,
  queues_one_too_many,
  prefill_before_decode,
  first_come_first_served,
  never_ages,
  preempted_stays_ready,
  count,
};

struct FaultRow {
  Fault fault;
  std::string_view name;
};

inline constexpr std::array fault_table{
    FaultRow{Fault::cancel_keeps_pages, "cancel_keeps_pages"},
    FaultRow{Fault::cancel_hits_the_neighbour, "cancel_hits_the_neighbour"},
    FaultRow{Fault::finish_keeps_prefix_held, "finish_keeps_prefix_held"},
    FaultRow{Fault::preempted_is_lost, "preempted_is_lost"},
    FaultRow{Fault::preempted_keeps_its_place, "preempted_keeps_its_place"},
    FaultRow{Fault::preempts_the_eldest, "preempts_the_eldest"},
    FaultRow{Fault::preempts_without_end, "preempts_without_end"},
    FaultRow{Fault::evicts_what_is_used, "evicts_what_is_used"},
    FaultRow{Fault::evicts_local_in_use, "evicts_local_in_use"},
    FaultRow{Fault::evicts_parents_first, "evicts_parents_first"},
    FaultRow{Fault::shares_across_tenants, "shares_across_tenants"},
    FaultRow{Fault::trusts_the_hash, "trusts_the_hash"},
    FaultRow{Fault::reuses_the_last_token, "reuses_the_last_token"},
    FaultRow{Fault::resumes_without_local_pages, "resumes_without_local_pages"},
    FaultRow{Fault::keeps_local_pages_across_chunks, "keeps_local_pages_across_chunks"},
    FaultRow{Fault::stores_before_computed, "stores_before_computed"},
    FaultRow{Fault::keeps_rejected_drafts, "keeps_rejected_drafts"},
    FaultRow{Fault::drafts_cross_chunks, "drafts_cross_chunks"},
    FaultRow{Fault::drafts_beyond_the_budget, "drafts_beyond_the_budget"},
    FaultRow{Fault::duplicate_keeps_its_old_page, "duplicate_keeps_its_old_page"},
    FaultRow{Fault::ignores_waiting_deadlines, "ignores_waiting_deadlines"},
    FaultRow{Fault::ignores_running_deadlines, "ignores_running_deadlines"},
    FaultRow{Fault::queues_one_too_many, "queues_one_too_many"},
    FaultRow{Fault::prefill_before_decode, "prefill_before_decode"},
    FaultRow{Fault::first_come_first_served, "first_come_first_served"},
    FaultRow{Fault::never_ages, "never_ages"},
    FaultRow{Fault::preempted_stays_ready, "preempted_stays_ready"},
};

static_assert(
    [] {
      for (std::size_t i = 0; i < fault_table.size(); ++i)
        if (static_cast<std::size_t>(fault_table[i].fault) != i) return false;
      return fault_table.size() == static_cast<std::size_t>(Fault::count);
    }(),
    "fault_table lists every Fault once, in order");

class Faults {
 public:
  Faults() = default;
  explicit Faults(Fault fault) { planted_.set(static_cast<std::size_t>(fault)); }
  [[nodiscard]] bool has(Fault fault) const {
    return planted_.test(static_cast<std::size_t>(fault));
  }

 private:
  std::bitset<static_cast<std::size_t>(Fault::count)> planted_;
};

}  // namespace herd::engine
