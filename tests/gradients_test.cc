// Learning against PyTorch: losses, the gradient of every parameter, and ten steps of AdamW on the tiny models, whose
// expected numbers tools/reference/make_gradients.py computed with transformers and torch in float32.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/thread_pool.h"
#include "checkpoint/safetensors.h"
#include "kernels/cpu/bfloat16_product.h"
#include "llama4/load.h"
#include "llama4/tensor_list.h"
#include "train/learner.h"
#include "train/optimizer.h"

namespace herd {
namespace {

// Of a loss, of the length of a gradient, and of a gradient's largest sample.
constexpr double tolerance = 1e-4;

class Numbers {
 public:
  explicit Numbers(const fs::path& path) {
    auto file = checkpoint::Safetensors::open(path);
    if (!file) throw std::runtime_error(to_string(file.error()));
    file_.emplace(std::move(*file));
  }
  [[nodiscard]] bool has(const std::string& name) const { return file_->find(name) != nullptr; }
  template <typename T>
  [[nodiscard]] std::vector<T> get(const std::string& name) const {
    const auto* entry = file_->find(name);
    if (entry == nullptr) throw std::runtime_error("no tensor " + name);
    std::vector<T> out(static_cast<std::size_t>(entry->shape.elements()));
    std::memcpy(out.data(), file_->bytes(*entry).data(), out.size() * sizeof(T));
    return out;
  }

 private:
  std::optional<checkpoint::Safetensors> file_;
};

// A tiny model in training, and its prompts as documents.
class Training {
 public:
  Training(const std::string& name, train::LearnerOptions options, int threads)
      : directory_(fs::path(HERD_ROOT) / "tests/data/models" / name),
        expected(directory_ / "gradients.safetensors"),
        pool_(threads),
        loaded_(llama4::load(directory_).value()),
        learner(loaded_->config(), pool_, options) {
    train::copy_weights(loaded_->model(), learner.parameters());
    read_documents();
  }

  [[nodiscard]] const llama4::Config& config() const { return loaded_->config(); }

  // Adds the gradient of the mean loss of all documents.
  double learn() { return learner.learn(documents, 1.0 / counted, 1.0).mean(); }

 private:
  void read_documents() {
    const Numbers cases(directory_ / "expected.safetensors");
    for (int i = 0; cases.has(fmt::format("case{}.tokens", i)); ++i) {
      train::Example example;
      const auto tokens = cases.get<std::int64_t>(fmt::format("case{}.tokens", i));
      if (tokens.size() < 2) continue;
      const llama4::Config& config = loaded_->config();
      for (const std::int64_t token : tokens) {
        const bool is_patch = config.vision && token == config.image_token;
        if (is_patch)
          example.prompt.patches.push_back(static_cast<std::int64_t>(example.prompt.tokens.size()));
        example.prompt.tokens.push_back(static_cast<std::int32_t>(token));
        example.weight.push_back(is_patch || example.weight.empty() ? 0.0f : 1.0f);
      }
      for (const float weight : example.weight) counted += double{weight};
      if (const std::string pixels = fmt::format("case{}.pixels", i); cases.has(pixels)) {
        const std::int64_t side = config.vision->image_size;
        engine::Picture picture{.side = side, .pixels = cases.get<float>(pixels)};
        picture.tiles = static_cast<std::int64_t>(picture.pixels.all().size()) / (3 * side * side);
        example.prompt.pictures.push_back(std::move(picture));
      }
      kept_.push_back(std::make_unique<train::Example>(std::move(example)));
      documents.push_back(kept_.back().get());
    }
  }

  fs::path directory_;

 public:
  Numbers expected;

 private:
  ThreadPool pool_;
  std::unique_ptr<llama4::Loaded> loaded_;
  std::vector<std::unique_ptr<train::Example>> kept_;

