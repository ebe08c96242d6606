// What a grammar from outside may cost. Tests stand at the edge of depth,
// enum values and repetition only; the others are not tested yet.
#pragma once

#include <cstdint>

namespace herd::grammar::limits {

inline constexpr std::uint64_t text_bytes_max = 1ull << 20;  // of a regex or a GBNF text
inline constexpr std::uint64_t depth_max = 32;               // nested groups, nested schemas
inline constexpr std::uint64_t levels_max = 1024;            // nested schemas, references included
inline constexpr std::uint64_t schema_nodes_max = 8192;      // subschemas read
inline constexpr std::uint64_t repeat_max = 1000;            // in {m,n}, minItems, maxLength
inline constexpr std::uint64_t enum_values_max = 2048;       // of one enum
inline constexpr std::uint64_t rules_max = 16'384;
inline constexpr std::uint64_t nodes_max = 1ull << 20;  // of the syntax tree
inline constexpr std::uint64_t nfa_states_max =
    1ull << 20;  // of one rule, before it is made deterministic
inline constexpr std::uint64_t states_max = 200'000;            // of all rules together, after
inline constexpr std::uint64_t compile_steps_max = 40'000'000;  // about a quarter of a second
inline constexpr std::uint64_t heads_max = 512;             // readings of one text at the same time
inline constexpr std::uint64_t frames_max = 1ull << 17;     // open rules of one answer
inline constexpr std::uint64_t mask_steps_max = 2'000'000;  // readings of nodes of the vocabulary
inline constexpr std::uint64_t mask_cache_bytes_max = 64ull
                                                      << 20;    // remembered masks of one grammar
inline constexpr std::uint64_t masks_bytes_max = 256ull << 20;  // of all grammars of a server
inline constexpr std::uint64_t grammars_max = 128;              // remembered by a server
inline constexpr std::uint64_t grammars_bytes_max = 256ull << 20;  // without their masks
inline constexpr std::uint64_t digits_max = 64;                    // of a number's whole part
inline constexpr std::uint64_t calls_max = 128;                    // of tools in one answer

}  // namespace herd::grammar::limits
