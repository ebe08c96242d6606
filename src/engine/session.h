// One conversation on one model: its cache, what is in it, and how a prompt gets there. A prompt that begins like the
// last one is not computed again.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "engine/prompt.h"
#include "llama4/model.h"

namespace herd::engine {

struct SessionOptions {
  std::int64_t context = 0;       // positions, > 0
  std::int64_t piece_rows = 512;  // prompt tokens per forward pass; changes speed, never bits
  DType kv_dtype = DType::bf16;   // f32 for --precision f32
};

class Session {
 public:
  // `model` and `ctx` must outlive the session.
  static Result<Session> create(const llama4::Model& model, Context& ctx, SessionOptions options);

  // Called after each piece of a prompt: tokens done, tokens in all.
  using Progress = std::function<void(std::int64_t done, std::int64_t total)>;
  // Logits of one piece's rows: index of the first row within the prompt, and [n, V]; valid during the call.
  using TakeLogits = std::function<Result<void>(std::int64_t first, const Tensor& logits_nV)>;

  // Makes the cache hold exactly this prompt and gives the logits of its last token, [V], valid until the next call.
  // The longest common prefix with what the cache holds is reused as far as local layers allow.
  // Fails with context_length_exceeded; with `stop` requested, ends early with an empty span.
  Result<std::span<float>> prefill(const Prompt& prompt, const Progress& progress = {},
                                   std::stop_token stop = {});

  // The logits of every position, piece by piece. Starts from an empty cache.
  Result<void> all_logits(const Prompt& prompt, const TakeLogits& take,
                          const Progress& progress = {});

  // Appends one token, or several (at least one) in as few passes as their chunks allow; logits of what follows the
  // last, [V]. Fails with context_length_exceeded.
  Result<std::span<float>> step(std::int32_t token) { return step(std::span(&token, 1)); }
  Result<std::span<float>> step(std::span<const std::int32_t> tokens);

  [[nodiscard]] std::int64_t length() const { return cache_.length(); }
  [[nodiscard]] std::int64_t context() const { return cache_.context(); }
  // Of the last prefill: prompt tokens that were already there.
  [[nodiscard]] std::int64_t reused() const { return reused_; }
  [[nodiscard]] const nn::KvCache& cache() const { return cache_; }

 private:
  Session(const llama4::Model& model, Context& ctx, SessionOptions options, nn::KvCache cache);

  struct Seen {
    std::vector<float> features;   // [F, D] of all pictures that are still to be read
    std::int64_t first_patch = 0;  // index into prompt.patches of the first row of `features`
  };
  Result<Seen> see_pictures(const Prompt& prompt, std::int64_t from);
  [[nodiscard]] std::int64_t end_of_piece(std::int64_t begin, std::int64_t end) const;
  Tensor run_piece(const Prompt& prompt, const Seen& seen, std::int64_t begin, std::int64_t end,
                   bool all_rows, bool last_row);
  void rewind_to_common(const std::vector<std::uint64_t>& keys);

  const llama4::Model* model_;
  Context* ctx_;
  SessionOptions options_;
  nn::KvCache cache_;
  std::vector<std::uint64_t>
      keys_;  // what each cached position holds: its token, or which vector of which picture
  std::int64_t reused_ = 0;
  HashKey hash_key_ = random_hash_key();
};

}  // namespace herd::engine
