"""Writes src/text/unicode_ranges.h: the class of every code point, asked of the reference tokenizer's own regex engine.

Two engines are asked (tiktoken's Rust regex and the Oniguruma of HF tokenizers); they must agree on all 1,112,064
scalar values, or nothing is written. Usage: make_unicode.py [--check]
"""

import pathlib
import sys

import tiktoken
from tokenizers import Regex, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "src/text/unicode_ranges.h"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
STEP = 50_000

# Index of a class in the file; the C++ side gives each its flags (character_class.h).
OTHER, UPPER, LOWER, LETTER, MARK, NUMBER, SPACE, NEWLINE = range(8)
PATTERNS = {
    UPPER: r"[\p{Lu}\p{Lt}]",
    LOWER: r"\p{Ll}",
    LETTER: r"[\p{Lm}\p{Lo}]",
    MARK: r"\p{M}",
    NUMBER: r"\p{N}",
    SPACE: r"[\s--[\r\n]]",
    NEWLINE: r"[\r\n]",
}


def chunks():
    for i in range(0, len(SCALARS), STEP):
        yield "".join(map(chr, SCALARS[i : i + STEP]))


def matched_by_tiktoken(pattern):
    """tiktoken drops what its pattern does not match, so what comes back is what matched."""
    encoding = tiktoken.Encoding(
        name="bytes",
        pat_str=pattern,
        mergeable_ranks={bytes([i]): i for i in range(256)},
        special_tokens={},
    )
    return {c for text in chunks() for c in bytes(encoding.encode_ordinary(text)).decode()}


def matched_by_tokenizers(pattern):
    keep = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return {c for text in chunks() for piece, _ in keep.pre_tokenize_str(text) for c in piece}


def classes():
    """A list of 0x110000 class indices; surrogates are OTHER."""
    table = [OTHER] * 0x110000
    for index, pattern in PATTERNS.items():
        ours = matched_by_tiktoken(pattern)
        if index == SPACE:  # Oniguruma writes set difference another way
            theirs = matched_by_tokenizers(r"\s") - set("\r\n")
        else:
            theirs = matched_by_tokenizers(pattern)
        if ours != theirs:
            sys.exit(f"{pattern}: the engines disagree on {sorted(map(ord, ours ^ theirs))[:20]}")
        for c in ours:
            assert table[ord(c)] == OTHER, hex(ord(c))
            table[ord(c)] = index
    return table


def ranges(table):
    return [(c, v) for c, v in enumerate(table) if c == 0 or table[c - 1] != v]


def fnv(values):
    h = 0xCBF29CE484222325
    for v in values:
        h = ((h ^ v) * 0x100000001B3) & (2**64 - 1)
    return h


def header(table):
    packed = [f"0x{start << 4 | index:06X}" for start, index in ranges(table)]
    lines = [", ".join(packed[i : i + 10]) + "," for i in range(0, len(packed), 10)]
    return f"""\
// Written by tools/reference/make_unicode.py; do not edit. Classes of all code points as the regex engines of the
// reference tokenizers see them (Unicode 16.0): (first code point << 4 | class), each up to the next entry.
// A table of ours, not the system's Unicode library: a model's tokens must not change with a package update.
#pragma once

#include <array>
#include <cstdint>

namespace herd::text {{

// FNV-1a over the {0x110000} class numbers, checked by a test against the table that is built from the ranges.
inline constexpr std::uint64_t unicode_classes_hash = 0x{fnv(table):016X};

// clang-format off
inline constexpr std::array<std::uint32_t, {len(packed)}> unicode_ranges{{
{chr(10).join(lines)}
}};
// clang-format on

}}  // namespace herd::text
"""


def main():
    text = header(classes())
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text() == text else f"{TARGET} differs from what the engines say")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
