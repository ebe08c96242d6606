// A layer lists its parameters once, by name and shape; loading, counting, writing and checking are visitors of that
// list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tensor/matrix.h"
#include "tensor/tensor.h"

namespace herd::nn {

struct Adapter;

// The three matrices of every routed expert of a layer.
struct ExpertMatrices {
  std::vector<Matrix> gate;  // [E] (I, D)
  std::vector<Matrix> up;    // [E] (I, D)
  std::vector<Matrix> down;  // [E] (D, I)
};

// Called for each parameter with its full canonical name (Hugging Face's, without the text model's prefix). The
// argument carries the wanted shape; a loader fills in where the numbers are.
class ParameterVisitor {
 public:
  virtual ~ParameterVisitor() = default;

  virtual void matrix(std::string_view name, Matrix& matrix) = 0;
  virtual void vector(std::string_view name, Tensor& vector) = 0;  // float32 once loaded
  virtual void experts(std::string_view name, ExpertMatrices& experts) = 0;
  // What is learned beside a matrix, or beside a kind of matrix of all experts, whose name this is without ".weight".
  // Rank 0 where nothing is, which is why most visitors need not know.
  virtual void adapter(std::string_view /*name*/, Adapter& /*adapter*/) {}
  // What a training adds to a router's scores when experts are chosen, and only then (train/selection_bias.h): [E], or
  // empty, as in every model that answers. No parameter: files have none.
  virtual void selection_bias(std::string_view /*name*/, std::vector<float>& /*bias_E*/) {}

  // Descends: names inside `visit` get "scope." in front.
  template <typename Visit>
  void in(std::string_view scope, Visit&& visit) {
    const std::size_t before = prefix_.size();
    prefix_.append(scope).push_back('.');
    visit();
    prefix_.resize(before);
  }
  [[nodiscard]] std::string path(std::string_view name) const {
    return prefix_ + std::string(name);
  }
  // The name of the layer that is being visited.
  [[nodiscard]] std::string_view layer() const {
    return std::string_view(prefix_).substr(0, prefix_.empty() ? 0 : prefix_.size() - 1);
  }

 private:
  std::string prefix_;
};

// A layer inside a layer: visits `layer` under `scope`.
template <typename Layer>
void visit(ParameterVisitor& visitor, std::string_view scope, Layer& layer) {
  visitor.in(scope, [&] { layer.parameters(visitor); });
}

}  // namespace herd::nn
