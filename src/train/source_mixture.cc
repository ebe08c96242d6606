#include "train/source_mixture.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace herd::train {
namespace {

constexpr std::uint64_t order_stream = 0x6d69787475726573;  // apart from the sources' own numbers

}  // namespace

SourceMixture::SourceMixture(std::vector<Part> parts, std::uint64_t seed)
    : parts_(std::move(parts)), order_(block, seed ^ order_stream) {
  HERD_CHECK(!parts_.empty() && parts_.size() <= block, "{} sources", parts_.size());
  double sum = 0;
  for (const Part& part : parts_) {
    HERD_CHECK(part.share > 0 && part.mean_tokens > 0, "a source without share or tokens");
    sum += part.share / part.mean_tokens;
  }
  // One draw each, and the rest by rounding the sums so far: the last sum is the block.
  const auto left = static_cast<double>(block - parts_.size());
  begin_.push_back(0);
  double so_far = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const double wanted =
        parts_[i].share / parts_[i].mean_tokens / sum * static_cast<double>(block);
    so_far += std::max(0.0, wanted - 1);
    begin_.push_back(i + 1 + static_cast<std::size_t>(std::lround(std::min(left, so_far))));
  }
  begin_.back() = block;
}

Result<Example> SourceMixture::at(std::uint64_t index) const {
  const std::uint32_t place = order_.at(index);
  const auto after = std::ranges::upper_bound(begin_, std::size_t{place});
  const auto part = static_cast<std::size_t>(after - begin_.begin()) - 1;
  const std::size_t count = begin_[part + 1] - begin_[part];
  return parts_[part].source->at(index / block * count + (place - begin_[part]));
}

std::vector<std::size_t> SourceMixture::draws() const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < parts_.size(); ++i) out.push_back(begin_[i + 1] - begin_[i]);
  return out;
}

}  // namespace herd::train
