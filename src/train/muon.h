// Muon: steps for matrices in which every direction is equally long. What momentum has gathered is replaced by the
// nearest matrix with orthogonal rows (or columns), found by five rounds of a polynomial that needs products alone.
//
//   m = beta m + (1 - beta) g,   u = beta m + (1 - beta) g          (Nesterov)
//   X = u / |u|;  five times:  A = X X^T,  X = (a I + b A + c A^2) X
//   w -= rate (0.2 sqrt(max(rows, columns)) X + decay w)
//
// Source: K. Jordan et al. 2024, "Muon"; the factor 0.2 sqrt(...), by which one rate suits AdamW and Muon alike: Liu et
// al. 2025, "Muon is scalable for LLM training". Checked against torch.optim.Muon (tests/gradients_test.cc).
#pragma once

#include <vector>

#include "ops/context.h"
#include "train/parameters.h"

namespace herd::train {

struct MuonStep {
  float rate = 0;
  float momentum = 0.95f;
  float decay = 0;
  float factor = 1;  // of the gradient: what clipping left of it
};

class Muon {
 public:
  // Whether a parameter is one of Muon's: a matrix between hidden values. Embeddings, routers and the head are not.
  static bool takes(const Parameter& parameter);

  // One step for all of its parameters; their gradients become zero. Momentum is kept in the first moments. Matrices of
  // one shape are multiplied together. The bits do not depend on the number of threads.
  static void step(Context& ctx, const Parameters& parameters, const MuonStep& step);
};

}  // namespace herd::train
