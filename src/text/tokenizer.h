// Text to token ids and back. Byte-level BPE as Llama 4 uses it, from either of the two files it is published in.
//
// Any bytes can be encoded, valid UTF-8 or not, and decode(encode(x)) == x. Encoding takes time proportional to the
// text. All const members may be called from several threads at once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "text/merges.h"
#include "text/name_matcher.h"
#include "text/split.h"
#include "text/vocabulary.h"

namespace herd::text {

// What the names of special tokens ("<|eot|>") in a text become. Text from users and tools is always as_text: only the
// renderer of the conversation may make control tokens.
enum class SpecialTokens : std::uint8_t { as_text, parse };

// A tokenizer as GGUF metadata has it (tokenizer.ggml.*). Views of the file.
struct GgufWords {
  std::string_view model;  // "gpt2": byte-level BPE
  std::string_view pre;    // "llama4", or "gpt-4o", which splits alike
  std::string_view split;  // what herd writes for its own models' split; else empty
  std::vector<std::string_view> tokens;
  std::vector<std::int64_t> kinds;       // of each token, as ggml numbers them
  std::vector<std::string_view> merges;  // "left right"
};

// The same, owned: what a writer of such files needs.
struct GgufWordList {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> kinds;
  std::vector<std::string> merges;
  std::string split;  // empty for Llama 4's
};

class Tokenizer {
 public:
  // By content: a file that begins with '{' is a tokenizer.json, any other a tiktoken tokenizer.model.
  // Fails with missing_input, io_failed, or as the two below, the path in front.
  static Result<Tokenizer> from_file(const fs::path& path);
  // tokenizer.json of a model directory, else its tokenizer.model. Fails with missing_input when neither is there.
  static Result<Tokenizer> from_directory(const fs::path& directory);

  // Hugging Face's tokenizer.json: a BPE model over the byte-to-unicode alphabet. Refused, by name: any normalizer, a
  // split other than those of split.h, other models, byte fallback, affixes. Fails with tokenizer_invalid
  // (entry named), invalid_json or json_too_deep.
  static Result<Tokenizer> from_json(std::string_view json);

  // Lines "base64(bytes) rank", ranks 0 to n-1 once each, and behind them Llama 4's 2048 special tokens
  // (spec/llama4.md 4.2). Fails with tokenizer_invalid (line named).
  static Result<Tokenizer> from_tiktoken(std::string_view lines);

  // The metadata of a GGUF file. Unused tokens at the end, which only name rows of the model, are left out.
  // Fails with tokenizer_invalid (entry named).
  static Result<Tokenizer> from_gguf(const GgufWords& words);

  // This tokenizer as such metadata, with unused tokens up to `vocabulary` rows of the model.
  [[nodiscard]] GgufWordList gguf_words(std::int64_t vocabulary) const;

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text,
                                                 SpecialTokens specials) const;
  // The same, behind what `out` holds.
  void append(std::string_view text, SpecialTokens specials, std::vector<std::int32_t>& out) const;

  // The bytes of the tokens one after the other; ids outside 0 to size()-1 have none (a model has more rows than its
  // tokenizer has tokens). Not necessarily UTF-8: see stream_decoder.h and replace_invalid_utf8().
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids, bool skip_special) const;

  [[nodiscard]] std::string_view bytes_of(std::int32_t id) const {
    return vocabulary_.bytes_of(id);
  }
  [[nodiscard]] bool is_special(std::int32_t id) const {
    return vocabulary_.kind_of(id) == TokenKind::special;
  }
  // Id of a special token by its name, such as "<|eot|>".
  [[nodiscard]] std::optional<std::int32_t> special(std::string_view name) const;

  // Those of <|end_of_text|>, <|eom|> and <|eot|> that exist: generation stops at any of them.
  [[nodiscard]] std::vector<std::int32_t> stop_ids() const;

  // One more than the largest id.
  [[nodiscard]] std::int32_t size() const { return vocabulary_.size(); }

  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }
  [[nodiscard]] const MergeTable& merges() const { return merges_; }
  [[nodiscard]] Split split() const { return split_; }

 private:
  friend struct TokenizerParts;
  void append_text(std::string_view text, std::vector<std::int32_t>& out) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  NameMatcher always_;  // added tokens that are no special ones
  NameMatcher parsed_;  // these and the special ones
  Split split_ = Split::llama4;
  bool whole_pieces_ = true;  // a piece that is a token is that token, whatever the merges say
};

// What the readers of the two formats hand over.
struct TokenizerParts {
  Vocabulary vocabulary;
  MergeTable merges;
  Split split = Split::llama4;
  bool whole_pieces = true;

  Tokenizer assemble() &&;
};

}  // namespace herd::text
