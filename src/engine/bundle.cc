#include "engine/bundle.h"

#include <algorithm>

#include "base/json.h"
#include "base/options_json.h"
#include "checkpoint/store.h"

namespace herd::engine {
namespace {

// The id behind a layout symbol. The configuration knows three of them by number; the others by name.
Result<std::int32_t> id_of(media::LayoutSymbol symbol, const Bundle& bundle) {
  switch (symbol) {
    case media::LayoutSymbol::patch:
      return bundle.config.image_token;
    case media::LayoutSymbol::image_start:
      return bundle.config.image_start_token;
    case media::LayoutSymbol::image_end:
      return bundle.config.image_end_token;
    default:
      break;
  }
  const std::string_view name = media::token_of(symbol);
  if (const auto id = bundle.tokenizer.special(name)) return *id;
  return fail(Code::tokenizer_invalid, "the tokenizer has no {}, which pictures need", name);
}

// A model card says of itself, in the tags of its front matter, when its weights are random.
bool is_untrained(const fs::path& directory) {
  constexpr std::uint64_t card_bytes_max = 1 << 20;
  const auto card = read_file(directory / "README.md", card_bytes_max);
  if (!card || !card->starts_with("---\n")) return false;
  const std::string_view front = std::string_view(*card).substr(0, card->find("\n---", 3));
  const std::size_t tags = front.find("\ntags:");
  return tags != std::string_view::npos &&
         front.substr(tags, front.find('\n', tags + 1) - tags).contains("untrained");
}

Result<SamplingOptions> sampling_of(const json::value& generation) {
  SamplingOptions options;
  const json::value* sample = find(generation, "do_sample");
  if (sample != nullptr && sample->is_bool()) options.temperature = 1.0;
  json::object known;
  for (const char* key : {"temperature", "top_k", "top_p", "min_p", "repetition_penalty"})
    if (const json::value* value = find(generation, key)) known[key] = *value;
  HERD_TRY_VOID(set_options_from_json(options, known));
  // As in transformers: without sampling, a temperature beside it means nothing.
  if (sample != nullptr && sample->is_bool() && !sample->as_bool()) options.temperature = 0.0;
  return options;
}

template <typename T>
Result<std::vector<T>> needed(Result<std::optional<std::vector<T>>> found, std::string_view name) {
  if (!found) return std::unexpected(std::move(found).error());
  if (!found->has_value()) return fail(Code::gguf_key, "key 'tokenizer.ggml.{}' is missing", name);
  return std::move(**found);
}

Result<text::Tokenizer> tokenizer_of(const checkpoint::GgufHeader& header) {
  text::GgufWords words;
  const auto text = [&](std::string_view key, std::string_view& to) -> Result<void> {
    HERD_TRY(const auto value, header.text(key));
    if (value) to = *value;
    return {};
  };
  HERD_TRY_VOID(text("tokenizer.ggml.model", words.model));
  HERD_TRY_VOID(text("tokenizer.ggml.pre", words.pre));
  HERD_TRY_VOID(text("herd.tokenizer.split", words.split));
  HERD_TRY(words.tokens, needed(header.texts("tokenizer.ggml.tokens"), "tokens"));
  HERD_TRY(words.kinds, needed(header.integers("tokenizer.ggml.token_type"), "token_type"));
  HERD_TRY(words.merges, needed(header.texts("tokenizer.ggml.merges"), "merges"));
  return text::Tokenizer::from_gguf(words);
}

// What a file recommends for sampling, in keys that newer converters write.
Result<SamplingOptions> sampling_of(const checkpoint::GgufHeader& header) {
  SamplingOptions options;
  json::object known;
  for (const auto& [key, name] : {std::pair{"general.sampling.temp", "temperature"},
                                  {"general.sampling.top_p", "top_p"},
                                  {"general.sampling.min_p", "min_p"}}) {
    HERD_TRY(const auto value, header.number(key));
    if (value) known[name] = *value;
  }
  HERD_TRY(const auto top_k, header.integer("general.sampling.top_k"));
  if (top_k) known["top_k"] = *top_k;
  HERD_TRY_VOID(set_options_from_json(options, known));
  return options;
}

}  // namespace

Result<text::Tokenizer> open_tokenizer(const fs::path& model) {
  if (!fs::is_regular_file(model)) return text::Tokenizer::from_directory(model);
  HERD_TRY(const checkpoint::Store store, checkpoint::Store::open(model));
  auto tokenizer = tokenizer_of(store.gguf().front());
  if (!tokenizer) return std::unexpected(std::move(tokenizer).error().in(model.string()));
  return tokenizer;
}

Result<text::ChatFormat> open_chat_format(const fs::path& model) {
  if (!fs::is_regular_file(model)) return text::read_chat_format(model);
  HERD_TRY(const checkpoint::Store store, checkpoint::Store::open(model));
  HERD_TRY(const auto jinja, store.gguf().front().text("tokenizer.chat_template"));
  text::ChatFormat format = text::recognise_chat_template(jinja.value_or(""));
  if (!jinja)
    format.note = "no chat template is there; messages are formatted by Llama 4's plain grammar";
  return format;
}

Result<media::PreprocessOptions> picture_options(const fs::path& directory,
                                                 const llama4::VisionConfig& vision) {
  media::PreprocessOptions options{.tile_side = vision.image_size};
  for (const char* name : {"preprocessor_config.json", "processor_config.json"}) {
    const fs::path path = directory / name;
    if (!fs::exists(path)) continue;
    HERD_TRY(const json::value said, read_json(path.string()));
    auto read = media::read_preprocess_options(said);
    if (!read) return std::unexpected(std::move(read).error().in(path.string()));
    options = *read;
    break;
  }
  if (options.tile_side != vision.image_size)
    return fail(Code::config_invalid,
                "pictures are cut into tiles of {} pixels, but the vision encoder takes {}",
                options.tile_side, vision.image_size);
  return options;
}

Result<Bundle> Bundle::open(const fs::path& directory, const llama4::Config& config) {
  HERD_TRY(text::Tokenizer tokenizer, open_tokenizer(directory));
  HERD_TRY(text::ChatFormat chat_format, open_chat_format(directory));
  Bundle bundle{.tokenizer = std::move(tokenizer),
                .chat_format = std::move(chat_format),
                .pictures = {},
                .config = config,
                .sampling = {},
                .stop_tokens = config.stop_tokens,
                .notes = {}};
  for (const std::int32_t id : bundle.tokenizer.stop_ids())
    if (std::ranges::find(bundle.stop_tokens, id) == bundle.stop_tokens.end())
      bundle.stop_tokens.push_back(id);

  if (const fs::path path = directory / "generation_config.json"; fs::exists(path)) {
    HERD_TRY(const json::value generation, read_json(path.string()));
    auto sampling = sampling_of(generation);
    if (!sampling) return std::unexpected(std::move(sampling).error().in(path.string()));
    bundle.sampling = *sampling;
  }
  bundle.is_file = fs::is_regular_file(directory);
  if (bundle.is_file) {
    HERD_TRY(const checkpoint::Store store, checkpoint::Store::open(directory));
    HERD_TRY(bundle.sampling, sampling_of(store.gguf().front()));
  }
  if (!bundle.chat_format.note.empty()) bundle.notes.push_back(bundle.chat_format.note);
  if (is_untrained(directory))
    bundle.notes.emplace_back(
        "this model is untrained: its weights are random and its answers noise");
  if (config.vision) {
    HERD_TRY(bundle.pictures, picture_options(directory, *config.vision));
  }
  return bundle;
}

Result<media::Tiles> Bundle::cut(const media::Image& image) const {
  if (!config.vision)
    return fail_with_hint(Code::conversation_invalid,
                          "a picture was given, but this model sees only text",
                          is_file ? "a GGUF model's vision encoder is a file of its own: "
                                    "--mmproj FILE"
                                  : "");
  return media::preprocess(image, pictures);
}

Result<void> Bundle::append_picture(Prompt& prompt, media::Tiles tiles) const {
  const auto layout = media::image_layout(tiles.tiling.rows, tiles.tiling.columns,
                                          config.vision->tokens_per_tile());
  for (const media::LayoutItem& item : layout) {
    HERD_TRY(const std::int32_t id, id_of(item.symbol, *this));
    for (std::int64_t i = 0; i < item.count; ++i) {
      if (item.symbol == media::LayoutSymbol::patch)
        prompt.patches.push_back(static_cast<std::int64_t>(prompt.tokens.size()));
      prompt.tokens.push_back(id);
    }
  }
  prompt.pictures.push_back(
      {.tiles = tiles.tiling.tiles(), .side = tiles.side, .pixels = std::move(tiles.pixels)});
  return {};
}

Prompt Bundle::raw_prompt(std::string_view text) const {
  Prompt prompt;
  if (config.bos_token >= 0) prompt.tokens.push_back(config.bos_token);  // -1: the model has none
  tokenizer.append(text, text::SpecialTokens::as_text, prompt.tokens);
  return prompt;
}

Result<Prompt> Bundle::chat_prompt(const text::Conversation& conversation,
                                   std::span<const media::Image> images) const {
  HERD_TRY(const text::ChatRenderer renderer, text::ChatRenderer::create(tokenizer, chat_format));
  HERD_TRY(const text::Prompt rendered, renderer.render(conversation));
  if (rendered.images.size() != images.size())
    return fail(Code::conversation_invalid,
                "the prompt shows {} pictures, the conversation has {}: this model's chat format "
                "shows pictures of users only",
                rendered.images.size(), images.size());
  Prompt prompt;
  for (const text::Segment& segment : rendered.segments) {
    prompt.tokens.insert(prompt.tokens.end(), segment.ids.begin(), segment.ids.end());
    if (!segment.image) continue;
    HERD_TRY(media::Tiles tiles, cut(images[static_cast<std::size_t>(*segment.image)]));
    HERD_TRY_VOID(append_picture(prompt, std::move(tiles)));
  }
  return prompt;
}

}  // namespace herd::engine
