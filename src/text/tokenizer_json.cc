// Hugging Face's tokenizer.json (spec/llama4.md 4.3), read as a closed format: what would change the tokens and is not
// known here is refused by name instead of being ignored.
#include <algorithm>
#include <unordered_map>

#include "base/json.h"
#include "base/limits.h"
#include "text/byte_alphabet.h"
#include "text/llama4_tokens.h"
#include "text/tokenizer.h"

namespace herd::text {
namespace {

constexpr Code invalid = Code::tokenizer_invalid;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// The member as a string; empty when it is absent or something else.
std::string_view text_of(const json::value& object, std::string_view key) {
  const json::value* member = find(object, key);
  return member != nullptr && member->is_string() ? view(member->get_string()) : std::string_view{};
}

bool true_of(const json::value& object, std::string_view key) {
  const json::value* member = find(object, key);
  return member != nullptr && member->is_bool() && member->get_bool();
}

Result<void> check_normalizer(const json::value& root) {
  const json::value* normalizer = find(root, "normalizer");
  if (normalizer == nullptr) return {};
  const json::value* list = find(*normalizer, "normalizers");
  if (text_of(*normalizer, "type") == "Sequence" && list != nullptr && list->is_array() &&
      list->get_array().empty())
    return {};
  return fail(invalid, "normalizer: {} is not known, Llama 4 has none",
              shown(text_of(*normalizer, "type")));
}

std::optional<Split> split_of(std::string_view regex) {
  if (regex == llama4_split_pattern) return Split::llama4;
  if (regex == single_digit_split_pattern) return Split::single_digits;
  return std::nullopt;
}

// How the text is split. Known: the splits of split.h before a byte-level step, and a byte-level step alone.
Result<Split> read_pre_tokenizer(const json::value& root) {
  const json::value* pre = find(root, "pre_tokenizer");
  if (pre == nullptr) return fail(invalid, "pre_tokenizer: none, wanted Llama 4's split");
  std::vector<const json::value*> steps{pre};
  std::string_view name = text_of(*pre, "type");
  if (name == "Sequence") {
    const json::value* list = find(*pre, "pretokenizers");
    if (list == nullptr || !list->is_array())
      return fail(invalid, "pre_tokenizer.pretokenizers: not a list");
    steps.clear();
    for (const json::value& step : list->get_array()) steps.push_back(&step);
  }
  Split split = Split::none;
  bool byte_level = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const json::value& step = *steps[i];
    name = text_of(step, "type");
    if (name == "Split" && i == 0) {
      const json::value* pattern = find(step, "pattern");
      const std::string_view regex =
          pattern == nullptr ? std::string_view{} : text_of(*pattern, "Regex");
      const std::optional<Split> known = split_of(regex);
      if (!known)
        return fail(
            invalid,
            "pre_tokenizer: the Split pattern {} is not Llama 4's, nor that with single digits",
            shown(regex));
      if (text_of(step, "behavior") != "Isolated" || true_of(step, "invert"))
        return fail(invalid, "pre_tokenizer: Split with behavior {}{}, wanted 'Isolated'",
                    shown(text_of(step, "behavior")), true_of(step, "invert") ? " inverted" : "");
      split = *known;
    } else if (name == "ByteLevel" && i + 1 == steps.size()) {
      if (true_of(step, "add_prefix_space"))
        return fail(invalid, "pre_tokenizer: ByteLevel with add_prefix_space is not known");
      const json::value* own_split = find(step, "use_regex");
      if (own_split == nullptr || !own_split->is_bool() || own_split->get_bool())
        return fail(invalid,
                    "pre_tokenizer: ByteLevel with use_regex (GPT-2's split) is not known");
      byte_level = true;
    } else {
      return fail(invalid, "pre_tokenizer: {} as step {} is not known, wanted Llama 4's split",
                  shown(name), i);
    }
  }
  if (!byte_level) return fail(invalid, "pre_tokenizer: no ByteLevel step");
  return split;
}

// The decoder must undo the alphabet; the post-processor may only add <|begin_of_text|>, which the renderer does.
Result<void> check_decoder(const json::value& root) {
  const json::value* decoder = find(root, "decoder");
  if (decoder == nullptr || text_of(*decoder, "type") != "ByteLevel")
    return fail(invalid, "decoder: {}, wanted 'ByteLevel'",
                decoder == nullptr ? "none" : shown(text_of(*decoder, "type")));
  const json::value* post = find(root, "post_processor");
  if (post == nullptr) return {};
  const json::value* list = find(*post, "processors");
  const auto known = [](const json::value& step) {
    return text_of(step, "type") == "ByteLevel" || text_of(step, "type") == "TemplateProcessing";
  };
  if (text_of(*post, "type") == "Sequence" && list != nullptr && list->is_array()) {
    for (const json::value& step : list->get_array())
      if (!known(step))
        return fail(invalid, "post_processor: {} is not known", shown(text_of(step, "type")));
  } else if (!known(*post)) {
    return fail(invalid, "post_processor: {} is not known", shown(text_of(*post, "type")));
  }
  return {};
}

Result<void> check_model(const json::object& model) {
  constexpr std::array<std::string_view, 10> known{"type",
                                                   "dropout",
                                                   "unk_token",
                                                   "continuing_subword_prefix",
                                                   "end_of_word_suffix",
                                                   "fuse_unk",
                                                   "byte_fallback",
                                                   "ignore_merges",
                                                   "vocab",
                                                   "merges"};
  for (const auto& member : model) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(known.begin(), known.end(), key) == known.end())
      return fail(invalid, "model.{}: not known", shown(key));
    const json::value& value = member.value();
    if (key == "type" && !(value.is_string() && value.get_string() == "BPE"))
      return fail(invalid, "model.type: {}, wanted 'BPE'",
                  value.is_string() ? shown(view(value.get_string())) : "not a string");
    if (key == "dropout" && !value.is_null() &&
        !(value.is_number() && value.to_number<double>() == 0))
      return fail(invalid, "model.dropout: only null or 0 is known");
    if ((key == "continuing_subword_prefix" || key == "end_of_word_suffix") && !value.is_null() &&
        !(value.is_string() && value.get_string().empty()))
      return fail(invalid, "model.{}: only null or \"\" is known", key);
    if (key == "byte_fallback" && !(value.is_bool() && !value.get_bool()))
      return fail(invalid, "model.byte_fallback: only false is known");
    if (key == "ignore_merges" && !value.is_bool())
      return fail(invalid, "model.ignore_merges: not true or false");
  }
  if (!model.contains("type")) return fail(invalid, "model.type: missing, wanted 'BPE'");
  return {};
}

