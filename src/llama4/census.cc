#include "llama4/census.h"

#include <algorithm>

#include "llama4/names.h"

namespace herd::llama4 {
namespace {

class Counter final : public nn::ParameterVisitor {
 public:
  explicit Counter(std::int64_t experts_per_token) : experts_per_token_(experts_per_token) {}

  void matrix(std::string_view name, Matrix& matrix) override { add(name, matrix.out * matrix.in); }
  void vector(std::string_view name, Tensor& vector) override {
    add(name, vector.shape.elements());
  }
  void experts(std::string_view, nn::ExpertMatrices& experts) override {
    const Matrix& gate = experts.gate[0];
    const std::int64_t one = 3 * gate.out * gate.in;
    const auto all = static_cast<std::uint64_t>(one) * experts.gate.size();
    census.total += all;
    census.routed += all;
    census.active += static_cast<std::uint64_t>(one * experts_per_token_);
  }

  Census census;

 private:
  void add(std::string_view name, std::int64_t elements) {
    const auto count = static_cast<std::uint64_t>(elements);
    census.total += count;
    if (is_of_vision(name))
      census.vision += count;
    else
      census.active += count;
  }
  std::int64_t experts_per_token_;
};

}  // namespace

Census take_census(const Config& config) {
  Model model(config);
  Counter counter(config.text.experts_per_token);
  model.parameters(counter);
  return counter.census;
}

MemoryPlan plan_memory(const Config& config, std::uint64_t weights, std::int64_t context,
                       std::int64_t rows, DType kv_dtype) {
  const TextConfig& text = config.text;
  MemoryPlan plan;
  plan.weights = weights;
  plan.context = context;
  plan.cache = Model(config).kv_shape(kv_dtype).bytes(context);
  // What one block holds at its widest moment (attention.cc, moe.cc), and the logits of one row.
  const std::int64_t attention = (3 * text.heads + 4 * text.key_value_heads) * text.head_size;
  const std::int64_t moe = (text.experts_per_token + 1) * (3 * text.expert_width + 2 * text.width);
  const std::int64_t inner = std::max(3 * text.dense_width, moe);
  const std::int64_t floats = rows * (8 * text.width + attention + inner) + text.vocabulary;
  plan.activations = static_cast<std::uint64_t>(floats) * sizeof(float);
  return plan;
}

std::string MemoryPlan::table() const {
  return fmt::format(
      "  weights                 {:>10}\n"
      "  keys and values         {:>10}  ({} tokens)\n"
      "  one forward pass        {:>10}\n"
      "  together                {:>10}",
      human_bytes(weights), human_bytes(cache), context, human_bytes(activations),
      human_bytes(total()));
}

std::int64_t largest_context(const Config& config, std::uint64_t weights, std::int64_t wanted,
                             std::int64_t rows, DType kv_dtype, std::uint64_t available) {
  auto fits = [&](std::int64_t context) {
    return plan_memory(config, weights, context, rows, kv_dtype).total() <= available;
  };
  std::int64_t low = 0, high = wanted;  // fits(low) or low == 0; the plan grows with the context
  while (low < high) {
    const std::int64_t middle = low + (high - low + 1) / 2;
    if (fits(middle))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

Result<void> check_fits(const Config& config, const MemoryPlan& plan, std::int64_t rows,
                        DType kv_dtype, const MemoryLimits& limits) {
  if (plan.total() <= limits.available) return {};
  const std::int64_t context =
      largest_context(config, plan.weights, plan.context, rows, kv_dtype, limits.available);
  return fail_with_hint(
      Code::memory_plan,
      fmt::format("the model needs {}, but {} is there ({}); nothing was loaded\n{}",
                  human_bytes(plan.total()), human_bytes(limits.available), limits.bound_by,
                  plan.table()),
      context > 0 ? fmt::format("--ctx {} would fit", context)
                  : "the weights alone are too large; --allow-paging reads them from disk as they "
                    "are needed, slowly");
}

}  // namespace herd::llama4
