#include "checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "base/json.h"
#include "base/limits.h"
#include "base/rng.h"

namespace herd::checkpoint {
namespace {

using testing::HasSubstr;

std::vector<std::byte> packed(std::string_view header, std::size_t data_bytes = 0) {
  std::vector<std::byte> file(8 + header.size() + data_bytes);
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  std::memcpy(file.data() + 8, header.data(), header.size());
  for (std::size_t i = 0; i < data_bytes; ++i)
    file[8 + header.size() + i] = static_cast<std::byte>(i);
  return file;
}

Code code_of(const std::vector<std::byte>& file) {
  const auto parsed = parse_safetensors(file);
  EXPECT_FALSE(parsed.has_value());
  return parsed ? Code::internal : parsed.error().code;
}

TEST(Safetensors, ListsTensorsByNameWithTheirBytes) {
  const auto file =
      packed(R"({"__metadata__":{"format":"pt","by":"\u00e9"},)"
             R"("z.w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
             R"("a\"\ud83d\ude42":{"shape":[],"data_offsets":[12,20],"dtype":"I64"}} )",
             20);
  const auto parsed = parse_safetensors(file);
  ASSERT_TRUE(parsed.has_value()) << to_string(parsed.error());
  ASSERT_EQ(parsed->tensors.size(), 2u);
  const SafetensorsEntry& scalar = parsed->tensors[0];
  EXPECT_EQ(scalar.name, "a\"\xf0\x9f\x99\x82");
  EXPECT_EQ(scalar.dtype, DType::i64);
  EXPECT_EQ(scalar.shape, Shape{});
  const SafetensorsEntry& matrix = parsed->tensors[1];
  EXPECT_EQ(matrix.name, "z.w");
  EXPECT_EQ(matrix.shape, (Shape{2, 3}));
  EXPECT_EQ(matrix.begin, file.size() - 20);
  EXPECT_EQ(matrix.end, scalar.begin);
  EXPECT_EQ(scalar.end, file.size());
  EXPECT_EQ(parsed->metadata[1], (std::pair<std::string, std::string>("by", "\xc3\xa9")));
}

TEST(Safetensors, KnowsEveryDtypeOfTheTable) {
  for (const DTypeRow& row : dtype_table) {
    if (row.safetensors_name.empty()) continue;
    const auto parsed = parse_safetensors(
        packed(fmt::format(R"({{"a":{{"dtype":"{}","shape":[3],"data_offsets":[0,{}]}}}})",
                           row.safetensors_name, 3 * row.bytes),
               3 * row.bytes));
    ASSERT_TRUE(parsed.has_value()) << row.name << ": " << to_string(parsed.error());
    EXPECT_EQ(parsed->tensors[0].dtype, row.type);
  }
}

TEST(Safetensors, BoundsNamesAndRanksExactly) {
  for (const std::uint64_t length :
       {limits::tensor_name_bytes_max - 1, limits::tensor_name_bytes_max,
        limits::tensor_name_bytes_max + 1}) {
    const auto file = packed(fmt::format(
        R"({{"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}}})", std::string(length, 'n')));
    EXPECT_EQ(parse_safetensors(file).has_value(), length <= limits::tensor_name_bytes_max)
        << length;
  }
  for (const std::uint64_t rank :
       {limits::tensor_rank_max - 1, limits::tensor_rank_max, limits::tensor_rank_max + 1}) {
    std::string shape = "1";
    for (std::uint64_t i = 1; i < rank; ++i) shape += ",1";
    const auto file = packed(
        fmt::format(R"({{"a":{{"dtype":"U8","shape":[{}],"data_offsets":[0,1]}}}})", shape), 1);
    EXPECT_EQ(parse_safetensors(file).has_value(), rank <= limits::tensor_rank_max) << rank;
  }
}

TEST(Safetensors, ReportsHundredThousandTensorsOnOneRangeByTheFirstTwo) {
  std::string header = "{";
  for (int i = 0; i < 100'000; ++i)
    header += fmt::format(R"({}"weight_{}":{{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
                          i == 0 ? "" : ",", i);
  const auto parsed = parse_safetensors(packed(header + "}", 16));
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, Code::tensor_overlap);
  EXPECT_THAT(parsed.error().message, HasSubstr("'weight_1' [0, 16) overlaps 'weight_0'"));
}

