// Adapters of a whole model (nn/adapter.h): where they can be, which of them there are, and their files in PEFT's
// format. PEFT keeps routed experts' adapters as those of two parameters, gate_up_proj and down_proj; so does herd.
//
//   DIR/adapter_config.json           rank, alpha, what is adapted
//   DIR/adapter_model.safetensors     base_model.model.<module>.lora_A.weight (r, in), .lora_B.weight (out, r)
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/options.h"
#include "checkpoint/safetensors.h"
#include "llama4/model.h"
#include "nn/adapter.h"

namespace herd::llama4 {

struct AdapterOptions {
  std::int64_t rank = 16;
  double alpha = 32;
  bool rslora = false;
  std::vector<std::string> targets = {"attention", "dense", "shared"};

  static constexpr auto fields() {
    using O = AdapterOptions;
    return option_list(
        option("rank", &O::rank, "of the matrices that are learned beside frozen ones",
               Range{1, 4096}),
        option("alpha", &O::alpha, "what they add counts alpha / rank", Range{1e-6, 1e6}),
        option("rslora", &O::rslora, "alpha / sqrt(rank) instead (rsLoRA)"),
        option("targets", &O::targets,
               "what learns: attention, dense (feed-forward), shared (expert), experts (routed); "
               "several times for several"));
  }

  // What an adapter's sum counts.
  [[nodiscard]] float scale() const;
};

// A matrix of a model, or all experts' matrices of a kind, and what is learned beside it.
struct AdapterPlace {
  std::string name;  // canonical (llama4/names.h), without ".weight"
  nn::Adapter* adapter = nullptr;
};

// All places of the model, in the order of its parameters. Valid as long as the model is.
std::vector<AdapterPlace> adapter_places(Model& model);

// Gives each place that `options.targets` names its rank and scale; its numbers are the caller's to set (a: (r, in),
// b: (out, r)). Fails with out_of_range when a target is no such word or the model has nothing of it.
Result<void> shape_adapters(Model& model, const AdapterOptions& options);

// Writes what the model's adapters are now, as float32. `base` is what PEFT shall load first. Fails with cannot_create
// or io_failed.
Result<void> save_adapters(Model& model, const AdapterOptions& options, const std::string& base,
                           const fs::path& out);

// A directory's adapters: for the layers of the model that they were read for, as long as that lives.
struct LoadedAdapters {
  std::deque<std::vector<float>> numbers;
  nn::AdapterSet places;       // points into the numbers
  AdapterOptions options;      // targets: as the file spells them
  std::uint64_t identity = 0;  // a hash of all that they change an answer by
  bool adapts_vision = false;  // the encoder or the projector too

  [[nodiscard]] std::uint64_t bytes() const;
};

// What save_adapters() or PEFT wrote, in memory: its files may change and go meanwhile.
class AdapterFiles {
 public:
  // Fails with the errors of the files, out_of_range where one is larger than `bytes_max`, and config_invalid for kinds
  // of adapters that herd does not know (DoRA, bias, modules to save, ...).
  static Result<AdapterFiles> read(const fs::path& directory, std::uint64_t bytes_max);

  // LoadedAdapters::bytes() of what load() gives.
  [[nodiscard]] std::uint64_t bytes() const;

  // The model stays as it is; rows of a batch may bring the places (nn::RowAdapters), whatever adapters the model has
  // of its own. Fails with tensor_unexpected for tensors of places that the model does not have, tensor_mismatch, and
  // weights_not_finite.
  [[nodiscard]] Result<std::unique_ptr<LoadedAdapters>> load(Model& model) const;

 private:
  fs::path path_;
  AdapterOptions options_;
  bool ranks_differ_ = false;  // by a rank_pattern
  checkpoint::Safetensors numbers_;
};

// Both.
Result<std::unique_ptr<LoadedAdapters>> read_adapters(Model& model, const fs::path& directory);

// Makes adapters that were read for this model its own: its layers point into their numbers. It must have none yet.
void make_own(Model& model, const LoadedAdapters& adapters);

// read_adapters() and make_own().
Result<std::unique_ptr<LoadedAdapters>> load_adapters(Model& model, const fs::path& directory);

// weight + scale B A of matrix `index` of an adapter, as float32 (out, in); `first` is the output of the adapter where
// this matrix begins, for gate and up of an expert share one. Without a rank, the weight alone.
std::vector<float> merged(const Matrix& weight, const nn::Adapter& adapter, std::size_t index = 0,
                          std::int64_t first = 0);

}  // namespace herd::llama4
