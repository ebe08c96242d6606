// herd generate: one answer to one prompt.
#include "engine/generate.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/form_arguments.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "cli/text_prompt.h"
#include "engine/bundle.h"

namespace herd::cli {
namespace {

struct Options {
  std::string prompt;
  std::vector<std::string> image;
  std::string system;
  bool raw = false;
  std::int64_t max_tokens = 512;
  std::vector<std::string> stop;
  bool json = false;

  static constexpr auto fields() {
    using O = Options;
    return option_list(
        option("prompt", &O::prompt, "what to answer; read from stdin when left out"),
        option("image", &O::image, "a picture shown before the prompt; may be repeated"),
        option("system", &O::system, "instructions in front of the conversation"),
        option("raw", &O::raw, "no chat format: continue the text as it stands"),
        option("max_tokens", &O::max_tokens, "at most so many tokens of answer", Range{0, 1 << 30}),
        option("stop", &O::stop, "end the answer before this text; may be repeated"),
        option("json", &O::json, "print one JSON document when the answer is complete"));
  }
};

Result<std::string> all_of_stdin() {
  if (::isatty(STDIN_FILENO))
    return fail_with_hint(Code::usage, "a prompt is missing",
                          "herd generate MODEL 'what to answer', or the text on stdin");
  std::string text;
  char buffer[1 << 16];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, stdin))
    text.append(buffer, got);
  if (std::ferror(stdin)) return fail(Code::io_failed, "reading the prompt from stdin failed");
  return text;
}

json::object document(const engine::Answer& answer, double load_ms) {
  json::array tokens(answer.tokens.begin(), answer.tokens.end());
  return {{"text", answer.text},
          {"tokens", std::move(tokens)},
          {"prompt_tokens", answer.prompt_tokens},
          {"completion_tokens", answer.tokens.size()},
          {"finish_reason", engine::name_of(answer.finish_reason)},
          {"timings",
           {{"load_ms", load_ms},
            {"prefill_ms", answer.prefill_ms},
            {"decode_ms", answer.decode_ms},
            {"prefill_tps", answer.prefill_tps()},
            {"decode_tps", answer.decode_tps()}}}};
}

Result<engine::Prompt> prompt_of(const Options& options, const engine::Bundle& bundle) {
  return make_prompt({.text = options.prompt,
                      .images = options.image,
                      .system = options.system,
                      .chat = !options.raw},
                     bundle);
}

}  // namespace

Result<int> generate(Arguments arguments) {
  ModelArguments model;
  Options options;
  // What the model's makers recommend stands where the command line says nothing, so flags are read twice: first to
  // learn which model it is, then over its defaults.
  FormArguments form;
  engine::SamplingOptions sampling;
  auto parse = [&]() -> Result<std::optional<std::string>> {
    Flags flags("generate", "one answer to one prompt",
                "herd generate models/cria 'Hello!' --max-tokens 40 --seed 1");
    flags.add(model, {{"model"}});
    flags.add(options, {{"prompt", false}});
    flags.add(form);
    flags.add(sampling);
    return flags.parse(arguments);
  };
  HERD_TRY(const std::optional<std::string> help, parse());
  if (help) {
    HERD_TRY_VOID(print(*help));
    return 0;
  }
  if (std::ranges::find(options.stop, "") != options.stop.end())
    return fail(Code::out_of_range, "--stop is empty, which every text contains");

  HERD_TRY(const fs::path directory, find_model(model.model));
  HERD_TRY(const llama4::Config config, llama4::read_config(directory, model.mmproj));
  HERD_TRY(const engine::Bundle bundle, engine::Bundle::open(directory, config));
  sampling = bundle.sampling;
  model = {};
  options = {};
  form = {};
  HERD_TRY_VOID(parse());
  if (options.prompt.empty() && options.image.empty()) {
    HERD_TRY(options.prompt, all_of_stdin());
  }
  HERD_TRY(const engine::AnswerGrammarPtr grammar, read_form(form, bundle));
  HERD_TRY(const engine::Prompt prompt, prompt_of(options, bundle));
  const auto wanted = static_cast<std::int64_t>(prompt.tokens.size()) + options.max_tokens;
  HERD_TRY(Opened opened, open_model(model, wanted));
  HERD_TRY(engine::Session session,
           engine::Session::create(opened.loaded->model(), *opened.ctx, opened.session_options()));
  const Interrupt interrupt;
  Progress progress("reading the prompt", prompt.tokens.size(), ProgressUnit::items);
  std::int64_t before = 0;
  Result<void> printed;
  HERD_TRY(const engine::Answer answer,
           engine::generate(
               session, bundle.tokenizer, prompt,
               {.max_tokens = options.max_tokens,
                .sampling = sampling,
                .stop = options.stop,
                .stop_tokens = bundle.stop_tokens,
                .grammar = grammar},
               [&](std::string_view text) {
                 if (!options.json && printed) printed = print_said(text);
               },
               [&](std::int64_t done, std::int64_t) {
                 progress.add(static_cast<std::uint64_t>(done - before));
                 before = done;
               },
               interrupt.token()));
  HERD_TRY_VOID(std::move(printed));
  if (options.json)
    HERD_TRY_VOID(print_json(document(answer, opened.load_ms)));
  else
    HERD_TRY_VOID(print("\n"));
  log(LogLevel::debug, "prompt {} tokens at {:.1f}/s, answer {} tokens at {:.1f}/s",
      answer.prompt_tokens, answer.prefill_tps(), answer.tokens.size(), answer.decode_tps());
  return answer.finish_reason == engine::FinishReason::cancelled ? 130 : 0;
}

}  // namespace herd::cli
