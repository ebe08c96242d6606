// How a model is trained: a TOML file, read once and checked before anything runs.
//
//   model = "."            # a directory with config.json, tokenizer and chat template (relative to the recipe)
//   seed = 4
//   [training]             # TrainingOptions
//   [optimizer]            # OptimizerOptions
//   [balance]              # BalanceOptions
//   [adapter]              # llama4::AdapterOptions: learn adapters of `start` instead of all of it
//   [[stage]]              # StageOptions, one after the other
//   name = "pretrain"
//   tokens = 1e7
//   [[stage.source]]       # SourceOptions: what the stage's tokens come from, each source with its share of them
//   share = 3
//   world = "pretrain"
//   [[stage.source]]
//   share = 1
//   tasks = ["recall"]
//
// A stage with a single source may have its keys beside its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/options.h"
#include "llama4/adapter.h"
#include "train/balance.h"
#include "train/optimizer.h"

namespace herd::train {

struct TrainingOptions {
  std::string model = ".";
  std::string start;  // a checkpoint to start from; empty: random numbers
  std::uint64_t seed = 0;
  std::int64_t piece_tokens = 2048;
  bool recompute = false;
  bool bfloat16 = false;
  double checkpoint_minutes = 5;
  std::int64_t held_out_tokens = 16384;
  std::int64_t report_steps = 50;

  static constexpr auto fields() {
    using O = TrainingOptions;
    return option_list(
        option("model", &O::model, "directory with config.json, tokenizer and chat template"),
        option("start", &O::start, "checkpoint directory to start from; default: random weights"),
        option("seed", &O::seed, "of weights and data", any_number),
        option("piece_tokens", &O::piece_tokens, "tokens that go through the model together",
               Range{16, 1 << 20}),
        option("recompute", &O::recompute, "compute inner values of blocks twice to save memory"),
        option("bfloat16", &O::bfloat16,
               "factors of products rounded to bfloat16, sums in float32; only where the "
               "processor has it (herd doctor: avx512_bf16), elsewhere all is float32"),
        option("checkpoint_minutes", &O::checkpoint_minutes, "between two checkpoints",
               Range{0, 1e6}),
        option("held_out_tokens", &O::held_out_tokens,
               "of unseen samples whose loss is reported; 0: none", Range{0, 1e9}),
        option("report_steps", &O::report_steps, "between two such reports", Range{1, 1e9}));
  }
};

struct SourceOptions {
  double share = 1;
  std::string world = {};
  std::vector<std::string> tasks = {};
  std::optional<std::int64_t> items_max = {};
  std::optional<std::int64_t> bytes_max = {};
  std::string jsonl = {};
  std::string text = {};
  std::string shards = {};

  static constexpr auto fields() {
    using O = SourceOptions;
    return option_list(
        option("share", &O::share, "of the stage's tokens, beside the shares of its other sources",
               Range{1e-6, 1e6}),
        option("world", &O::world, "a stage of the generated world (herd gen --list)"),
        option("tasks", &O::tasks, "or some of its tasks in turn"),
        option("items_max", &O::items_max, "of world and tasks: most things in a sample",
               Range{1, 10'000}),
        option("bytes_max", &O::bytes_max, "of world and tasks: longest sample", Range{100, 1e8}),
        option("jsonl", &O::jsonl, "or a file of JSON lines with text or messages"),
        option("text", &O::text, "or a file of plain text, or a directory of .txt and .md"),
        option("shards", &O::shards, "or a directory of tokenised files (herd shards)"));
  }

  // The file or directory of jsonl, text and shards; empty for what is generated.
  [[nodiscard]] const std::string& path() const {
    return !jsonl.empty() ? jsonl : !text.empty() ? text : shards;
  }
  [[nodiscard]] bool is_file() const { return !path().empty(); }
};

struct StageOptions {
  std::string name;
  double tokens = 0;
  double epochs = 0;
  std::int64_t step_tokens = 16384;
  std::int64_t length_max = 1024;
  double prompt_weight = 0.1;
  double document_weight = 1;
  double warmup_tokens = 0;
  double warmup = 0;
  double rate_begin = 1;
  double rate_end = 1;

  static constexpr auto fields() {
    using O = StageOptions;
    return option_list(
        option("name", &O::name, "for the log"),
        option("tokens", &O::tokens, "how long the stage is", Range{0, 1e15}),
        option("epochs", &O::epochs, "or, of a file: how many times it is learned", Range{0, 1e9}),
        option("step_tokens", &O::step_tokens, "of one step of the optimizer", Range{1, 1e9}),
        option("length_max", &O::length_max, "of an example, in tokens", Range{2, 1e7}),
        option("prompt_weight", &O::prompt_weight, "of what the assistant reads; what it says is 1",
               Range{0, 1}),
        option("document_weight", &O::document_weight, "of texts without speakers", Range{0, 1}),
        option("warmup_tokens", &O::warmup_tokens, "until the rate reaches its height",
               Range{0, 1e15}),
        option("warmup", &O::warmup, "or as a part of the stage's tokens", Range{0, 1}),
        option("rate_begin", &O::rate_begin, "the rate's height, of the optimizer's",
               Range{0, 100}),
        option("rate_end", &O::rate_end, "the same at the stage's end; straight in between",
               Range{0, 100}));
  }

  // The rate's factor when `done` of the stage's tokens are learned.
  [[nodiscard]] double height(double done) const;
};

struct Stage : StageOptions {
  std::vector<SourceOptions> sources;
};

struct Recipe {
  fs::path directory;  // of the file; paths in it are relative to this
  std::string text;    // the file
  TrainingOptions training;
  OptimizerOptions optimizer;
  BalanceOptions balance;
  std::optional<llama4::AdapterOptions> adapter;
  std::vector<Stage> stages;

  [[nodiscard]] double tokens() const;  // of all stages
};

// What does not fit together. Fails with recipe_invalid.
Result<void> check_recipe(const Recipe& recipe);

// Fails with missing_input, or recipe_invalid: line and column for what is not TOML, else key and value.
Result<Recipe> read_recipe(const fs::path& path);

}  // namespace herd::train
