// Everything a model learns, in four long rows of float32: the weights that the layers compute with, their gradients,
// and the optimizer's two moments. One order for all four; the list says what lies where.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/arena.h"
#include "llama4/model.h"
#include "ops/tape.h"

namespace herd::train {

// What a parameter is, as far as initialisation and optimizer care.
enum class Role : std::uint8_t {
  embedding,  // rows looked up: tokens, picture positions, the class vector
  hidden,     // matrices between hidden values
  output,     // matrices that write to the residual stream: attention's out, feed-forward's down
  router,
  head,  // the output matrix
  norm,
  bias,
  adapter,  // learned beside a frozen matrix
};

struct Parameter {
  std::string name;  // canonical (llama4/names.h); an expert's own: "...experts.3.gate_proj.weight"
  Role role = Role::hidden;
  Shape shape;
  std::int64_t offset = 0;  // into the rows, in numbers
  std::int64_t count = 0;
  bool routed = false;     // of a routed expert
  bool of_vision = false;  // of the vision encoder or the projector

  [[nodiscard]] std::int64_t fan_in() const { return shape[-1]; }
};

// What of a model is learned: all of it, or its adapters alone (those that llama4::shape_adapters gave a rank).
enum class Learned : std::uint8_t { model, adapters };

class Parameters {
 public:
  // Takes memory for everything that `model` lists and points its layers there. Both must live as long as either is
  // used. Weights are zero.
  explicit Parameters(llama4::Model& model, Learned learned = Learned::model);
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  [[nodiscard]] std::span<const Parameter> list() const { return list_; }
  [[nodiscard]] const Parameter* find(std::string_view name) const;
  [[nodiscard]] std::int64_t count() const { return count_; }

  // All numbers of a kind, padding between parameters included (it stays zero).
  [[nodiscard]] std::span<float> weights() const { return weights_; }
  [[nodiscard]] std::span<float> gradients() const { return gradients_; }
  [[nodiscard]] std::span<float> first_moments() const { return first_moments_; }
  [[nodiscard]] std::span<float> second_moments() const { return second_moments_; }

  // One parameter's share of such a row.
  [[nodiscard]] static std::span<float> part(std::span<float> row, const Parameter& parameter) {
    return row.subspan(static_cast<std::size_t>(parameter.offset),
                       static_cast<std::size_t>(parameter.count));
  }

  // Where the tape leaves gradients.
  [[nodiscard]] const Leaves& leaves() const { return leaves_; }

 private:
  Arena memory_;
  std::vector<Parameter> list_;
  std::int64_t count_ = 0;
  std::span<float> weights_, gradients_, first_moments_, second_moments_;
  Leaves leaves_;
};

// Fills the weights for training from nothing: normal numbers of standard deviation fan_in^-1/2, those that write to
// the residual stream smaller by sqrt(2 layers), the head zero, norms one. Every number depends on (seed, name, index)
// alone.
void initialize(const Parameters& parameters, const llama4::Config& config, std::uint64_t seed);

// The same for adapters, as PEFT begins: A even in +-in^-1/2, B zero, so that nothing is added yet.
void initialize_adapters(const Parameters& parameters, std::uint64_t seed);

// Copies a loaded checkpoint of the same shape, whatever its number format and layout; or its adapters.
void copy_weights(llama4::Model& from, const Parameters& to, Learned learned = Learned::model);

}  // namespace herd::train
