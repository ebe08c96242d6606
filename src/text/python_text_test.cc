#include "text/python_text.h"

#include <gtest/gtest.h>

namespace herd::text {
namespace {

std::string dumped(std::string_view text, int indent = 0) {
  return python_json(*parse_json(text), indent);
}

// Every expected value was printed by Python 3.11.
TEST(PythonText, PrintsNumbersAsPythonDoes) {
  EXPECT_EQ(dumped("[0,-1,9007199254740993,18446744073709551615]"),
            "[0, -1, 9007199254740993, 18446744073709551615]");
  EXPECT_EQ(dumped("[0.1,-2.5,1e16,1e15,123456.789,1e-4,1e-5,1.0,-0.0,1e22,1.5e-7]"),
            "[0.1, -2.5, 1e+16, 1000000000000000.0, 123456.789, 0.0001, 1e-05, 1.0, -0.0, 1e+22, "
            "1.5e-07]");
  EXPECT_EQ(dumped("[100.0,1234567890123456.7,12345678901234567.0,0.00012345]"),
            "[100.0, 1234567890123456.8, 1.2345678901234568e+16, 0.00012345]");
}

TEST(PythonText, EscapesWhatJsonMustAndNothingElse) {
  EXPECT_EQ(dumped(R"("\u0001\b\f\n\r\t\"\\/\u007f\u00e9\u2028<&>")"),
            "\"\\u0001\\b\\f\\n\\r\\t\\\"\\\\/\x7f\u00e9\u2028<&>\"");
}

TEST(PythonText, IndentsAsPythonDoes) {
  EXPECT_EQ(dumped(R"({"b":[],"a":{},"c":[1,{"d":null}]})", 4),
            "{\n    \"b\": [],\n    \"a\": {},\n    \"c\": [\n        1,\n        {\n"
            "            \"d\": null\n        }\n    ]\n}");
  EXPECT_EQ(dumped(R"({"b":[],"a":{},"c":[1,true]})"), R"({"b": [], "a": {}, "c": [1, true]})");
}

TEST(PythonText, PrintsValuesAsStrDoes) {
  const auto printed = [](std::string_view text) { return python_str(*parse_json(text)); };
  EXPECT_EQ(printed("\"it's\""), "it's");
  EXPECT_EQ(printed("null"), "None");
  EXPECT_EQ(printed("true"), "True");
  EXPECT_EQ(printed("1e22"), "1e+22");
  EXPECT_EQ(printed(R"(["a'b","a\"b","a'\"b",null,false,{"k":1.0}])"),
            R"(["a'b", 'a"b', 'a\'"b', None, False, {'k': 1.0}])");
  EXPECT_EQ(
      printed(R"(["\n\t\r\\\u0000\u007f\u0085\u00a0\u00ad\u00e9\u200b\u2028\ue000\ud83d\ude42"])"),
      "['\\n\\t\\r\\\\\\x00\\x7f\\x85\\xa0\\xad\u00e9\\u200b\\u2028\\ue000\U0001F642']");
}

TEST(PythonText, StripsWhatPythonStrips) {
  EXPECT_EQ(
      python_strip(" \t\n\v\f\r\x1c\x1d\x1e\x1f\u0085\u00a0\u1680\u2003\u2028\u202f\u205f\u3000"
                   "a b\u3000\u00a0\x1f "),
      "a b");
  EXPECT_EQ(python_strip("\u200b a"), "\u200b a");
  EXPECT_EQ(python_strip(" \n "), "");
  EXPECT_EQ(python_strip(""), "");
  EXPECT_EQ(python_strip("\xa0 x\x80"), "\xa0 x\x80");  // bytes that are no UTF-8 are no spaces
}

}  // namespace
}  // namespace herd::text
