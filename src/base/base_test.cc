#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/arena.h"
#include "base/byte_reader.h"
#include "base/checked_math.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/thread_pool.h"

namespace herd {
namespace {

TEST(ErrorTable, NumbersAreUnique) {
  for (const CodeRow& a : code_table)
    for (const CodeRow& b : code_table)
      if (a.code != b.code) {
        EXPECT_NE(a.number, b.number);
        EXPECT_NE(a.name, b.name);
      }
}

TEST(Shown, EscapesControlCharactersAndCutsLongText) {
  EXPECT_EQ(shown("a\nb"), "'a\\x0ab'");
  EXPECT_EQ(shown(std::string(65, 'x')), "'" + std::string(64, 'x') + "…'");
}

TEST(CheckedMath, FindsOverflow) {
  EXPECT_EQ(checked_mul(1ull << 40, 1ull << 40), std::nullopt);
  EXPECT_EQ(checked_mul(1ull << 31, 1ull << 31), 1ull << 62);
  EXPECT_EQ(checked_add(~0ull, 1), std::nullopt);
}

TEST(File, APipeIsRefusedAtOnce) {
  const fs::path pipe = fs::path(::testing::TempDir()) / "herd_pipe";
  fs::remove(pipe);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ::alarm(20);  // opened as a file is, it would never come back
  const auto text = read_file(pipe, 100);
  const auto mapping = Mapping::open(pipe);
  ::alarm(0);
  fs::remove(pipe);
  ASSERT_FALSE(text.has_value());
  EXPECT_TRUE(text.error().message.ends_with("is not a regular file")) << text.error().message;
  ASSERT_FALSE(mapping.has_value());
  EXPECT_TRUE(mapping.error().message.ends_with("is not a regular file"));
}

TEST(ByteReader, NeverReadsPastTheEnd) {
  const std::array<std::byte, 3> three{};
  ByteReader reader(three);
  EXPECT_TRUE(reader.pod<std::uint16_t>().has_value());
  EXPECT_FALSE(reader.pod<std::uint16_t>().has_value());
  EXPECT_EQ(reader.left(), 1u);
  EXPECT_FALSE(reader.bytes(~0ull).has_value());
}

TEST(ThreadPool, CoversEveryItemOnceAtAnyNumberOfThreads) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (std::int64_t items : {0, 1, 7, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(items));
      for (int round = 0; round < 50; ++round)
        pool.run(items, 3, [&](std::int64_t begin, std::int64_t end, int thread) {
          ASSERT_LT(thread, threads);
          for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
        });
      for (const auto& count : seen) EXPECT_EQ(count, 50);
    }
  }
}

