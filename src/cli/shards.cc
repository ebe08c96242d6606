// herd shards: texts and conversations as tokenised files that a training maps instead of reading.
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "llama4/load.h"
#include "train/make_shards.h"

namespace herd::cli {
namespace {

struct ShardsOptions {
  std::string model;
  std::vector<std::string> file;
  std::string out = "shards";
  std::int64_t tokens_per_file = 64 << 20;

  static constexpr auto fields() {
    using O = ShardsOptions;
    return option_list(
        option("model", &O::model, "a directory with config.json and tokenizer, or the name cria"),
        option("file", &O::file,
               "JSON lines (.jsonl), plain text (all others), or directories of .txt and .md"),
        option("out", &O::out, "the directory to write *.tokens files to"),
        option("tokens_per_file", &O::tokens_per_file, "after which the next file is begun",
               Range{1, 1e12}));
  }
};

}  // namespace

Result<int> shards(Arguments arguments) {
  ShardsOptions options;
  Flags flags("shards", "texts and conversations as tokenised files for a training",
              "herd shards models/cria book.txt --out shards");
  flags.add(options, {{"model"}, {"file"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  HERD_TRY(const fs::path model, find_model(options.model));
  HERD_TRY(const llama4::Config config, llama4::read_config(model));
  HERD_TRY(const engine::Bundle bundle, engine::Bundle::open(model, config));
  HERD_TRY(const train::ShardTotals totals,
           train::make_shards(bundle, {options.file.begin(), options.file.end()}, options.out,
                              static_cast<std::size_t>(options.tokens_per_file)));
  HERD_TRY_VOID(print(fmt::format("{} tokens of {} documents in {} files: {}\n", totals.tokens,
                                  totals.documents, totals.files, options.out)));
  return 0;
}

}  // namespace herd::cli
