// Pictures may be multiplied in bfloat16, their encoder be in eight bits: how near that is to float32, and that tiles
// stay by themselves.
#include "engine/look.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "kernels/cpu/bfloat16_product.h"
#include "llama4/gguf_export.h"
#include "llama4/load.h"

namespace herd::engine {
namespace {

// [tiles, 3, S, S] of smooth waves and noise; a tile is the same wherever it stands.
std::vector<float> tiles_of(std::int64_t first, std::int64_t count, std::int64_t side) {
  std::vector<float> pixels;
  for (std::int64_t tile = first; tile < first + count; ++tile)
    for (std::int64_t i = 0; i < 3 * side * side; ++i) {
      const double wave = std::sin(0.01 * static_cast<double>((tile + 2) * (i % side) + i / side));
      const double noise = uniform(static_cast<std::uint64_t>(tile), static_cast<std::uint64_t>(i));
      pixels.push_back(static_cast<float>(0.8 * wave + 0.2 * noise));
    }
  return pixels;
}

// The vectors of tiles [first, first + count).
std::vector<float> see(const llama4::Model& model, std::int64_t first, std::int64_t count,
                       DType kv_dtype) {
  const std::int64_t side = model.config().vision->image_size;
  ThreadPool pool(2);
  Context ctx(cpu_kernels(), pool);
  std::vector<float> pixels = tiles_of(first, count, side);
  const Tensor tiles{pixels.data(), DType::f32, {count, 3, side, side}};
  const auto seen = look_at(model, ctx, tiles, kv_dtype).as<float>();
  EXPECT_FALSE(ctx.lane.bfloat16);  // text stays exact
  return {seen.begin(), seen.end()};
}

// Of the length of `exact`.
double distance(const char* name, const std::vector<float>& given,
                const std::vector<float>& exact) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double difference = double{given[i]} - double{exact[i]};
    error += difference * difference;
    size += double{exact[i]} * double{exact[i]};
  }
  const double relative = std::sqrt(error / size);
  testing::Test::RecordProperty(name, std::to_string(relative));
  return relative;
}

std::vector<float> seen_one_by_one(const llama4::Model& model, std::int64_t count) {
  std::vector<float> all;
  for (std::int64_t tile = 0; tile < count; ++tile)
    std::ranges::copy(see(model, tile, 1, DType::bf16), std::back_inserter(all));
  return all;
}

TEST(Look, RoundedPicturesAreNearExactOnesAndTilesStayByThemselves) {
  const auto loaded = llama4::load(fs::path(HERD_ROOT) / "models/cria").value();
  const llama4::Model& model = loaded->model();
  const std::vector<float> exact = see(model, 0, 3, DType::f32),
                           rounded = see(model, 0, 3, DType::bf16);
  EXPECT_EQ(rounded, seen_one_by_one(model, 3));
  const double relative = distance("rounded", rounded, exact);
  EXPECT_LT(relative, 0.02);
  if (cpu::has_bfloat16_products())
    EXPECT_GT(relative, 1e-5);
  else
    EXPECT_EQ(relative, 0);
}

// An encoder in Q8_0: its inputs are rounded to eight bits, attention's to bfloat16.
TEST(Look, EncodersInEightBitsAreNearExactOnesAndTilesStayByThemselves) {
  const auto exact_model = llama4::load(fs::path(HERD_ROOT) / "models/cria").value();
  const fs::path store = fs::temp_directory_path() / fmt::format("look-{}.herd", getpid());
  llama4::GgufExport out{.kind = checkpoint::GgufKind::packed_store,
                         .name = {},
                         .words = {},
                         .projector = {},
                         .vision_type = DType::q8_0};
  ThreadPool pool(2);
  ASSERT_TRUE(llama4::write_gguf(exact_model->model(), store, out, pool).has_value());
  const auto loaded = llama4::load(store).value();
  fs::remove(store);
  const llama4::Model& model = loaded->model();
  const std::vector<float> exact = see(exact_model->model(), 0, 3, DType::f32),
                           rounded = see(model, 0, 3, DType::bf16),
                           attention_exact = see(model, 0, 3, DType::f32);
  EXPECT_EQ(rounded, seen_one_by_one(model, 3));
  EXPECT_EQ(rounded != attention_exact, cpu::has_bfloat16_products());
  const double of_weights = distance("exact_attention", attention_exact, exact);
  EXPECT_GT(of_weights, 1e-4);  // it is in eight bits
  EXPECT_LT(of_weights, 0.02);
  EXPECT_LT(distance("rounded_attention", rounded, exact), 0.02);
}

}  // namespace
}  // namespace herd::engine
