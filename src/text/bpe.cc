// One window is encoded with a tournament tree over its pairs: the root is the pair to join next, a join changes three
// leaves. Windows are sewn together by this fact: a sequence of tokens is the encoding of its bytes if and only if
// every two neighbours are the encoding of theirs. (Run the encoder on the whole and look at the first join
// across a border between two tokens: up to then each side evolved by itself, in the same order as it does when only
// these two tokens are encoded, so the same join would happen there. The reverse is the same argument.) So the tail of
// what is done and the next window are encoded anew; when the first token of the tail comes out unchanged,
// every pair of neighbours has been proven. Otherwise a longer tail is taken.
#include "text/bpe.h"

#include <algorithm>
#include <array>
#include <bit>

namespace herd::text {
namespace {

constexpr std::size_t window_bytes = 512;
constexpr std::size_t tail_tokens =
    2;  // two are nearly always enough; runs of one character may need more
constexpr std::size_t stack_bytes = 64;
constexpr std::uint64_t nothing = ~0ull;

// Leaf i holds (rank << 32 | i) of the pair that begins at symbol i; inner nodes hold the least of their two.
class Tournament {
 public:
  Tournament(std::uint64_t* nodes, std::size_t leaves) : nodes_(nodes), leaves_(leaves) {}

  void fill(std::size_t used) {
    std::fill(nodes_ + leaves_ + used, nodes_ + 2 * leaves_, nothing);
    for (std::size_t i = leaves_ - 1; i > 0; --i)
      nodes_[i] = std::min(nodes_[2 * i], nodes_[2 * i + 1]);
  }
  std::uint64_t& leaf(std::size_t i) { return nodes_[leaves_ + i]; }
  void set(std::size_t i, std::uint64_t value) {
    std::size_t node = leaves_ + i;
    nodes_[node] = value;
    for (node /= 2; node > 0; node /= 2) {
      const std::uint64_t least = std::min(nodes_[2 * node], nodes_[2 * node + 1]);
      if (nodes_[node] == least) return;
      nodes_[node] = least;
    }
  }
  [[nodiscard]] std::uint64_t least() const { return nodes_[1]; }

 private:
  std::uint64_t* nodes_;
  std::size_t leaves_;
};

struct Symbol {
  std::int32_t token;
  std::int32_t joined;  // the token this and the next symbol would make
  std::uint32_t next;
  std::uint32_t previous;
};

// `symbols` has room for bytes.size(), `nodes` for twice as many rounded up to a power of two.
void encode_window(const Vocabulary& vocabulary, const MergeTable& merges, std::string_view bytes,
                   Symbol* symbols, std::uint64_t* nodes, std::vector<std::int32_t>& out) {
  constexpr std::uint32_t none = 0xFFFFFFFF;
  const std::size_t n = bytes.size();
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto entry = [](MergeTable::Found found, std::size_t i) {
    return found.token < 0 ? nothing : static_cast<std::uint64_t>(found.rank) << 32 | i;
  };

  Tournament pairs(nodes, std::bit_ceil(n));
  for (std::size_t i = 0; i < n; ++i) {
    MergeTable::Found found{MergeTable::no_rank, -1};
    if (i + 1 < n) found = merges.find_bytes(byte(i), byte(i + 1));
    symbols[i] = {vocabulary.byte_token(byte(i)), found.token, static_cast<std::uint32_t>(i + 1),
                  static_cast<std::uint32_t>(i) - 1};
    pairs.leaf(i) = entry(found, i);
  }
  pairs.fill(n);

  const auto pair_at = [&](std::uint32_t i) {
    Symbol& left = symbols[i];
    if (left.next >= n) return pairs.set(i, nothing);
    const auto found = merges.find(left.token, symbols[left.next].token);
    left.joined = found.token;
    pairs.set(i, entry(found, i));
  };
  while (pairs.least() != nothing) {
    const auto i = static_cast<std::uint32_t>(pairs.least());
    Symbol& left = symbols[i];
    const std::uint32_t right = left.next;
    left.token = left.joined;
    left.next = symbols[right].next;
    if (left.next < n) {
      symbols[left.next].previous = i;
      merges.prefetch(left.token, symbols[left.next].token);
    }
    if (left.previous != none) merges.prefetch(symbols[left.previous].token, left.token);
    pairs.set(right, nothing);
    pair_at(i);
    if (left.previous != none) pair_at(left.previous);
  }
  for (std::size_t i = 0; i < n; i = symbols[i].next) out.push_back(symbols[i].token);
}

// Memory for windows; grows with the longest one (a tail that had to grow).
struct Scratch {
  std::vector<Symbol> symbols;
  std::vector<std::uint64_t> nodes;
};

void encode_window(const Vocabulary& vocabulary, const MergeTable& merges, std::string_view bytes,
                   Scratch& scratch, std::vector<std::int32_t>& out) {
  if (scratch.symbols.size() < bytes.size()) {
    scratch.symbols.resize(bytes.size());
    scratch.nodes.resize(2 * std::bit_ceil(bytes.size()));
  }
  encode_window(vocabulary, merges, bytes, scratch.symbols.data(), scratch.nodes.data(), out);
}

}  // namespace

void encode_piece(const Vocabulary& vocabulary, const MergeTable& merges, std::string_view piece,
                  std::vector<std::int32_t>& out, std::uint64_t* work) {
  if (piece.size() <= stack_bytes) {  // nearly every piece of a real text
    std::array<Symbol, stack_bytes> symbols;
    std::array<std::uint64_t, 2 * stack_bytes> nodes;
    encode_window(vocabulary, merges, piece, symbols.data(), nodes.data(), out);
    if (work != nullptr) *work += piece.size();
    return;
  }
  Scratch scratch;
  const std::size_t first = out.size();
  std::size_t done = std::min(piece.size(), window_bytes);
  encode_window(vocabulary, merges, piece.substr(0, done), scratch, out);
  if (work != nullptr) *work += done;

  std::vector<std::int32_t> sewn;
  while (done < piece.size()) {
    const std::size_t next = std::min(piece.size(), done + window_bytes);
    for (std::size_t tokens = tail_tokens;; tokens *= 2) {
      const std::size_t keep = out.size() - first > tokens ? out.size() - tokens : first;
      std::size_t tail_bytes = 0;
      for (std::size_t i = keep; i < out.size(); ++i)
        tail_bytes += vocabulary.bytes_of(out[i]).size();
      const std::size_t from = done - tail_bytes;
      sewn.clear();
      encode_window(vocabulary, merges, piece.substr(from, next - from), scratch, sewn);
      if (work != nullptr) *work += next - from;
      if (keep > first && sewn.front() != out[keep]) continue;
      out.resize(keep);
      out.insert(out.end(), sewn.begin(), sewn.end());
      break;
    }
    done = next;
  }
}

void encode_piece_naive(const Vocabulary& vocabulary, const MergeTable& merges,
                        std::string_view piece, std::vector<std::int32_t>& out) {
  std::vector<std::int32_t> tokens;
  for (const char c : piece) tokens.push_back(vocabulary.byte_token(static_cast<unsigned char>(c)));
  while (tokens.size() > 1) {
    std::size_t best = 0;
    MergeTable::Found least{MergeTable::no_rank, -1};
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto found = merges.find(tokens[i], tokens[i + 1]);
      if (found.token < 0 || (least.token >= 0 && found.rank >= least.rank)) continue;
      least = found;
      best = i;
    }
    if (least.token < 0) break;
    tokens[best] = least.token;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  out.insert(out.end(), tokens.begin(), tokens.end());
}

}  // namespace herd::text
