#include "train/shard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace herd::train {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view magic = "herdtok\n";
constexpr std::uint32_t version = 1;
constexpr std::size_t header_bytes = 64;
constexpr std::int64_t short_vocabulary_max = 1 << 16;
constexpr std::uint64_t count_max = std::uint64_t{1} << 40;  // of documents and tokens

namespace at {
constexpr std::size_t version = 8, token_bytes = 12, vocabulary = 16, tokenizer = 24,
                      documents = 32, tokens = 40, roles = 48, checksum = 56;
}

template <typename T>
void append(std::string& out, T value) {
  const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  out.append(bytes.data(), bytes.size());
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

}  // namespace

std::uint64_t tokenizer_checksum(const text::Tokenizer& tokenizer) {
  std::uint64_t hash = fnv1a_start;
  for (std::int64_t i = 0; i < tokenizer.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const std::string_view bytes = tokenizer.bytes_of(id);
    std::string length;
    append(length, std::uint64_t{bytes.size()} << 1 | (tokenizer.is_special(id) ? 1u : 0u));
    hash = fnv1a(bytes, fnv1a(length, hash));
  }
  return hash;
}

void ShardContent::add(const std::vector<std::int32_t>& document,
                       std::span<const TokenRole> roles_of_document) {
  HERD_CHECK(!document.empty() && document.size() == roles_of_document.size(),
             "{} tokens with {} roles", document.size(), roles_of_document.size());
  tokens.insert(tokens.end(), document.begin(), document.end());
  roles.insert(roles.end(), roles_of_document.begin(), roles_of_document.end());
  begin.push_back(tokens.size());
}

Result<void> write_shard(const fs::path& path, const ShardContent& content, std::int64_t vocabulary,
                         std::uint64_t tokenizer) {
  const bool is_short = vocabulary <= short_vocabulary_max;
  const bool has_roles =
      std::ranges::any_of(content.roles, [](TokenRole r) { return r != TokenRole::document; });
  std::string body;
  for (const std::uint64_t begin : content.begin) append(body, begin);
  for (const std::int32_t token : content.tokens) {
    HERD_CHECK(token >= 0 && token < vocabulary, "token {} of {}", token, vocabulary);
    if (is_short)
      append(body, static_cast<std::uint16_t>(token));
    else
      append(body, static_cast<std::uint32_t>(token));
  }
  if (has_roles)
    for (const TokenRole role : content.roles) body += static_cast<char>(role);
  std::string file(magic);
  append(file, version);
  append(file, is_short ? std::uint32_t{2} : std::uint32_t{4});
  append(file, static_cast<std::uint64_t>(vocabulary));
  append(file, tokenizer);
  append(file, std::uint64_t{content.begin.size() - 1});
  append(file, std::uint64_t{content.tokens.size()});
  append(file, std::uint64_t{has_roles ? 1u : 0u});
  append(file, fnv1a(body));
  return write_file(path, file + body);
}

template <typename T>
T Shard::read(std::size_t offset) const {
  T value;
  std::memcpy(&value, file_.bytes().data() + offset, sizeof value);
  return value;
}

std::size_t Shard::begin(std::size_t document) const {
  return read<std::uint64_t>(header_bytes + 8 * document);
}

std::int32_t Shard::token(std::size_t index) const {
  const std::size_t first = header_bytes + 8 * (documents_ + 1);
  return token_bytes_ == 2 ? std::int32_t{read<std::uint16_t>(first + 2 * index)}
                           : static_cast<std::int32_t>(read<std::uint32_t>(first + 4 * index));
}

TokenRole Shard::role(std::size_t index) const {
  if (!has_roles_) return TokenRole::document;
  const std::size_t first = header_bytes + 8 * (documents_ + 1) + token_bytes_ * tokens_;
  return static_cast<TokenRole>(read<std::uint8_t>(first + index));
}

Result<Shard> Shard::open(const fs::path& path, std::int64_t vocabulary, std::uint64_t tokenizer) {
  Shard shard;
  HERD_TRY(shard.file_, Mapping::open(path));
  const std::span bytes = shard.file_.bytes();
  if (bytes.size() < header_bytes || !text_of(bytes).starts_with(magic))
    return fail(Code::bad_magic, "{}: no file of tokens (herd shards makes them)", path.string());
  if (const auto found = shard.read<std::uint32_t>(at::version); found != version)
    return fail(Code::bad_header, "{}: of version {}, this herd reads {}", path.string(), found,
                version);
  shard.token_bytes_ = shard.read<std::uint32_t>(at::token_bytes);
  shard.documents_ = shard.read<std::uint64_t>(at::documents);
  shard.tokens_ = shard.read<std::uint64_t>(at::tokens);
  shard.has_roles_ = shard.read<std::uint64_t>(at::roles) != 0;
  shard.checksum_ = shard.read<std::uint64_t>(at::checksum);
  if ((shard.token_bytes_ != 2 && shard.token_bytes_ != 4) || shard.documents_ > count_max ||
      shard.tokens_ > count_max)
    return fail(Code::bad_header, "{}: {} bytes a token, {} documents, {} tokens: cannot be",
                path.string(), shard.token_bytes_, shard.documents_, shard.tokens_);
  const std::size_t wanted = header_bytes + 8 * (shard.documents_ + 1) +
                             (shard.token_bytes_ + (shard.has_roles_ ? 1 : 0)) * shard.tokens_;
  if (bytes.size() != wanted)
    return fail(Code::bad_header, "{}: {} bytes, but {} documents of {} tokens take {}{}",
                path.string(), bytes.size(), shard.documents_, shard.tokens_, wanted,
                bytes.size() < wanted ? ": it is cut off" : "");
  if (shard.read<std::uint64_t>(at::tokenizer) != tokenizer)
    return fail_with_hint(
        Code::tokenizer_invalid,
        fmt::format("{}: made with another tokenizer than the model's (checksum {:016x}, wanted "
                    "{:016x})",
                    path.string(), shard.read<std::uint64_t>(at::tokenizer), tokenizer),
        "herd shards makes them anew");
  HERD_TRY_VOID(shard.check(vocabulary));
  return shard;
}

