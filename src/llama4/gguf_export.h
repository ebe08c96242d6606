// A loaded model, from whatever files, as GGUF or as a packed store: the keys and names that llama.cpp's converter
// writes, weights in the formats of a row of quant_mix.h. Where a model is not of the published shape (chunks, layers
// without positions, ...) keys of our own say so (docs/gguf.md); llama.cpp does not read them.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"
#include "checkpoint/gguf_writer.h"
#include "llama4/model.h"
#include "llama4/quant_mix.h"

namespace herd::llama4 {

// How much each input of a matrix counts (llama4/importance.h), by the tensor's name in the file and, of experts,
// which. Null: nothing is known of it.
using ImportanceOf = std::function<const float*(std::string_view name, std::int64_t matrix)>;

// The matrices of a tensor of the file: one, or one an expert.
struct GgufMatrices {
  std::string name;
  std::vector<const Matrix*> matrices;
};

// What can be written with fewer bits: all of the text model's matrices but routers.
std::vector<GgufMatrices> gguf_matrices(Model& model);

struct GgufExport {
  const MixRow* mix = find_mix("bf16");  // null: every matrix in the format that it has
  // A packed store has the vision encoder within, and every matrix that is packed in memory packed on the disk.
  checkpoint::GgufKind kind = checkpoint::GgufKind::gguf;
  std::uint64_t shard_bytes = 0;  // of tensors; 0 for one file
  std::string name;               // general.name
  checkpoint::GgufKeys words;     // tokenizer, chat template: what the caller knows
  std::string source = {};        // fingerprint of what a packed store is made of
  fs::path projector;             // where a GGUF's vision encoder goes; empty: nowhere
  // Of the vision encoder's matrices; none: what they have if that is quantized, else 16 bits or f32, by `mix`.
  std::optional<DType> vision_type = {};
  ImportanceOf importance = {};
  std::function<void(std::uint64_t bytes)> progress = {};  // bytes of numbers just written
};

// What a user should know of a tensor: that it could not be in the format that was wanted for it.
struct GgufNote {
  std::string text;
  DType wanted;
};

// Writes `out`, or its shards out-00001-of-0000N.gguf, and the vision encoder's file. Files that exist stay as they
// are: fails with cannot_create then, with io_failed, or with usage for formats that GGUF does not have. Gives the
// tensors that fell back to another format.
Result<std::vector<GgufNote>> write_gguf(Model& model, const fs::path& out,
                                         const GgufExport& options, ThreadPool& pool);

// What write_gguf will write of each format: tensors, numbers and bytes.
struct GgufShare {
  std::int64_t tensors = 0;
  double numbers = 0;
  std::uint64_t bytes = 0;
};
std::map<DType, GgufShare> gguf_shares(Model& model, const GgufExport& options);

// Bytes of numbers that write_gguf will write.
std::uint64_t gguf_bytes(Model& model, const GgufExport& options);

// Outputs [begin, end) as blocks of `type`, a format that quant/encode.h knows: those that the matrix has, bit for bit,
// where it is of that type. `importance`, of each input, may be null.
void rows_as_blocks(const Matrix& matrix, std::int64_t begin, std::int64_t end, DType type,
                    const float* importance, std::byte* to);

// Outputs [begin, end) of a matrix as float32 rows [end - begin, in], scales multiplied in.
void rows_as_floats(const Matrix& matrix, std::int64_t begin, std::int64_t end, float* to);

}  // namespace herd::llama4
