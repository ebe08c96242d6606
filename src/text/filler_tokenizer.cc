#include "text/filler_tokenizer.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "text/llama4_tokens.h"

namespace herd::text {
namespace {

// Ranks 0 to 255 of Llama 4's tokenizer.model are the bytes in these ranges, one range after the other.
constexpr std::array<std::pair<int, int>, 9> byte_order{{{0xC0, 0xC1},
                                                         {0xF5, 0xFF},
                                                         {0x21, 0x7E},
                                                         {0xA1, 0xAC},
                                                         {0xAE, 0xBF},
                                                         {0xC2, 0xF4},
                                                         {0x00, 0x20},
                                                         {0x7F, 0xA0},
                                                         {0xAD, 0xAD}}};

// The byte-to-unicode alphabet of GPT-2: printable Latin-1 stands for itself, every other byte for the next free
// character from U+0100 on. All lie below U+0800.
std::array<std::string, 256> alphabet() {
  std::array<std::string, 256> out;
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool stands_for_itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const unsigned character = stands_for_itself ? byte : next++;
    if (character < 0x80)
      out[byte] = {static_cast<char>(character)};
    else
      out[byte] = {static_cast<char>(0xC0 | character >> 6),
                   static_cast<char>(0x80 | (character & 0x3F))};
  }
  return out;
}

json::object vocabulary_of(std::int64_t ordinary) {
  const auto letters = alphabet();
  json::object out;
  out.reserve(static_cast<std::size_t>(ordinary));
  std::int64_t id = 0;
  for (const auto& [first, last] : byte_order)
    for (int byte = first; byte <= last; ++byte)
      out[letters[static_cast<std::size_t>(byte)]] = id++;
  HERD_CHECK(id == 256, "{} bytes", id);
  for (; id < ordinary; ++id) out[fmt::format("unused{}", id)] = id;
  return out;
}

json::array added_tokens(std::int64_t first, std::span<const std::string> specials) {
  json::array out;
  for (const std::string& name : specials)
    out.push_back(json::object{{"id", first++},
                               {"content", name},
                               {"single_word", false},
                               {"lstrip", false},
                               {"rstrip", false},
                               {"normalized", false},
                               {"special", true}});
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

}  // namespace

std::string filler_tokenizer_json(std::int64_t vocabulary, std::span<const std::string> specials) {
  const std::int64_t ordinary = vocabulary - static_cast<std::int64_t>(specials.size());
  HERD_CHECK(ordinary >= 256 && !specials.empty(), "a vocabulary of {} with {} special tokens",
             vocabulary, specials.size());
  const json::object split{{"type", "Split"},
                           {"pattern", json::object{{"Regex", llama4_split_pattern}}},
                           {"behavior", "Isolated"},
                           {"invert", false}};
  const json::object root{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens(ordinary, specials)},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       json::object{{"type", "Sequence"},
                    {"pretokenizers", json::array{split, byte_level(false, true, false)}}}},
      {"post_processor",
       json::object{{"type", "Sequence"},
                    {"processors", json::array{byte_level(true, false, true),
                                               template_of(specials.front(), ordinary)}}}},
      {"decoder", byte_level(true, true, true)},
      {"model", json::object{{"type", "BPE"},
                             {"dropout", nullptr},
                             {"unk_token", nullptr},
                             {"continuing_subword_prefix", nullptr},
                             {"end_of_word_suffix", nullptr},
                             {"fuse_unk", false},
                             {"byte_fallback", false},
                             {"ignore_merges", true},
                             {"vocab", vocabulary_of(ordinary)},
                             {"merges", json::array()}}}};
  return json::serialize(root) + "\n";
}

}  // namespace herd::text
