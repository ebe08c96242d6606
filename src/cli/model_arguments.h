// What every command that runs a model has in common: which model, how many threads, how much context, in which
// precision.
#pragma once

#include <memory>
#include <string>

#include "base/options.h"
#include "base/thread_pool.h"
#include "engine/session.h"
#include "llama4/adapter.h"
#include "llama4/load.h"

namespace herd::cli {

struct ModelArguments {
  std::string model;
  std::string mmproj;
  std::optional<std::string> adapter = {};
  std::int64_t threads = 0;
  std::int64_t ctx = 0;
  std::string precision = "native";
  std::string kv_type = "auto";
  bool allow_paging = false;

  static constexpr std::string_view precisions[] = {"native", "f32"};
  static constexpr std::string_view kv_types[] = {"auto", "f32", "bf16", "q8_0", "q4_0"};
  static constexpr auto fields() {
    using O = ModelArguments;
    return option_list(
        option("model", &O::model,
               "a checkpoint directory, a .gguf or .herd file, or the name cria"),
        option("mmproj", &O::mmproj,
               "the .gguf file of the vision encoder; the one beside the model if not given, none "
               "for none"),
        option("adapter", &O::adapter,
               "a directory of LoRA adapters for the model, as PEFT saves them"),
        option("threads", &O::threads, "compute threads; 0 for all CPUs", Range{0, 1024}),
        option("ctx", &O::ctx, "tokens of context; 0 for as many as needed and as fit",
               Range{0, 1 << 30}),
        option("precision", &O::precision,
               "f32: keys, values and pictures in float32 too; native: in the weights' 16 bits",
               Choices{precisions}),
        option("kv_type", &O::kv_type,
               "what keys and values are kept in; q8_0 takes about half of bf16's memory and q4_0 "
               "about "
               "a quarter; auto: as --precision says",
               Choices{kv_types}),
        option("allow_paging", &O::allow_paging,
               "load even what does not fit memory, to be read from disk again and again"));
  }
};

// The directory, .gguf or .herd file that a MODEL argument means: a path, or the name of the model that herd carries.
// Fails with missing_input.
Result<fs::path> find_model(const std::string& model);

// A checkpoint, loaded after its memory plan was found to fit, and a context to run it in.
struct Opened {
  fs::path directory;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Context> ctx;
  std::unique_ptr<llama4::Loaded> loaded;
  std::unique_ptr<llama4::LoadedAdapters> adapters;  // where there are any
  DType kv_dtype = DType::bf16;
  std::int64_t context = 0;  // tokens, decided
  double load_ms = 0;

  [[nodiscard]] engine::SessionOptions session_options() const;
};

// `context_wanted` is what the command needs when --ctx says nothing; 0 for as much as is sensible.
// Fails with the errors of find_model, memory_plan (nothing is loaded then) and llama4::load.
Result<Opened> open_model(const ModelArguments& arguments, std::int64_t context_wanted = 0);

}  // namespace herd::cli
