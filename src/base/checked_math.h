// The one home of arithmetic on sizes that come from outside: every product and sum that may overflow goes through
// here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace herd {

[[nodiscard]] constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) {
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

[[nodiscard]] constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// Product of all; 1 for none; nothing when it overflows.
[[nodiscard]] inline std::optional<std::uint64_t> checked_product(
    std::span<const std::uint64_t> factors) {
  std::uint64_t out = 1;
  for (std::uint64_t factor : factors)
    if (__builtin_mul_overflow(out, factor, &out)) return std::nullopt;
  return out;
}

}  // namespace herd
