// Does a model learn? From random weights to right answers in about two minutes on two cores, by the program alone:
// the tiny Llama 4 of tests/data/learning (2 million parameters, vision and experts and all) reads stories and looks
// at pictures, and is then asked about people, things and colours that its training never combined so.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/thread_pool.h"
#include "cli/testing/run_herd.h"
#include "eval/graded.h"
#include "llama4/load.h"
#include "world/shape_scene.h"

namespace herd {
namespace {

constexpr std::int64_t cases = 300;
constexpr world::Sizes sizes{.items_max = 1};  // as in the recipe

// Right answers, in percent, with what giving the commonest answer would score.
double percent(const fs::path& model, std::string_view task,
               std::function<bool(const world::Sample&)> wants = {}) {
  const std::unique_ptr<llama4::Loaded> loaded = llama4::load(model).value();
  const engine::Bundle bundle = engine::Bundle::open(model, loaded->config()).value();
  ThreadPool pool;
  Context ctx(cpu_kernels(), pool);
  engine::Session session =
      engine::Session::create(loaded->model(), ctx, {.context = 1024}).value();
  const eval::Score score =
      eval::grade(session, bundle, *world::find_task(task),
                  {.cases = cases, .max_tokens = 40, .sizes = sizes, .wants = std::move(wants)})
          .value();
  EXPECT_EQ(score.cases, cases);
  fmt::print("{}: {:.0f} % of {} right; the commonest answer alone: {:.0f} %\n", task,
             100 * score.share(), score.cases, 100 * score.majority_share());
  for (const eval::Mistake& wrong : score.mistakes)
    fmt::print("  {} | wanted {} | got {}\n", wrong.question.substr(wrong.question.rfind('\n') + 1),
               wrong.expected, wrong.reply);
  return 100 * score.share();
}

bool asks_for_a_colour(const world::Sample& sample) {
  return sample.accepted.size() == 1 &&
         std::ranges::find(world::shape_colours(), sample.accepted[0]) !=
             world::shape_colours().end();
}

TEST(Learning, AnswersAboutStoriesAndColoursFromRandomWeights) {
  const cli::TemporaryDirectory directory;
  const fs::path root = HERD_ROOT;
  // Words, template and pictures as cria has them; the shape and the recipe are the test's own.
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "generation_config.json", "preprocessor_config.json", "processor_config.json"})
    fs::copy_file(root / "models/cria" / name, directory / name);
  for (const char* name : {"config.json", "recipe.toml"})
    fs::copy_file(root / "tests/data/learning" / name, directory / name);
  const std::string recipe = directory / "recipe.toml";
  const cli::Ran ran = cli::run_herd({"train", recipe, "--out", directory / "out"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const fs::path model = directory.path() / "out" / "model";
  EXPECT_GE(percent(model, "shapes", asks_for_a_colour), 70);
  EXPECT_GE(percent(model, "story_questions"), 80);
}

}  // namespace
}  // namespace herd
