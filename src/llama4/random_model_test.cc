#include "llama4/random_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <numbers>

#include "llama4/load.h"
#include "llama4/presets.h"
#include "tensor/float_bits.h"

namespace herd::llama4 {
namespace {

ListedTensor square(std::string name, std::int64_t side) {
  return {std::move(name), {side, side}, ListedTensor::Role::matrix, side};
}

std::vector<float> floats(const ListedTensor& tensor, DType dtype, std::uint64_t seed) {
  const std::int64_t count = tensor.shape.elements();
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * row_of(dtype).bytes);
  RandomTensor(tensor, dtype, seed).fill(0, bytes);
  std::vector<float> out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(element_as_f32(bytes.data(), dtype, i));
  return out;
}

// Kolmogorov's distance between the sample and the normal distribution, and the first moments.
TEST(RandomTensor, IsNormalWithDeviationOneOverRootInputs) {
  std::vector<float> x = floats(square("layers.0.self_attn.q_proj.weight", 512), DType::f32, 1);
  const auto count = static_cast<double>(x.size());
  double sum = 0, squares = 0, fourths = 0;
  for (float& value : x) {
    value *= std::sqrt(512.0f);
    const double square = static_cast<double>(value) * static_cast<double>(value);
    sum += static_cast<double>(value);
    squares += square;
    fourths += square * square;
  }
  // Three times the standard errors of the three estimates, 1, sqrt(2) and sqrt(96), over root n.
  EXPECT_NEAR(sum / count, 0, 3 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 3 * std::sqrt(2 / count));
  EXPECT_NEAR(fourths / count, 3, 3 * std::sqrt(96 / count));
  std::ranges::sort(x);
  double distance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double cdf = 0.5 * std::erfc(-static_cast<double>(x[i]) / std::numbers::sqrt2);
    distance = std::max(distance, std::abs(cdf - (static_cast<double>(i) + 0.5) / count));
  }
  EXPECT_LT(distance, 1.63 / std::sqrt(count));  // the 1 % point
  EXPECT_GT(x.back(), 3.9f);
}

TEST(RandomTensor, HasUncorrelatedNeighboursAndNames) {
  const auto a = floats(square("a", 256), DType::f32, 1);
  const auto b = floats(square("b", 256), DType::f32, 1);
  const auto other_seed = floats(square("a", 256), DType::f32, 2);
  auto correlation = [](std::span<const float> x, std::span<const float> y) {
    double dot = 0, xx = 0, yy = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto u = static_cast<double>(x[i]), v = static_cast<double>(y[i]);
      dot += u * v, xx += u * u, yy += v * v;
    }
    return dot / std::sqrt(xx * yy);
  };
  const double bound = 4 / std::sqrt(static_cast<double>(a.size()));
  EXPECT_LT(std::abs(correlation(a, b)), bound);
  EXPECT_LT(std::abs(correlation(a, other_seed)), bound);
  for (const std::size_t lag : {1u, 2u, 4u, 8u, 256u})
    EXPECT_LT(std::abs(correlation(a, std::span(a).subspan(lag))), bound) << lag;
}

// The number at a place does not depend on where its piece began, on the type, or on the pieces around it.
TEST(RandomTensor, IsAFunctionOfThePlaceAlone) {
  const ListedTensor tensor = square("layers.3.feed_forward.experts.down_proj", 100);
  const std::size_t count = 10'000;
  std::vector<std::byte> whole(2 * count), pieces(2 * count);
  const RandomTensor numbers(tensor, DType::bf16, 9);
  numbers.fill(0, whole);
  for (std::size_t first = 0; first < count; first += 24)
    numbers.fill(
        static_cast<std::int64_t>(first),
        std::span(pieces).subspan(2 * first, 2 * std::min<std::size_t>(24, count - first)));
  EXPECT_EQ(whole, pieces);
  const auto wide = floats(tensor, DType::f32, 9);
  const auto half = floats(tensor, DType::f16, 9);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(element_as_f32(whole.data(), DType::bf16, static_cast<std::int64_t>(i)),
              f32_of_bf16(bf16_of_f32(wide[i])));
    EXPECT_NEAR(half[i], wide[i], std::abs(wide[i]) / 2048 + 1e-7f);
  }
}

