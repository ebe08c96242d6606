#include "engine/model_files.h"

#include "base/json_text.h"
#include "checkpoint/store.h"
#include "engine/bundle.h"
#include "text/chat_template.h"
#include "text/tokenizer_json_writer.h"

namespace herd::engine {
namespace {

Result<std::string> template_of(const fs::path& model) {
  if (!fs::is_regular_file(model)) return text::read_chat_template(model);
  HERD_TRY(const checkpoint::Store store, checkpoint::Store::open(model));
  HERD_TRY(const auto jinja, store.gguf().front().text("tokenizer.chat_template"));
  return std::string(jinja.value_or(""));
}

Result<text::TokenizerContent> content_of(const text::Tokenizer& tokenizer) {
  text::TokenizerContent content;
  content.split = tokenizer.split();
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) {
    const std::string bytes(tokenizer.bytes_of(id));
    const bool ordinary = tokenizer.vocabulary().kind_of(id) == text::TokenKind::ordinary;
    if (ordinary && !content.specials.empty())
      return fail(
          Code::tokenizer_invalid,
          "token {} is an ordinary one behind special ones; such tokenizers are not written", id);
    (ordinary ? content.tokens : content.specials).push_back(bytes);
  }
  if (content.specials.empty() || content.split == text::Split::none)
    return fail(Code::tokenizer_invalid, "a tokenizer without {} is not written",
                content.specials.empty() ? "special tokens" : "a split");
  for (const text::Merge& merge : tokenizer.merges().all())
    content.merges.emplace_back(merge.left, merge.right);
  return content;
}

// Of a file: its own keys, none read and none lost.
Result<checkpoint::GgufKeys> word_keys_of_file(const fs::path& model) {
  HERD_TRY(const checkpoint::Store store, checkpoint::Store::open(model));
  checkpoint::GgufKeys keys;
  for (const checkpoint::GgufEntry& entry : store.gguf().front().entries)
    for (const std::string_view begin : {"tokenizer.", "herd.tokenizer.", "general.sampling."})
      if (entry.key.starts_with(begin)) keys.copy(entry);
  return keys;
}

}  // namespace

Result<checkpoint::GgufKeys> word_keys(const fs::path& model, const llama4::Config& config) {
  if (fs::is_regular_file(model)) return word_keys_of_file(model);
  HERD_TRY(const text::Tokenizer tokenizer, open_tokenizer(model));
  const text::GgufWordList words = tokenizer.gguf_words(config.text.vocabulary);
  checkpoint::GgufKeys keys;
  keys.put("tokenizer.ggml.model", "gpt2");
  keys.put("tokenizer.ggml.pre", "llama4");
  keys.put("tokenizer.ggml.tokens", std::span<const std::string>(words.tokens));
  keys.put("tokenizer.ggml.token_type", std::span<const std::int32_t>(words.kinds));
  keys.put("tokenizer.ggml.merges", std::span<const std::string>(words.merges));
  if (!words.split.empty()) keys.put("herd.tokenizer.split", std::string_view(words.split));
  const auto put_token = [&](const char* key, std::int32_t id) {
    if (id >= 0) keys.put(key, static_cast<std::uint32_t>(id));
  };
  put_token("tokenizer.ggml.bos_token_id", config.bos_token);
  put_token("tokenizer.ggml.padding_token_id", config.pad_token);
  // The end of an answer is <|eot|>; readers of such files find the others by name.
  const auto eot = tokenizer.special("<|eot|>");
  const auto eom = tokenizer.special("<|eom|>");
  if (eot || !config.stop_tokens.empty())
    put_token("tokenizer.ggml.eos_token_id", eot ? *eot : config.stop_tokens.front());
  if (eot) put_token("tokenizer.ggml.eot_token_id", *eot);
  if (eom) put_token("tokenizer.ggml.eom_token_id", *eom);
  keys.put("tokenizer.ggml.add_bos_token", true);
  HERD_TRY(const std::string jinja, template_of(model));
  if (!jinja.empty()) keys.put("tokenizer.chat_template", std::string_view(jinja));
  HERD_TRY(const Bundle bundle, Bundle::open(model, config));
  const SamplingOptions none, &said = bundle.sampling;
  const auto put_number = [&](const char* key, double value, double otherwise) {
    if (value != otherwise) keys.put(key, static_cast<float>(value));
  };
  put_number("general.sampling.temp", said.temperature, none.temperature);
  put_number("general.sampling.top_p", said.top_p, none.top_p);
  put_number("general.sampling.min_p", said.min_p, none.min_p);
  return keys;
}

Result<bool> has_words(const fs::path& gguf) {
  HERD_TRY(const checkpoint::Store store, checkpoint::Store::open(gguf));
  return store.gguf().front().find("tokenizer.ggml.tokens") != nullptr;
}

Result<void> write_word_files(const fs::path& gguf, const fs::path& directory) {
  HERD_TRY(const text::Tokenizer tokenizer, open_tokenizer(gguf));
  auto content = content_of(tokenizer);
  if (!content) return std::unexpected(std::move(content).error().in(gguf.string()));
  HERD_TRY_VOID(
      write_file(directory / "tokenizer.json", std::string_view(text::tokenizer_json(*content))));
  HERD_TRY(const std::string jinja, template_of(gguf));
  json::object config = text::tokenizer_config(*content);
  if (!jinja.empty()) {
    config["chat_template"] = jinja;
    HERD_TRY_VOID(write_file(directory / "chat_template.jinja", std::string_view(jinja)));
  }
  return write_file(directory / "tokenizer_config.json", std::string_view(json_text(config)));
}

}  // namespace herd::engine
