#include "train/selection_bias.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>
#include <string_view>

#include "base/check.h"

namespace herd::train {
namespace {

// The routers' biases with the number in their layer's name.
class Routers final : public nn::ParameterVisitor {
 public:
  using Take = std::function<void(std::int64_t layer, std::vector<float>& bias_E)>;
  explicit Routers(Take take) : take_(std::move(take)) {}

  void matrix(std::string_view, Matrix&) override {}
  void vector(std::string_view, Tensor&) override {}
  void experts(std::string_view, nn::ExpertMatrices&) override {}
  void selection_bias(std::string_view name, std::vector<float>& bias_E) override {
    constexpr std::string_view layers = "layers.";
    const std::size_t at = name.find(layers);
    HERD_CHECK(at != std::string_view::npos, "a router outside a layer: {}", name);
    std::int64_t layer = 0;
    std::from_chars(name.data() + at + layers.size(), name.data() + name.size(), layer);
    take_(layer, bias_E);
  }

 private:
  Take take_;
};

}  // namespace

SelectionBias::SelectionBias(SelectionBiasOptions options, llama4::Model& model)
    : options_(options) {
  if (options_.rate == 0) return;
  const auto experts = static_cast<std::size_t>(model.config().text.experts);
  Routers routers([&](std::int64_t layer, std::vector<float>& bias_E) {
    bias_E.assign(experts, 0.0f);
    in_use_[layer] = &bias_E;
    values_[layer].assign(experts, 0.0);
  });
  model.parameters(routers);
}

double SelectionBias::part(double done) const {
  if (options_.anneal <= 0) return done < 1 ? 1 : 0;
  return std::clamp((1 - done) / options_.anneal, 0.0, 1.0);
}

void SelectionBias::apply(double done) {
  const double scale = part(done);
  for (const auto& [layer, bias_E] : in_use_)
    for (std::size_t e = 0; e < bias_E->size(); ++e)
      (*bias_E)[e] = static_cast<float>(scale * values_[layer][e]);
}

void SelectionBias::learn(const std::map<std::int64_t, std::vector<std::int64_t>>& tokens) {
  for (const auto& [layer, count] : tokens) {
    const auto found = values_.find(layer);
    if (found == values_.end()) continue;
    const double mean = static_cast<double>(std::accumulate(count.begin(), count.end(), 0LL)) /
                        static_cast<double>(count.size());
    for (std::size_t e = 0; e < count.size(); ++e) {
      const double missing = mean - static_cast<double>(count[e]);
      if (missing != 0) found->second[e] += std::copysign(options_.rate, missing);
    }
  }
}

void SelectionBias::set_values(const Values& values) {
  for (const auto& [layer, bias] : values) {
    const auto found = values_.find(layer);
    if (found != values_.end() && found->second.size() == bias.size()) found->second = bias;
  }
}

double SelectionBias::largest() const {
  double most = 0;
  for (const auto& [layer, bias_E] : in_use_)
    for (const float bias : *bias_E) most = std::max(most, std::fabs(double{bias}));
  return most;
}

double largest_selection_bias(llama4::Model& model) {
  double most = 0;
  Routers routers([&](std::int64_t, std::vector<float>& bias_E) {
    for (const float bias : bias_E) most = std::max(most, std::fabs(double{bias}));
  });
  model.parameters(routers);
  return most;
}

}  // namespace herd::train
