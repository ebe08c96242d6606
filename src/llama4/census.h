// Counting a model's parameters without its numbers, and the memory it will want: arithmetic for `herd inspect` and for
// refusing early what cannot fit.
#pragma once

#include <cstdint>
#include <string>

#include "base/memory.h"
#include "base/result.h"
#include "llama4/model.h"

namespace herd::llama4 {

struct Census {
  std::uint64_t total = 0;   // every parameter
  std::uint64_t vision = 0;  // encoder, adapter and projector
  std::uint64_t routed = 0;  // all routed experts
  std::uint64_t active =
      0;  // read for one text token: chosen experts only; both embedding tables count whole

  [[nodiscard]] std::uint64_t text() const { return total - vision; }
};

Census take_census(const Config& config);

struct MemoryPlan {
  std::uint64_t weights = 0;      // mapped from the files
  std::uint64_t cache = 0;        // keys and values, full context
  std::uint64_t activations = 0;  // of one forward pass, an upper bound
  std::int64_t context = 0;
  [[nodiscard]] std::uint64_t total() const { return weights + cache + activations; }
  [[nodiscard]] std::string table() const;
};

// weights: bytes of the files. rows: of one forward pass.
MemoryPlan plan_memory(const Config& config, std::uint64_t weights, std::int64_t context,
                       std::int64_t rows, DType kv_dtype);

// Fails with memory_plan: the arithmetic, and the largest context that would fit if one does.
Result<void> check_fits(const Config& config, const MemoryPlan& plan, std::int64_t rows,
                        DType kv_dtype, const MemoryLimits& limits);

// The largest context, up to `wanted`, whose plan fits; 0 when even one token does not.
std::int64_t largest_context(const Config& config, std::uint64_t weights, std::int64_t wanted,
                             std::int64_t rows, DType kv_dtype, std::uint64_t available);

}  // namespace herd::llama4
