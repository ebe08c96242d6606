#include "train/parameters.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "base/hash.h"
#include "base/rng.h"
#include "llama4/names.h"
#include "nn/adapter.h"

namespace herd::train {
namespace {

constexpr std::int64_t alignment = 16;  // numbers: a vector of AVX-512

Role role_of(std::string_view name, bool is_matrix) {
  if (name.contains(".lora_")) return Role::adapter;
  if (name.ends_with(".bias")) return Role::bias;
  if (!is_matrix) return name.ends_with(".weight") ? Role::norm : Role::embedding;
  if (name.ends_with("embed_tokens.weight")) return Role::embedding;
  if (name.ends_with("lm_head.weight")) return Role::head;
  if (name.ends_with("router.weight")) return Role::router;
  for (const std::string_view end : {"o_proj.weight", "down_proj.weight", "mlp.fc2.weight"})
    if (name.ends_with(end) && !name.contains("vision_adapter")) return Role::output;
  return Role::hidden;
}

// Called for every matrix and vector with its name; an expert's matrices one by one, gate and up side by side. Of
// adapters, A and B of each matrix, or of each expert.
class EachParameter final : public nn::ParameterVisitor {
 public:
  using OnMatrix = std::function<void(const std::string&, Matrix&)>;
  using OnVector = std::function<void(const std::string&, Tensor&)>;
  EachParameter(Learned learned, OnMatrix on_matrix, OnVector on_vector)
      : learned_(learned), on_matrix_(std::move(on_matrix)), on_vector_(std::move(on_vector)) {}

  void matrix(std::string_view name, Matrix& matrix) override {
    if (learned_ == Learned::model) on_matrix_(std::string(name), matrix);
  }
  void vector(std::string_view name, Tensor& vector) override {
    if (learned_ == Learned::model) on_vector_(std::string(name), vector);
  }
  void experts(std::string_view name, nn::ExpertMatrices& experts) override {
    for (std::size_t e = 0; learned_ == Learned::model && e < experts.gate.size(); ++e) {
      on_matrix_(fmt::format("{}.{}.gate_proj.weight", name, e), experts.gate[e]);
      on_matrix_(fmt::format("{}.{}.up_proj.weight", name, e), experts.up[e]);
      on_matrix_(fmt::format("{}.{}.down_proj.weight", name, e), experts.down[e]);
    }
  }
  void adapter(std::string_view name, nn::Adapter& adapter) override {
    for (std::size_t e = 0; learned_ == Learned::adapters && adapter && e < adapter.a.size(); ++e) {
      const std::string one =
          adapter.a.size() == 1 ? std::string(name) : fmt::format("{}.{}", name, e);
      on_matrix_(one + ".lora_A.weight", adapter.a[e]);
      on_matrix_(one + ".lora_B.weight", adapter.b[e]);
    }
  }

