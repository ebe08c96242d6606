#include "eval/choices.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/thread_pool.h"
#include "llama4/load.h"

namespace herd::eval {
namespace {

const fs::path root = HERD_ROOT;

Result<std::vector<ChoiceQuestion>> questions_in(const std::string& text) {
  const fs::path path = fs::path(::testing::TempDir()) / "questions.jsonl";
  EXPECT_TRUE(write_file(path, std::string_view(text)));
  return read_questions(path);
}

// Literals: tools/reference/make_choices.py, by the transformers library.
TEST(ContinuationLogprobs, AgreeWithTransformers) {
  const json::value stored =
      parse_json(read_file(root / "tests/data/choices.json", 1 << 20).value()).value();
  std::vector<std::vector<std::int32_t>> continuations;
  for (const json::value& tokens : stored.at("continuations").as_array())
    continuations.push_back(json::value_to<std::vector<std::int32_t>>(tokens));
  ThreadPool pool(2);
  for (const json::value& one : stored.at("cases").as_array()) {
    const auto loaded =
        llama4::load(root / "tests/data/models" / std::string(one.at("model").as_string())).value();
    Context ctx(cpu_kernels(), pool);
    auto session =
        engine::Session::create(loaded->model(), ctx, {.context = 128, .kv_dtype = DType::f32})
            .value();
    engine::Prompt prompt;
    prompt.tokens = json::value_to<std::vector<std::int32_t>>(one.at("prompt"));
    const auto found = continuation_logprobs(session, prompt, continuations);
    ASSERT_TRUE(found) << to_string(found.error());
    for (std::size_t i = 0; i < continuations.size(); ++i)
      EXPECT_NEAR((*found)[i], one.at("sums").at(i).as_double(), 2e-4)
          << one.at("model") << " " << prompt.tokens.size() << " " << i;
  }
}

TEST(ReadQuestions, KnowsTheAnswerByIndexLetterOrText) {
  const auto questions = questions_in(
      "{\"question\": \"q\", \"choices\": [\"x\", \"y\"], \"answer\": 1}\r\n\n"
      "{\"question\": \"q\", \"choices\": [\"x\", \"y\"], \"answer\": \"B\"}\n"
      "{\"question\": \"q\", \"choices\": [\"B\", \"y\"], \"answer\": \"B\"}");
  ASSERT_TRUE(questions) << to_string(questions.error());
  ASSERT_EQ(questions->size(), 3u);
  EXPECT_EQ((*questions)[0].answer, 1u);
  EXPECT_EQ((*questions)[1].answer, 1u);
  EXPECT_EQ((*questions)[2].answer, 0u) << "a choice's own text before its letter";
}

TEST(ReadQuestions, NamesTheLineThatIsWrong) {
  const std::string good = "{\"question\": \"q\", \"choices\": [\"x\", \"y\"], \"answer\": 1}\n";
  const std::pair<const char*, const char*> cases[] = {
      {"{\"question\": \"q\", \"choices\": [\"x\", \"y\"]}", "wanted an object with question"},
      {"{\"question\": \"q\", \"choices\": [\"x\"], \"answer\": 0}", "1 choices"},
      {"{\"question\": \"q\", \"choices\": [\"x\", \"\"], \"answer\": 0}", "not empty"},
      {"{\"question\": \"q\", \"choices\": [\"x\", \"y\"], \"answer\": 2}", "none of the 2"},
      {"{\"question\": \"q\", \"choices\": [\"x\", \"y\"], \"answer\": -1}", "none of the 2"},
      {"{\"question\": \"q\", \"choices\": [\"x\", \"y\"], \"answer\": \"C\"}", "none of the 2"},
      {"nonsense", "line 2"}};
  for (const auto& [line, part] : cases) {
    const auto questions = questions_in(good + line);
    ASSERT_FALSE(questions) << line;
    EXPECT_NE(questions.error().message.find("questions.jsonl: line 2: "), std::string::npos);
    EXPECT_NE(questions.error().message.find(part), std::string::npos) << questions.error().message;
  }
  EXPECT_FALSE(questions_in("\n"));
}

// With the carried model: the same sums when each choice is measured alone, and lengths that decide.
TEST(Choose, CountsWhatIsRight) {
  const auto loaded = llama4::load(root / "models/cria").value();
  const auto bundle = engine::Bundle::open(root / "models/cria", loaded->config()).value();
  ThreadPool pool(2);
  Context ctx(cpu_kernels(), pool);
  auto session =
      engine::Session::create(loaded->model(), ctx, {.context = 256, .kv_dtype = DType::f32})
          .value();
  ChoiceQuestion question{.question = "Hello there.", .choices = {"qqq", "zz"}, .answer = 0};
  for (const bool plain : {false, true}) {
    const auto one = choose(session, bundle, std::span(&question, 1), plain);
    ASSERT_TRUE(one) << to_string(one.error());
    const std::vector<double> logprob = one->chosen[0].logprob;
    EXPECT_EQ(one->chosen[0].by_sum, logprob[0] >= logprob[1] ? 0u : 1u);
    EXPECT_EQ(one->chosen[0].by_characters, logprob[0] / 3 >= logprob[1] / 2 ? 0u : 1u);
    EXPECT_EQ(one->right_by_sum, one->chosen[0].by_sum == 0 ? 1 : 0);
    EXPECT_EQ(one->chance, 0.5);
    std::swap(question.choices[0], question.choices[1]);
    const auto other = choose(session, bundle, std::span(&question, 1), plain);
    EXPECT_NEAR(other->chosen[0].logprob[0], logprob[1], 1e-5);
    EXPECT_NEAR(other->chosen[0].logprob[1], logprob[0], 1e-5);
    std::swap(question.choices[0], question.choices[1]);
  }
}

}  // namespace
}  // namespace herd::eval
