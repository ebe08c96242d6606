#include "text/tokenizer_json_writer.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/check.h"
#include "text/byte_alphabet.h"
#include "text/llama4_tokens.h"

namespace herd::text {
namespace {

std::string_view pattern_of(Split split) {
  HERD_CHECK(split != Split::none, "a tokenizer without a split is not written");
  return split == Split::llama4 ? llama4_split_pattern : single_digit_split_pattern;
}

json::object added_token(std::string_view name) {
  return {{"content", name}, {"lstrip", false},      {"normalized", false},
          {"rstrip", false}, {"single_word", false}, {"special", true}};
}

json::array added_tokens(const TokenizerContent& content) {
  json::array out;
  auto id = static_cast<std::int64_t>(content.tokens.size());
  for (const std::string& name : content.specials) {
    json::object token{{"id", id++}};
    for (const auto& member : added_token(name)) token.insert(member);
    out.push_back(std::move(token));
  }
  return out;
}

json::object byte_level(bool add_prefix_space, bool trim_offsets, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", trim_offsets},
          {"use_regex", use_regex}};
}

// Puts `begin` in front of every text, as the released tokenizers do when special tokens are asked for.
json::object template_of(const std::string& begin, std::int64_t id) {
  const auto special = [&](int type) {
    return json::object{{"SpecialToken", json::object{{"id", begin}, {"type_id", type}}}};
  };
  const auto sequence = [](const char* name, int type) {
    return json::object{{"Sequence", json::object{{"id", name}, {"type_id", type}}}};
  };
  return {{"type", "TemplateProcessing"},
          {"single", json::array{special(0), sequence("A", 0)}},
          {"pair", json::array{special(0), sequence("A", 0), special(1), sequence("B", 1)}},
          {"special_tokens", json::object{{begin, json::object{{"id", begin},
                                                               {"ids", json::array{id}},
                                                               {"tokens", json::array{begin}}}}}}};
}

json::object model_of(const TokenizerContent& content) {
  std::vector<std::string> words;
  words.reserve(content.tokens.size());
  for (const std::string& token : content.tokens) words.push_back(in_alphabet(token));
  json::object vocab;
  vocab.reserve(words.size());
  std::int64_t id = 0;
  for (const std::string& word : words) vocab[word] = id++;
  HERD_CHECK(vocab.size() == words.size(), "{} tokens, {} of them different", words.size(),
             vocab.size());
  json::array merges;
  merges.reserve(content.merges.size());
  for (const auto& [left, right] : content.merges)
    merges.emplace_back(words[static_cast<std::size_t>(left)] + " " +
                        words[static_cast<std::size_t>(right)]);
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", true},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

}  // namespace

std::string tokenizer_json(const TokenizerContent& content) {
  HERD_CHECK(content.tokens.size() >= 256 && !content.specials.empty(),
             "{} tokens and {} special ones", content.tokens.size(), content.specials.size());
  const json::object split{{"type", "Split"},
                           {"pattern", json::object{{"Regex", pattern_of(content.split)}}},
                           {"behavior", "Isolated"},
                           {"invert", false}};
  const auto first_special = static_cast<std::int64_t>(content.tokens.size());
  const json::object root{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens(content)},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       json::object{{"type", "Sequence"},
                    {"pretokenizers", json::array{split, byte_level(false, true, false)}}}},
      {"post_processor",
       json::object{
           {"type", "Sequence"},
           {"processors", json::array{byte_level(true, false, true),
                                      template_of(content.specials.front(), first_special)}}}},
      {"decoder", byte_level(true, true, true)},
      {"model", model_of(content)}};
  return json::serialize(root) + "\n";
}

json::object tokenizer_config(const TokenizerContent& content) {
  json::object config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                      {"clean_up_tokenization_spaces", false},
                      {"model_input_names", json::array{"input_ids", "attention_mask"}}};
  constexpr std::array<std::pair<const char*, std::string_view>, 3> roles{
      {{"bos_token", "<|begin_of_text|>"},
       {"eos_token", "<|eot|>"},
       {"pad_token", "<|finetune_right_pad|>"}}};
  for (const auto& [role, name] : roles)
    if (std::ranges::find(content.specials, name) != content.specials.end()) config[role] = name;
  json::object by_id;
  std::size_t id = content.tokens.size();
  for (const std::string& name : content.specials) by_id[fmt::to_string(id++)] = added_token(name);
  config["added_tokens_decoder"] = std::move(by_id);
  return config;
}

}  // namespace herd::text
