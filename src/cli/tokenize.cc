// herd tokenize: text to ids and back, as filters. herd render: a conversation as the prompt it becomes.
#include <cstdio>

#include "base/json.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "engine/bundle.h"
#include "text/chat.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace herd::cli {
namespace {

struct TokenizeOptions {
  std::string model;
  bool special = false;
  bool decode = false;
  bool count = false;

  static constexpr auto fields() {
    using O = TokenizeOptions;
    return option_list(
        option("model", &O::model, "a directory with a tokenizer, or the name cria"),
        option("special", &O::special,
               "names of special tokens in the text become those tokens; default: ordinary text"),
        option("decode", &O::decode, "the other way: a JSON array of ids to text"),
        option("count", &O::count, "print how many ids, not which"));
  }
};

struct RenderOptions {
  std::string model;
  std::string messages;
  std::string tools;
  bool json = false;

  static constexpr auto fields() {
    using O = RenderOptions;
    return option_list(
        option("model", &O::model,
               "a checkpoint directory, a .gguf or .herd file, or the name cria"),
        option("messages", &O::messages,
               "a file with OpenAI's messages: an array, or an object with one"),
        option("tools", &O::tools, "a file with OpenAI's tools, an array"),
        option("json", &O::json, "print {prompt, ids, pictures} instead of the prompt alone"));
  }
};

Result<std::string> all_of_stdin() {
  std::string text;
  char buffer[1 << 16];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, stdin))
    text.append(buffer, got);
  if (std::ferror(stdin)) return fail(Code::io_failed, "reading stdin failed");
  return text;
}

Result<std::vector<std::int32_t>> ids_in(std::string_view text, std::int32_t size) {
  HERD_TRY(const json::value value, parse_json(text));
  const json::array* array = value.if_array();
  if (array == nullptr) return fail(Code::invalid_json, "stdin is not a JSON array of ids");
  std::vector<std::int32_t> ids;
  for (const json::value& element : *array) {
    const std::int64_t* id = element.if_int64();
    if (id == nullptr || *id < 0 || *id >= size)
      return fail(Code::out_of_range, "element {} is {}, wanted an id from 0 to {}", ids.size(),
                  shown(json::serialize(element)), size - 1);
    ids.push_back(static_cast<std::int32_t>(*id));
  }
  return ids;
}

}  // namespace

Result<int> tokenize(Arguments arguments) {
  TokenizeOptions options;
  Flags flags("tokenize", "text on stdin to a JSON array of ids, or back",
              "echo 'Hello, world!' | herd tokenize models/cria");
  flags.add(options, {{"model"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) {
    HERD_TRY_VOID(print(*help));
    return 0;
  }
  HERD_TRY(const fs::path directory, find_model(options.model));
  HERD_TRY(const text::Tokenizer tokenizer, engine::open_tokenizer(directory));
  HERD_TRY(const std::string input, all_of_stdin());
  if (options.decode) {
    HERD_TRY(const std::vector<std::int32_t> ids, ids_in(input, tokenizer.size()));
    if (options.count)
      HERD_TRY_VOID(print(fmt::format("{}\n", ids.size())));
    else
      HERD_TRY_VOID(print(tokenizer.decode(ids, false)));
    return 0;
  }
  const std::vector<std::int32_t> ids = tokenizer.encode(
      input, options.special ? text::SpecialTokens::parse : text::SpecialTokens::as_text);
  if (options.count)
    HERD_TRY_VOID(print(fmt::format("{}\n", ids.size())));
  else
    HERD_TRY_VOID(print(json::serialize(json::array(ids.begin(), ids.end())) + "\n"));
  return 0;
}

Result<int> render(Arguments arguments) {
  RenderOptions options;
  Flags flags("render", "the prompt that a conversation becomes",
              "herd render models/cria messages.json --tools tools.json");
  flags.add(options, {{"model"}, {"messages"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) {
    HERD_TRY_VOID(print(*help));
    return 0;
  }
  HERD_TRY(const fs::path directory, find_model(options.model));
  HERD_TRY(const text::ChatFormat format, engine::open_chat_format(directory));
  HERD_TRY(const text::Tokenizer tokenizer, engine::open_tokenizer(directory));
  HERD_TRY(const text::ChatRenderer renderer, text::ChatRenderer::create(tokenizer, format));
  HERD_TRY(const json::value messages, read_json(options.messages));
  json::value tools;
  if (!options.tools.empty()) {
    HERD_TRY(tools, read_json(options.tools));
  }
  auto conversation = text::parse_conversation(messages, options.tools.empty() ? nullptr : &tools);
  if (!conversation) return std::unexpected(std::move(conversation).error().in(options.messages));
  HERD_TRY(const text::Prompt prompt, renderer.render(*conversation));
  if (!options.json) {
    HERD_TRY_VOID(print(prompt.text));
    return 0;
  }
  // A picture's size decides how many ids it becomes; here <|image|> stands for all of them, as in a template.
  const std::vector<std::int32_t> ids = prompt.ids(tokenizer.special("<|image|>").value_or(-1));
  HERD_TRY_VOID(print_json(json::object{{"prompt", prompt.text},
                                        {"ids", json::array(ids.begin(), ids.end())},
                                        {"pictures", prompt.images.size()},
                                        {"template", text::name_of(format.version)},
                                        {"note", format.note}}));
  return 0;
}

}  // namespace herd::cli
