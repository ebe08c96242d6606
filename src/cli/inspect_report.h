// What `herd inspect` knows about a checkpoint, and how it is shown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/finite_scan.h"
#include "checkpoint/store.h"
#include "llama4/census.h"

namespace herd::cli {

// Numbers of one type in the checkpoint.
struct TypeTotal {
  DType dtype = DType::f32;
  std::uint64_t tensors = 0, numbers = 0, bytes = 0;
};

struct TensorRow {
  std::string name;  // as the file spells it
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t bytes = 0;
  std::string file;
  std::optional<checkpoint::NonFinite> scanned = {};
};

// Keys and values of one context length, in bytes.
struct CacheRow {
  std::int64_t context = 0;
  std::uint64_t global = 0;     // layers that see everything
  std::uint64_t local = 0;      // layers that keep one chunk
  std::uint64_t unchunked = 0;  // what all layers would take if none stopped at its chunk
};

struct Inspection {
  std::string path;
  llama4::Config config;
  std::string format;  // "safetensors", "meta", or "none" without weights
  llama4::Census census;
  std::vector<TypeTotal> types;
  std::vector<TensorRow> tensors;
  std::uint64_t weight_bytes =
      0;  // of the files' tensors, or of bf16 weights where there are no files
  DType kv_dtype = DType::bf16;
  std::vector<CacheRow> caches;
  std::vector<std::string> notes;
  std::optional<Error> problem;  // why the model would not load
};

// "scout-like": every layer of experts; "maverick-like": some; "guard-like": none; "llama 4": none of these patterns.
std::string_view family_of(const llama4::TextConfig& text);

// `list`: every tensor, not only those in which a scan found something.
json::object inspection_json(const Inspection& found, bool list);
std::string inspection_text(const Inspection& found, bool list);

}  // namespace herd::cli