// Cutting a file anywhere, or adding to it, is always noticed.
TEST(Safetensors, NoticesEveryTruncation) {
  const auto good = packed(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  ASSERT_TRUE(parse_safetensors(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size) {
    const std::vector<std::byte> cut(good.begin(),
                                     good.begin() + static_cast<std::ptrdiff_t>(size));
    const Code code = code_of(cut);
    const Code wanted = size < 8                 ? Code::file_empty
                        : size < good.size() - 8 ? Code::header_length
                                                 : Code::tensor_range;
    EXPECT_EQ(code, wanted) << size;
  }
  auto longer = good;
  longer.push_back(std::byte{0});
  EXPECT_EQ(code_of(longer), Code::tensor_hole);
}

TEST(Safetensors, OpensAFileAndFindsByName) {
  const fs::path path = fs::temp_directory_path() / fmt::format("herd_st_{}", ::getpid());
  const auto bytes = packed(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                            R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                            3);
  ASSERT_TRUE(write_file(path, std::span<const std::byte>(bytes)).has_value());
  const auto file = Safetensors::open(path);
  ASSERT_TRUE(file.has_value()) << to_string(file.error());
  const SafetensorsEntry* b = file->find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(file->bytes(*b)[1], std::byte{2});
  EXPECT_EQ(file->find("c"), nullptr);
  fs::remove(path);
  EXPECT_EQ(Safetensors::open(path).error().code, Code::missing_input);
}

// ------------------------------------------------------------------------------------------------------- mutations

// A good file of several tensors, some of them empty, with metadata and escapes.
std::vector<std::byte> seed_file() {
  return packed(R"({"__metadata__":{"format":"pt"},)"
                R"("layers.0.w":{"dtype":"BF16","shape":[2,4],"data_offsets":[0,16]},)"
                R"("layers.1.w":{"dtype":"F32","shape":[4],"data_offsets":[16,32]},)"
                R"("\u0065mpty":{"dtype":"F8_E4M3","shape":[0,7],"data_offsets":[32,32]},)"
                R"("scalar":{"dtype":"I64","shape":[],"data_offsets":[32,40]}})",
                40);
}

// One of: a byte of the header replaced by a telling one or by any, a digit changed, a piece of the header copied
// over another, removed or doubled, the length or the data's size changed.
void mutate(std::vector<std::byte>& file, std::uint64_t seed) {
  std::uint64_t draws = 0;
  const auto below = [&](std::uint64_t limit) {
    const auto words = philox(seed, draws++, 0);
    return static_cast<std::size_t>(((std::uint64_t{words[0]} << 32) | words[1]) % limit);
  };
  constexpr std::string_view telling = "{}[],:\"\\0123456789 -.eE\n\0u/_abFIU";
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  const std::size_t header = std::min<std::size_t>(length, file.size() - 8);
  if (header < 16) return;
  const auto place = [&] { return 8 + below(header); };
  switch (below(8)) {
    case 0:
      file[place()] = static_cast<std::byte>(telling[below(telling.size())]);
      break;
    case 1:
      file[place()] = static_cast<std::byte>(below(256));
      break;
    case 2: {
      std::size_t at = place();
      for (std::size_t tries = 0; tries < 64; ++tries, at = place())
        if (std::to_integer<char>(file[at]) >= '0' && std::to_integer<char>(file[at]) <= '9') break;
      file[at] = static_cast<std::byte>('0' + below(10));
      break;
    }
    case 3: {
      const std::size_t size = 1 + below(12), from = 8 + below(header - size);
      std::memmove(file.data() + 8 + below(header - size), file.data() + from, size);
      break;
    }
    case 4:
    case 5: {
      // Removed or doubled, with the length put right so that the rest is still read.
      const std::size_t size = 1 + below(12), from = 8 + below(header - size);
      const auto begin = file.begin() + static_cast<std::ptrdiff_t>(from);
      const std::vector<std::byte> piece(begin, begin + static_cast<std::ptrdiff_t>(size));
      if (below(2) == 0) {
        file.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
        length -= size;
      } else {
        file.insert(begin, piece.begin(), piece.end());
        length += size;
      }
      std::memcpy(file.data(), &length, 8);
      break;
    }
    case 6:
      file[below(8)] = static_cast<std::byte>(below(256));
      break;
    default:
      file.resize(file.size() - std::min<std::size_t>(file.size() - 8 - header, below(4)) +
                  below(4));
  }
}

// Whatever a file has become: it is refused with a code of the catalogue, or its tensors lie inside it without
// touching. With HERD_MUTANTS=<directory> the accepted ones are written there, for
// tools/reference/check_safetensors.py to show to the reference library, which must accept each of them too.
TEST(Safetensors, AcceptsNoMutantWhoseTensorsLeaveTheFile) {
  const char* keep = std::getenv("HERD_MUTANTS");
  constexpr std::uint64_t count = 20'000;
  int accepted = 0, different = 0;
  const auto good = seed_file();
  ASSERT_TRUE(parse_safetensors(good).has_value());
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    auto file = good;
    for (std::uint64_t i = 0; i <= seed % 3; ++i) mutate(file, seed * 3 + i);
    const auto parsed = parse_safetensors(file);
    if (!parsed) {
      const std::string_view number = row_of(parsed.error().code).number;
      ASSERT_TRUE(number >= "E1101" && number <= "E1111") << seed << to_string(parsed.error());
      continue;
    }
    ++accepted;
    if (file != good) ++different;
    std::vector<bool> covered(file.size(), false);
    for (const SafetensorsEntry& entry : parsed->tensors) {
      ASSERT_LE(parsed->data_begin, entry.begin) << seed;
      ASSERT_LE(entry.begin, entry.end) << seed;
      ASSERT_LE(entry.end, file.size()) << seed;
      ASSERT_EQ(static_cast<std::uint64_t>(entry.shape.elements()) * row_of(entry.dtype).bytes,
                entry.end - entry.begin)
          << seed;
      for (std::uint64_t i = entry.begin; i < entry.end; ++i) {
        ASSERT_FALSE(covered[i]) << seed;
        covered[i] = true;
      }
    }
    for (std::uint64_t i = parsed->data_begin; i < file.size(); ++i)
      ASSERT_TRUE(covered[i]) << seed;
    if (keep == nullptr) continue;
    const fs::path path = fs::path(keep) / fmt::format("{}.safetensors", seed);
    ASSERT_TRUE(write_file(path, std::span<const std::byte>(file)).has_value());
  }
  // Mutants that say something else and are still right, or the property would be about one file.
  EXPECT_GE(different, 200) << accepted << " accepted";
}

}  // namespace
}  // namespace herd::checkpoint
