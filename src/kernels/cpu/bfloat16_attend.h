// The products of attention within a batch in bfloat16, there and back, with float32 sums (bfloat16_product.h says when
// and why). Keys and values of a head are rounded and laid out once, a tile's queries, weights and gradients as they
// come.
#pragma once

#include <cstdint>

namespace herd::cpu {

// Heads wider than this are multiplied in float32, on the way back segments shorter than bfloat16_rows_min, too.
inline constexpr std::int64_t bfloat16_head_max = 256;

class AttendPairs {
 public:
  // 32-bit words of memory for a segment of `length` keys of d numbers and tiles of up to `rows` queries.
  static std::int64_t words(std::int64_t length, std::int64_t rows, std::int64_t d);

  // k, v: [length, d], rows `stride` apart. `memory` must live as long.
  AttendPairs(std::uint32_t* memory, const float* k, const float* v, std::int64_t stride,
              std::int64_t length, std::int64_t d);

  // p [rows, pitch] = q k^T, of the first `keys` keys. q: [rows, d].
  void scores(const float* q, std::int64_t rows, std::int64_t keys, std::int64_t pitch, float* p);

  // o [queries, d] = p v, with p [queries, pitch]; rows of o are `stride` apart.
  void values(const float* p, std::int64_t pitch, std::int64_t queries, std::int64_t keys, float* o,
              std::int64_t stride);

 private:
  std::int64_t length_, d_;
  std::uint32_t* key_columns_;  // panels of 32 keys, pairs along d
  std::uint32_t* value_rows_;   // panels of 32 of d, pairs along keys
  std::uint32_t* x_;            // a tile of rows
};

class AttendGradPairs {
 public:
  // 32-bit words of memory for a segment of `length` keys of d numbers and tiles of up to `rows` queries.
  static std::int64_t words(std::int64_t length, std::int64_t rows, std::int64_t d);

  // k, v: [length, d], rows `stride` apart. `memory` must live as long.
  AttendGradPairs(std::uint32_t* memory, const float* k, const float* v, std::int64_t stride,
                  std::int64_t length, std::int64_t rows, std::int64_t d);

  // p [rows, pitch] = q k^T and dp = d_out v^T, of the first `keys` keys. q, d_out: [rows, d].
  void scores(const float* q, const float* d_out, std::int64_t rows, std::int64_t keys,
              std::int64_t pitch, float* p, float* dp);

  // to [keys, d] += weights^T x, with weights [rows, pitch] and x [rows, d]; rows of `to` are `stride` apart.
  void add_to_keys(const float* weights, std::int64_t pitch, const float* x, std::int64_t rows,
                   std::int64_t keys, float* to, std::int64_t stride);

  // dq [queries, d] = ds k, with ds [queries, pitch]; rows of dq are `stride` apart.
  void query_gradient(const float* ds, std::int64_t pitch, std::int64_t queries, std::int64_t keys,
                      float* dq, std::int64_t stride);

 private:
  std::int64_t length_, d_;
  std::uint32_t *key_columns_, *value_columns_;  // panels of 32 keys, pairs along d
  std::uint32_t* key_rows_;                      // panels of 32 of d, pairs along keys
  std::uint32_t* x_;                             // a tile of rows
  std::uint32_t* tile_rows_;                     // panels of 32 of d, pairs along a tile's rows
  std::uint32_t* weights_;                       // pairs along a tile's rows, keys side by side
};

}  // namespace herd::cpu
