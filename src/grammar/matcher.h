// Reads a text byte by byte along a grammar. Where the grammar allows several readings it follows all of them: a
// reading is a state and a stack of states to come back to; stacks share their lower parts.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/compiled.h"

namespace herd::grammar {

// Stacks as linked frames; equal stacks have equal numbers. 0 is the empty stack.
class Stacks {
 public:
  struct Frame {
    std::uint32_t state = 0;  // to come back to
    std::uint32_t below = 0;
  };

  Stacks() : frames_(1) {}
  std::uint32_t push(std::uint32_t state, std::uint32_t below);
  [[nodiscard]] const Frame& operator[](std::uint32_t stack) const { return frames_[stack]; }
  [[nodiscard]] std::size_t size() const { return frames_.size(); }
  // Forgets the stacks made since there were `size`; none of them may be in use.
  void shrink(std::size_t size);

 private:
  std::vector<Frame> frames_;
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

struct Head {
  std::uint32_t state = 0;
  std::uint32_t stack = 0;
  friend bool operator==(const Head&, const Head&) = default;
};

// One or few, nearly always; in no order, without doubles.
using Heads = std::vector<Head>;

// Keeps a list of heads free of doubles, however long it is. The list belongs to it while it lives.
class HeadSet {
 public:
  explicit HeadSet(Heads& heads) : heads_(heads) {}
  void add(Head head);

 private:
  void put(std::uint32_t at);

  Heads& heads_;
  std::vector<std::uint32_t> slots_;  // 1 + place in heads_, by hash; none while they are few
};

// All heads that read a byte next, from `heads` on, by entering and leaving rules; `ended` becomes true when the empty
// stack is left. False when there are more than limits::heads_max readings or limits::frames_max frames.
// `steps`: the work is added to it.
bool expand(const Compiled& compiled, Stacks& stacks, const Heads& heads, Heads& out, bool& ended,
            std::uint64_t& steps);

// The heads after `byte`, from expanded heads.
void step(const Compiled& compiled, const Heads& expanded, std::uint8_t byte, Heads& out);

// A text that all go on with.
struct Forced {
  std::string text;
  bool to_end = false;  // behind it nothing can follow
};

class Matcher {
 public:
  explicit Matcher(CompiledPtr compiled);

  // Reads on. False, and nothing is read, when no text of the grammar goes on like this.
  bool accept(std::string_view bytes);
  // Whether the text may end here.
  [[nodiscard]] bool can_end() const { return ended_; }
  // Whether it must.
  [[nodiscard]] bool must_end() const { return ended_ && expanded_.empty(); }
  // Whether there are more readings than are followed: nothing can be read, and nothing ends.
  [[nodiscard]] bool is_lost() const { return !ended_ && expanded_.empty(); }
  // What every text goes on with from here, at most `most` bytes; empty where the text may end, and where there are
  // many readings of what was read so far.
  [[nodiscard]] Forced forced(std::size_t most = 1024) const;

  // The state of reading, for going back: heads stay valid for the life of the matcher.
  [[nodiscard]] const Heads& heads() const { return heads_; }
  void restore(const Heads& heads);

  [[nodiscard]] const Heads& expanded() const { return expanded_; }
  [[nodiscard]] const Compiled& compiled() const { return *compiled_; }
  Stacks& stacks() { return stacks_; }

 private:
  CompiledPtr compiled_;  // shared with other answers by the same grammar
  Stacks stacks_;
  Heads heads_;
  Heads expanded_;
  bool ended_ = false;
};

}  // namespace herd::grammar
