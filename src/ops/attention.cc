#include "ops/attention.h"

#include "ops/expect.h"

namespace herd {

Tensor attend(Context& ctx, const Tensor& q_THd, const Keys& keys, float scale) {
  Dim T{"T", static_cast<std::int64_t>(keys.rows.size())}, H{"H"}, d{"d"};
  expect(q_THd, {T, H, d});
  HERD_CHECK(keys.heads > 0 && H.size() % keys.heads == 0, "{} query heads on {} key heads",
             H.size(), keys.heads);
  Tensor o_THd = ctx.like(q_THd);
  const std::int64_t stride = H.size() * d.size();
  ctx.kernels.attend({.q = q_THd.as<float>().data(),
                      .o = o_THd.as<float>().data(),
                      .rows = keys.rows.data(),
                      .kv_dtype = keys.dtype,
                      .T = T.size(),
                      .N = H.size(),
                      .G = keys.heads,
                      .d = d.size(),
                      .q_stride = stride,
                      .o_stride = stride,
                      .scale = scale},
                     ctx.lane);
  return o_THd;
}

void store_kv(Context& ctx, const Tensor& x_TGd, std::span<void* const> block_T,
              std::span<const std::int32_t> within_T, DType dtype) {
  Dim T{"T", static_cast<std::int64_t>(block_T.size())}, G{"G"}, d{"d"};
  expect(x_TGd, {T, G, d});
  HERD_CHECK(within_T.size() == block_T.size(), "{} places for {} blocks", within_T.size(),
             block_T.size());
  ctx.kernels.store_kv({.x = x_TGd.as<float>().data(),
                        .block = block_T.data(),
                        .within = within_T.data(),
                        .dtype = dtype,
                        .T = T.size(),
                        .G = G.size(),
                        .d = d.size(),
                        .x_stride = G.size() * d.size()},
                       ctx.lane);
}

Keys keys_within(Context& ctx, const Tensor& k_TGd, const Tensor& v_TGd, std::int64_t length) {
  Dim T{"T"}, G{"G"}, d{"d"};
  expect(k_TGd, {T, G, d});
  expect(v_TGd, {T, G, d});
  HERD_CHECK(length > 0 && T.size() % length == 0, "{} rows in sequences of {}", T.size(), length);
  const std::int64_t blocks_each = (length + keys_per_block - 1) / keys_per_block;
  const std::int64_t blocks = T.size() / length * blocks_each;
  const std::int64_t block_floats = G.size() * keys_per_block * d.size();
  Tensor key_memory = ctx.empty({blocks, block_floats});
  Tensor value_memory = ctx.empty({blocks, block_floats});

  const std::span key_table = ctx.array<void*>(blocks);
  const std::span value_table = ctx.array<void*>(blocks);
  for (std::int64_t b = 0; b < blocks; ++b) {
    key_table[static_cast<std::size_t>(b)] = key_memory.as<float>().data() + b * block_floats;
    value_table[static_cast<std::size_t>(b)] = value_memory.as<float>().data() + b * block_floats;
  }
  const std::span key_block = ctx.array<void*>(T.size());
  const std::span value_block = ctx.array<void*>(T.size());
  const std::span within = ctx.array<std::int32_t>(T.size());
  const std::span rows = ctx.array<AttendRow>(T.size());
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const auto sequence = static_cast<std::int64_t>(t) / length;
    const auto index = static_cast<std::int64_t>(t) % length;
    const auto block = static_cast<std::size_t>(sequence * blocks_each + index / keys_per_block);
    key_block[t] = key_table[block];
    value_block[t] = value_table[block];
    within[t] = static_cast<std::int32_t>(index % keys_per_block);
    rows[t] = {.key_blocks = key_table.data() + sequence * blocks_each,
               .value_blocks = value_table.data() + sequence * blocks_each,
               .first = 0,
               .count = length};
  }
  store_kv(ctx, k_TGd, key_block, within, DType::f32);
  store_kv(ctx, v_TGd, value_block, within, DType::f32);
  return {.rows = rows, .dtype = DType::f32, .heads = G.size()};
}

}  // namespace herd
