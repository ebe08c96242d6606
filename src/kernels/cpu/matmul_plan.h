// How a matrix product is cut into items of work: rows x outputs of one group, all groups in one queue. The cut depends
// on the number of threads; the bits of the result do not depend on the cut.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/table.h"

namespace herd::cpu {

// The part of one group's product that one thread computes at a time.
struct MatmulItem {
  const MatmulArgs* args = nullptr;
  const MatmulGroup* group = nullptr;
  std::int64_t row_begin = 0, row_end = 0;
  std::int64_t out_begin = 0, out_end = 0;

  [[nodiscard]] std::int64_t rows() const { return row_end - row_begin; }
  [[nodiscard]] const float* x(std::int64_t t) const { return args->x + t * args->x_stride; }
  [[nodiscard]] float* y(std::int64_t t) const {
    return args->y + t * args->y_stride + group->y_column;
  }
};

// Scales and biases of an item whose sums are in y (matmul.cc).
void finish(const MatmulItem& item);

class MatmulPlan {
 public:
  // Refers to args, and to memory of the calling thread that its next plan reuses.
  MatmulPlan(const MatmulArgs& args, int threads);

  [[nodiscard]] std::int64_t items() const { return items_; }
  [[nodiscard]] MatmulItem item(std::int64_t index) const;

 private:
  struct Cut {
    const MatmulGroup* group = nullptr;
    std::int64_t first_item = 0;
    std::int64_t item_rows = 0, item_outs = 0;
    std::int64_t out_blocks = 0;
  };
  const MatmulArgs& args_;
  std::span<const Cut> cuts_;  // of groups that have rows
  std::int64_t items_ = 0;
};

}  // namespace herd::cpu
