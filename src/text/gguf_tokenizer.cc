// The tokenizer as a GGUF file's metadata lists it: token i in the byte alphabet, what kind it is, the merges in order.
#include "base/limits.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace herd::text {
namespace {

constexpr Code invalid = Code::tokenizer_invalid;

// As ggml numbers them.
enum class GgufKind : std::int64_t { normal = 1, unknown, control, user_defined, unused, byte };

std::optional<Split> split_of(const GgufWords& words) {
  if (!words.split.empty()) {
    if (words.split == "single_digits") return Split::single_digits;
    if (words.split == "none") return Split::none;
    if (words.split == "llama4") return Split::llama4;
    return std::nullopt;
  }
  if (words.pre == "llama4" || words.pre == "llama-4" || words.pre == "gpt-4o")
    return Split::llama4;
  return std::nullopt;
}

// A special token's entry; ordinary words are in the alphabet, all others as they are.
Result<TokenEntry> entry_of(const GgufWords& words, std::size_t id) {
  TokenEntry entry{.id = static_cast<std::int64_t>(id),
                   .bytes = std::string(words.tokens[id]),
                   .kind = TokenKind::special,
                   .where = fmt::format("tokenizer.ggml.tokens entry {}", id)};
  switch (static_cast<GgufKind>(words.kinds[id])) {
    case GgufKind::normal: {
      auto bytes = bytes_from_alphabet(words.tokens[id]);
      if (!bytes)
        return fail(invalid, "{} ({}): not written in the byte-level alphabet", entry.where,
                    shown(words.tokens[id]));
      entry.bytes = *std::move(bytes);
      entry.kind = TokenKind::ordinary;
      return entry;
    }
    case GgufKind::user_defined:
      entry.kind = TokenKind::added;
      return entry;
    case GgufKind::unknown:
    case GgufKind::control:
    case GgufKind::unused:
      return entry;
    case GgufKind::byte:
      break;
  }
  return fail(invalid, "tokenizer.ggml.token_type entry {}: {} is not known here", id,
              words.kinds[id]);
}

Result<MergeTable> merges_of(const GgufWords& words, const Vocabulary& vocabulary) {
  std::vector<Merge> merges;
  merges.reserve(words.merges.size());
  for (std::size_t i = 0; i < words.merges.size(); ++i) {
    const std::string_view text = words.merges[i];
    const std::string where = fmt::format("tokenizer.ggml.merges entry {}", i);
    const std::size_t space = text.find(' ', 1);  // a half is never empty
    if (space == std::string_view::npos) return fail(invalid, "{}: not a pair of tokens", where);
    const auto left = bytes_from_alphabet(text.substr(0, space));
    const auto right = bytes_from_alphabet(text.substr(space + 1));
    if (!left || !right) return fail(invalid, "{}: {} is no pair of tokens", where, shown(text));
    const Merge merge{.left = vocabulary.find(*left),
                      .right = vocabulary.find(*right),
                      .token = vocabulary.find(*left + *right),
                      .rank = static_cast<std::uint32_t>(i)};
    if (merge.left < 0 || merge.right < 0 || merge.token < 0)
      return fail(invalid, "{}: a part of {}, or their sum, is not in the vocabulary", where,
                  shown(text));
    merges.push_back(merge);
  }
  return MergeTable::build(merges, vocabulary);
}

}  // namespace

Result<Tokenizer> Tokenizer::from_gguf(const GgufWords& words) {
  if (words.model != "gpt2")
    return fail(invalid, "tokenizer.ggml.model is {}, wanted gpt2 (byte-level BPE)",
                shown(words.model));
  const auto split = split_of(words);
  if (!split)
    return fail(invalid, "tokenizer.ggml.pre is {}, supported: llama4, gpt-4o",
                shown(words.split.empty() ? words.pre : words.split));
  if (words.kinds.size() != words.tokens.size())
    return fail(invalid, "{} tokens, but tokenizer.ggml.token_type has {} entries",
                words.tokens.size(), words.kinds.size());
  if (words.tokens.size() > limits::vocabulary_max)
    return fail(invalid, "{} tokens, limit {}", words.tokens.size(), limits::vocabulary_max);
  if (words.merges.size() > limits::merges_max)
    return fail(invalid, "{} merges, limit {}", words.merges.size(), limits::merges_max);
  // Rows of the model behind the last token carry made-up names.
  std::size_t count = words.tokens.size();
  while (count > 0 && words.kinds[count - 1] == static_cast<std::int64_t>(GgufKind::unused))
    --count;
  std::vector<TokenEntry> entries;
  entries.reserve(count);
  for (std::size_t id = 0; id < count; ++id) {
    HERD_TRY(TokenEntry entry, entry_of(words, id));
    entries.push_back(std::move(entry));
  }
  HERD_TRY(Vocabulary vocabulary, Vocabulary::build(std::move(entries)));
  HERD_TRY(MergeTable merges, merges_of(words, vocabulary));
  return TokenizerParts{.vocabulary = std::move(vocabulary),
                        .merges = std::move(merges),
                        .split = *split,
                        .whole_pieces = true}
      .assemble();
}

GgufWordList Tokenizer::gguf_words(std::int64_t vocabulary) const {
  GgufWordList out;
  const auto push = [&](std::string word, GgufKind kind) {
    out.tokens.push_back(std::move(word));
    out.kinds.push_back(static_cast<std::int32_t>(kind));
  };
  for (std::int32_t id = 0; id < size(); ++id) {
    const std::string_view bytes = bytes_of(id);
    switch (vocabulary_.kind_of(id)) {
      case TokenKind::ordinary:
        push(in_alphabet(bytes), GgufKind::normal);
        break;
      case TokenKind::added:
        push(std::string(bytes), GgufKind::user_defined);
        break;
      case TokenKind::special:
        push(std::string(bytes), GgufKind::control);
        break;
    }
  }
  for (std::int64_t id = size(); id < vocabulary; ++id)
    push(fmt::format("[PAD{}]", id), GgufKind::unused);
  for (const Merge& merge : merges_.all())
    out.merges.push_back(in_alphabet(bytes_of(merge.left)) + " " +
                         in_alphabet(bytes_of(merge.right)));
  if (split_ == Split::single_digits) out.split = "single_digits";
  if (split_ == Split::none) out.split = "none";
  return out;
}

}  // namespace herd::text
