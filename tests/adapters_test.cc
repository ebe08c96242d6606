// Adapters against PEFT: loaded, their losses, the gradient of each tensor and ten steps of AdamW are PyTorch's, whose
// numbers tools/reference/make_adapters.py computed; saved, they are PEFT's files again.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "checkpoint/safetensors.h"
#include "cli/testing/run_herd.h"
#include "llama4/adapter.h"
#include "llama4/load.h"
#include "train/export.h"
#include "train/learner.h"
#include "train/optimizer.h"

namespace herd {
namespace {

// Of a loss, of the length of a gradient, and of a gradient's largest sample.
constexpr double tolerance = 1e-4;

checkpoint::Safetensors open_file(const fs::path& path) {
  auto file = checkpoint::Safetensors::open(path);
  if (!file) throw std::runtime_error(to_string(file.error()));
  return std::move(*file);
}

std::vector<float> numbers_of(const checkpoint::Safetensors& file, const std::string& name) {
  const auto* entry = file.find(name);
  if (entry == nullptr) throw std::runtime_error("no tensor " + name);
  std::vector<float> out(static_cast<std::size_t>(entry->shape.elements()));
  std::memcpy(out.data(), file.bytes(*entry).data(), out.size() * sizeof(float));
  return out;
}

fs::path model_directory(const std::string& name) {
  return fs::path(HERD_ROOT) / "tests/data/models" / name;
}
fs::path adapter_directory(const std::string& name) {
  return fs::path(HERD_ROOT) / "tests/data/adapters" / name;
}

// The prompts of a tiny model that are text, as documents.
std::vector<train::Example> documents_of(const std::string& name, const llama4::Config& config) {
  const auto cases = open_file(model_directory(name) / "expected.safetensors");
  std::vector<train::Example> out;
  for (int i = 0; cases.find(fmt::format("case{}.tokens", i)) != nullptr; ++i) {
    const auto* entry = cases.find(fmt::format("case{}.tokens", i));
    std::vector<std::int64_t> tokens(static_cast<std::size_t>(entry->shape.elements()));
    std::memcpy(tokens.data(), cases.bytes(*entry).data(), tokens.size() * sizeof tokens[0]);
    if (tokens.size() < 2) continue;
    train::Example& example = out.emplace_back();
    for (const std::int64_t token : tokens) {
      const bool is_patch = config.vision && token == config.image_token;
      EXPECT_FALSE(is_patch) << "this test knows no pictures";
      example.prompt.tokens.push_back(static_cast<std::int32_t>(token));
      example.weight.push_back(example.weight.empty() ? 0.0f : 1.0f);
    }
  }
  return out;
}

// A learner of an adapter that PEFT saved.
struct Learning {
  Learning(const std::string& name, train::LearnerOptions options, int threads)
      : pool(threads),
        expected(open_file(adapter_directory(name) / "expected.safetensors")),
        from(llama4::load(model_directory(name)).value()),
        loaded(llama4::load_adapters(from->model(), adapter_directory(name)).value()),
        learner(with_adapters(name), pool, options),
        documents(documents_of(name, from->config())) {
    train::copy_weights(from->model(), learner.parameters(), train::Learned::adapters);
    for (const train::Example& example : documents) {
      pointers.push_back(&example);
      for (const float weight : example.weight) counted += double{weight};
    }
  }
  static std::unique_ptr<llama4::Loaded> with_adapters(const std::string& name) {
    auto base = llama4::load(model_directory(name)).value();
    EXPECT_TRUE(llama4::load_adapters(base->model(), adapter_directory(name)));  // for their shapes
    return base;
  }
  double learn() { return learner.learn(pointers, 1.0 / counted, 1.0).mean(); }

