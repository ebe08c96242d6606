// All tensors of a checkpoint, wherever in its files they lie. Of a directory:
//   model.safetensors                                 one file
//   model.safetensors.index.json + its shards         as large models are published by Hugging Face
//   consolidated.00.pth, consolidated.01.pth, ...     as Meta publishes; shard r holds rank r's piece of every tensor,
//                                                     with fp8_scales_0.pt, ... beside them where experts are FP8
// or of GGUF files: one, the shards of one (model-00001-of-00003.gguf), and the vision encoder's (mmproj*.gguf); or a
// packed store (.herd), which is a GGUF file in all but the order of its weights.
// Files are mapped, tensors are views of them; nothing is copied and nothing is executed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "checkpoint/gguf.h"
#include "tensor/tensor.h"

namespace herd::checkpoint {

enum class Format : std::uint8_t { safetensors, meta, gguf, packed };

struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;
  std::uint64_t bytes = 0;
  std::size_t shard = 0;  // which of Store::shards() it came from
  bool packed = false;    // matrices in blocks as the CPU multiplies them (tensor/packed_layout.h)
};

// Called after each file: its name, bytes opened so far, bytes of all files.
using Progress =
    std::function<void(std::string_view file, std::uint64_t done, std::uint64_t total)>;

class Store {
 public:
  // Fails with missing_input when the directory has no weights, refused when it has only such that would have to be
  // executed (.bin, .pt, .pkl), shard_invalid when index and shards disagree, and with the errors of the formats.
  // `path` is a directory, or a GGUF file; `projector` the GGUF file of its vision encoder, or empty for none.
  static Result<Store> open(const fs::path& path, const Progress& progress = {},
                            const fs::path& projector = {});

  [[nodiscard]] Format format() const { return format_; }

  // Sorted by name, then shard. Views live as long as the Store; moving it keeps them valid.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const { return tensors_; }

  // Null when there is none. With Meta's format the same name occurs once a shard.
  [[nodiscard]] const StoredTensor* find(std::string_view name, std::size_t shard = 0) const;

  // Shards of the checkpoint; with Meta's format the ranks of its tensor parallelism.
  [[nodiscard]] std::size_t shards() const { return shards_; }
  // What is mapped: the shards, then Meta's files of FP8 scales where there are any.
  [[nodiscard]] const std::vector<Mapping>& files() const { return files_; }
  [[nodiscard]] std::uint64_t bytes() const;  // of all tensors

  // The headers of GGUF shards, the metadata in the first, and of the vision encoder's file; of packed stores, which
  // hold their vision encoder themselves, the first alone; empty for other formats.
  [[nodiscard]] const std::vector<GgufHeader>& gguf() const { return gguf_; }
  [[nodiscard]] const std::vector<GgufHeader>& projector() const { return projector_; }

  // What is odd but not wrong, for the banner and `herd inspect`.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  Result<void> open_single(const fs::path& path, const Progress& progress);
  Result<void> open_sharded(const fs::path& directory, const Progress& progress);
  Result<void> open_meta(const fs::path& directory, const Progress& progress);
  Result<void> open_gguf(const fs::path& path, const fs::path& projector, const Progress& progress);
  Result<void> add_gguf(const fs::path& path, std::vector<GgufHeader>& headers);
  Result<void> add_safetensors(const fs::path& path);
  Result<void> add_torch(const fs::path& path, std::size_t shard);

  Format format_ = Format::safetensors;
  std::vector<Mapping> files_;
  std::size_t shards_ = 0;
  std::deque<std::vector<std::byte>> storage_;  // strided tensors of .pth files, put in order
  std::vector<StoredTensor> tensors_;
  std::vector<GgufHeader> gguf_, projector_;
  std::vector<std::string> notes_;
};

// All files of the model that a GGUF file is of: itself, or the shards that its name tells of, the first first.
std::vector<fs::path> gguf_shards(const fs::path& path);
std::string gguf_shard_name(std::string_view stem, std::uint64_t number, std::uint64_t count);

// The vision encoders' files beside a model's, by name: those with "mmproj" in it.
std::vector<fs::path> find_projectors(const fs::path& model);

// What an index states: which shard holds which tensor. Sorted by tensor name.
struct ShardIndex {
  std::vector<std::pair<std::string, std::string>> shard_of;
  std::vector<std::string> shards;  // file names, sorted, each once; all plain names
  std::uint64_t total_size = 0;     // bytes, as stated; 0 when not
};

// Reads the text of model.safetensors.index.json. Fails with invalid_json, json_too_deep or shard_invalid.
Result<ShardIndex> parse_shard_index(std::string_view text);

}  // namespace herd::checkpoint
