#include "text/merges.h"

#include <algorithm>
#include <bit>
#include <random>
#include <tuple>

#include "base/check.h"

namespace herd::text {

Result<MergeTable> MergeTable::build(const std::vector<Merge>& merges,
                                     const Vocabulary& vocabulary) {
  MergeTable table;
  table.count_ = merges.size();
  for (const Merge& merge : merges) {
    HERD_CHECK(merge.rank < 1u << rank_bits, "rank {}", merge.rank);
    if (merge.rank >= table.token_of_rank_.size()) table.token_of_rank_.resize(merge.rank + 1, -1);
    if ((key_of(merge.left, merge.right) << rank_bits | merge.rank) == empty)
      return fail(Code::tokenizer_invalid, "model.merges entry {}: one more than can be held",
                  merge.rank);
    std::int32_t& token = table.token_of_rank_[merge.rank];
    HERD_CHECK(token < 0 || token == merge.token, "rank {} makes {} and {}", merge.rank, token,
               merge.token);
    token = merge.token;
  }
  std::random_device random;
  std::size_t twice = merges.size();
  int attempts = 8;
  while (!table.index_with(merges, std::uint64_t{random()} << 32 | random(), &twice)) {
    if (twice < merges.size())
      return fail(Code::tokenizer_invalid, "model.merges entry {}: the pair {} {} is listed twice",
                  twice, shown(vocabulary.bytes_of(merges[twice].left)),
                  shown(vocabulary.bytes_of(merges[twice].right)));
    if (--attempts == 0) return fail(Code::tokenizer_invalid, "the merges cannot be indexed");
  }
  table.byte_pairs_.resize(256 * 256);
  for (std::size_t pair = 0; pair < table.byte_pairs_.size(); ++pair)
    table.byte_pairs_[pair] =
        table.find(vocabulary.byte_token(static_cast<unsigned char>(pair >> 8)),
                   vocabulary.byte_token(static_cast<unsigned char>(pair & 255)));
  return table;
}

bool MergeTable::index_with(const std::vector<Merge>& merges, std::uint64_t seed,
                            std::size_t* twice) {
  constexpr std::size_t probes_max = 256;
  seed_ = seed;
  slots_.assign(std::bit_ceil(merges.size() * 2 + 2), empty);
  mask_ = slots_.size() - 1;
  filter_.assign(std::max<std::size_t>(slots_.size() / 16, 1), 0);
  filter_mask_ = filter_.size() - 1;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const Merge& merge = merges[i];
    const std::uint64_t key = key_of(merge.left, merge.right);
    std::size_t slot = place_of(key);
    for (std::size_t probes = 0; slots_[slot] != empty; slot = (slot + 1) & mask_) {
      if (slots_[slot] >> rank_bits == key) {
        *twice = i;
        return false;
      }
      if (++probes > probes_max) return false;
    }
    const std::uint64_t hash = hash_of(key);
    filter_[(hash >> 40) & filter_mask_] |= std::uint64_t{1} << (hash >> 58);
    slots_[slot] = key << rank_bits | merge.rank;
  }
  return true;
}

Result<MergeTable> MergeTable::from_ranks(const Vocabulary& vocabulary) {
  std::vector<Merge> merges;
  merges.reserve(static_cast<std::size_t>(vocabulary.size()) * 3);
  for (std::int32_t token = 0; token < vocabulary.size(); ++token) {
    if (vocabulary.kind_of(token) != TokenKind::ordinary) continue;
    const std::string_view bytes = vocabulary.bytes_of(token);
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      const std::int32_t left = vocabulary.find(bytes.substr(0, cut));
      if (left < 0) continue;
      const std::int32_t right = vocabulary.find(bytes.substr(cut));
      if (right >= 0) merges.push_back({left, right, token, static_cast<std::uint32_t>(token)});
    }
  }
  return build(merges, vocabulary);
}

std::vector<Merge> MergeTable::all() const {
  std::vector<Merge> out;
  out.reserve(count_);
  constexpr std::uint64_t id_mask = (1ull << id_bits) - 1;
  for (const std::uint64_t entry : slots_) {
    if (entry == empty) continue;
    const auto rank = static_cast<std::uint32_t>(entry & ((1u << rank_bits) - 1));
    const std::uint64_t key = entry >> rank_bits;
    out.push_back({.left = static_cast<std::int32_t>(key >> id_bits),
                   .right = static_cast<std::int32_t>(key & id_mask),
                   .token = token_of_rank_[rank],
                   .rank = rank});
  }
  // Equal ranks make equal tokens; then in the order of their halves, so that the list is one and the same each time.
  std::ranges::sort(out, {}, [](const Merge& m) { return std::tuple(m.rank, m.left, m.right); });
  return out;
}

}  // namespace herd::text
