// Meta's tokenizer.model: one "base64(bytes) rank" per line (spec/llama4.md 4.1).
#include <charconv>
#include <optional>

#include "base/base64.h"
#include "base/limits.h"
#include "text/llama4_tokens.h"
#include "text/tokenizer.h"

namespace herd::text {
namespace {

constexpr Code invalid = Code::tokenizer_invalid;

std::optional<std::string> from_base64(std::string_view text) {
  const Base64 decoded = decode_base64(text);
  if (text.empty() || decoded.bad_at) return std::nullopt;
  std::string bytes;
  for (const std::byte byte : decoded.bytes) bytes += static_cast<char>(byte);
  return bytes;
}

}  // namespace

Result<Tokenizer> Tokenizer::from_tiktoken(std::string_view lines) {
  std::vector<TokenEntry> entries;
  for (std::size_t begin = 0, number = 1; begin < lines.size(); ++number) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    std::string_view line = lines.substr(begin, end - begin);
    begin = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (entries.size() >= limits::vocabulary_max)
      return fail(invalid, "line {}: more than {} tokens", number, limits::vocabulary_max);

    TokenEntry entry;
    entry.where = fmt::format("line {}", number);
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos)
      return fail(invalid, "line {}: {} is not \"base64 rank\"", number, shown(line));
    auto bytes = from_base64(line.substr(0, space));
    if (!bytes)
      return fail(invalid, "line {}: {} is not base64", number, shown(line.substr(0, space)));
    entry.bytes = *std::move(bytes);
    const std::string_view rank = line.substr(space + 1);
    const auto [stop, error] = std::from_chars(rank.data(), rank.data() + rank.size(), entry.id);
    if (error != std::errc{} || stop != rank.data() + rank.size())
      return fail(invalid, "line {}: {} is not a rank", number, shown(rank));
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) return fail(invalid, "no line \"base64 rank\" is there");

  const auto ranks = static_cast<std::int64_t>(entries.size());
  for (const TokenEntry& entry : entries)
    if (entry.id >= ranks)
      return fail(invalid, "{} ({}): rank {} leaves a gap, {} tokens have the ranks 0 to {}",
                  entry.where, shown(entry.bytes), entry.id, ranks, ranks - 1);
  for (const std::string& name : llama4_special_tokens())
    entries.push_back({.id = static_cast<std::int64_t>(entries.size()),
                       .bytes = name,
                       .kind = TokenKind::special,
                       .where = "the special tokens"});
  HERD_TRY(auto vocabulary, Vocabulary::build(std::move(entries)));
  HERD_TRY(auto merges, MergeTable::from_ranks(vocabulary));
  return TokenizerParts{.vocabulary = std::move(vocabulary),
                        .merges = std::move(merges),
                        .split = Split::llama4,
                        .whole_pieces = true}
      .assemble();
}

}  // namespace herd::text
