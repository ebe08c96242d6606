#include "text/vocabulary.h"

#include <algorithm>
#include <bit>
#include <random>
#include <unordered_map>

#include "base/limits.h"

namespace herd::text {

Result<Vocabulary> Vocabulary::build(std::vector<TokenEntry> entries) {
  const std::size_t count = entries.size();
  if (count > limits::vocabulary_max)
    return fail(Code::tokenizer_invalid, "{} tokens, at most {} are allowed", count,
                limits::vocabulary_max);

  std::vector<const TokenEntry*> by_id(count, nullptr);
  std::size_t bytes_total = 0;
  for (const TokenEntry& entry : entries) {
    if (entry.id < 0 || static_cast<std::uint64_t>(entry.id) >= limits::vocabulary_max)
      return fail(Code::tokenizer_invalid, "{} ({}): id {} is outside 0 to {}", entry.where,
                  shown(entry.bytes), entry.id, limits::vocabulary_max - 1);
    if (entry.bytes.empty())
      return fail(Code::tokenizer_invalid, "{} (id {}): the token is empty", entry.where, entry.id);
    if (entry.bytes.size() > limits::token_bytes_max)
      return fail(Code::tokenizer_invalid, "{} (id {}): {} bytes, at most {} are allowed",
                  entry.where, entry.id, entry.bytes.size(), limits::token_bytes_max);
    if (static_cast<std::uint64_t>(entry.id) >= count)
      return fail(Code::tokenizer_invalid,
                  "{} ({}): id {} leaves a gap, {} tokens have the ids 0 to {}", entry.where,
                  shown(entry.bytes), entry.id, count, count - 1);
    const TokenEntry*& place = by_id[static_cast<std::size_t>(entry.id)];
    if (place != nullptr)
      return fail(Code::tokenizer_invalid, "{} ({}): id {} already belongs to {} ({})", entry.where,
                  shown(entry.bytes), entry.id, place->where, shown(place->bytes));
    place = &entry;
    bytes_total += entry.bytes.size();
  }
  if (bytes_total > limits::json_bytes_max)
    return fail(Code::tokenizer_invalid,
                "the tokens have {} bytes together, at most {} are allowed", bytes_total,
                limits::json_bytes_max);
  // As many entries as ids, each id below their number and used once: no gap is left.

  Vocabulary vocabulary;
  vocabulary.arena_.reserve(bytes_total);
  vocabulary.offsets_.reserve(count + 1);
  vocabulary.kinds_.reserve(count);
  vocabulary.offsets_.push_back(0);
  std::unordered_map<std::string_view, const TokenEntry*> seen;
  seen.reserve(count);
  for (const TokenEntry* entry : by_id) {
    const auto [other, fresh] = seen.emplace(entry->bytes, entry);
    if (!fresh)
      return fail(Code::tokenizer_invalid, "{} (id {}): {} is already {} (id {})", entry->where,
                  entry->id, shown(entry->bytes), other->second->where, other->second->id);
    vocabulary.arena_ += entry->bytes;
    vocabulary.offsets_.push_back(static_cast<std::uint32_t>(vocabulary.arena_.size()));
    vocabulary.kinds_.push_back(entry->kind);
    if (entry->kind == TokenKind::ordinary) continue;
    vocabulary.added_.push_back(static_cast<std::int32_t>(entry->id));
    vocabulary.names_.emplace_back(entry->bytes, static_cast<std::int32_t>(entry->id));
  }
  std::sort(vocabulary.names_.begin(), vocabulary.names_.end());
  HERD_TRY_VOID(vocabulary.index_ordinary());
  return vocabulary;
}

// A file cannot know the seed, so it cannot choose tokens that fall into one slot.
Result<void> Vocabulary::index_ordinary() {
  std::random_device random;
  for (int attempt = 0; attempt < 8; ++attempt) {
    if (!index_with(std::uint64_t{random()} << 32 | random())) continue;
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      byte_tokens_[static_cast<std::size_t>(byte)] = find({&c, 1});
      if (byte_tokens_[static_cast<std::size_t>(byte)] < 0)
        return fail(Code::tokenizer_invalid, "no token stands for the single byte 0x{:02x}", byte);
    }
    return {};
  }
  return fail(Code::tokenizer_invalid, "the vocabulary cannot be indexed");
}

bool Vocabulary::index_with(std::uint64_t seed) {
  constexpr std::size_t probes_max = 256;
  seed_ = seed;
  slots_.assign(std::bit_ceil(kinds_.size() * 2 + 2), Slot{});
  mask_ = slots_.size() - 1;
  for (std::int32_t id = 0; id < size(); ++id) {
    if (kind_of(id) != TokenKind::ordinary) continue;
    const std::uint64_t hash = hash_bytes(bytes_of(id), seed_);
    std::size_t probes = 0;
    std::size_t slot = hash & mask_;
    for (; slots_[slot].id >= 0; slot = (slot + 1) & mask_)
      if (++probes > probes_max) return false;
    slots_[slot] = {tag_of(hash), id};
  }
  return true;
}

std::optional<std::int32_t> Vocabulary::named(std::string_view name) const {
  const auto found = std::lower_bound(
      names_.begin(), names_.end(), name,
      [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
  if (found == names_.end() || found->first != name) return std::nullopt;
  return found->second;
}

}  // namespace herd::text
