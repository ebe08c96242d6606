// What goes wrong in a training while its loss may still look well: routers that send everything to one expert, experts
// that nobody uses, numbers that are none.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "train/trainer.h"

namespace herd::train {

class Alarms {
 public:
  // A step that is to be heard of: texts for a log, empty when all is well. Each trouble is told when it begins, and
  // again only after it was over.
  //   collapsed router: for 20 steps the busiest expert of a layer got more than half of its tokens, or 8 times its
  //                     share where that is less; told where there are more than 2 experts
  //   dead expert:      for 100 steps an expert got no token
  //   no number:        a loss or a gradient that is not finite, each time
  std::vector<std::string> see(const StepReport& step);

  static constexpr std::int64_t collapsed_steps = 20;
  static constexpr std::int64_t dead_steps = 100;

 private:
  std::map<std::int64_t, std::int64_t> crowded_;                         // steps in a row, by layer
  std::map<std::pair<std::int64_t, std::size_t>, std::int64_t> unused_;  // by layer and expert
};

}  // namespace herd::train
