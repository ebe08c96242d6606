#include "base/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "base/options_json.h"

namespace herd {
namespace {

constexpr std::array<std::string_view, 2> precisions{"f32", "native"};

struct Example {
  double temperature = 0.6;
  std::int64_t top_k = 40;
  std::uint64_t seed = 0;
  bool raw = false;
  std::string precision = "native";
  std::vector<std::string> stop = {};
  std::optional<std::int64_t> max_tokens = {};
  std::optional<std::string> system = {};

  static constexpr auto fields() {
    return option_list(
        option("temperature", &Example::temperature, "0 always takes the likeliest token",
               Range{0, 2}),
        option("top_k", &Example::top_k, "how many tokens are candidates", Range{0, 1000}),
        option("seed", &Example::seed, "of the random numbers", any_number),
        option("raw", &Example::raw, "no chat format"),
        option("precision", &Example::precision, "of the computation", Choices{precisions}),
        option("stop", &Example::stop, "ends the answer"),
        option("max_tokens", &Example::max_tokens, "length of the answer",
               Range{1, std::numeric_limits<std::int64_t>::max()}),
        option("system", &Example::system, "the system message"));
  }
};

std::string error_of(const Result<void>& result) {
  return result ? "none" : to_string(result.error());
}

std::string set(Example& example, std::string_view name, std::string_view text) {
  const auto rows = option_rows(example);
  const auto row = find_option(rows, name, "option");
  return row ? error_of(set_option(**row, text)) : to_string(row.error());
}

TEST(Options, AreSetFromText) {
  Example example;
  EXPECT_EQ(set(example, "temperature", "1.5"), "none");
  EXPECT_EQ(set(example, "top_k", "1000"), "none");
  EXPECT_EQ(set(example, "seed", "18446744073709551615"), "none");
  EXPECT_EQ(set(example, "raw", "true"), "none");
  EXPECT_EQ(set(example, "precision", "f32"), "none");
  EXPECT_EQ(set(example, "stop", "a"), "none");
  EXPECT_EQ(set(example, "stop", "b,c"), "none");
  EXPECT_EQ(set(example, "max_tokens", "9223372036854775807"), "none");
  EXPECT_EQ(set(example, "system", ""), "none");
  EXPECT_EQ(example.temperature, 1.5);
  EXPECT_EQ(example.top_k, 1000);
  EXPECT_EQ(example.seed, ~0ull);
  EXPECT_TRUE(example.raw);
  EXPECT_EQ(example.precision, "f32");
  EXPECT_EQ(example.stop, (std::vector<std::string>{"a", "b,c"}));
  EXPECT_EQ(example.max_tokens, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(example.system, "");
}

TEST(Options, RefuseWhatLiesOutsideTheRange) {
  Example example;
  for (const char* bad :
       {"-0.1", "2.1", "nan", "-nan", "inf", "-inf", "1e999", "", " 1", "1 ", "0x1", "one"})
    EXPECT_THAT(set(example, "temperature", bad), testing::EndsWith("wanted 0 to 2")) << bad;
  for (const char* bad : {"-1", "1001", "1.0", "99999999999999999999", "+1"})
    EXPECT_THAT(set(example, "top_k", bad), testing::EndsWith("wanted 0 to 1000")) << bad;
  EXPECT_EQ(set(example, "seed", "-1"), "error[E2001]: seed is '-1', wanted at least 0");
  EXPECT_EQ(set(example, "max_tokens", "0"), "error[E2001]: max_tokens is '0', wanted at least 1");
  EXPECT_EQ(set(example, "raw", "yes"), "error[E2001]: raw is 'yes', wanted true or false");
  EXPECT_TRUE(same_options(example, Example{}));
}

TEST(Options, NameTheNearestOfAnUnknownNameOrChoice) {
  Example example;
  EXPECT_EQ(set(example, "temprature", "1"),
            "error[E2000]: unknown option 'temprature'\nhint: did you mean 'temperature'?");
  EXPECT_EQ(set(example, "zzz", "1"), "error[E2000]: unknown option 'zzz'");
  EXPECT_EQ(
      set(example, "precision", "nativ"),
      "error[E2001]: precision is 'nativ', wanted f32 or native\nhint: did you mean 'native'?");
}

TEST(Options, ReadTheirOwnJson) {
  Example example;
  example.temperature = 0.1;
  example.seed = ~0ull;
  example.stop = {"x"};
  example.max_tokens = 7;
  const json::object object = options_to_json(example);
  EXPECT_EQ(json::serialize(object),
            R"({"temperature":1E-1,"top_k":40,"seed":18446744073709551615,"raw":false,)"
            R"("precision":"native","stop":["x"],"max_tokens":7,"system":null})");
  Example again;
  again.system = "to be taken away";
  ASSERT_EQ(error_of(set_options_from_json(again, object)), "none");
  EXPECT_TRUE(same_options(example, again));
  EXPECT_FALSE(same_options(example, Example{}));
}

TEST(Options, RefuseJsonOfAnotherKind) {
  auto error = [](std::string_view text) {
    Example example;
    const auto value = parse_json(text);
    return error_of(set_options_from_json(example, value->as_object(), "field"));
  };
  EXPECT_EQ(error(R"({"temperature":1})"), "none");
  EXPECT_EQ(error(R"({"temperature":"1"})"),
            "error[E2001]: temperature is of kind string, wanted 0 to 2");
  EXPECT_EQ(error(R"({"temperature":true})"), "error[E2001]: temperature is true, wanted 0 to 2");
  EXPECT_EQ(error(R"({"temperature":null})"),
            "error[E2001]: temperature is of kind null, wanted 0 to 2");
  EXPECT_EQ(error(R"({"top_k":1.0})"), "error[E2001]: top_k is 1, wanted 0 to 1000");
  EXPECT_EQ(error(R"({"top_k":1e300})"), "error[E2001]: top_k is 1e+300, wanted 0 to 1000");
  EXPECT_EQ(error(R"({"raw":1})"), "error[E2001]: raw is 1, wanted true or false");
  EXPECT_EQ(error(R"({"precision":1})"), "error[E2001]: precision is 1, wanted f32 or native");
  EXPECT_EQ(error(R"({"stop":"x"})"), "error[E2001]: stop is of kind string, wanted text");
  EXPECT_EQ(error(R"({"stop":["x",1]})"), "error[E2001]: stop is of kind int64, wanted text");
  EXPECT_EQ(error(R"({"system":{}})"), "error[E2001]: system is of kind object, wanted text");
  EXPECT_EQ(error(R"({"max_tokenz":1})"),
            "error[E2000]: unknown field 'max_tokenz'\nhint: did you mean 'max_tokens'?");
}

TEST(Options, CheckWhatCodeFilledIn) {
  Example example;
  EXPECT_EQ(error_of(check_options(example)), "none");
  example.temperature = std::nan("");
  EXPECT_EQ(error_of(check_options(example)), "error[E2001]: temperature is 'nan', wanted 0 to 2");
  example.temperature = 1;
  example.max_tokens = -1;
  EXPECT_EQ(error_of(check_options(example)),
            "error[E2001]: max_tokens is '-1', wanted at least 1");
  example.max_tokens.reset();
  example.precision = "f16";
  EXPECT_EQ(error_of(check_options(example)),
            "error[E2001]: precision is 'f16', wanted f32 or native");
}

TEST(Options, DescribeThemselvesInATable) {
  Example example;
  const auto rows = option_rows(example);
  EXPECT_EQ(options_table(rows),
            "| option | default | allowed | meaning |\n|---|---|---|---|\n"
            "| `temperature` | `0.6` | 0 to 2 | 0 always takes the likeliest token |\n"
            "| `top_k` | `40` | 0 to 1000 | how many tokens are candidates |\n"
            "| `seed` | `0` | at least 0 | of the random numbers |\n"
            "| `raw` | `false` | true or false | no chat format |\n"
            "| `precision` | `native` | f32 or native | of the computation |\n"
            "| `stop` | none | text | ends the answer |\n"
            "| `max_tokens` | none | at least 1 | length of the answer |\n"
            "| `system` | none | text | the system message |\n");
}

// What the static_assert in option_rows looks at.
struct Forgets {
  std::int64_t a = 0;
  std::string b;
  std::optional<std::int64_t> c = {};
  template <int which>
  static constexpr auto listed() {
    auto a = option("a", &Forgets::a, "", any_number);
    auto b = option("b", &Forgets::b, "");
    auto c = option("c", &Forgets::c, "", any_number);
    if constexpr (which == 0) return option_list(a, b, c);
    if constexpr (which == 1) return option_list(a, b);        // the last is missing
    if constexpr (which == 2) return option_list(a, c);        // one in the middle is missing
    if constexpr (which == 3) return option_list(b, c);        // the first is missing
    if constexpr (which == 4) return option_list(a, b, c, c);  // one too many
    if constexpr (which == 5) return option_list(b, a, c);     // another order
  }
};
static_assert(detail::lists_every_member(Forgets::listed<0>()));
static_assert(!detail::lists_every_member(Forgets::listed<1>()));
static_assert(!detail::lists_every_member(Forgets::listed<2>()));
static_assert(!detail::lists_every_member(Forgets::listed<3>()));
static_assert(!detail::lists_every_member(Forgets::listed<4>()));
static_assert(!detail::lists_every_member(Forgets::listed<5>()));

}  // namespace
}  // namespace herd
