// How much each input of a matrix counts when the matrix gets fewer bits: the mean square of what goes in while the
// model reads a text. Kept in llama.cpp's importance matrix files, so that its tools read ours and we read theirs.
//
// Names are those of GGUF files ("blk.0.attn_q.weight"); the matrices of all experts of a kind are one tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "llama4/model.h"

namespace herd::llama4 {

// Sums over rows that went into the matrices of a tensor.
struct InputSums {
  std::vector<double> squares;  // [M, in]
  std::vector<double>
      counts;  // [M] rows; or one for all matrices, where the file does not tell them apart
};

struct Importance {
  std::map<std::string, InputSums, std::less<>> tensors;
  std::vector<std::string> texts;  // what was read
  std::uint32_t windows = 0, window_tokens = 0;
};

// Of a GGUF file of type "imatrix", or of the older .dat form. Fails with the errors of GGUF files, bad_header (not of
// this kind, or sums that are no numbers of zero or more), tensor_missing (sums without counts) and tensor_mismatch.
Result<Importance> read_importance(const fs::path& path);

// Fails with cannot_create, also where the file exists, or io_failed.
Result<void> write_importance(const Importance& importance, const fs::path& path);

// Gathers the sums of a model that runs in a Context whose watch_products calls saw(). Quantized experts' inputs are
// what they get: rows that the router's score has scaled.
class ImportanceCollector {
 public:
  // `model` must stay where it is, and its weights too.
  explicit ImportanceCollector(Model& model);

  // x_TI [T, in]; groups: which rows go into which matrix.
  void saw(const Tensor& x_TI, std::span<const MatmulGroup> groups);

  // Sums of tensors that saw rows.
  [[nodiscard]] std::map<std::string, InputSums, std::less<>> take();

 private:
  struct Place {
    InputSums* sums;
    std::size_t matrix;
  };
  std::map<std::string, InputSums, std::less<>> tensors_;
  std::unordered_map<const void*, Place> places_;  // by where a matrix's numbers are
};

// Weights of squared errors for the matrices of a model, about 1 in the mean.
class ImportanceWeights {
 public:
  // Experts that fewer rows than this went through get the mean of the layer's.
  static constexpr double rows_min = 16;

  // Fails with tensor_mismatch when a tensor's width or number of matrices is not the model's.
  static Result<ImportanceWeights> create(const Importance& importance, Model& model);

  // [in] of matrix `matrix` of a tensor; null when nothing is known of it.
  [[nodiscard]] const float* find(std::string_view name, std::int64_t matrix) const;

  // What a user should know: experts that got the mean, tensors of which the file says nothing.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Rows {
    std::int64_t in = 0;
    std::vector<float> weights;  // [M, in]
  };
  std::map<std::string, Rows, std::less<>> tensors_;
  std::vector<std::string> notes_;
};

}  // namespace herd::llama4
