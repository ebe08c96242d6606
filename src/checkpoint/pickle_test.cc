// The limits of pickle.h, from below and from above. What pickles mean is shown by tests/attacks_test.cc and by the
// models that Meta's format carries (tests/data/models/meta).
#include "checkpoint/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/limits.h"

namespace herd::checkpoint {
namespace {

using ::testing::HasSubstr;

std::string repeated(std::string_view what, std::uint64_t times) {
  std::string out;
  out.reserve(what.size() * times);
  for (std::uint64_t i = 0; i < times; ++i) out += what;
  return out;
}

// A number as the pickle has it: four bytes, the lowest first.
std::string u32(std::uint64_t number) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift & 0xFF);
  return out;
}

std::string text(std::string_view value) { return "X" + u32(value.size()) + std::string(value); }

// The message of the error; empty when the pickle is read.
std::string complaint(std::string_view pickle) {
  const auto read = read_pickle(bytes_of(pickle));
  if (read) return "";
  EXPECT_EQ(read.error().code, Code::bad_pickle);
  return read.error().message;
}

TEST(PickleLimits, Bytes) {
  // An empty dict, and a text as long as wanted that is thrown away.
  const auto sized = [](std::uint64_t bytes) {
    return "}X" + u32(bytes - 8) + std::string(bytes - 8, 'x') + "0.";
  };
  for (const std::uint64_t bytes : {limits::pickle_bytes_max - 1, limits::pickle_bytes_max}) {
    ASSERT_EQ(sized(bytes).size(), bytes);
    EXPECT_EQ(complaint(sized(bytes)), "");
  }
  EXPECT_THAT(complaint(sized(limits::pickle_bytes_max + 1)), HasSubstr("limit 67108864"));
}

TEST(PickleLimits, Steps) {
  // Copies of the dict's reference are pushed and popped: two steps that make no value. The dict and STOP are two more.
  const auto stepping = [](std::uint64_t steps) {
    return "}" + repeated("20", (steps - 2) / 2) + (steps % 2 == 1 ? "\x80\x02" : "") + ".";
  };
  EXPECT_EQ(complaint(stepping(limits::pickle_steps_max - 1)), "");
  EXPECT_EQ(complaint(stepping(limits::pickle_steps_max)), "");
  EXPECT_THAT(complaint(stepping(limits::pickle_steps_max + 1)),
              HasSubstr("takes more than 4194304 steps"));
}

TEST(PickleLimits, Values) {
  const auto making = [](std::uint64_t values) { return "}" + repeated("N0", values - 1) + "."; };
  EXPECT_EQ(complaint(making(limits::pickle_values_max - 1)), "");
  EXPECT_EQ(complaint(making(limits::pickle_values_max)), "");
  EXPECT_THAT(complaint(making(limits::pickle_values_max + 1)),
              HasSubstr("makes more than 1048576 values"));
  // Places of the memo are counted like values, however few are used.
  const auto memo_at = [](std::uint64_t at) { return "}r" + u32(at) + "."; };
  EXPECT_EQ(complaint(memo_at(limits::pickle_values_max - 1)), "");
  EXPECT_THAT(complaint(memo_at(limits::pickle_values_max)), HasSubstr("sets memo 1048576"));
}

TEST(PickleLimits, Depth) {
  // Marks that are open at once.
  const auto marks = [](std::uint64_t depth) {
    return "}" + std::string(depth, '(') + std::string(depth, '1') + ".";
  };
  // Dicts inside of dicts, the outermost counted.
  const auto dicts = [](std::uint64_t depth) {
    return repeated("}" + text("k"), depth - 1) + "}" + std::string(depth - 1, 's') + ".";
  };
  for (const std::uint64_t depth : {limits::pickle_depth_max - 1, limits::pickle_depth_max}) {
    EXPECT_EQ(complaint(marks(depth)), "");
    EXPECT_EQ(complaint(dicts(depth)), "");
  }
  EXPECT_THAT(complaint(marks(limits::pickle_depth_max + 1)), HasSubstr("deeper than 64"));
  EXPECT_THAT(complaint(dicts(limits::pickle_depth_max + 1)), HasSubstr("deeper than 64"));
}

TEST(PickleLimits, Tensors) {
  // Memo 0 is the function that makes a tensor, memo 1 a storage of one number; every tensor is a scalar of it.
  const auto holding = [](std::uint64_t tensors) {
    std::string out = "}ctorch._utils\n_rebuild_tensor_v2\nq";
    out += '\0';
    out += "0(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu");
    out +=
        "K\x01tQq\x01"
        "0";
    for (std::uint64_t i = 0; i < tensors; ++i) {
      out += text(fmt::format("{}", i)) + "h";
      out += '\0';
      out += "(h\x01K";
      out += '\0';
      out += "))tRs";
    }
    return out + ".";
  };
  const auto few = read_pickle(bytes_of(holding(2)));
  ASSERT_TRUE(few.has_value()) << to_string(few.error());
  EXPECT_EQ(few->at(1).name, "1");
  EXPECT_EQ(few->at(1).storage_bytes, 4u);
  EXPECT_EQ(complaint(holding(limits::pickle_tensors_max - 1)), "");
  EXPECT_EQ(complaint(holding(limits::pickle_tensors_max)), "");
  EXPECT_THAT(complaint(holding(limits::pickle_tensors_max + 1)),
              HasSubstr("makes more than 65536 tensors"));
}

}  // namespace
}  // namespace herd::checkpoint