// A worker that comes late must not enter the round before or the one after with what it knew of another: every piece
// notes its own round's number. Between some rounds workers fall asleep; more threads than the machine has are there
// for workers that the system holds back in the middle.
TEST(ThreadPool, KeepsRoundsApart) {
  for (int threads : {2, 5}) {
    ThreadPool pool(threads);
    std::vector<std::int64_t> last(7, -1);
    for (std::int64_t round = 0; round < 20'000; ++round) {
      if (round % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      pool.run(7, 1, [&](std::int64_t begin, std::int64_t, int) {
        last[static_cast<std::size_t>(begin)] = round;
      });
      for (const std::int64_t one : last) ASSERT_EQ(one, round);
    }
  }
}

// The caller is held up in its first piece until all others are done; twenty seconds in all are for a test that fails.
TEST(ThreadPool, HelpsWithTheShareOfWhoIsHeldUp) {
  ThreadPool pool(2);
  std::atomic<int> done{0};
  std::vector<std::int64_t> others;
  int waited = 0;  // by the caller
  pool.run(64, 1, [&](std::int64_t begin, std::int64_t, int thread) {
    if (thread == 1) others.push_back(begin);
    for (; thread == 0 && done < 63 && waited < 20'000; ++waited)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ++done;
  });
  ASSERT_EQ(others.size(), 63u);
  EXPECT_EQ(others.front(), 32);  // its own share first, in order
  EXPECT_EQ(others[31], 63);
  EXPECT_EQ(others[32], 1);
}

TEST(Arena, GivesReleasedMemoryToTheNextOfItsSize) {
  Arena arena(1024);
  void* const a = arena.allocate(100);
  void* const b = arena.allocate(300);
  arena.release(a, 100);
  EXPECT_NE(arena.allocate(200), a);  // of another size
  EXPECT_EQ(arena.allocate(128), a);  // 100 took as much
  EXPECT_NE(arena.allocate(128), a);  // taken
  arena.release(b, 300);
  const Arena::Mark mark = arena.mark();
  void* const c = arena.allocate(4000);
  arena.release(c, 4000);
  arena.rewind(mark);
  EXPECT_EQ(arena.allocate(300), b);                      // of before the mark
  EXPECT_NE(arena.allocate(4000), arena.allocate(4000));  // c is free, but once
}

TEST(Arena, GivesTheSameAddressesAfterAReset) {
  Arena arena(1024);
  std::vector<void*> first;
  for (std::size_t bytes : {10u, 500u, 3000u, 64u}) first.push_back(arena.allocate(bytes));
  const std::size_t reserved = arena.bytes_reserved();
  arena.reset();
  std::size_t i = 0;
  for (std::size_t bytes : {10u, 500u, 3000u, 64u}) EXPECT_EQ(arena.allocate(bytes), first[i++]);
  EXPECT_EQ(arena.bytes_reserved(), reserved);
}

// Known answers of Random123 (kat_vectors, philox4x32 10).
TEST(Philox, AgreesWithThePublishedVectors) {
  const auto zero = philox(0, 0, 0);
  EXPECT_EQ(zero, (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const auto ones = philox(~0ull, ~0ull, ~0ull);
  EXPECT_EQ(ones, (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Json, RefusesDuplicateKeysDepthAndTrailingText) {
  EXPECT_TRUE(parse_json(R"({"a":1,"b":{"a":2}})").has_value());
  EXPECT_EQ(parse_json(R"({"a":1,"a":2})").error().code, Code::invalid_json);
  EXPECT_EQ(parse_json("[1] x").error().code, Code::invalid_json);
  EXPECT_EQ(parse_json("").error().code, Code::invalid_json);
  EXPECT_EQ(parse_json("[NaN]").error().code, Code::invalid_json);
  // What no double holds would become infinite, and pass every check of a range.
  EXPECT_EQ(parse_json("[1e400]").error().code, Code::invalid_json);
  EXPECT_EQ(parse_json("[-1e309]").error().code, Code::invalid_json);
  EXPECT_TRUE(parse_json("[1.7976931348623157e308, 5e-324, 1e-400]").has_value());
  auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(limits::json_depth_max - 1)).has_value());
  EXPECT_TRUE(parse_json(nested(limits::json_depth_max)).has_value());
  EXPECT_EQ(parse_json(nested(limits::json_depth_max + 1)).error().code, Code::json_too_deep);
}

// Boost.JSON 1.81 itself is off by the last bit for each of the first three.
TEST(Json, ReadsDoublesToTheNearest) {
  EXPECT_EQ(parse_json("104696.71428571429")->as_double(), 104696.71428571429);
  EXPECT_EQ(parse_json("203232.57142857142")->as_double(), 203232.57142857142);
  EXPECT_EQ(parse_json("[1.3927926388013963e-143]")->at(0).as_double(), 1.3927926388013963e-143);
  EXPECT_EQ(parse_json("1e-05")->as_double(), 1e-05);
  EXPECT_EQ(parse_json("-0.0")->as_double(), 0.0);
  EXPECT_EQ(parse_json("18446744073709551615")->as_uint64(), ~0ull);
  EXPECT_EQ(parse_json("[1,-1,\"a\\u00e9\",{\"k\":[null,true]}]"),
            json::parse("[1,-1,\"a\\u00e9\",{\"k\":[null,true]}]"));
}

TEST(Json, NamesTheKeyThatIsThereTwice) {
  EXPECT_EQ(parse_json(R"({"a":{"b":1,"c":[{"d":1,"d":2}]}})").error().message,
            "duplicate key 'd' before byte 26");
}

TEST(File, WritesAtomicallyAndMapsBack) {
  const fs::path path = fs::temp_directory_path() / "herd_base_test_file";
  ASSERT_TRUE(write_file(path, std::string_view("hello")).has_value());
  auto mapping = Mapping::open(path);
  ASSERT_TRUE(mapping.has_value());
  EXPECT_EQ(mapping->bytes().size(), 5u);
  EXPECT_EQ(read_file(path, 4).error().code, Code::out_of_range);
  EXPECT_EQ(*read_file(path, 5), "hello");
  fs::remove(path);
  EXPECT_EQ(Mapping::open(path).error().code, Code::missing_input);
}

TEST(File, KnowsPlainNames) {
  EXPECT_TRUE(is_plain_file_name("model-00001-of-00002.safetensors"));
  for (const char* bad : {"", ".", "..", "../x", "a/b", "a\\b", "a b", "\xc3\xa9"})
    EXPECT_FALSE(is_plain_file_name(bad)) << bad;
}

}  // namespace
}  // namespace herd
