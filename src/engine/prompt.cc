#include "engine/prompt.h"

#include "base/check.h"

namespace herd::engine {

Result<void> check_prompt(const Prompt& prompt, const llama4::Config& config,
                          std::int64_t context) {
  const auto tokens = static_cast<std::int64_t>(prompt.tokens.size());
  if (tokens == 0) return fail(Code::conversation_invalid, "the prompt has no tokens");
  if (tokens > context)
    return fail(Code::context_length_exceeded,
                "the prompt is {} tokens, the context holds {}; shorten it by {} tokens", tokens,
                context, tokens - context);
  const std::int64_t vocabulary = config.text.vocabulary;
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i)
    if (prompt.tokens[i] < 0 || prompt.tokens[i] >= vocabulary)
      return fail(Code::out_of_range, "token {} at position {} is not in the vocabulary of {}",
                  prompt.tokens[i], i, vocabulary);
  if (prompt.pictures.empty()) return {};
  if (!config.vision)
    return fail(Code::conversation_invalid,
                "the prompt has pictures, but this model sees only text");
  std::int64_t vectors = 0;
  for (const Picture& picture : prompt.pictures) {
    if (picture.side != config.vision->image_size)
      return fail(Code::conversation_invalid,
                  "a picture has tiles of {} pixels, the model's are {}", picture.side,
                  config.vision->image_size);
    vectors += picture.tiles * config.vision->tokens_per_tile();
  }
  HERD_CHECK(vectors == static_cast<std::int64_t>(prompt.patches.size()),
             "{} picture vectors for {} places", vectors, prompt.patches.size());
  return {};
}

std::uint64_t hash_of(const HashKey& key, const Picture& picture) {
  const std::uint64_t pixels = keyed_hash(key, picture.pixels.all());
  const std::array<std::uint64_t, 3> all{static_cast<std::uint64_t>(picture.tiles),
                                         static_cast<std::uint64_t>(picture.side), pixels};
  return keyed_hash(key, std::span<const std::uint64_t>(all));
}

std::vector<std::uint64_t> keys_of(const Prompt& prompt,
                                   std::span<const std::uint64_t> picture_hashes,
                                   std::int64_t vectors_per_tile) {
  HERD_CHECK(picture_hashes.size() == prompt.pictures.size(), "{} hashes of {} pictures",
             picture_hashes.size(), prompt.pictures.size());
  std::vector<std::uint64_t> keys;
  keys.reserve(prompt.tokens.size());
  for (const std::int32_t token : prompt.tokens) keys.push_back(key_of(token));
  std::size_t patch = 0;
  for (std::size_t i = 0; i < prompt.pictures.size(); ++i)
    for (std::int64_t v = 0; v < prompt.pictures[i].tiles * vectors_per_tile; ++v, ++patch)
      keys[static_cast<std::size_t>(prompt.patches[patch])] =
          (picture_hashes[i] + static_cast<std::uint64_t>(v)) | 1ull << 63;
  return keys;
}

std::uint64_t key_with_adapters(const HashKey& hash_key, std::uint64_t key,
                                std::uint64_t identity) {
  const std::array<std::uint64_t, 2> both{key, identity};
  // Tokens leave the upper half empty, pictures set the uppermost bit alone for certain.
  constexpr std::uint64_t mark = 1ull << 62, pictures = 1ull << 63;
  return (keyed_hash(hash_key, std::span<const std::uint64_t>(both)) | mark) & ~pictures;
}

}  // namespace herd::engine
