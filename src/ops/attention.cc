#include "ops/attention.h"

#include "ops/expect.h"
#include "ops/tape.h"

namespace herd {

namespace {

Keys with_blocks(Context& ctx, Keys keys);

// In bfloat16, where the lane rounds and the device is better at it; false: nothing has been done.
bool attend_within(Context& ctx, const Tensor& q_THd, const Keys& keys, float scale,
                   const Tensor& o_THd) {
  if (!ctx.lane.bfloat16 || keys.segments.empty()) return false;
  return ctx.kernels.attend_within({.q = q_THd.as<float>().data(),
                                    .k = keys.k_TGd.as<float>().data(),
                                    .v = keys.v_TGd.as<float>().data(),
                                    .o = o_THd.as<float>().data(),
                                    .segments = keys.segments.data(),
                                    .num_segments = static_cast<std::int64_t>(keys.segments.size()),
                                    .N = q_THd.shape[1],
                                    .G = keys.heads,
                                    .d = q_THd.shape[2],
                                    .scale = scale,
                                    .causal = keys.causal},
                                   ctx.lane);
}

}  // namespace

Tensor attend(Context& ctx, const Tensor& q_THd, const Keys& keys, float scale) {
  Dim T{"T", keys.k_TGd ? keys.k_TGd.rows() : static_cast<std::int64_t>(keys.rows.size())};
  Dim H{"H"}, d{"d"};
  expect(q_THd, {T, H, d});
  HERD_CHECK(keys.heads > 0 && H.size() % keys.heads == 0, "{} query heads on {} key heads",
             H.size(), keys.heads);
  Tensor o_THd = ctx.like(q_THd);
  const std::int64_t stride = H.size() * d.size();
  if (!attend_within(ctx, q_THd, keys, scale, o_THd)) {
    const Keys blocks = keys.rows.empty() ? with_blocks(ctx, keys) : keys;
    ctx.kernels.attend({.q = q_THd.as<float>().data(),
                        .o = o_THd.as<float>().data(),
                        .rows = blocks.rows.data(),
                        .kv_dtype = blocks.dtype,
                        .T = T.size(),
                        .N = H.size(),
                        .G = keys.heads,
                        .d = d.size(),
                        .q_stride = stride,
                        .o_stride = stride,
                        .scale = scale},
                       ctx.lane);
  }
  if (ctx.tape != nullptr)
    ctx.tape->record(
        o_THd, {q_THd.data, keys.k_TGd.data, keys.v_TGd.data},
        [&ctx, tape = ctx.tape, q_THd, keys, scale](const Tensor& d_out) {
          HERD_CHECK(keys.k_TGd && keys.v_TGd, "no way back through a cache");
          const Tensor dq = ctx.like(q_THd), dk = ctx.like(keys.k_TGd), dv = ctx.like(keys.v_TGd);
          ctx.kernels.attend_grad({.q = q_THd.as<float>().data(),
                                   .k = keys.k_TGd.as<float>().data(),
                                   .v = keys.v_TGd.as<float>().data(),
                                   .d_out = d_out.as<float>().data(),
                                   .dq = dq.as<float>().data(),
                                   .dk = dk.as<float>().data(),
                                   .dv = dv.as<float>().data(),
                                   .segments = keys.segments.data(),
                                   .num_segments = static_cast<std::int64_t>(keys.segments.size()),
                                   .N = q_THd.shape[1],
                                   .G = keys.heads,
                                   .d = q_THd.shape[2],
                                   .scale = scale,
                                   .causal = keys.causal},
                                  ctx.lane);
          tape->give(q_THd, dq);
          tape->give(keys.k_TGd, dk);
          tape->give(keys.v_TGd, dv);
        });
  return o_THd;
}

void store_kv(Context& ctx, KvPart part, const Tensor& x_TGd, std::span<void* const> block_T,
              std::span<const std::int32_t> within_T, DType dtype) {
  Dim T{"T", static_cast<std::int64_t>(block_T.size())}, G{"G"}, d{"d"};
  expect(x_TGd, {T, G, d});
  HERD_CHECK(within_T.size() == block_T.size(), "{} places for {} blocks", within_T.size(),
             block_T.size());
  ctx.kernels.store_kv({.part = part,
                        .x = x_TGd.as<float>().data(),
                        .block = block_T.data(),
                        .within = within_T.data(),
                        .dtype = dtype,
                        .T = T.size(),
                        .G = G.size(),
                        .d = d.size(),
                        .x_stride = G.size() * d.size()},
                       ctx.lane);
}

Keys keys_within(const Tensor& k_TGd, const Tensor& v_TGd, std::span<const AttendSegment> segments,
                 bool causal) {
  Dim T{"T"}, G{"G"}, d{"d"};
  expect(k_TGd, {T, G, d});
  expect(v_TGd, {T, G, d});
  std::int64_t next = 0;
  for (const AttendSegment& segment : segments) {
    HERD_CHECK(segment.begin == next && segment.end > next, "segment [{}, {}) after row {}",
               segment.begin, segment.end, next);
    next = segment.end;
  }
  HERD_CHECK(next == T.size(), "segments of {} rows, {} keys", next, T.size());
  return {.rows = {},
          .dtype = DType::f32,
          .heads = G.size(),
          .k_TGd = k_TGd,
          .v_TGd = v_TGd,
          .segments = segments,
          .causal = causal};
}

namespace {

// Keys of the batch itself in blocks, as those of a cache are, each segment's behind the one before.
Keys with_blocks(Context& ctx, Keys keys) {
  const auto blocks_of = [](const AttendSegment& segment) {
    return (segment.end - segment.begin + keys_per_block - 1) / keys_per_block;
  };
  std::int64_t blocks = 0;
  for (const AttendSegment& segment : keys.segments) blocks += blocks_of(segment);
  const std::int64_t T = keys.k_TGd.rows();
  const std::int64_t block_floats = keys.heads * keys_per_block * keys.k_TGd.shape[2];
  float* memory = ctx.empty({2 * blocks, block_floats}).as<float>().data();
  const std::span key_table = ctx.array<void*>(blocks);
  const std::span value_table = ctx.array<void*>(blocks);
  for (std::size_t b = 0; b < key_table.size(); ++b, memory += 2 * block_floats) {
    key_table[b] = memory;
    value_table[b] = memory + block_floats;
  }
  const std::span key_block = ctx.array<void*>(T);
  const std::span value_block = ctx.array<void*>(T);
  const std::span within = ctx.array<std::int32_t>(T);
  const std::span rows = ctx.array<AttendRow>(T);
  std::int64_t first_block = 0;
  for (const AttendSegment& segment : keys.segments) {
    for (std::int64_t t = segment.begin; t < segment.end; ++t) {
      const std::int64_t index = t - segment.begin;
      const auto row = static_cast<std::size_t>(t);
      const auto block = static_cast<std::size_t>(first_block + index / keys_per_block);
      key_block[row] = key_table[block];
      value_block[row] = value_table[block];
      within[row] = static_cast<std::int32_t>(index % keys_per_block);
      rows[row] = {.key_blocks = key_table.data() + first_block,
                   .value_blocks = value_table.data() + first_block,
                   .first = 0,
                   .count = keys.causal ? index + 1 : segment.end - segment.begin};
    }
    first_block += blocks_of(segment);
  }
  store_kv(ctx, KvPart::keys, keys.k_TGd, key_block, within, DType::f32);
  store_kv(ctx, KvPart::values, keys.v_TGd, value_block, within, DType::f32);
  keys.rows = rows;
  return keys;
}

}  // namespace

std::span<const AttendSegment> equal_segments(Context& ctx, std::int64_t rows,
                                              std::int64_t length) {
  HERD_CHECK(length > 0 && rows % length == 0, "{} rows in sequences of {}", rows, length);
  const std::span segments = ctx.array<AttendSegment>(rows / length);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::int64_t begin = static_cast<std::int64_t>(i) * length;
    segments[i] = {begin, begin + length};
  }
  return segments;
}

}  // namespace herd
