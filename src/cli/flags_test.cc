#include "cli/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace herd::cli {
namespace {

constexpr std::array<std::string_view, 2> precisions{"f32", "native"};

struct Example {
  std::string model = {};
  std::optional<std::string> prompt = {};
  double temperature = 0.6;
  std::int64_t max_tokens = 512;
  std::uint64_t seed = 0;
  bool raw = false;
  bool stream = true;
  std::string precision = "native";
  std::vector<std::string> image = {};

  static constexpr auto fields() {
    return option_list(
        option("model", &Example::model, "directory or name of the model"),
        option("prompt", &Example::prompt, "what is asked"),
        option("temperature", &Example::temperature, "0 always takes the likeliest token",
               Range{0, 2}),
        option("max_tokens", &Example::max_tokens, "longest answer", Range{1, 1'000'000}),
        option("seed", &Example::seed, "of the random numbers", any_number),
        option("raw", &Example::raw, "no chat format"),
        option("stream", &Example::stream, "print as it comes"),
        option("precision", &Example::precision, "of the computation", Choices{precisions}),
        option("image", &Example::image, "a picture that belongs to the prompt"));
  }
};

struct Parsed {
  Example options;
  std::string outcome;  // "", the help, or the error
};

Parsed parse(std::vector<std::string> arguments) {
  Parsed out;
  Flags flags("generate", "one answer", "herd generate models/cria 'Hello'");
  flags.add(out.options, {{"model"}, {"prompt", false}});
  const auto result = flags.parse(arguments);
  out.outcome = result ? result->value_or("") : to_string(result.error());
  return out;
}

TEST(Flags, SetOptionsByNameAndByPlace) {
  const Parsed got = parse({"models/cria", "--temperature", "0", "--image", "a.png", "Hello",
                            "--raw", "--max-tokens=7", "--no-stream", "--image", "b.png",
                            "--precision", "f32", "--seed", "18446744073709551615"});
  EXPECT_EQ(got.outcome, "");
  EXPECT_EQ(got.options.model, "models/cria");
  EXPECT_EQ(got.options.prompt, "Hello");
  EXPECT_EQ(got.options.temperature, 0);
  EXPECT_EQ(got.options.max_tokens, 7);
  EXPECT_EQ(got.options.seed, ~0ull);
  EXPECT_TRUE(got.options.raw);
  EXPECT_FALSE(got.options.stream);
  EXPECT_EQ(got.options.precision, "f32");
  EXPECT_EQ(got.options.image, (std::vector<std::string>{"a.png", "b.png"}));
}

TEST(Flags, KeepDefaultsOfWhatIsNotGiven) {
  const Parsed got = parse({"m"});
  EXPECT_EQ(got.outcome, "");
  Example wanted;
  wanted.model = "m";
  EXPECT_TRUE(same_options(got.options, wanted));
}

TEST(Flags, TakeTextThatLooksLikeAFlagAfterTwoDashes) {
  const Parsed got = parse({"m", "--", "--raw"});
  EXPECT_EQ(got.outcome, "");
  EXPECT_EQ(got.options.prompt, "--raw");
  EXPECT_FALSE(got.options.raw);
}

TEST(Flags, NameTheNearestOfAnUnknownFlag) {
  EXPECT_EQ(parse({"m", "--temprature", "1"}).outcome,
            "error[E2000]: herd generate: unknown flag '--temprature'\n"
            "hint: did you mean '--temperature'?");
  EXPECT_EQ(parse({"m", "--temprature=1"}).outcome,
            "error[E2000]: herd generate: unknown flag '--temprature'\n"
            "hint: did you mean '--temperature'?");
  EXPECT_EQ(parse({"m", "--zzzzzz"}).outcome,
            "error[E2000]: herd generate: unknown flag '--zzzzzz'\n"
            "hint: herd generate --help lists the flags");
  EXPECT_EQ(parse({"m", "p", "q"}).outcome, "error[E2000]: herd generate: unexpected argument 'q'");
}

TEST(Flags, SayWhatAValueMayBe) {
  EXPECT_EQ(parse({"m", "--temperature", "nan"}).outcome,
            "error[E2001]: --temperature is 'nan', wanted 0 to 2");
  EXPECT_EQ(parse({"m", "--temperature", "-1"}).outcome,
            "error[E2001]: --temperature is '-1', wanted 0 to 2");
  EXPECT_EQ(parse({"m", "--max-tokens", "many"}).outcome,
            "error[E2001]: --max-tokens is 'many', wanted 1 to 1000000");
  EXPECT_EQ(parse({"m", "--precision", "f31"}).outcome,
            "error[E2001]: --precision is 'f31', wanted f32 or native\nhint: did you mean 'f32'?");
}

TEST(Flags, RefuseWhatIsMissingOrGivenTwice) {
  for (const auto& arguments :
       {std::vector<std::string>{}, {"m", "--seed"}, {"m", "--seed", "1", "--seed", "2"}}) {
    const std::string outcome = parse(arguments).outcome;
    EXPECT_THAT(outcome, testing::StartsWith("error[E2000]: herd generate: "));
    EXPECT_THAT(outcome, testing::EndsWith("hint: herd generate --help lists the flags"));
  }
}

TEST(Flags, ExplainThemselves) {
  EXPECT_EQ(parse({"--help"}).outcome, R"(one answer
Usage: herd generate [OPTIONS] MODEL [PROMPT]

Positionals:
  MODEL                       directory or name of the model
  PROMPT                      what is asked

Options:
  -h, --help                  this text
  --temperature X             0 always takes the likeliest token (0 to 2; default 0.6)
  --max-tokens N              longest answer (1 to 1000000; default 512)
  --seed N                    of the random numbers (at least 0; default 0)
  --raw                       no chat format
  --no-stream                 do not: print as it comes
  --precision TEXT            of the computation (f32 or native; default native)
  --image TEXT...             a picture that belongs to the prompt

Example:
  herd generate models/cria 'Hello'
)");
}

}  // namespace
}  // namespace herd::cli
