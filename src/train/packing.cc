#include "train/packing.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace herd::train {
namespace {

// Examples in a row that may be useless before that is an error and not bad luck.
constexpr std::uint64_t useless_max = 1000;

// Cuts a document; false for what cannot be cut, because its answer or a picture would be torn.
bool fits(Example& example, std::int64_t length_max) {
  const auto length = static_cast<std::int64_t>(example.prompt.tokens.size());
  if (length <= length_max) return true;
  if (!example.is_document) return false;
  example.prompt.tokens.resize(static_cast<std::size_t>(length_max));
  example.weight.resize(static_cast<std::size_t>(length_max));
  return true;
}

// The first token is predicted by nothing.
double weight_of(const Example& example) {
  return std::accumulate(example.weight.begin() + 1, example.weight.end(), 0.0);
}

}  // namespace

bool is_learnable(Example& example, std::int64_t length_max) {
  return fits(example, length_max) && example.prompt.tokens.size() > 1 && weight_of(example) > 0;
}

Result<Step> pack(const Source& source, std::uint64_t first, const PackingOptions& options) {
  Step step;
  step.next = first;
  std::int64_t in_piece = options.piece_tokens;
  std::uint64_t useless = 0;
  while (step.tokens < options.step_tokens) {
    HERD_TRY(Example example, source.at(step.next));
    ++step.next;
    const bool kept = fits(example, options.length_max);
    if (!kept) ++step.left_out;
    const bool teaches = kept && example.prompt.tokens.size() > 1 && weight_of(example) > 0;
    if (kept && !teaches) ++step.empty;
    if (!teaches) {
      if (++useless >= useless_max)
        return fail(Code::nothing_to_learn,
                    "{} examples in a row have nothing to learn from ({} longer than {} tokens, {} "
                    "without a token that counts)",
                    useless, step.left_out, options.length_max, step.empty);
      continue;
    }
    useless = 0;
    const auto length = static_cast<std::int64_t>(example.prompt.tokens.size());
    if (in_piece + length > options.piece_tokens) {
      step.pieces.emplace_back();
      in_piece = 0;
    }
    in_piece += length;
    step.tokens += length;
    step.weight += weight_of(example);
    step.pieces.back().push_back(std::move(example));
  }
  return step;
}

}  // namespace herd::train
