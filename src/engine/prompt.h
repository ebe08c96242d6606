// What goes into the model: token ids, and the pictures whose vectors stand in for some of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/keyed_hash.h"
#include "base/result.h"
#include "llama4/config.h"

namespace herd::engine {

// Numbers of a picture, which copies share: the requests for several answers hold them once.
class Pixels {
 public:
  Pixels() = default;
  // Shared by copies; not explicit, because it is the same thing.
  Pixels(std::vector<float> numbers)  // NOLINT(google-explicit-constructor)
      : numbers_(std::make_shared<const std::vector<float>>(std::move(numbers))) {}

  [[nodiscard]] std::span<const float> all() const {
    return numbers_ ? std::span<const float>(*numbers_) : std::span<const float>();
  }
  [[nodiscard]] const float* data() const { return all().data(); }
  // Equal for copies and for nothing else.
  [[nodiscard]] const void* identity() const { return numbers_.get(); }

 private:
  std::shared_ptr<const std::vector<float>> numbers_;  // shared by copies
};

// A picture cut into tiles and normalised, as the vision encoder wants it.
struct Picture {
  std::int64_t tiles = 0;
  std::int64_t side = 0;  // of a tile, pixels
  Pixels pixels;          // [tiles, 3, side, side]
};

struct Prompt {
  std::vector<std::int32_t> tokens;
  std::vector<Picture> pictures;
  // Where picture vectors go: indices into tokens, ascending; tiles of all pictures in order, each tile's vectors row
  // by row. They come from whoever laid out the pictures, never from ids in a user's text.
  std::vector<std::int64_t> patches;
};

// Fails with conversation_invalid, context_length_exceeded or out_of_range when the model cannot read the prompt.
Result<void> check_prompt(const Prompt& prompt, const llama4::Config& config, std::int64_t context);

// Of a picture's tiles; equal pictures have equal hashes, and nobody without the key can make two others equal.
std::uint64_t hash_of(const HashKey& key, const Picture& picture);

// What a position of a cache holds, in a form that is equal exactly when its content would be: its token's key, or one
// made of a picture's hash and the vector's place in it.
inline std::uint64_t key_of(std::int32_t token) { return static_cast<std::uint32_t>(token); }

// Keys of all positions of a prompt.   picture_hashes: of its pictures, in order
std::vector<std::uint64_t> keys_of(const Prompt& prompt,
                                   std::span<const std::uint64_t> picture_hashes,
                                   std::int64_t vectors_per_tile);

// The key of a prompt's first position where its rows bring adapters (llama4::LoadedAdapters::identity): what comes
// after is found behind it alone, so no other adapter's keys and values are taken for these.
std::uint64_t key_with_adapters(const HashKey& hash_key, std::uint64_t key, std::uint64_t identity);

}  // namespace herd::engine