TEST(RandomTensor, MakesNormsOneAndBiasesZero) {
  const ListedTensor norm{"norm.weight", {12}, ListedTensor::Role::norm, 12};
  const ListedTensor bias{"x.bias", {12}, ListedTensor::Role::bias, 12};
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (const float value : floats(norm, dtype, 1)) EXPECT_EQ(value, 1.0f);
    for (const float value : floats(bias, dtype, 1)) EXPECT_EQ(value, 0.0f);
  }
}

TEST(F16, RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = f32_of_f16(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(f16_of_f32(value), bits);
  }
  EXPECT_EQ(f16_of_f32(1.0f + 0x1p-11f), 0x3c00);             // a tie: down to even
  EXPECT_EQ(f16_of_f32(1.0f + 0x1p-10f + 0x1p-11f), 0x3c02);  // a tie: up to even
  EXPECT_EQ(f16_of_f32(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);
  EXPECT_EQ(f16_of_f32(65519.996f), 0x7bff);
  EXPECT_EQ(f16_of_f32(65520.0f), 0x7c00);
  EXPECT_EQ(f16_of_f32(-0x1p-25f), 0x8000);  // a tie: down to zero
  EXPECT_EQ(f16_of_f32(0x1p-25f + 0x1p-40f), 0x0001);
  EXPECT_EQ(f16_of_f32(0x1p-14f - 0x1p-26f), 0x0400);  // up to the smallest normal number
  EXPECT_TRUE(std::isnan(f32_of_f16(f16_of_f32(NAN))));
}

class RandomModelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "herd_random_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
  }
  void TearDown() override { fs::remove_all(directory); }

  fs::path write(const RandomModel& model, int threads, std::string_view name) {
    const fs::path out = directory / name;
    fs::create_directory(out);
    ThreadPool pool(threads);
    std::uint64_t wrote = 0;
    const auto done =
        write_random_model(model, out, pool, [&](std::uint64_t bytes) { wrote += bytes; });
    EXPECT_TRUE(done.has_value()) << to_string(done.error());
    EXPECT_EQ(wrote, model.weight_bytes());
    return out;
  }
  fs::path directory;
};

std::map<std::string, std::string> contents(const fs::path& path) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(path))
    out[entry.path().filename()] = read_file(entry.path(), 1ull << 30).value();
  return out;
}

TEST_F(RandomModelTest, IsTheSameAtAnyNumberOfThreadsAndAnotherWithAnotherSeed) {
  RandomModel model{.config = preset("cria"), .seed = 7};
  const auto one = contents(write(model, 1, "one"));
  EXPECT_EQ(one, contents(write(model, 5, "five")));
  model.seed = 8;
  const auto other = contents(write(model, 1, "other"));
  EXPECT_NE(one.at("model.safetensors"), other.at("model.safetensors"));
  EXPECT_EQ(one.at("config.json"), other.at("config.json"));
}

TEST_F(RandomModelTest, IsLoadedByEveryTensorInEveryFormAndType) {
  for (const bool vision : {true, false})
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      RandomModel model{.config = preset("cria"), .dtype = dtype, .shard_bytes_max = 200'000};
      if (!vision) model.config.vision.reset();
      const fs::path out = write(model, 2, fmt::format("{}{}", row_of(dtype).name, vision));
      const auto loaded = load(out);
      ASSERT_TRUE(loaded.has_value()) << to_string(loaded.error());
      EXPECT_EQ((*loaded)->weight_type(), dtype);
      EXPECT_EQ((*loaded)->store().bytes(), model.weight_bytes());
      EXPECT_GT((*loaded)->store().shards(), 1u);
      EXPECT_TRUE((*loaded)->store().notes().empty());
    }
}

TEST(PublishedName, IsUndoneByTheReader) {
  for (const bool text_only : {true, false}) {
    Config config = preset("cria");
    if (text_only) config.vision.reset();
    for (const ListedTensor& tensor : list_tensors(config))
      EXPECT_EQ(canonical_name(published_name(tensor.name, text_only)), tensor.name);
  }
  EXPECT_EQ(published_name("lm_head.weight", false), "language_model.lm_head.weight");
  EXPECT_EQ(published_name("norm.weight", false), "language_model.model.norm.weight");
  EXPECT_EQ(published_name("norm.weight", true), "model.norm.weight");
}

}  // namespace
}  // namespace herd::llama4
