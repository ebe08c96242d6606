#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/ref.h"

namespace herd::ref {
namespace {

// What one query row of one head contributes; notation of Dao et al. 2022, appendix B.
void grad_of_row(const AttendGradArgs& args, const AttendSegment& segment, std::int64_t t,
                 std::int64_t n, std::vector<double>& dk, std::vector<double>& dv) {
  const std::int64_t g = n / (args.N / args.G), d = args.d;
  const std::int64_t end = args.causal ? t + 1 : segment.end;
  const float* q = args.q + (t * args.N + n) * d;
  const float* d_out = args.d_out + (t * args.N + n) * d;
  const auto key = [&](std::int64_t s) { return args.k + (s * args.G + g) * d; };
  const auto value = [&](std::int64_t s) { return args.v + (s * args.G + g) * d; };

  std::vector<double> p, dp;
  for (std::int64_t s = segment.begin; s < end; ++s) {
    double score = 0, dot = 0;
    for (std::int64_t i = 0; i < d; ++i) {
      score += double{q[i]} * double{key(s)[i]};
      dot += double{d_out[i]} * double{value(s)[i]};
    }
    p.push_back(score * double{args.scale});
    dp.push_back(dot);
  }
  const double largest = *std::ranges::max_element(p);
  double total = 0, mean = 0;
  for (double& e : p) total += e = std::exp(e - largest);
  for (double& e : p) e /= total;
  for (std::size_t j = 0; j < p.size(); ++j) mean += p[j] * dp[j];
  for (std::int64_t i = 0; i < d; ++i) {
    double dq = 0;
    for (std::size_t j = 0; j < p.size(); ++j) {
      const std::int64_t s = segment.begin + static_cast<std::int64_t>(j);
      const double ds = p[j] * (dp[j] - mean) * double{args.scale};
      const auto at = static_cast<std::size_t>((s * args.G + g) * d + i);
      dq += ds * double{key(s)[i]};
      dk[at] += ds * double{q[i]};
      dv[at] += p[j] * double{d_out[i]};
    }
    args.dq[(t * args.N + n) * d + i] = static_cast<float>(dq);
  }
}

}  // namespace

void attend_grad(const AttendGradArgs& args, const Lane&) {
  std::int64_t rows = 0;
  for (std::int64_t i = 0; i < args.num_segments; ++i) rows = std::max(rows, args.segments[i].end);
  std::vector<double> dk(static_cast<std::size_t>(rows * args.G * args.d)), dv(dk);
  for (std::int64_t i = 0; i < args.num_segments; ++i) {
    const AttendSegment& segment = args.segments[i];
    for (std::int64_t t = segment.begin; t < segment.end; ++t)
      for (std::int64_t n = 0; n < args.N; ++n) grad_of_row(args, segment, t, n, dk, dv);
    const std::int64_t from = segment.begin * args.G * args.d, to = segment.end * args.G * args.d;
    for (std::int64_t at = from; at < to; ++at) {
      args.dk[at] = static_cast<float>(dk[static_cast<std::size_t>(at)]);
      args.dv[at] = static_cast<float>(dv[static_cast<std::size_t>(at)]);
    }
  }
}

}  // namespace herd::ref
