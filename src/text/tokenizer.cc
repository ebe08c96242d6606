#include "text/tokenizer.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"
#include "text/bpe.h"

namespace herd::text {
namespace {

// Pieces seen in this text that are no token themselves: where they stood and what they became. One place per hash, the
// newer piece wins, so hostile text cannot make it slow. Lives for one call: nothing is shared between threads.
class PieceCache {
 public:
  struct Entry {
    std::size_t text_begin = 0;
    std::size_t ids_begin = 0;
    std::uint32_t size = 0;
    std::uint32_t ids = 0;
  };
  static constexpr std::size_t piece_bytes_max = 64;

  explicit PieceCache(std::size_t text_bytes)
      : places_(std::bit_ceil(std::clamp<std::size_t>(text_bytes / 16, 16, 4096))) {}

  Entry& at(std::uint64_t hash) {
    if (entries_.empty()) entries_.resize(places_);
    return entries_[hash & (places_ - 1)];
  }

 private:
  std::size_t places_;
  std::vector<Entry> entries_;
};

}  // namespace

Tokenizer TokenizerParts::assemble() && {
  Tokenizer tokenizer;
  tokenizer.vocabulary_ = std::move(vocabulary);
  tokenizer.merges_ = std::move(merges);
  tokenizer.split_ = split;
  tokenizer.whole_pieces_ = whole_pieces;
  std::vector<std::pair<std::string_view, std::int32_t>> always;
  std::vector<std::pair<std::string_view, std::int32_t>> parsed;
  for (const std::int32_t id : tokenizer.vocabulary_.added()) {
    parsed.emplace_back(tokenizer.bytes_of(id), id);
    if (!tokenizer.is_special(id)) always.emplace_back(tokenizer.bytes_of(id), id);
  }
  tokenizer.always_ = NameMatcher(std::move(always));
  tokenizer.parsed_ = NameMatcher(std::move(parsed));
  return tokenizer;
}

Result<Tokenizer> Tokenizer::from_file(const fs::path& path) {
  HERD_TRY(const std::string text, read_file(path, limits::json_bytes_max));
  const auto first = text.find_first_not_of(" \t\r\n");
  auto tokenizer =
      first != std::string::npos && text[first] == '{' ? from_json(text) : from_tiktoken(text);
  if (!tokenizer) return std::unexpected(std::move(tokenizer).error().in(path.string()));
  return tokenizer;
}

Result<Tokenizer> Tokenizer::from_directory(const fs::path& directory) {
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    std::error_code ignored;
    if (fs::exists(directory / name, ignored)) return from_file(directory / name);
  }
  return fail_with_hint(
      Code::missing_input,
      fmt::format("{}: neither tokenizer.json nor tokenizer.model is there", directory.string()),
      "copy it from where the weights were published, or save it there with the reference "
      "library's tokenizer.save_pretrained(); herd logits --tokens and herd inspect need none");
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, SpecialTokens specials) const {
  std::vector<std::int32_t> ids;
  append(text, specials, ids);
  return ids;
}

void Tokenizer::append(std::string_view text, SpecialTokens specials,
                       std::vector<std::int32_t>& out) const {
  if (const std::size_t guess = out.size() + text.size() / 4; guess > out.capacity())
    out.reserve(std::max(guess, 2 * out.capacity()));
  const NameMatcher& names = specials == SpecialTokens::parse ? parsed_ : always_;
  std::size_t done = 0;
  while (!names.empty()) {
    const auto match = names.next(text, done);
    if (match.size == 0) break;
    append_text(text.substr(done, match.begin - done), out);
    out.push_back(match.token);
    done = match.begin + match.size;
  }
  append_text(text.substr(done), out);
}

void Tokenizer::append_text(std::string_view text, std::vector<std::int32_t>& out) const {
  PieceCache cache(text.size());
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = piece_end(text, begin, split_);
    const std::string_view piece = text.substr(begin, end - begin);
    if (piece.size() == 1) {
      out.push_back(vocabulary_.byte_token(static_cast<unsigned char>(piece[0])));
      continue;
    }
    if (piece.size() > PieceCache::piece_bytes_max) {
      const std::int32_t whole = whole_pieces_ ? vocabulary_.find(piece) : -1;
      if (whole >= 0)
        out.push_back(whole);
      else
        encode_piece(vocabulary_, merges_, piece, out);
      continue;
    }
    const std::uint64_t hash = hash_bytes(piece, vocabulary_.seed());
    if (whole_pieces_) {
      if (const std::int32_t whole = vocabulary_.find(piece, hash); whole >= 0) {
        out.push_back(whole);
        continue;
      }
    }
    PieceCache::Entry& seen = cache.at(hash);
    if (seen.size == piece.size() && text.substr(seen.text_begin, seen.size) == piece) {
      for (std::size_t i = 0; i < seen.ids; ++i) out.push_back(out[seen.ids_begin + i]);
      continue;
    }
    const std::size_t before = out.size();
    encode_piece(vocabulary_, merges_, piece, out);
    seen = {begin, before, static_cast<std::uint32_t>(piece.size()),
            static_cast<std::uint32_t>(out.size() - before)};
  }
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::string text;
  for (const std::int32_t id : ids)
    if (!skip_special || !is_special(id)) text += bytes_of(id);
  return text;
}

std::optional<std::int32_t> Tokenizer::special(std::string_view name) const {
  const auto id = vocabulary_.named(name);
  return id && is_special(*id) ? id : std::nullopt;
}

std::vector<std::int32_t> Tokenizer::stop_ids() const {
  std::vector<std::int32_t> ids;
  for (const char* name : {"<|end_of_text|>", "<|eom|>", "<|eot|>"})
    if (const auto id = special(name)) ids.push_back(*id);
  return ids;
}

}  // namespace herd::text
