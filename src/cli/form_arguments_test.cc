// --schema, --regex and --grammar of herd generate, end to end: at the highest temperature, where an answer that
// nothing holds would be of no such form.
#include "cli/form_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

using testing::MatchesRegex;

const std::string cria = HERD_ROOT "/models/cria";

// A folder for the files of one test.
class GenerateForms : public testing::Test {
 protected:
  GenerateForms() {
    std::string name = fs::temp_directory_path() / "herd_forms_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~GenerateForms() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string file(const std::string& name, std::string_view text) const {
    const std::string path = folder_ / name;
    EXPECT_TRUE(write_file(path, text).has_value()) << path;
    return path;
  }

  static Ran generate(const std::vector<std::string>& more, int seed = 1) {
    std::vector<std::string> words{
        "generate",      cria, "Tell me a story.", "--max-tokens",      "120", "--top-p", "1",
        "--temperature", "2",  "--seed",           std::to_string(seed)};
    words.insert(words.end(), more.begin(), more.end());
    return run_herd(words);
  }

 private:
  fs::path folder_;
};

TEST_F(GenerateForms, AnAnswerIsValidByItsSchema) {
  const std::string schema = file("schema.json", R"({"type": "object",
      "properties": {"colour": {"enum": ["red", "green"]},
                     "legs": {"type": "integer", "minimum": 2, "maximum": 8}},
      "required": ["colour", "legs"], "additionalProperties": false})");
  for (int seed = 1; seed <= 4; ++seed) {
    const Ran ran = generate({"--schema", schema}, seed);
    ASSERT_EQ(ran.status, 0) << ran.err;
    const json::value answer = document_of(ran);
    ASSERT_EQ(answer.as_object().size(), 2u) << ran.out;
    EXPECT_TRUE(answer.at("colour") == "red" || answer.at("colour") == "green") << ran.out;
    EXPECT_GE(answer.at("legs").as_int64(), 2) << ran.out;
    EXPECT_LE(answer.at("legs").as_int64(), 8) << ran.out;
  }
}

TEST_F(GenerateForms, AnAnswerMatchesItsExpressionAsAWhole) {
  for (int seed = 1; seed <= 4; ++seed) {
    const Ran ran = generate({"--regex", "(red|green) [0-9]{3}"}, seed);
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_THAT(ran.out, MatchesRegex("(red|green) [0-9]{3}\n"));
  }
}

TEST_F(GenerateForms, AnAnswerFollowsItsGrammar) {
  const std::string grammar =
      file("grammar.gbnf",
           "root ::= item (\", \" item){2}\nitem ::= [a-c]{1,4} \"=\" (\"yes\" | \"no\")\n");
  for (int seed = 1; seed <= 4; ++seed) {
    const Ran ran = generate({"--grammar", grammar}, seed);
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_THAT(ran.out, MatchesRegex("[a-c]{1,4}=(yes|no)(, [a-c]{1,4}=(yes|no)){2}\n"));
  }
}

TEST_F(GenerateForms, WhatIsWrongWithAFormIsNamed) {
  const std::string schema = file("wrong.json", R"({"type": "colour"})");
  const std::string broken = file("broken.json", "{\"type\": ");
  const std::string grammar = file("wrong.gbnf", "root ::= missing\n");
  struct Row {
    std::vector<std::string> flags;
    int status;
    std::vector<std::string> named;
  };
  const Row rows[] = {
      {{"--schema", schema}, 65, {schema, "type", "colour"}},
      {{"--schema", broken}, 65, {broken}},
      {{"--schema", schema + "x"}, 66, {schema + "x"}},
      {{"--grammar", grammar}, 65, {grammar, "missing"}},
      {{"--grammar", grammar + "x"}, 66, {grammar + "x"}},
      {{"--regex", "(a"}, 65, {"(a"}},
      {{"--regex", "a", "--grammar", grammar}, 2, {"--schema, --regex and --grammar"}},
  };
  for (const Row& row : rows) {
    const Ran ran = generate(row.flags);
    EXPECT_EQ(ran.status, row.status) << row.flags.back() << ": " << ran.err;
    EXPECT_EQ(ran.out, "") << row.flags.back();
    for (const std::string& name : row.named)
      EXPECT_NE(ran.err.find(name), std::string::npos) << name << " in " << ran.err;
  }
}

}  // namespace
}  // namespace herd::cli
