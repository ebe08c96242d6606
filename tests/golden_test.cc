// Whole models against the reference library's numbers: every tiny checkpoint under tests/data/models, made and
// measured by tools/reference/make_models.py with transformers. Compared in float32: hidden state after every layer,
// router choices, picture vectors, logits, and 64 greedily chosen tokens.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "base/thread_pool.h"
#include "checkpoint/safetensors.h"
#include "engine/session.h"
#include "llama4/load.h"

namespace herd {
namespace {

// Of the expected tensor's range. Measured: at most 4.4e-6 (docs/numerics.md); a wrong norm epsilon shows as 3e-5.
constexpr double tolerance = 1e-5;

// The file of expected numbers beside a model.
class Expected {
 public:
  explicit Expected(const fs::path& path) {
    auto file = checkpoint::Safetensors::open(path);
    if (!file) throw std::runtime_error(to_string(file.error()));
    file_.emplace(std::move(*file));
  }
  [[nodiscard]] bool has(const std::string& name) const { return file_->find(name) != nullptr; }

  template <typename T>
  [[nodiscard]] std::vector<T> numbers(const std::string& name) const {
    const auto* entry = file_->find(name);
    if (entry == nullptr) throw std::runtime_error("no tensor " + name);
    if (entry->dtype != dtype_of<T>) throw std::runtime_error("wrong type of " + name);
    std::vector<T> out(static_cast<std::size_t>(entry->shape.elements()));
    std::memcpy(out.data(), file_->bytes(*entry).data(), out.size() * sizeof(T));
    return out;
  }
  [[nodiscard]] Shape shape(const std::string& name) const { return file_->find(name)->shape; }

 private:
  std::optional<checkpoint::Safetensors> file_;
};

// Largest difference as a share of the expected numbers' range.
double relative_error(std::span<const float> found, std::span<const float> wanted) {
  if (found.size() != wanted.size()) return INFINITY;
  const auto [low, high] = std::ranges::minmax(wanted);
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference =
        std::abs(static_cast<double>(found[i]) - static_cast<double>(wanted[i]));
    if (!(difference <= worst)) worst = difference;  // a NaN stays
  }
  return worst / std::max(1e-30, static_cast<double>(high) - static_cast<double>(low));
}

// Everything the model showed while it ran over a prompt, rows of all pieces one after another.
struct Seen {
  std::map<std::string, std::vector<float>> numbers;
  std::map<std::string, std::vector<std::int32_t>> choices;

  Context::Watch watch() {
    return [this](std::string_view place, std::int64_t layer, const Tensor& x) {
      const std::string key = layer < 0 ? std::string(place) : fmt::format("{}.{}", place, layer);
      if (x.dtype == DType::i32) {
        const auto values = x.as<std::int32_t>();
        choices[key].insert(choices[key].end(), values.begin(), values.end());
      } else {
        const auto values = x.as<float>();
        numbers[key].insert(numbers[key].end(), values.begin(), values.end());
      }
    };
  }
};

std::vector<float> chosen_rows(const std::vector<float>& all, std::int64_t rows_in_all,
                               const std::vector<std::int64_t>& rows) {
  const std::int64_t width = static_cast<std::int64_t>(all.size()) / rows_in_all;
  std::vector<float> out;
  for (const std::int64_t row : rows)
    out.insert(out.end(), all.begin() + row * width, all.begin() + (row + 1) * width);
  return out;
}

engine::Prompt prompt_of(const Expected& expected, const std::string& prefix,
                         const llama4::Config& config) {
  engine::Prompt prompt;
  for (const std::int64_t token : expected.numbers<std::int64_t>(prefix + "tokens"))
    prompt.tokens.push_back(static_cast<std::int32_t>(token));
  if (!expected.has(prefix + "pixels")) return prompt;
  const Shape shape = expected.shape(prefix + "pixels");
  prompt.pictures.push_back(
      {.tiles = shape[0], .side = shape[2], .pixels = expected.numbers<float>(prefix + "pixels")});
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i)
    if (prompt.tokens[i] == config.image_token)
      prompt.patches.push_back(static_cast<std::int64_t>(i));
  return prompt;
}

// The best token after the prompt, after that one, and so on.
Result<std::vector<std::int64_t>> greedy_tokens(engine::Session& session,
                                                const engine::Prompt& prompt, std::size_t count) {
  std::vector<std::int64_t> greedy;
  HERD_TRY(std::span<const float> logits, session.prefill(prompt));
  while (true) {
    greedy.push_back(std::ranges::max_element(logits) - logits.begin());
    if (greedy.size() >= count) return greedy;
    HERD_TRY(logits, session.step(static_cast<std::int32_t>(greedy.back())));
  }
}

