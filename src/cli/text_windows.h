// A text file in windows of tokens, for the commands that have a model read one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/model_arguments.h"

namespace herd::cli {

struct TextOptions {
  std::string file;
  std::optional<std::string> field = {};
  std::int64_t window = 0;
  std::int64_t windows = 0;
  bool json = false;

  static constexpr auto fields() {
    using O = TextOptions;
    return option_list(
        option("file", &O::file, "a text file"),
        option("field", &O::field,
               "the file is JSON lines, and this member of each is a text, read by itself"),
        option("window", &O::window,
               "tokens that are read together, each window anew; 0 for --ctx, or 256",
               Range{0, 1 << 20}),
        option("windows", &O::windows, "read at most so many windows; 0 for the whole text",
               Range{0, 1 << 30}),
        option("json", &O::json, "one JSON document instead of text"));
  }
};

using Window = std::vector<std::int32_t>;

// Tokens of a window: at least 2. Fails with out_of_range.
Result<std::int64_t> window_size(const TextOptions& options, const ModelArguments& model);

// The text, or with options.field every text, in windows of options.window tokens, each behind begin-of-text where the
// model has one. Fails with the errors of the tokenizer and the file, and out_of_range where there are fewer than two
// tokens.
Result<std::vector<Window>> windows_of(const fs::path& model, const llama4::Config& config,
                                       const TextOptions& options);

}  // namespace herd::cli
