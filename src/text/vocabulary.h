// The words of a tokenizer: id -> bytes, bytes -> id. Ids are dense: 0 to size() - 1.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace herd::text {

// What an id stands for.
enum class TokenKind : std::uint8_t {
  ordinary,  // made by byte-pair encoding
  added,     // matched whole in any text, printed like text
  special,   // control: never made from text unless asked for, left out where specials are skipped
};

// One entry as a file lists it. `where` names the entry in messages ("model.vocab entry 17").
struct TokenEntry {
  std::int64_t id = 0;
  std::string bytes;
  TokenKind kind = TokenKind::ordinary;
  std::string where;
};

// 64-bit hash of a few bytes, the same for the vocabulary and for caches of pieces.
inline std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) {
  const auto mix = [](std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  const auto load = [](const char* p, auto zero) {
    std::memcpy(&zero, p, sizeof zero);
    return static_cast<std::uint64_t>(zero);
  };
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  std::uint64_t h = seed ^ (n * 0x9E3779B97F4A7C15ull);
  for (; n > 8; n -= 8, p += 8) h = mix(h ^ load(p, std::uint64_t{}), 0xE7037ED1A0B428DBull);
  std::uint64_t tail = 0;
  if (n >= 4)
    tail = load(p, std::uint32_t{}) << 32 | load(p + n - 4, std::uint32_t{});
  else if (n > 0)
    tail = load(p, std::uint8_t{}) << 16 | load(p + n / 2, std::uint8_t{}) << 8 |
           load(p + n - 1, std::uint8_t{});
  return mix(h ^ tail, 0x8EBC6AF09C88C6E3ull);
}

class Vocabulary {
 public:
  // Takes the entries in any order. Fails with tokenizer_invalid, naming the entry, when an id is negative, used twice,
  // past limits::vocabulary_max or leaves a gap, when two entries have the same bytes, a token is empty or
  // longer than limits::token_bytes_max, or one of the 256 single bytes has no ordinary token.
  static Result<Vocabulary> build(std::vector<TokenEntry> entries);

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(kinds_.size()); }

  // Bytes of a token, its name for a special one; empty for an id outside 0 to size() - 1.
  [[nodiscard]] std::string_view bytes_of(std::int32_t id) const {
    if (id < 0 || id >= size()) return {};
    const auto i = static_cast<std::size_t>(id);
    return std::string_view(arena_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }

  [[nodiscard]] TokenKind kind_of(std::int32_t id) const {
    return id < 0 || id >= size() ? TokenKind::ordinary : kinds_[static_cast<std::size_t>(id)];
  }

  // The ordinary token with these bytes, or -1. `hash` = hash_bytes(bytes, seed()).
  [[nodiscard]] std::int32_t find(std::string_view bytes, std::uint64_t hash) const {
    for (std::size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
      const Slot& s = slots_[slot];
      if (s.id < 0) return -1;
      if (s.tag == tag_of(hash) && bytes_of(s.id) == bytes) return s.id;
    }
  }
  [[nodiscard]] std::int32_t find(std::string_view bytes) const {
    return find(bytes, hash_bytes(bytes, seed_));
  }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

  // The ordinary token of one byte.
  [[nodiscard]] std::int32_t byte_token(unsigned char byte) const { return byte_tokens_[byte]; }

  // The added or special token of this name.
  [[nodiscard]] std::optional<std::int32_t> named(std::string_view name) const;

  // Ids of all added and special tokens, ascending.
  [[nodiscard]] const std::vector<std::int32_t>& added() const { return added_; }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::int32_t id = -1;
  };
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  Result<void> index_ordinary();
  bool index_with(std::uint64_t seed);

  std::string arena_;
  std::vector<std::uint32_t> offsets_;
  std::vector<TokenKind> kinds_;
  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  std::uint64_t seed_ = 0;
  std::array<std::int32_t, 256> byte_tokens_{};
  std::vector<std::int32_t> added_;
  std::vector<std::pair<std::string, std::int32_t>> names_;  // sorted by name
};

}  // namespace herd::text