class Golden : public testing::TestWithParam<std::string> {
 protected:
  Golden() : pool(2), ctx(cpu_kernels(), pool) {}
  ThreadPool pool;
  Context ctx;
};

TEST_P(Golden, AgreesWithTransformersAtEveryLayer) {
  // An absolute path stays what it is.
  const fs::path directory = fs::path(HERD_ROOT) / "tests/data/models" / GetParam();
  auto loaded = llama4::load(directory);
  ASSERT_TRUE(loaded.has_value()) << to_string(loaded.error());
  const llama4::Config& config = (*loaded)->config();
  const Expected expected(directory / "expected.safetensors");

  std::map<std::string, double> worst_error;  // by kind of tensor, for docs/numerics.md
  int cases = 0;
  for (; expected.has(fmt::format("case{}.tokens", cases)); ++cases) {
    SCOPED_TRACE(fmt::format("case {}", cases));
    const std::string prefix = fmt::format("case{}.", cases);
    const engine::Prompt prompt = prompt_of(expected, prefix, config);
    const auto tokens = static_cast<std::int64_t>(prompt.tokens.size());
    auto session = engine::Session::create(
        (*loaded)->model(), ctx,
        {.context = tokens + 64, .piece_rows = 512, .kv_dtype = DType::f32});
    ASSERT_TRUE(session.has_value());

    Seen seen;
    ctx.watch = seen.watch();
    std::vector<float> logits;
    const auto ran = session->all_logits(prompt, [&](std::int64_t, const Tensor& piece) {
      logits.insert(logits.end(), piece.as<float>().begin(), piece.as<float>().end());
      return Result<void>{};
    });
    ASSERT_TRUE(ran.has_value()) << to_string(ran.error());
    ctx.watch = nullptr;

    std::vector<std::int64_t> rows;
    if (expected.has(prefix + "rows")) {
      rows = expected.numbers<std::int64_t>(prefix + "rows");
    } else {
      for (std::int64_t row = 0; row < tokens; ++row) rows.push_back(row);
    }
    auto compare = [&](const std::string& name, const std::vector<float>& found) {
      const double error = relative_error(found, expected.numbers<float>(prefix + name));
      EXPECT_LE(error, tolerance) << name;
      double& worst = worst_error[name.substr(0, name.find('.'))];
      worst = std::max(worst, error);
    };
    compare("embed", seen.numbers["embed"]);
    for (std::int64_t layer = 0; layer < config.text.layers; ++layer) {
      const std::string hidden = fmt::format("hidden.{}", layer);
      compare(hidden, chosen_rows(seen.numbers[hidden], tokens, rows));
      if (!config.text.is_moe[static_cast<std::size_t>(layer)]) continue;
      compare(fmt::format("router.{}", layer), seen.numbers[fmt::format("router.{}", layer)]);
      const std::string experts = fmt::format("experts.{}", layer);
      const auto wanted = expected.numbers<std::int64_t>(prefix + experts);
      EXPECT_TRUE(std::ranges::equal(seen.choices[experts], wanted)) << experts;
    }
    compare("logits", chosen_rows(logits, tokens, rows));
    if (!prompt.pictures.empty()) {
      compare("vision", seen.numbers["vision"]);
      compare("projected", seen.numbers["projected"]);
    }

    const auto wanted = expected.numbers<std::int64_t>(prefix + "greedy");
    EXPECT_GE(wanted.size(), 8u);
    const auto greedy = greedy_tokens(*session, prompt, wanted.size());
    ASSERT_TRUE(greedy.has_value()) << to_string(greedy.error());
    EXPECT_EQ(*greedy, wanted);
  }
  EXPECT_GE(cases, 1);
  for (const auto& [name, error] : worst_error)
    fmt::print("  {:<12} {:<10} {:.1e} of the range\n", GetParam(), name, error);
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(HERD_ROOT) / "tests/data/models"))
    if (fs::exists(entry.path() / "expected.safetensors"))
      names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::ValuesIn(model_names()),
                         [](const auto& model) { return model.param; });

// A directory like those, anywhere: tests/slice_test.py makes a layer of Scout's true width and names it here.
std::vector<std::string> other_models() {
  const char* named = std::getenv("HERD_GOLDEN_MODEL");
  return named == nullptr ? std::vector<std::string>{} : std::vector<std::string>{named};
}

INSTANTIATE_TEST_SUITE_P(Other, Golden, testing::ValuesIn(other_models()),
                         [](const auto&) { return std::string("model"); });

}  // namespace
}  // namespace herd
