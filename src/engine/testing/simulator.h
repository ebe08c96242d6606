// Looks for mistakes in the scheduler, the pages and the prefix cache, by running them as the engine does, with a
// made-up model instead of a real one: what a position's keys and values would be is a number that depends on all
// tokens up to there, so every page's content can be checked before it is read. Everything follows from the seed:
// arrivals, lengths, shared beginnings, priorities, deadlines, people giving up, guesses right and wrong, and how few
// pages there are.
#pragma once

#include <cstdint>
#include <string>

#include "engine/faults.h"

namespace herd::engine {

struct SimulationResult {
  std::string violation;    // the first broken rule, with the step; empty when all held
  std::uint64_t trace = 0;  // a hash of all plans
  // What happened, so that a test can tell that it was worth it.
  std::int64_t requests = 0, steps = 0, rows = 0, preemptions = 0, reused = 0, cancelled = 0;
  std::int64_t expired = 0, refused = 0, guesses_right = 0, guesses_wrong = 0;
  std::int64_t longest_wait = 0;  // steps until first let in, of requests of the rarer tenant
};

SimulationResult simulate(std::uint64_t seed, Faults faults = {});

}  // namespace herd::engine