Result<void> Shard::check(std::int64_t vocabulary) const {
  const std::string file = path().string();
  for (std::size_t i = 0; i <= documents_; ++i) {
    const bool is_good = i == 0 ? begin(i) == 0 : begin(i) > begin(i - 1);
    if (!is_good || begin(i) > tokens_)
      return fail(Code::bad_header, "{}: document {} begins at token {}, after {} of {}", file, i,
                  begin(i), i == 0 ? 0 : begin(i - 1), tokens_);
  }
  if (begin(documents_) != tokens_)
    return fail(Code::bad_header, "{}: the documents end at token {} of {}", file,
                begin(documents_), tokens_);
  for (std::size_t i = 0; i < tokens_; ++i)
    if (token(i) < 0 || token(i) >= vocabulary)
      return fail(Code::shard_token_invalid,
                  "{}: token {} at byte {} is {}, but the model's vocabulary is {}", file, i,
                  header_bytes + 8 * (documents_ + 1) + token_bytes_ * i, token(i), vocabulary);
  for (std::size_t i = 0; has_roles_ && i < tokens_; ++i)
    if (static_cast<std::uint8_t>(role(i)) >= token_roles)
      return fail(Code::bad_header, "{}: token {} has the role {}, there are {}", file, i,
                  static_cast<std::uint8_t>(role(i)), token_roles);
  if (const std::uint64_t sum = fnv1a(text_of(file_.bytes().subspan(header_bytes)));
      sum != checksum_)
    return fail(Code::bad_header, "{}: damaged: its checksum is {:016x}, wanted {:016x}", file, sum,
                checksum_);
  return {};
}

std::string shard_header(const fs::path& path) {
  const auto file = Mapping::open(path);
  if (!file) return {};
  return std::string(text_of(file->bytes()).substr(0, header_bytes));
}

Result<std::vector<fs::path>> shard_files(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (entry.path().extension() == ".tokens") files.push_back(entry.path());
  if (files.empty())
    return fail(Code::missing_input, "{}: no directory with *.tokens files", directory.string());
  std::ranges::sort(files);
  return files;
}

Result<std::unique_ptr<ShardSource>> ShardSource::open(const engine::Bundle& bundle,
                                                       const fs::path& directory,
                                                       std::uint64_t seed, Weights weights,
                                                       std::int64_t length_max) {
  auto source = std::make_unique<ShardSource>(seed);
  source->weights_ = weights;
  const std::uint64_t tokenizer = tokenizer_checksum(bundle.tokenizer);
  HERD_TRY(const std::vector<fs::path> files, shard_files(directory));
  for (const fs::path& file : files) {
    HERD_TRY(Shard shard, Shard::open(file, bundle.config.text.vocabulary, tokenizer));
    const auto part = static_cast<std::uint32_t>(source->shards_.size());
    for (std::size_t i = 0; i < shard.documents(); ++i) {
      const std::size_t begin = shard.begin(i), end = shard.begin(i + 1);
      if (shard.role(begin) == TokenRole::document)
        append_pieces(begin, end, static_cast<std::size_t>(length_max), part, source->pieces_);
      else
        source->pieces_.push_back({begin, end - begin, part});
    }
    source->shards_.push_back(std::move(shard));
  }
  if (source->pieces_.empty())
    return fail(Code::training_data_invalid, "{}: no document in it", directory.string());
  return source;
}

Example ShardSource::example(std::size_t index) const {
  const Piece& piece = pieces_[index];
  const Shard& shard = shards_[piece.part];
  Example example;
  example.is_document = shard.role(piece.begin) == TokenRole::document;
  for (std::size_t i = piece.begin; i < piece.begin + piece.length; ++i) {
    const std::array<float, token_roles> weight{0, weights_.prompt, 1, weights_.document};
    example.prompt.tokens.push_back(shard.token(i));
    example.weight.push_back(weight[static_cast<std::size_t>(shard.role(i))]);
  }
  return example;
}

std::string ShardSource::place(std::size_t index) const {
  const Piece& piece = pieces_[index];
  return fmt::format("tokens {} to {} of {}", piece.begin, piece.begin + piece.length - 1,
                     shards_[piece.part].path().filename().string());
}

}  // namespace herd::train
