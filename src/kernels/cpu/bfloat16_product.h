// Products in bfloat16 with float32 sums, on processors that multiply its pairs (AVX512_BF16: AMD from Zen 4, Intel
// from Cooper Lake): factors that are not bfloat16 yet are rounded once, to nearest even, before they are packed. Used
// where the lane says so (Lane::bfloat16): in training, and in the vision encoder; never for text that is served, where
// a row's bits may not depend on how many rows come with it.
//
// A sum runs along k in pairs, in blocks of 256; neither tiles nor threads change its bits. Other processors have no
// such instruction and multiply float32 instead, so the bits differ between the two kinds.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/matmul_plan.h"

namespace herd::cpu {

// Whether this processor, and the instruction set that kernels use, have it.
bool has_bfloat16_products();

// Fewer rows than these are multiplied in float32: packing would cost more than it saves. Counted in a group, not in an
// item of it, so that the number of threads decides nothing.
inline constexpr std::int64_t bfloat16_rows_min = 33;

// Whether a group's weights are of a kind that RoundedRows takes, float32 or bfloat16, not packed, and its rows enough.
bool can_multiply_bfloat16(const MatmulGroup& group);

// The rows of one call's x that such groups use, rounded; nothing where there is none. Memory, half as much as x, is
// the calling thread's, reused by its next.
class RoundedRows {
 public:
  RoundedRows(const MatmulArgs& args, const Lane& lane);

  // One item of such a group, scales and biases aside. Any thread.
  void multiply(const MatmulItem& item) const;

 private:
  template <class Weight>
  void multiply_by(const MatmulItem& item) const;

  // [ceil(in / 256), rows, 128] pairs along k: the rows of a tile lie one after the other.
  const std::uint32_t* pairs_ = nullptr;
  std::int64_t row_begin_ = 0, rows_ = 0;
};

// The same for gradients of weights, in pairs along the rows: each range of rows once for all groups that share it.
class RoundedInputs {
 public:
  RoundedInputs(const WeightGradArgs& args, const Lane& lane);

  // Whether a group's rows are enough.
  [[nodiscard]] static bool takes(const WeightGradGroup& group) {
    return group.row_end - group.row_begin >= bfloat16_rows_min;
  }
  // What cpu::weight_grad does for outputs [begin, end) of such a group, named by its index, biases aside; at most
  // outputs_max of them. Any thread.
  static constexpr std::int64_t outputs_max = 192;
  void add_gradient(std::int64_t group, std::int64_t begin, std::int64_t end) const;

 private:
  // Rows that some groups share, from which on [blocks of 256 rows, panels of 32 inputs, 128 pairs, 32] lie.
  struct Range {
    std::int64_t row_begin, row_end, in;
    std::int64_t first_pair;
    [[nodiscard]] std::int64_t block_size() const;
  };
  void pack(const Range& range, std::int64_t block, std::uint32_t* to) const;

  const WeightGradArgs& args_;
  std::vector<Range> ranges_;
  std::vector<std::size_t> range_of_;  // by group
  const std::uint32_t* pairs_ = nullptr;
};

// `rounds` rounds of independent products in registers, for measuring; a multiplication and an addition are two
// operations.
double bfloat16_chains(std::int64_t rounds);

}  // namespace herd::cpu