Result<std::int64_t> id_of(const json::value& value, const std::string& where) {
  if (value.is_int64()) return value.get_int64();
  return fail(invalid, "{}: the id is not an integer", where);
}

Result<std::vector<TokenEntry>> read_added(const json::value& root) {
  std::vector<TokenEntry> entries;
  const json::value* list = find(root, "added_tokens");
  if (list == nullptr) return entries;
  if (!list->is_array()) return fail(invalid, "added_tokens: not a list");
  for (const json::value& token : list->get_array()) {
    TokenEntry entry;
    entry.where = fmt::format("added_tokens entry {}", entries.size());
    const json::value* id = find(token, "id");
    if (id == nullptr) return fail(invalid, "{}: no id", entry.where);
    HERD_TRY(entry.id, id_of(*id, entry.where));
    entry.bytes = text_of(token, "content");
    if (entry.bytes.size() > limits::special_token_bytes_max)
      return fail(invalid, "{} (id {}): {} bytes, at most {} are allowed", entry.where, entry.id,
                  entry.bytes.size(), limits::special_token_bytes_max);
    for (const char* option : {"lstrip", "rstrip", "single_word"})
      if (true_of(token, option))
        return fail(invalid, "{} ({}): {} is not known", entry.where, shown(entry.bytes), option);
    entry.kind = true_of(token, "special") ? TokenKind::special : TokenKind::added;
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<Vocabulary> read_vocabulary(const json::value& root, const json::object& model) {
  HERD_TRY(auto entries, read_added(root));
  std::unordered_map<std::string_view, std::int64_t> added;
  for (const TokenEntry& entry : entries) added.emplace(entry.bytes, entry.id);

  const json::value* vocab = model.if_contains("vocab");
  if (vocab == nullptr || !vocab->is_object()) return fail(invalid, "model.vocab: not an object");
  const json::object& words = vocab->get_object();
  std::vector<TokenEntry> ordinary;
  ordinary.reserve(words.size());
  std::size_t index = 0;
  for (const auto& word : words) {
    const std::string_view key(word.key().data(), word.key().size());
    TokenEntry entry;
    entry.where = fmt::format("model.vocab entry {}", index++);
    HERD_TRY(entry.id, id_of(word.value(), fmt::format("{} ({})", entry.where, shown(key))));
    // Trained files list their special tokens here too.
    if (const auto same = added.find(key); same != added.end() && same->second == entry.id)
      continue;
    auto bytes = bytes_from_alphabet(key);
    if (!bytes)
      return fail(invalid, "{} ({}): not written in the byte-level alphabet", entry.where,
                  shown(key));
    entry.bytes = *std::move(bytes);
    ordinary.push_back(std::move(entry));
  }
  ordinary.insert(ordinary.end(), std::make_move_iterator(entries.begin()),
                  std::make_move_iterator(entries.end()));
  return Vocabulary::build(std::move(ordinary));
}

// Both halves of one entry: "left right", or ["left", "right"].
std::optional<std::pair<std::string_view, std::string_view>> halves_of(const json::value& entry) {
  if (entry.is_string()) {
    const std::string_view text = view(entry.get_string());
    const auto space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
      return std::nullopt;
    return std::pair(text.substr(0, space), text.substr(space + 1));
  }
  if (!entry.is_array() || entry.get_array().size() != 2) return std::nullopt;
  const json::array& pair = entry.get_array();
  if (!pair[0].is_string() || !pair[1].is_string()) return std::nullopt;
  return std::pair(view(pair[0].get_string()), view(pair[1].get_string()));
}

Result<MergeTable> read_merges(const json::object& model, const Vocabulary& vocabulary) {
  const json::value* list = model.if_contains("merges");
  if (list == nullptr || !list->is_array()) return fail(invalid, "model.merges: not a list");
  const json::array& entries = list->get_array();
  if (entries.size() > limits::merges_max)
    return fail(invalid, "model.merges: {} entries, at most {} are allowed", entries.size(),
                limits::merges_max);
  std::vector<Merge> merges;
  merges.reserve(entries.size());
  std::string joined;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto halves = halves_of(entries[i]);
    if (!halves) return fail(invalid, "model.merges entry {}: not a pair of tokens", i);
    Merge merge{.left = -1, .right = -1, .token = -1, .rank = static_cast<std::uint32_t>(i)};
    joined.clear();
    for (const auto& [half, id] :
         {std::pair(halves->first, &merge.left), std::pair(halves->second, &merge.right)}) {
      const auto bytes = bytes_from_alphabet(half);
      if (bytes) *id = vocabulary.find(*bytes);
      if (*id < 0)
        return fail(invalid, "model.merges entry {}: {} is not in the vocabulary", i, shown(half));
      joined += *bytes;
    }
    merge.token = vocabulary.find(joined);
    if (merge.token < 0)
      return fail(invalid, "model.merges entry {}: {} joined with {} is not in the vocabulary", i,
                  shown(halves->first), shown(halves->second));
    merges.push_back(merge);
  }
  return MergeTable::build(merges, vocabulary);
}

}  // namespace

Result<Tokenizer> Tokenizer::from_json(std::string_view text) {
  HERD_TRY(const json::value root, parse_json(text));
  const json::value* model = find(root, "model");
  if (model == nullptr || !model->is_object()) return fail(invalid, "model: not an object");
  HERD_TRY_VOID(check_normalizer(root));
  HERD_TRY(const Split split, read_pre_tokenizer(root));
  HERD_TRY_VOID(check_decoder(root));
  HERD_TRY_VOID(check_model(model->get_object()));
  HERD_TRY(auto vocabulary, read_vocabulary(root, model->get_object()));
  HERD_TRY(auto merges, read_merges(model->get_object(), vocabulary));
  return TokenizerParts{.vocabulary = std::move(vocabulary),
                        .merges = std::move(merges),
                        .split = split,
                        .whole_pieces = true_of(*model, "ignore_merges")}
      .assemble();
}

}  // namespace herd::text
