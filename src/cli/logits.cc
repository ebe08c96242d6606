// herd logits: what the model gives at every position of a prompt, for comparing with other implementations. Written
// piece by piece, because a long prompt's logits are larger than the model.
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/progress.h"
#include "checkpoint/npy.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/media_input.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "cli/text_prompt.h"
#include "engine/bundle.h"

namespace herd::cli {
namespace {

struct LogitsOptions {
  std::optional<std::string> tokens = {};
  std::optional<std::string> prompt = {};
  bool chat = false;
  std::vector<std::string> image = {};
  std::optional<std::string> out = {};
  bool json = false;

  static constexpr auto fields() {
    using O = LogitsOptions;
    return option_list(
        option("tokens", &O::tokens, "the prompt as ids: 200000,13,14"),
        option("prompt", &O::prompt, "the prompt as text; begin-of-text comes first"),
        option("chat", &O::chat,
               "--prompt is a user's message, in the model's chat format up to the answer"),
        option("image", &O::image,
               "a picture: in front of the text of --prompt, or where --tokens has "
               "places for its vectors; may be repeated"),
        option("out", &O::out, "the .npy file to write: float32 [T, V]"),
        option("json", &O::json, "one JSON document instead of text"));
  }
};

// "1,2,3". Fails with out_of_range, naming the word that is no id.
Result<std::vector<std::int32_t>> parse_tokens(std::string_view text) {
  std::vector<std::int32_t> tokens;
  while (true) {
    const std::string_view word = text.substr(0, text.find(','));
    std::int32_t token = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), token);
    if (error != std::errc() || end != word.data() + word.size() || token < 0)
      return fail(Code::out_of_range, "--tokens: {} at place {} is no token id", shown(word),
                  tokens.size());
    tokens.push_back(token);
    if (word.size() == text.size()) return tokens;
    text.remove_prefix(word.size() + 1);
  }
}

// The vectors of the pictures take the places of the tokens that stand for them, in order; as many.
Result<engine::Prompt> prompt_of_tokens(const LogitsOptions& options, const fs::path& directory,
                                        const llama4::Config& config) {
  engine::Prompt prompt;
  HERD_TRY(prompt.tokens, parse_tokens(*options.tokens));
  if (options.image.empty()) return prompt;
  HERD_TRY(const std::vector<media::Image> images, read_images(options.image));
  if (!config.vision)
    return fail_with_hint(Code::conversation_invalid,
                          "a picture was given, but this model sees only text",
                          "a GGUF model's vision encoder is a file of its own: --mmproj FILE");
  HERD_TRY(const media::PreprocessOptions cut, engine::picture_options(directory, *config.vision));
  std::int64_t vectors = 0;
  for (const media::Image& image : images) {
    media::Tiles tiles = media::preprocess(image, cut);
    vectors += tiles.tiling.tiles() * config.vision->tokens_per_tile();
    prompt.pictures.push_back(
        {.tiles = tiles.tiling.tiles(), .side = tiles.side, .pixels = std::move(tiles.pixels)});
  }
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i)
    if (prompt.tokens[i] == config.image_token)
      prompt.patches.push_back(static_cast<std::int64_t>(i));
  if (static_cast<std::int64_t>(prompt.patches.size()) != vectors)
    return fail(Code::conversation_invalid,
                "the pictures become {} vectors, but --tokens has {} places for them (id {})",
                vectors, prompt.patches.size(), config.image_token);
  return prompt;
}

Result<engine::Prompt> prompt_of(const LogitsOptions& options, const ModelArguments& model) {
  HERD_TRY(const fs::path directory, find_model(model.model));
  HERD_TRY(const llama4::Config config, llama4::read_config(directory, model.mmproj));
  if (options.tokens) return prompt_of_tokens(options, directory, config);
  HERD_TRY(const engine::Bundle bundle, engine::Bundle::open(directory, config));
  return make_prompt({.text = *options.prompt, .images = options.image, .chat = options.chat},
                     bundle);
}

}  // namespace

Result<int> logits(Arguments arguments) {
  ModelArguments model;
  LogitsOptions options;
  Flags flags("logits", "The logits of every position of a prompt",
              "herd logits models/cria --tokens 1024,72,105 --precision f32 --out logits.npy");
  flags.add(model, {{"model"}});
  flags.add(options);
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (options.tokens.has_value() == options.prompt.has_value())
    return fail_with_hint(Code::usage,
                          fmt::format("herd logits: {} of --tokens and --prompt",
                                      options.tokens ? "both" : "neither"),
                          "give the prompt as ids, --tokens 1,2,3, or as text, --prompt 'Hello'");
  if (options.chat && !options.prompt)
    return fail_with_hint(Code::usage, "herd logits: --chat without --prompt",
                          "ids are taken as they are; give the message as --prompt 'Hello'");
  if (!options.out)
    return fail_with_hint(Code::usage, "herd logits: --out is missing", "--out logits.npy");
  HERD_TRY(const engine::Prompt prompt, prompt_of(options, model));
  const auto length = static_cast<std::int64_t>(prompt.tokens.size());
  HERD_TRY(const Opened opened, open_model(model, length));
  HERD_TRY(engine::Session session,
           engine::Session::create(opened.loaded->model(), *opened.ctx, opened.session_options()));

  const std::int64_t vocabulary = opened.loaded->config().text.vocabulary;
  HERD_TRY(auto file, checkpoint::NpyWriter::create(*options.out, {length, vocabulary}));
  const auto start = std::chrono::steady_clock::now();
  {
    Progress progress("computing", prompt.tokens.size(), ProgressUnit::items);
    HERD_TRY_VOID(session.all_logits(prompt, [&](std::int64_t, const Tensor& logits_nV) {
      progress.add(static_cast<std::uint64_t>(logits_nV.rows()));
      return file.write(logits_nV.as<float>());
    }));
  }
  HERD_TRY_VOID(file.finish());
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  if (options.json)
    HERD_TRY_VOID(print_json(
        json::object{{"out", *options.out},
                     {"shape", json::array{length, vocabulary}},
                     {"timings", json::object{{"load_ms", std::round(opened.load_ms)},
                                              {"prefill_ms", std::round(took.count())}}}}));
  else
    HERD_TRY_VOID(print(fmt::format("{}: float32 [{}, {}]\n", *options.out, length, vocabulary)));
  return 0;
}

}  // namespace herd::cli
