// Tokenised data on disk: what a training reads without a tokenizer, mapped instead of loaded. docs/training.md has the
// format as a table. Numbers are little endian.
//
//   0   8 bytes   "herdtok\n"
//   8   u32       version, 1
//   12  u32       bytes of a token: 2 where the vocabulary allows it, else 4
//   16  u64       vocabulary: tokens are below this
//   24  u64       checksum of the tokenizer
//   32  u64       documents, n
//   40  u64       tokens, t
//   48  u64       1 when there are roles, else 0
//   56  u64       checksum (FNV-1a) of all that follows
//   64  u64[n+1]  where documents begin, and t: 0 first, rising
//       [t]       tokens
//       u8[t]     roles, if any
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "text/tokenizer.h"
#include "train/pieces.h"
#include "train/source.h"

namespace herd::train {

// What a token is to somebody who learns: a byte of the file.
enum class TokenRole : std::uint8_t {
  nothing,   // never learned
  read,      // by the assistant, counts Weights::prompt
  said,      // by the assistant, counts 1
  document,  // of a text without speakers, counts Weights::document
};
inline constexpr std::uint8_t token_roles = 4;

// A checksum of every token's bytes.
std::uint64_t tokenizer_checksum(const text::Tokenizer& tokenizer);

// Documents on their way into a file.
struct ShardContent {
  std::vector<std::int32_t> tokens;
  std::vector<std::uint64_t> begin{0};  // of the documents, and the end
  std::vector<TokenRole> roles;         // of the tokens

  void add(const std::vector<std::int32_t>& document, std::span<const TokenRole> roles_of_document);
};

// Tokens are within the vocabulary. Roles are left out where all are of documents. Fails with the errors of write_file.
Result<void> write_shard(const fs::path& path, const ShardContent& content, std::int64_t vocabulary,
                         std::uint64_t tokenizer);

class Shard {
 public:
  // Maps the file and checks all of it. Fails with missing_input, io_failed, bad_magic, bad_header (wrong version,
  // sizes that contradict each other, cut off, damaged), tokenizer_invalid for tokens of another tokenizer, or
  // shard_token_invalid.
  static Result<Shard> open(const fs::path& path, std::int64_t vocabulary, std::uint64_t tokenizer);

  [[nodiscard]] std::size_t documents() const { return documents_; }
  [[nodiscard]] std::size_t tokens() const { return tokens_; }
  [[nodiscard]] std::size_t begin(std::size_t document) const;
  [[nodiscard]] std::int32_t token(std::size_t index) const;
  [[nodiscard]] TokenRole role(std::size_t index) const;
  [[nodiscard]] std::uint64_t checksum() const { return checksum_; }
  [[nodiscard]] const fs::path& path() const { return file_.path(); }

 private:
  Result<void> check(std::int64_t vocabulary) const;
  template <typename T>
  [[nodiscard]] T read(std::size_t offset) const;

  Mapping file_;
  std::size_t token_bytes_ = 0, documents_ = 0, tokens_ = 0;
  bool has_roles_ = false;
  std::uint64_t checksum_ = 0;
};

// All *.tokens files of a directory, in the order of their names. Texts are cut into pieces as TextSource does,
// conversations are left whole.
class ShardSource final : public FileSource {
 public:
  using FileSource::FileSource;  // empty: see open()

  // Fails as Shard::open does, and with missing_input when there is no shard.
  static Result<std::unique_ptr<ShardSource>> open(const engine::Bundle& bundle,
                                                   const fs::path& directory, std::uint64_t seed,
                                                   Weights weights, std::int64_t length_max);

  [[nodiscard]] std::size_t examples() const override { return pieces_.size(); }
  [[nodiscard]] Example example(std::size_t index) const override;
  [[nodiscard]] std::string place(std::size_t index) const override;

 private:
  Weights weights_;
  std::vector<Shard> shards_;
  std::vector<Piece> pieces_;
};

// The first 64 bytes of a shard, its checksum among them; fewer when it has no more.
std::string shard_header(const fs::path& path);

// The shards of a directory. Fails with missing_input when there are none.
Result<std::vector<fs::path>> shard_files(const fs::path& directory);

}  // namespace herd::train