 private:
  Learned learned_;
  OnMatrix on_matrix_;
  OnVector on_vector_;
};

// Box and Muller's transform of two uniform numbers.
float normal(std::uint64_t seed, std::uint64_t index, std::uint64_t stream) {
  const double u = uniform(seed, 2 * index, stream), v = uniform(seed, 2 * index + 1, stream);
  return static_cast<float>(std::sqrt(-2.0 * std::log(1.0 - u)) *
                            std::cos(2.0 * std::numbers::pi * v));
}

}  // namespace

Parameters::Parameters(llama4::Model& model, Learned learned) {
  const auto place = [&](const std::string& name, Shape shape, bool is_matrix) {
    const std::int64_t numbers = shape.elements();
    list_.push_back({.name = name,
                     .role = role_of(name, is_matrix),
                     .shape = shape,
                     .offset = count_,
                     .count = numbers,
                     .routed = name.contains(".experts."),
                     .of_vision = llama4::is_of_vision(name)});
    count_ += (numbers + alignment - 1) / alignment * alignment;
  };
  EachParameter lister(
      learned,
      [&](const std::string& name, Matrix& matrix) { place(name, {matrix.out, matrix.in}, true); },
      [&](const std::string& name, Tensor& vector) { place(name, vector.shape, false); });
  model.parameters(lister);

  for (std::span<float>* row : {&weights_, &gradients_, &first_moments_, &second_moments_}) {
    const auto numbers = static_cast<std::size_t>(count_);
    *row = {static_cast<float*>(memory_.allocate(numbers * sizeof(float))), numbers};
    std::ranges::fill(*row, 0.0f);
  }
  std::size_t next = 0;
  const auto point = [&] {
    const Parameter& parameter = list_[next++];
    float* weight = part(weights_, parameter).data();
    leaves_.emplace(weight, part(gradients_, parameter).data());
    return weight;
  };
  EachParameter binder(
      learned,
      [&](const std::string&, Matrix& matrix) {
        matrix = {.data = point(), .out = matrix.out, .in = matrix.in, .stride = matrix.in};
      },
      [&](const std::string&, Tensor& vector) {
        vector.data = point();
        vector.dtype = DType::f32;
      });
  model.parameters(binder);
}

const Parameter* Parameters::find(std::string_view name) const {
  const auto found = std::ranges::find(list_, name, &Parameter::name);
  return found == list_.end() ? nullptr : &*found;
}

void initialize(const Parameters& parameters, const llama4::Config& config, std::uint64_t seed) {
  for (const Parameter& parameter : parameters.list()) {
    const std::span weights = Parameters::part(parameters.weights(), parameter);
    const std::int64_t layers = parameter.of_vision ? config.vision->layers : config.text.layers;
    double deviation = 1.0 / std::sqrt(static_cast<double>(parameter.fan_in()));
    switch (parameter.role) {
      case Role::norm:
        std::ranges::fill(weights, 1.0f);
        continue;
      case Role::bias:
      case Role::head:
        std::ranges::fill(weights, 0.0f);
        continue;
      case Role::embedding:
        deviation = parameter.of_vision ? deviation : 0.5;
        break;
      case Role::output:
        // A routed expert sees its input halved at first, and SwiGLU is of second degree: a quarter comes out.
        deviation *= (parameter.routed ? 2.0 : 1.0) / std::sqrt(2.0 * static_cast<double>(layers));
        break;
      case Role::router:
      case Role::hidden:
      case Role::adapter:
        break;
    }
    const std::uint64_t stream = fnv1a(parameter.name);
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] = static_cast<float>(deviation) * normal(seed, i, stream);
  }
}

void initialize_adapters(const Parameters& parameters, std::uint64_t seed) {
  for (const Parameter& parameter : parameters.list()) {
    const std::span weights = Parameters::part(parameters.weights(), parameter);
    std::ranges::fill(weights, 0.0f);
    if (!parameter.name.contains(".lora_A.")) continue;
    const double bound = 1.0 / std::sqrt(static_cast<double>(parameter.fan_in()));
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] =
          static_cast<float>(bound * (2.0 * uniform(seed, i, fnv1a(parameter.name)) - 1.0));
  }
}

void copy_weights(llama4::Model& from, const Parameters& to, Learned learned) {
  std::size_t next = 0;
  const auto target = [&](const std::string& name, std::int64_t count) {
    const Parameter& parameter = to.list()[next++];
    HERD_CHECK(parameter.name == name && parameter.count == count, "{} in the place of {}", name,
               parameter.name);
    return Parameters::part(to.weights(), parameter).data();
  };
  EachParameter copier(
      learned,
      [&](const std::string& name, Matrix& matrix) {
        float* out = target(name, matrix.out * matrix.in);
        const bool in_rows = matrix.layout == Layout::out_in;
        const std::int64_t rows = in_rows ? matrix.out : matrix.in;
        const std::int64_t columns = in_rows ? matrix.in : matrix.out;
        std::vector<float> row(static_cast<std::size_t>(matrix.stride));
        for (std::int32_t r = 0; r < rows; ++r) {
          // The last row may end before its stride does.
          const std::int64_t width = r + 1 == rows ? columns : matrix.stride;
          const auto* bytes = static_cast<const std::byte*>(matrix.data) +
                              bytes_of(matrix.dtype, r * matrix.stride);
          const std::int32_t first = 0;
          ref_kernels().gather({.table = bytes,
                                .dtype = matrix.dtype,
                                .row = &first,
                                .y = row.data(),
                                .R = 1,
                                .D = width},
                               Lane{});
          for (std::int64_t c = 0; c < columns; ++c) {
            const std::int64_t o = in_rows ? r : c, i = in_rows ? c : r;
            const float scale = matrix.scale == nullptr ? 1.0f : matrix.scale[o];
            out[o * matrix.in + i] = row[static_cast<std::size_t>(c)] * scale;
          }
        }
      },
      [&](const std::string& name, Tensor& vector) {
        std::ranges::copy(vector.as<float>(), target(name, vector.elements()));
      });
  from.parameters(copier);
}

}  // namespace herd::train
