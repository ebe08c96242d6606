// The bounds of base/limits.h as a list, for `herd doctor` and the docs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace herd {

struct LimitRow {
  std::string_view name;  // of the constant
  std::uint64_t value = 0;
  std::string_view sentence;  // what is bounded, with its unit
};

// Every constant of base/limits.h, in its order; a test compares.
std::span<const LimitRow> limit_rows();

}  // namespace herd
