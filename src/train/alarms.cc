#include "train/alarms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace herd::train {
namespace {

constexpr double share_of_crowded = 0.5;  // of a layer's tokens
constexpr double times_of_crowded = 8;    // or so many times an even share

}  // namespace

std::vector<std::string> Alarms::see(const StepReport& step) {
  std::vector<std::string> told;
  const auto tell = [&](std::string text) {
    told.push_back(fmt::format("step {}: {}", step.step, text));
  };
  if (!std::isfinite(step.loss) || !std::isfinite(step.gradient))
    tell(fmt::format("the loss is {} and the gradient's length {}: nothing was learned from it",
                     step.loss, step.gradient));
  for (const auto& [layer, count] : step.loads) {
    const auto experts = static_cast<double>(count.size());
    const auto total = static_cast<double>(std::accumulate(count.begin(), count.end(), 0LL));
    if (total == 0) continue;
    const auto busiest = std::ranges::max_element(count);
    const double share = static_cast<double>(*busiest) / total;
    const bool is_crowded =
        count.size() > 2 && share > std::min(share_of_crowded, times_of_crowded / experts);
    std::int64_t& crowded = crowded_[layer];
    crowded = is_crowded ? crowded + 1 : 0;
    if (crowded == collapsed_steps)
      tell(
          fmt::format("the router of layer {} has collapsed: for {} steps one expert got most of "
                      "the tokens, now {:.0f} % of them go to expert {} of {}; a larger "
                      "balance.pull or a smaller rate may help",
                      layer, collapsed_steps, 100 * share, busiest - count.begin(), count.size()));
    for (std::size_t e = 0; e < count.size(); ++e) {
      std::int64_t& unused = unused_[{layer, e}];
      unused = count[e] == 0 ? unused + 1 : 0;
      if (unused == dead_steps)
        tell(fmt::format("expert {} of layer {} has got no token for {} steps", e, layer,
                         dead_steps));
    }
  }
  return told;
}

}  // namespace herd::train