 public:
  train::Learner learner;
  std::vector<const train::Example*> documents;
  double counted = 0;
};

train::LearnerOptions plain() { return {.balance = {.pull = 0, .z_pull = 0}}; }

// A parameter's gradient in Hugging Face's place and order: experts fused and input-major, gate before up.
std::vector<float> published_gradient(const train::Parameters& parameters,
                                      const std::string& name) {
  const auto gradient = [&](const std::string& wanted) {
    const train::Parameter* found = parameters.find(wanted);
    if (found == nullptr) throw std::runtime_error("no parameter " + wanted);
    return std::pair(found, train::Parameters::part(parameters.gradients(), *found));
  };
  const bool fused_up = name.ends_with(".gate_up_proj");
  if (!fused_up && !name.ends_with("experts.down_proj")) {
    const std::span all = gradient(name).second;
    return {all.begin(), all.end()};
  }
  const std::string experts = name.substr(0, name.rfind('.'));
  std::vector<float> out;
  for (int e = 0; parameters.find(fmt::format("{}.{}.gate_proj.weight", experts, e)); ++e) {
    const auto part = [&](const char* which) {
      return gradient(fmt::format("{}.{}.{}_proj.weight", experts, e, which));
    };
    const auto parts = fused_up ? std::vector{part("gate"), part("up")} : std::vector{part("down")};
    const std::int64_t in = parts[0].first->shape[1], each = parts[0].first->shape[0];
    for (std::int64_t i = 0; i < in; ++i)
      for (const auto& [parameter, numbers] : parts)
        for (std::int64_t o = 0; o < each; ++o)
          out.push_back(numbers[static_cast<std::size_t>(o * in + i)]);
  }
  return out;
}

// The learner's gradients against the file's, every tensor.
void expect_gradients(const Training& training) {
  const train::Parameters& parameters = training.learner.parameters();
  int compared = 0;
  double worst = 0;
  for (const llama4::ListedTensor& tensor : llama4::list_tensors(training.config())) {
    const std::string name = llama4::published_name(tensor.name, !training.config().vision);
    if (!training.expected.has("norm." + name)) continue;
    ++compared;
    const std::vector<float> found = published_gradient(parameters, tensor.name);
    const std::vector<float> wanted = training.expected.get<float>("samples." + name);
    const double length = training.expected.get<float>("norm." + name)[0];
    double squares = 0, largest = 1e-30;
    for (const float g : found) squares += double{g} * double{g};
    EXPECT_NEAR(std::sqrt(squares), length, tolerance * length + 1e-9) << name;
    for (const float g : wanted) largest = std::max(largest, std::abs(double{g}));
    const std::size_t step = std::max<std::size_t>(1, found.size() / 64);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const double error = std::abs(double{found[i * step]} - double{wanted[i]});
      worst = std::max(worst, error / largest);
      EXPECT_LE(error, tolerance * largest + 1e-9) << name << " at " << i * step;
    }
  }
  EXPECT_GT(compared, 10);
  ::testing::Test::RecordProperty("worst", fmt::format("{:.1e}", worst));
}

class Gradients : public ::testing::TestWithParam<const char*> {};

TEST_P(Gradients, AgreeWithPyTorch) {
  Training training(GetParam(), plain(), 2);
  const double wanted = training.expected.get<float>("loss")[0];
  EXPECT_NEAR(training.learn(), wanted, tolerance * wanted);
  expect_gradients(training);
}

TEST_P(Gradients, AreTheSameWhenBlocksAreComputedAgain) {
  train::LearnerOptions options = plain();
  Training kept(GetParam(), options, 2);
  options.recompute = true;
  Training again(GetParam(), options, 1);
  EXPECT_EQ(kept.learn(), again.learn());
  EXPECT_TRUE(std::ranges::equal(kept.learner.parameters().gradients(),
                                 again.learner.parameters().gradients()))
      << "and at another number of threads";
}

TEST_P(Gradients, TenStepsOfAdamWAgreeWithPyTorch) {
  Training training(GetParam(), plain(), 2);
  const std::vector<float> wanted = training.expected.get<float>("losses");
  train::Optimizer optimizer({.rate = 1e-3, .embedding_rate = 1, .decay = 0.1, .decay_all = true});
  Context& ctx = training.learner.context();
  const train::Parameters& parameters = training.learner.parameters();
  for (const float loss : wanted) {
    EXPECT_NEAR(training.learn(), double{loss}, tolerance * double{loss});
    optimizer.step(ctx, parameters, 1.0, train::Optimizer::gradient_length(ctx, parameters));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Gradients,
                         ::testing::Values("scout", "maverick", "chunks", "temperature", "topk2",
                                           "twelve", "vision", "onelayer"),
                         [](const auto& model) { return std::string(model.param); });

class RoundedGradients : public ::testing::TestWithParam<const char*> {};

TEST_P(RoundedGradients, AreNearThoseOfFloat32) {
  if (!cpu::has_bfloat16_products()) GTEST_SKIP() << "this processor has no products of bfloat16";
  train::LearnerOptions options = plain();
  Training exact(GetParam(), options, 2);
  options.bfloat16 = true;
  Training rounded(GetParam(), options, 2);
  Training alone(GetParam(), options, 1);
  const double loss = exact.learn();
  EXPECT_NEAR(rounded.learn(), loss, 0.01 * loss);
  alone.learn();
  const std::span a = exact.learner.parameters().gradients();
  const std::span b = rounded.learner.parameters().gradients();
  EXPECT_TRUE(std::ranges::equal(b, alone.learner.parameters().gradients())) << "bits, by threads";
  double distance = 0, length = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    distance += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
    length += double{a[i]} * double{a[i]};
  }
  EXPECT_LT(std::sqrt(distance / length), 0.05);
  EXPECT_GT(std::sqrt(distance / length), 1e-4) << "it was float32 that was multiplied";
}

// Those with enough rows to be rounded at all, and without a router that one rounding turns to another expert.
INSTANTIATE_TEST_SUITE_P(Models, RoundedGradients, ::testing::Values("chunks", "twelve", "vision"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace herd
