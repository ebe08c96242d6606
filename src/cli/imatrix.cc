// herd imatrix: how much each input of each matrix counts, from a text that the model reads.
#include <algorithm>

#include "base/log.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "cli/text_windows.h"
#include "llama4/importance.h"

namespace herd::cli {
namespace {

struct OutOptions {
  std::optional<std::string> out = {};

  static constexpr auto fields() {
    return option_list(option("out", &OutOptions::out, "the file to write (GGUF)"));
  }
};

// Of the tensors that hold several matrices: rows that the least and the most used expert saw.
struct Coverage {
  std::string tensor;
  std::size_t experts = 0, few = 0;
  double least = 0, most = 0;
};

std::vector<Coverage> coverage_of(const llama4::Importance& importance) {
  std::vector<Coverage> out;
  for (const auto& [name, sums] : importance.tensors) {
    if (!name.ends_with("ffn_down_exps.weight")) continue;  // gate and up see the same rows
    const auto [least, most] = std::ranges::minmax(sums.counts);
    const auto few = std::ranges::count_if(
        sums.counts, [](double count) { return count < llama4::ImportanceWeights::rows_min; });
    out.push_back({name, sums.counts.size(), static_cast<std::size_t>(few), least, most});
  }
  return out;
}

Result<void> print_summary(const llama4::Importance& importance, std::int64_t tokens,
                           bool as_json) {
  const std::vector<Coverage> coverage = coverage_of(importance);
  if (as_json) {
    json::array experts;
    for (const Coverage& one : coverage)
      experts.push_back(json::object{{"tensor", one.tensor},
                                     {"experts", one.experts},
                                     {"too_few", one.few},
                                     {"tokens_min", one.least},
                                     {"tokens_max", one.most}});
    return print_json(json::object{{"tensors", importance.tensors.size()},
                                   {"tokens", tokens},
                                   {"windows", importance.windows},
                                   {"window", importance.window_tokens},
                                   {"experts", experts}});
  }
  std::string text = fmt::format("{} tensors, {} tokens\n", importance.tensors.size(), tokens);
  for (const Coverage& one : coverage)
    text += fmt::format("{}: {} to {} tokens an expert{}\n", one.tensor, one.least, one.most,
                        one.few > 0 ? fmt::format(", {} of {} fewer than {}", one.few, one.experts,
                                                  llama4::ImportanceWeights::rows_min)
                                    : "");
  return print(text);
}

}  // namespace

Result<int> imatrix(Arguments arguments) {
  ModelArguments model;
  TextOptions options;
  OutOptions to;
  Flags flags("imatrix", "how much each input of a model's matrices counts, from a text",
              "herd imatrix cria README.md --out cria.imatrix.gguf");
  flags.add(model, {{"model"}});
  flags.add(options, {{"file"}});
  flags.add(to);
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (!to.out) return fail(Code::usage, "--out is missing: the file to write");
  if (fs::exists(*to.out)) return fail(Code::cannot_create, "{}: exists", *to.out);
  HERD_TRY(options.window, window_size(options, model));
  HERD_TRY(Opened opened, open_model(model, options.window));
  HERD_TRY(engine::Session session,
           engine::Session::create(opened.loaded->model(), *opened.ctx, opened.session_options()));
  HERD_TRY(const auto windows, windows_of(opened.directory, opened.loaded->config(), options));
  llama4::ImportanceCollector collector(opened.loaded->model());
  opened.ctx->watch_products = [&](const Tensor& x, std::span<const MatmulGroup> groups) {
    collector.saw(x, groups);
  };
  Progress progress("reading", windows.size(), ProgressUnit::items);
  std::int64_t tokens = 0;
  for (const Window& window : windows) {
    engine::Prompt prompt;
    prompt.tokens = window;
    HERD_TRY_VOID(
        session.all_logits(prompt, [](std::int64_t, const Tensor&) { return Result<void>(); }));
    tokens += static_cast<std::int64_t>(window.size());
    progress.add(1);
  }
  opened.ctx->watch_products = nullptr;
  const llama4::Importance importance{.tensors = collector.take(),
                                      .texts = {options.file},
                                      .windows = static_cast<std::uint32_t>(windows.size()),
                                      .window_tokens = static_cast<std::uint32_t>(options.window)};
  HERD_TRY_VOID(llama4::write_importance(importance, *to.out));
  HERD_TRY_VOID(print_summary(importance, tokens, options.json));
  return 0;
}

}  // namespace herd::cli
