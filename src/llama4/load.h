// From a checkpoint directory to a model that runs: configuration, files, names, and the numbers in place. Matrices
// stay where the files are mapped; only what the layers need as float32 (norms, biases, scales) is converted and owned.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/file.h"
#include "checkpoint/store.h"
#include "llama4/model.h"
#include "llama4/names.h"
#include "llama4/packed_weights.h"

namespace herd::llama4 {

// A loaded checkpoint: the model and everything it points into. Not copied, not moved.
class Loaded {
 public:
  Loaded(checkpoint::Store store, TensorMap tensors, const Config& config)
      : store_(std::move(store)), tensors_(std::move(tensors)), model_(config) {}
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] Model& model() { return model_; }  // for visitors of its parameters
  [[nodiscard]] const Config& config() const { return model_.config(); }
  [[nodiscard]] const checkpoint::Store& store() const { return store_; }
  // The type most of the matrices' bytes have.
  [[nodiscard]] DType weight_type() const { return weight_type_; }

  // Points every parameter at its numbers. Fails with tensor_missing (all missing ones named), tensor_mismatch, or
  // tensor_unexpected when the files hold a tensor that the model does not know.
  Result<void> bind();

  // Lays quantized weights out for this processor (packed_weights.h); for models that answer and do not learn.
  void pack(const Lane& lane) { packed_.pack(model_, lane, store_.files()); }
  [[nodiscard]] std::int64_t packed_bytes() const {
    return packed_.bytes();
  }  // of what pack() made

 private:
  checkpoint::Store store_;
  TensorMap tensors_;
  std::deque<std::vector<float>> floats_;
  PackedWeights packed_;
  Model model_;
  DType weight_type_ = DType::bf16;
};

// The same, for learning, which goes back through weights as their files have them: refused for a packed store.
Result<std::unique_ptr<Loaded>> load_to_learn(const fs::path& model);

// The configuration of a directory: config.json with generation_config.json, or params.json; or of a GGUF file, with
// its vision encoder in `projector` (empty: the file with mmproj in its name beside it, if there is one; "none": none).
Result<Config> read_config(const fs::path& model, const fs::path& projector = {});

// The same files, opened.
Result<checkpoint::Store> open_store(const fs::path& model, const fs::path& projector = {},
                                     const checkpoint::Progress& progress = {});

// Fails with the errors of the configuration, the files, the names and bind().
Result<std::unique_ptr<Loaded>> load(const fs::path& model,
                                     const checkpoint::Progress& progress = {},
                                     const fs::path& projector = {});

}  // namespace herd::llama4
