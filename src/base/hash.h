// FNV-1a: a checksum of texts that is the same on every machine. For telling changes and spreading names, never against
// somebody who wants two texts to collide.
#pragma once

#include <cstdint>
#include <string_view>

namespace herd {

inline constexpr std::uint64_t fnv1a_start = 0xcbf29ce484222325ull;

// Goes on from `hash`, so that several texts may follow each other.
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = fnv1a_start) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

}  // namespace herd
