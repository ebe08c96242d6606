#include "engine/session.h"

#include <algorithm>

#include "base/check.h"
#include "engine/look.h"
#include "ops/elementwise.h"

namespace herd::engine {
namespace {

// Tiles per pass through the vision encoder: enough rows to keep the cores busy, few enough to bound memory.
constexpr std::int64_t tiles_per_pass = 4;

}  // namespace

Result<Session> Session::create(const llama4::Model& model, Context& ctx, SessionOptions options) {
  HERD_CHECK(options.context > 0 && options.piece_rows > 0, "context {}, pieces of {}",
             options.context, options.piece_rows);
  HERD_TRY(nn::KvCache cache,
           nn::KvCache::create(model.kv_shape(options.kv_dtype), options.context));
  return Session(model, ctx, options, std::move(cache));
}

Session::Session(const llama4::Model& model, Context& ctx, SessionOptions options,
                 nn::KvCache cache)
    : model_(&model), ctx_(&ctx), options_(options), cache_(std::move(cache)) {}

Result<std::span<float>> Session::prefill(const Prompt& prompt, const Progress& progress,
                                          std::stop_token stop) {
  HERD_TRY_VOID(check_prompt(prompt, model_->config(), cache_.context()));
  const auto& vision = model_->config().vision;
  std::vector<std::uint64_t> hashes;
  for (const Picture& picture : prompt.pictures) hashes.push_back(hash_of(hash_key_, picture));
  const std::vector<std::uint64_t> keys =
      keys_of(prompt, hashes, vision ? vision->tokens_per_tile() : 0);
  rewind_to_common(keys);
  reused_ = cache_.length();
  HERD_TRY(const Seen seen, see_pictures(prompt, reused_));

  const auto total = static_cast<std::int64_t>(prompt.tokens.size());
  Tensor logits;
  for (std::int64_t begin = reused_; begin < total;) {
    if (stop.stop_requested()) return std::span<float>{};
    const std::int64_t end = end_of_piece(begin, total);
    keys_.assign(keys.begin(), keys.begin() + end);
    logits = run_piece(prompt, seen, begin, end, false, end == total);
    if (progress) progress(end, total);
    begin = end;
  }
  return logits.as<float>();
}

Result<void> Session::all_logits(const Prompt& prompt, const TakeLogits& take,
                                 const Progress& progress) {
  HERD_TRY_VOID(check_prompt(prompt, model_->config(), cache_.context()));
  cache_.clear();
  keys_.clear();
  HERD_TRY(const Seen seen, see_pictures(prompt, 0));
  const auto total = static_cast<std::int64_t>(prompt.tokens.size());
  for (std::int64_t begin = 0; begin < total;) {
    const std::int64_t end = end_of_piece(begin, total);
    HERD_TRY_VOID(take(begin, run_piece(prompt, seen, begin, end, true, false)));
    if (progress) progress(end, total);
    begin = end;
  }
  cache_.clear();
  return {};
}

Result<std::span<float>> Session::step(std::span<const std::int32_t> tokens) {
  HERD_CHECK(!tokens.empty(), "no token to append");
  const auto total = cache_.length() + static_cast<std::int64_t>(tokens.size());
  if (total > cache_.context())
    return fail(Code::context_length_exceeded, "{} tokens and {} more do not fit the context of {}",
                cache_.length(), tokens.size(), cache_.context());
  Tensor logits;
  while (!tokens.empty()) {
    const std::int64_t begin = cache_.length();
    const auto rows = static_cast<std::size_t>(end_of_piece(begin, total) - begin);
    ctx_->arena.reset();
    nn::CachedBatch batch;
    batch.add(cache_, tokens.first(rows));
    for (const std::int32_t token : tokens.first(rows)) keys_.push_back(key_of(token));
    if (rows == tokens.size()) batch.want_last();
    logits = model_->forward(*ctx_, batch);
    tokens = tokens.subspan(rows);
  }
  return logits.as<float>();
}

// Runs the vision encoder over every picture that has a vector at or after position `from`.
Result<Session::Seen> Session::see_pictures(const Prompt& prompt, std::int64_t from) {
  Seen seen;
  if (prompt.pictures.empty()) return seen;
  const std::int64_t per_tile = model_->config().vision->tokens_per_tile();
  std::int64_t patch = 0;
  for (const Picture& picture : prompt.pictures) {
    const std::int64_t vectors = picture.tiles * per_tile;
    const bool needed = prompt.patches[static_cast<std::size_t>(patch + vectors - 1)] >= from;
    if (!needed) {
      seen.first_patch = patch + vectors;
      patch += vectors;
      continue;
    }
    patch += vectors;
    for (std::int64_t tile = 0; tile < picture.tiles; tile += tiles_per_pass) {
      ctx_->arena.reset();
      const std::int64_t tiles = std::min(tiles_per_pass, picture.tiles - tile);
      const Tensor pixels = ctx_->empty({tiles, 3, picture.side, picture.side});
      const std::int64_t tile_floats = 3 * picture.side * picture.side;
      std::copy_n(picture.pixels.data() + tile * tile_floats, tiles * tile_floats,
                  pixels.as<float>().data());
      const Tensor features_FD = look_at(*model_, *ctx_, pixels, options_.kv_dtype);
      const auto numbers = features_FD.as<float>();
      seen.features.insert(seen.features.end(), numbers.begin(), numbers.end());
    }
  }
  return seen;
}

// A piece ends at the prompt's end, after piece_rows rows, or where a local layer's chunk ends.
std::int64_t Session::end_of_piece(std::int64_t begin, std::int64_t end) const {
  end = std::min(end, begin + options_.piece_rows);
  for (const std::int64_t chunk : cache_.shape().chunk)
    if (chunk > 0) end = std::min(end, (begin / chunk + 1) * chunk);
  return end;
}

Tensor Session::run_piece(const Prompt& prompt, const Seen& seen, std::int64_t begin,
                          std::int64_t end, bool all_rows, bool last_row) {
  ctx_->arena.reset();
  nn::CachedBatch batch;
  batch.add(cache_,
            std::span(prompt.tokens)
                .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
  if (all_rows) batch.want_all();
  if (last_row) batch.want_last();

  const auto first = std::ranges::lower_bound(prompt.patches, begin);
  const auto last = std::lower_bound(first, prompt.patches.end(), end);
  if (first != last) {
    std::vector<std::int32_t> rows;
    for (auto patch = first; patch != last; ++patch)
      rows.push_back(static_cast<std::int32_t>(*patch - begin));
    const std::int64_t width = model_->config().text.width;
    const std::int64_t skip = (first - prompt.patches.begin()) - seen.first_patch;
    const Tensor features = ctx_->empty({static_cast<std::int64_t>(rows.size()), width});
    std::copy_n(seen.features.data() + skip * width, features.elements(),
                features.as<float>().data());
    batch.set_features(features, std::move(rows));
  }
  return model_->forward(*ctx_, batch);
}

void Session::rewind_to_common(const std::vector<std::uint64_t>& keys) {
  const auto differs = std::ranges::mismatch(keys_, keys).in1;
  // The last token is always computed again: its logits are what is wanted.
  auto common =
      std::min<std::int64_t>(differs - keys_.begin(), static_cast<std::int64_t>(keys.size()) - 1);
  // Local layers have overwritten what came before their newest chunk; at a chunk's start they need nothing.
  while (common > 0 && !cache_.can_rewind_to(common)) {
    std::int64_t start = 0;
    for (const std::int64_t chunk : cache_.shape().chunk)
      if (chunk > 0) start = std::max(start, (common - 1) / chunk * chunk);
    common = start;
  }
  if (common == 0)
    cache_.clear();
  else
    cache_.set_length(common);
  keys_.resize(static_cast<std::size_t>(common));
}

}  // namespace herd::engine
