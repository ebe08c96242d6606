#include "train/muon.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "base/thread_pool.h"
#include "train/optimizer.h"

namespace herd::train {
namespace {

// The numbers of tools/reference/make_muon.py.
float number(std::uint32_t i, std::uint32_t stream) {
  std::uint32_t x = i * 2654435761u + stream * 40503u;
  x ^= x >> 15;
  x *= 2246822519u;
  x ^= x >> 13;
  return static_cast<float>(x / 4294967296.0 - 0.5);
}

void fill(std::span<float> to, std::uint32_t stream) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = number(static_cast<std::uint32_t>(i), stream);
}

// Tall, wide and of several sizes.
llama4::Config small() {
  llama4::Config config;
  llama4::TextConfig& text = config.text;
  text.vocabulary = 16;
  text.width = 24;
  text.layers = 1;
  text.heads = 4;
  text.key_value_heads = 2;
  text.head_size = 8;
  text.dense_width = 40;
  text.chunk = 16;
  text.context = 64;
  text.is_moe = {false};
  text.rotates = {true};
  return config;
}

struct Trained {
  explicit Trained(int threads) : pool(threads), ctx(cpu_kernels(), pool) {}

  ThreadPool pool;
  llama4::Model model{small()};
  Parameters parameters{model};
  Context ctx;
};

const Parameter& find(const Parameters& parameters, std::string_view projection) {
  for (const Parameter& parameter : parameters.list())
    if (parameter.name.contains(projection)) return parameter;
  HERD_CHECK(false, "no {}", projection);
}

TEST(Muon, AgreesWithPyTorch) {
  const auto text = read_file(fs::path(HERD_ROOT) / "tests/data/train/muon.json", 1 << 20);
  ASSERT_TRUE(text);
  const auto expected = parse_json(*text);
  ASSERT_TRUE(expected);
  const auto& samples = expected->at("samples").as_object();
  ASSERT_EQ(samples.size(), 5u);

  Trained trained(1);
  std::uint32_t stream = 0;
  for (const auto& [name, rows] : samples) {
    const Parameter& parameter = find(trained.parameters, std::string_view(name));
    fill(Parameters::part(trained.parameters.weights(), parameter), stream);
    stream += 100;
  }
  for (std::uint32_t step = 0; step < 3; ++step) {
    stream = 0;
    for (const auto& [name, rows] : samples) {
      const Parameter& parameter = find(trained.parameters, std::string_view(name));
      fill(Parameters::part(trained.parameters.gradients(), parameter), stream + step + 1);
      stream += 100;
    }
    Muon::step(trained.ctx, trained.parameters, {.rate = 0.02f, .momentum = 0.95f, .decay = 0.1f});
    for (const auto& [name, rows] : samples) {
      const Parameter& parameter = find(trained.parameters, std::string_view(name));
      const std::span w = Parameters::part(trained.parameters.weights(), parameter);
      const auto& row = rows.as_array()[step].as_array();
      ASSERT_EQ(row.size(), 16u);
      for (std::size_t i = 0; i < row.size(); ++i)
        EXPECT_NEAR(w[i * (w.size() / 16)], row[i].to_number<double>(), 2e-6)
            << std::string_view(name) << " step " << step << " sample " << i;
    }
  }
}

TEST(Muon, HasTheSameBitsAtAnyNumberOfThreads) {
  std::vector<float> one;
  for (const int threads : {1, 3}) {
    Trained trained(threads);
    fill(trained.parameters.weights(), 7);
    fill(trained.parameters.gradients(), 8);
    Muon::step(trained.ctx, trained.parameters, {.rate = 0.02f});
    const std::span w = trained.parameters.weights();
    if (one.empty()) one.assign(w.begin(), w.end());
    EXPECT_TRUE(std::ranges::equal(one, w)) << threads << " threads";
  }
}

// Every direction of a step is about equally long: singular values between 0.7 and 1.2, as the polynomial leaves them.
// Seen here as the length of the whole, which for m equal directions is sqrt(m).
TEST(Muon, MakesAllDirectionsEquallyLong) {
  Trained trained(1);
  const Parameter& parameter = find(trained.parameters, "gate_proj");
  fill(Parameters::part(trained.parameters.gradients(), parameter), 8);
  Muon::step(trained.ctx, trained.parameters, {.rate = 1.0f});
  double squares = 0;
  for (const float w : Parameters::part(trained.parameters.weights(), parameter))
    squares += double{w} * double{w};
  const double length = std::sqrt(squares) / (0.2 * std::sqrt(40.0));
  EXPECT_NEAR(length / std::sqrt(24.0), 0.95, 0.2);
}

// Embeddings, the head and norms stay AdamW's, and nobody's gradient is left behind.
TEST(Muon, LeavesTheRestToAdamW) {
  Trained trained(2);
  fill(trained.parameters.gradients(), 8);
  Optimizer optimizer({.muon = true});
  optimizer.step(trained.ctx, trained.parameters, 1.0, 1.0);
  for (const Parameter& parameter : trained.parameters.list()) {
    const bool moved = Parameters::part(trained.parameters.second_moments(), parameter)[1] != 0;
    EXPECT_EQ(moved, !Muon::takes(parameter)) << parameter.name;
    for (const float g : Parameters::part(trained.parameters.gradients(), parameter))
      ASSERT_EQ(g, 0) << parameter.name;
  }
}

}  // namespace
}  // namespace herd::train
