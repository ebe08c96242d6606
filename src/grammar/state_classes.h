// Which states of a grammar do the same with the next few bytes: positions in a long counted string, equal fields of
// different objects. What is found for one of them holds for all.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/keyed_hash.h"
#include "grammar/compiled.h"

namespace herd::grammar {

class StateClasses {
 public:
  // `compiled` must outlive it.
  StateClasses(const Compiled& compiled, std::size_t bytes)
      : compiled_(compiled), bytes_(bytes), key_(random_hash_key()) {}

  // The same number for states that read the same texts of up to `bytes` bytes, leave their rule behind the same ones,
  // and differ only behind them. Keyed, so that no grammar can be made to have two classes of one number. Where that
  // is not found out by looking at `looks` edges, a state is only like itself.
  std::uint64_t of(std::uint32_t state, std::size_t looks);

  // Whether every text of up to `bytes` bytes of plain characters (plain_characters.h) can be read from here, and
  // nothing else happens on the way: no rule is entered or left. False also where that takes more `looks`.
  bool takes_plain(std::uint32_t state, std::size_t looks) {
    looks_left_ = looks;
    return plain_from(state, bytes_);
  }

 private:
  bool plain_from(std::uint32_t state, std::size_t left);
  std::uint64_t at(std::uint32_t state, std::size_t left, int depth);

  const Compiled& compiled_;
  std::size_t bytes_;
  HashKey key_;
  std::size_t looks_left_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> known_;  // by state and bytes left
  std::unordered_map<std::uint64_t, bool> plain_;           // the same
};

}  // namespace herd::grammar
