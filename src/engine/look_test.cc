// Pictures may be multiplied in bfloat16: how near that is to float32, and that tiles stay by themselves.
#include "engine/look.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "kernels/cpu/bfloat16_product.h"
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

TEST(Look, RoundedPicturesAreNearExactOnesAndTilesStayByThemselves) {
  const auto loaded = llama4::load(fs::path(HERD_ROOT) / "models/cria").value();
  const llama4::Model& model = loaded->model();
  const llama4::VisionConfig& vision = *model.config().vision;
  ThreadPool pool(2);
  const auto see = [&](std::int64_t first, std::int64_t count, DType kv_dtype) {
    Context ctx(cpu_kernels(), pool);
    std::vector<float> pixels = tiles_of(first, count, vision.image_size);
    const Tensor tiles{pixels.data(), DType::f32, {count, 3, vision.image_size, vision.image_size}};
    const auto seen = look_at(model, ctx, tiles, kv_dtype).as<float>();
    EXPECT_FALSE(ctx.lane.bfloat16);  // text stays exact
    return std::vector<float>(seen.begin(), seen.end());
  };
  const std::vector<float> exact = see(0, 3, DType::f32), rounded = see(0, 3, DType::bf16);
  std::vector<float> one_by_one;
  for (std::int64_t tile = 0; tile < 3; ++tile)
    for (const float x : see(tile, 1, DType::bf16)) one_by_one.push_back(x);
  EXPECT_EQ(rounded, one_by_one);

  double error = 0, size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double difference = double{rounded[i]} - double{exact[i]};
    error += difference * difference;
    size += double{exact[i]} * double{exact[i]};
  }
  const double relative = std::sqrt(error / size);
  RecordProperty("relative_error", std::to_string(relative));
  EXPECT_LT(relative, 0.02);
  if (cpu::has_bfloat16_products())
    EXPECT_GT(relative, 1e-5);
  else
    EXPECT_EQ(relative, 0);
}

}  // namespace
}  // namespace herd::engine