  ThreadPool pool;
  checkpoint::Safetensors expected;
  std::unique_ptr<llama4::Loaded> from;
  std::unique_ptr<llama4::LoadedAdapters> loaded;
  train::Learner learner;
  std::vector<train::Example> documents;
  std::vector<const train::Example*> pointers;
  double counted = 0;
};

train::LearnerOptions plain() { return {.balance = {.pull = 0, .z_pull = 0}}; }

class Adapters : public ::testing::TestWithParam<const char*> {};

TEST_P(Adapters, LossesAndGradientsAgreeWithPeft) {
  Learning learning(GetParam(), plain(), 2);
  const double wanted = numbers_of(learning.expected, "loss")[0];
  EXPECT_NEAR(learning.learn(), wanted, tolerance * wanted);

  // The gradients in PEFT's places and order: saved as if they were the adapter.
  const cli::TemporaryDirectory directory;
  for (const llama4::AdapterPlace& place : llama4::adapter_places(learning.learner.model()))
    for (auto* matrices : {&place.adapter->a, &place.adapter->b})
      for (Matrix& matrix : *matrices)
        if (*place.adapter) matrix.data = learning.learner.parameters().leaves().at(matrix.data);
  ASSERT_TRUE(llama4::save_adapters(learning.learner.model(), learning.loaded->options, "base",
                                    directory.path()));
  const auto found_file = open_file(directory / "adapter_model.safetensors");
  const auto peft_file = open_file(adapter_directory(GetParam()) / "adapter_model.safetensors");
  ASSERT_EQ(found_file.tensors().size(), peft_file.tensors().size());
  for (const auto& entry : peft_file.tensors()) {
    const std::vector<float> found = numbers_of(found_file, entry.name);
    const std::vector<float> samples = numbers_of(learning.expected, "samples." + entry.name);
    const double length = numbers_of(learning.expected, "norm." + entry.name)[0];
    double squares = 0, largest = 1e-30;
    for (const float g : found) squares += double{g} * double{g};
    EXPECT_NEAR(std::sqrt(squares), length, tolerance * length + 1e-9) << entry.name;
    for (const float g : samples) largest = std::max(largest, std::abs(double{g}));
    const std::size_t step = std::max<std::size_t>(1, found.size() / 64);
    for (std::size_t i = 0; i < samples.size(); ++i)
      EXPECT_NEAR(found[i * step], samples[i], tolerance * largest + 1e-9)
          << entry.name << " at " << i * step;
  }
}

TEST_P(Adapters, TenStepsOfAdamWAgreeWithPeft) {
  Learning learning(GetParam(), plain(), 2);
  train::Optimizer optimizer({.rate = 1e-3, .decay = 0.1});  // adapters do not decay
  Context& ctx = learning.learner.context();
  const train::Parameters& parameters = learning.learner.parameters();
  for (const float loss : numbers_of(learning.expected, "losses")) {
    EXPECT_NEAR(learning.learn(), double{loss}, tolerance * double{loss});
    optimizer.step(ctx, parameters, 1.0, train::Optimizer::gradient_length(ctx, parameters));
  }
}

TEST_P(Adapters, GradientsAreTheSameWhenBlocksAreComputedAgain) {
  train::LearnerOptions options = plain();
  Learning kept(GetParam(), options, 2);
  options.recompute = true;
  Learning again(GetParam(), options, 1);
  EXPECT_EQ(kept.learn(), again.learn());
  EXPECT_TRUE(std::ranges::equal(kept.learner.parameters().gradients(),
                                 again.learner.parameters().gradients()))
      << "and at another number of threads";
}

TEST_P(Adapters, AreTheSameFilesWhenSavedAgain) {
  const auto base = llama4::load(model_directory(GetParam())).value();
  const auto loaded = llama4::load_adapters(base->model(), adapter_directory(GetParam())).value();
  const cli::TemporaryDirectory directory;
  ASSERT_TRUE(llama4::save_adapters(base->model(), loaded->options, "base", directory.path()));
  const auto saved = open_file(directory / "adapter_model.safetensors");
  const auto peft = open_file(adapter_directory(GetParam()) / "adapter_model.safetensors");
  ASSERT_EQ(saved.tensors().size(), peft.tensors().size());
  for (const auto& entry : peft.tensors()) {
    ASSERT_NE(saved.find(entry.name), nullptr) << entry.name;
    EXPECT_EQ(saved.find(entry.name)->shape, entry.shape) << entry.name;
    EXPECT_EQ(numbers_of(saved, entry.name), numbers_of(peft, entry.name)) << entry.name;
  }
}

// One byte or a few of a good file changed, a piece cut off or said twice: refused with a reason, or adapters that a
// forward pass can use. The model they were for stays as it was.
TEST_P(Adapters, DamagedFilesAreRefusedOrUsable) {
  const auto base = llama4::load(model_directory(GetParam())).value();
  const cli::TemporaryDirectory directory;
  const std::string numbers =
      read_file(adapter_directory(GetParam()) / "adapter_model.safetensors", 1 << 28).value();
  const std::string config =
      read_file(adapter_directory(GetParam()) / "adapter_config.json", 1 << 20).value();
  ThreadPool pool(1);
  Context ctx(cpu_kernels(), pool);
  const auto logits = [&](const nn::AdapterSet* places) {
    ctx.arena.reset();
    auto cache = nn::KvCache::create(base->model().kv_shape(DType::f32), 8).value();
    const std::array<std::int32_t, 3> tokens{1, 2, 3};
    nn::CachedBatch batch;
    batch.add(cache, tokens, places);
    batch.want_last();
    const auto found = base->model().forward(ctx, batch).as<float>();
    return std::vector<float>(found.begin(), found.end());
  };
  const std::vector<float> before = logits(nullptr);
  int refused = 0, usable = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::uint64_t draws = 0;
    const auto roll = [&](std::size_t below) {
      return static_cast<std::size_t>(uniform(i, draws++, 77) * static_cast<double>(below));
    };
    // Mostly the header, which is the first part and says where all else is.
    std::string bytes = numbers, words = config;
    std::string& changed = roll(4) == 0 ? words : bytes;
    const std::size_t reach =
        roll(3) == 0 ? changed.size() : std::min<std::size_t>(changed.size(), 8 + 4000);
    const std::size_t at = roll(reach);
    switch (roll(5)) {
      case 0:
        changed.resize(at);
        break;
      case 1:
        changed.insert(at, changed.substr(at, 1 + roll(64)));
        break;
      case 2:
        changed.erase(at, 1 + roll(64));
        break;
      case 3:
        changed[at] = static_cast<char>('0' + roll(10));
        break;
      default:
        changed[at] = static_cast<char>(roll(256));
    }
    ASSERT_TRUE(write_file(directory / "adapter_model.safetensors", std::string_view(bytes)));
    ASSERT_TRUE(write_file(directory / "adapter_config.json", std::string_view(words)));
    const auto read = llama4::read_adapters(base->model(), directory.path());
    if (read) {
      ++usable;
      EXPECT_EQ(logits(&(*read)->places).size(), before.size()) << i;
    } else {
      ++refused;
      EXPECT_FALSE(read.error().message.empty()) << i;
    }
  }
  EXPECT_GT(refused, 150);
  EXPECT_GT(usable, 10);
  EXPECT_EQ(logits(nullptr), before);
}

INSTANTIATE_TEST_SUITE_P(Models, Adapters,
                         ::testing::Values("scout", "maverick", "topk2", "twelve"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace herd
