// Literal data of Llama 4's tokenizer: the split pattern as files spell it and the names of the special tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace herd::text {

// The regular expression in tokenizer.json; split.cc is what it means.
inline constexpr std::string_view llama4_split_pattern =
    R"RE([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)RE"
    R"RE((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)RE"
    R"RE([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)RE"
    R"RE((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)RE"
    R"RE(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)RE";

// The same but for one alternative: every character of a number is a piece of its own (Split::single_digits). No
// published model has it; models that herd trains from nothing may.
inline constexpr std::string_view single_digit_split_pattern =
    R"RE([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)RE"
    R"RE((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)RE"
    R"RE([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)RE"
    R"RE((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)RE"
    R"RE(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)RE";

// Names of the 2048 special tokens that follow the ranks of a tokenizer.model, in the order of their ids
// (spec/llama4.md 4.2, Meta's names).
std::vector<std::string> llama4_special_tokens();

// 32 of them in the same order, for small vocabularies: those up to <|finetune_right_pad|> and from <|image_start|> to
// <|patch|>, without the long runs of reserved ones.
std::vector<std::string> llama4_short_special_tokens();

}  // namespace herd::text
