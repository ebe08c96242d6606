// herd perplexity, herd compare: how well a model predicts a text, and how far another one's predictions are from its.
#include <algorithm>
#include <cmath>

#include "base/progress.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "cli/text_windows.h"
#include "eval/divergence.h"

namespace herd::cli {
namespace {

Result<void> each_row(engine::Session& session, const Window& window,
                      const std::function<void(std::size_t row, std::span<const float>)>& take) {
  engine::Prompt prompt;
  prompt.tokens = window;
  return session.all_logits(prompt, [&](std::int64_t first, const Tensor& logits_nV) {
    const auto width = static_cast<std::size_t>(logits_nV.shape[1]);
    const std::span<const float> all = logits_nV.as<float>();
    for (std::size_t i = 0; i < static_cast<std::size_t>(logits_nV.shape[0]); ++i)
      take(static_cast<std::size_t>(first) + i, all.subspan(i * width, width));
    return Result<void>();
  });
}

struct Model {
  Opened opened;
  std::optional<engine::Session> session;
};

Result<Model> open(const ModelArguments& arguments, std::int64_t window) {
  Model model;
  HERD_TRY(model.opened, open_model(arguments, window));
  HERD_TRY(model.session, engine::Session::create(model.opened.loaded->model(), *model.opened.ctx,
                                                  model.opened.session_options()));
  return model;
}

struct Surprise {
  double sum = 0, squares = 0;
  std::int64_t tokens = 0;

  void add(double nats) {
    sum += nats;
    squares += nats * nats;
    ++tokens;
  }
  [[nodiscard]] double mean() const { return sum / static_cast<double>(tokens); }
  // Of the perplexity, by the spread of the tokens' surprises.
  [[nodiscard]] double standard_error() const {
    const auto n = static_cast<double>(tokens);
    return std::exp(mean()) * std::sqrt(std::max(0.0, squares / n - mean() * mean()) / n);
  }
};

}  // namespace

Result<int> perplexity(Arguments arguments) {
  ModelArguments model;
  TextOptions options;
  Flags flags("perplexity", "how well a model predicts a text",
              "herd perplexity models/cria README.md");
  flags.add(model, {{"model"}});
  flags.add(options, {{"file"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  HERD_TRY(options.window, window_size(options, model));
  HERD_TRY(Model opened, open(model, options.window));
  HERD_TRY(const auto windows,
           windows_of(opened.opened.directory, opened.opened.loaded->config(), options));
  Progress progress("reading", windows.size(), ProgressUnit::items);
  Surprise surprise;
  for (const Window& window : windows) {
    HERD_TRY_VOID(each_row(*opened.session, window, [&](std::size_t row, auto logits) {
      if (row + 1 < window.size()) surprise.add(eval::surprise(logits, window[row + 1]));
    }));
    progress.add(1);
  }
  if (options.json) {
    HERD_TRY_VOID(print_json(json::object{{"ppl", std::exp(surprise.mean())},
                                          {"standard_error", surprise.standard_error()},
                                          {"nll", surprise.mean()},
                                          {"tokens", surprise.tokens},
                                          {"windows", windows.size()},
                                          {"window", options.window}}));
    return 0;
  }
  HERD_TRY_VOID(print(fmt::format("perplexity {:.4f} +- {:.4f} over {} tokens in windows of {}\n",
                                  std::exp(surprise.mean()), surprise.standard_error(),
                                  surprise.tokens, options.window)));
  return 0;
}

namespace {

struct OtherOptions {
  std::string other;
  std::string other_kv_type = "same";

  static constexpr std::string_view kv_types[] = {"same", "f32", "bf16", "q8_0", "q4_0"};
  static constexpr auto fields() {
    using O = OtherOptions;
    return option_list(
        option("other", &O::other,
               "the model that is compared with the first; --adapter is put onto this one alone"),
        option("other_kv_type", &O::other_kv_type,
               "its --kv-type, where that is not the first model's", Choices{kv_types}));
  }
};

}  // namespace

Result<int> compare(Arguments arguments) {
  ModelArguments model;
  OtherOptions other;
  TextOptions options;
  Flags flags("compare", "how far a model's predictions are from another's, over a text",
              "herd compare models/cria cria-q4.gguf README.md");
  // On both models an adapter would hide what it does: MODEL stays the base, and MODEL MODEL --adapter measures it.
  std::vector<OptionRow> rows = option_rows(model);
  for (OptionRow& row : rows)
    if (row.name == "adapter")
      row.sentence =
          "a directory of LoRA adapters for OTHER, as PEFT saves them; MODEL stays without";
  constexpr Positional first_place[] = {{"model"}};
  flags.add_rows(rows, first_place);
  flags.add(other, {{"other"}});
  flags.add(options, {{"file"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  HERD_TRY(options.window, window_size(options, model));
  ModelArguments second_arguments = model;
  model.adapter.reset();
  HERD_TRY(Model first, open(model, options.window));
  second_arguments.model = other.other;
  if (other.other_kv_type != "same") second_arguments.kv_type = other.other_kv_type;
  HERD_TRY(Model second, open(second_arguments, options.window));
  const llama4::Config& config = first.opened.loaded->config();
  if (second.opened.loaded->config().text.vocabulary != config.text.vocabulary)
    return fail(Code::out_of_range, "{} has a vocabulary of {}, {} of {}: nothing to compare",
                model.model, config.text.vocabulary, other.other,
                second.opened.loaded->config().text.vocabulary);
  HERD_TRY(const auto windows, windows_of(first.opened.directory, config, options));
  Progress progress("comparing", windows.size(), ProgressUnit::items);
  eval::DivergenceTotals totals;
  Surprise of_first, of_second;
  std::vector<float> logits(static_cast<std::size_t>(options.window * config.text.vocabulary));
  const auto width = static_cast<std::size_t>(config.text.vocabulary);
  for (const Window& window : windows) {
    HERD_TRY_VOID(each_row(*first.session, window, [&](std::size_t row, auto values) {
      std::ranges::copy(values, logits.begin() + static_cast<std::ptrdiff_t>(row * width));
    }));
    HERD_TRY_VOID(each_row(*second.session, window, [&](std::size_t row, auto values) {
      const auto mine = std::span<const float>(logits).subspan(row * width, width);
      totals.add(eval::divergence(mine, values));
      if (row + 1 == window.size()) return;
      of_first.add(eval::surprise(mine, window[row + 1]));
      of_second.add(eval::surprise(values, window[row + 1]));
    }));
    progress.add(1);
  }
  if (options.json) {
    HERD_TRY_VOID(print_json(json::object{{"kld_mean", totals.mean_kl()},
                                          {"kld_p99", totals.kl_quantile(0.99)},
                                          {"kld_max", totals.kl_quantile(1)},
                                          {"top1_agreement", totals.top_agreement()},
                                          {"rows", totals.rows()},
                                          {"ppl_base", std::exp(of_first.mean())},
                                          {"ppl", std::exp(of_second.mean())}}));
    return 0;
  }
  HERD_TRY_VOID(
      print(fmt::format("KL divergence  mean {:.6f}  99% {:.6f}  largest {:.6f} nats\n"
                        "same top token {:.2f} % of {} rows\nperplexity     {:.4f} and {:.4f}\n",
                        totals.mean_kl(), totals.kl_quantile(0.99), totals.kl_quantile(1),
                        100 * totals.top_agreement(), totals.rows(), std::exp(of_first.mean()),
                        std::exp(of_second.mean()))));
  return 0;
}

}  // namespace herd::cli
