// "Did you mean": the known name closest to one that is not known.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace herd {

// Edits (insert, delete, replace, swap of neighbours) that turn a into b; the optimal string alignment distance.
// Time and memory grow with the product of the lengths: bound what comes from outside, as nearest() does.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate with the fewest edits to `word`, the first of equals; nothing when even that one differs in more than
// a third of the word (at least one edit is always allowed), or when the word is longer than 64 bytes.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);

// "did you mean 'x'?", or empty.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace herd
