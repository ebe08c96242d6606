// Several sources as one, each with its share of the tokens.
#pragma once

#include <memory>
#include <vector>

#include "train/source.h"

namespace herd::train {

// Draws come in blocks. In each block every source has the same number of draws, in a shuffled order, and a source's
// own examples are drawn without gaps: so example i is a function of the seed and i alone, shares hold over a block,
// and a file's rounds are whole ones.
class SourceMixture final : public Source {
 public:
  struct Part {
    std::unique_ptr<Source> source;
    double share = 1;        // of the tokens; in proportion to the others
    double mean_tokens = 1;  // of an example: long ones are drawn less often
  };

  static constexpr std::size_t block = 16384;

  // 1 <= parts.size() <= block; shares and mean_tokens are above 0.
  SourceMixture(std::vector<Part> parts, std::uint64_t seed);

  [[nodiscard]] Result<Example> at(std::uint64_t index) const override;

  // How many of a block's draws each part has, at least one.
  [[nodiscard]] std::vector<std::size_t> draws() const;

 private:
  std::vector<Part> parts_;
  std::vector<std::size_t> begin_;  // [parts + 1] of each part's draws within a block
  Rounds order_;
};

}  // namespace herd::train
