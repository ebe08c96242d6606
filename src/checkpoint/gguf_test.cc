// GGUF files made here byte by byte: what the reader finds in them, every limit from both sides, and that no
// changed byte leads outside the file. Hostile files of every kind are in tests/attacks/gguf.
#include "checkpoint/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/rng.h"
#include "checkpoint/gguf_writer.h"

namespace herd::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A file from its parts.
class File {
 public:
  template <typename T>
  File& pod(T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    text_.append(bytes, sizeof value);
    return *this;
  }
  File& string(std::string_view text) {
    pod<std::uint64_t>(text.size());
    text_ += text;
    return *this;
  }
  File& start(std::uint64_t tensors, std::uint64_t keys) {
    text_ += "GGUF";
    return pod<std::uint32_t>(3).pod(tensors).pod(keys);
  }
  File& key(std::string_view name, GgufType type) {
    return string(name).pod(static_cast<std::uint32_t>(type));
  }
  File& tensor(std::string_view name, std::initializer_list<std::uint64_t> dims,
               std::uint64_t begin) {
    string(name).pod(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) pod(dim);
    return pod<std::uint32_t>(0).pod(begin);
  }
  File& fill(std::size_t bytes) {
    text_.append(bytes, '\0');
    return *this;
  }
  File& align() { return fill((32 - text_.size() % 32) % 32); }

  [[nodiscard]] Result<GgufHeader> parse() const {
    return parse_gguf(bytes_of(std::string_view(text_)));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Code code_of(const Result<GgufHeader>& result) {
  return result ? Code::internal : result.error().code;
}

TEST(Gguf, FindsWhatIsThere) {
  File file;
  file.start(2, 5);
  file.key("a.number", GgufType::u32).pod<std::uint32_t>(7);
  file.key("a.sign", GgufType::i16).pod<std::int16_t>(-3);
  file.key("a.text", GgufType::string).string("words");
  file.key("a.list", GgufType::array).pod<std::uint32_t>(8).pod<std::uint64_t>(2);
  file.string("one").string("");
  file.key("a.flags", GgufType::array).pod<std::uint32_t>(5).pod<std::uint64_t>(3);
  file.pod<std::int32_t>(1).pod<std::int32_t>(-1).pod<std::int32_t>(0);
  file.tensor("second", {4}, 32).tensor("first", {2, 3}, 0).align().fill(48);
  const auto found = file.parse();
  ASSERT_TRUE(found) << to_string(found.error());
  EXPECT_EQ(found->integer("a.number").value(), 7);
  EXPECT_EQ(found->integer("a.sign").value(), -3);
  EXPECT_EQ(found->number("a.number").value(), 7.0);
  EXPECT_EQ(found->text("a.text").value(), "words");
  EXPECT_THAT(*found->texts("a.list").value(), ElementsAre("one", ""));
  EXPECT_THAT(*found->integers("a.flags").value(), ElementsAre(1, -1, 0));
  EXPECT_EQ(found->integer("a.missing").value(), std::nullopt);
  const auto wrong = found->integer("a.text");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::gguf_key);
  EXPECT_THAT(wrong.error().message, HasSubstr("'a.text' is of type string"));
  ASSERT_EQ(found->tensors.size(), 2u);
  EXPECT_EQ(found->tensors[0].name, "first");
  EXPECT_EQ(found->tensors[0].shape, (Shape{3, 2}));
  EXPECT_EQ(found->tensors[0].end - found->tensors[0].begin, 24u);
  EXPECT_EQ(found->tensors[1].begin, found->data_begin + 32);
}

TEST(Gguf, LimitsOfCounts) {
  for (const std::uint64_t keys : {limits::gguf_entries_max, limits::gguf_entries_max + 1}) {
    File file;
    file.start(0, keys);
    for (std::uint64_t i = 0; i < keys; ++i)
      file.key(fmt::format("{}", i), GgufType::u8).pod<std::uint8_t>(0);
    EXPECT_EQ(code_of(file.parse()),
              keys > limits::gguf_entries_max ? Code::gguf_count : Code::internal);
  }
  for (const std::uint64_t tensors : {limits::gguf_tensors_max, limits::gguf_tensors_max + 1}) {
    File file;
    file.start(tensors, 0);
    for (std::uint64_t i = 0; i < tensors; ++i) file.tensor(fmt::format("{}", i), {0}, 0);
    EXPECT_EQ(code_of(file.parse()),
              tensors > limits::gguf_tensors_max ? Code::gguf_count : Code::internal);
  }
}

TEST(Gguf, LimitsOfStringsAndArrays) {
  for (const std::uint64_t more : {std::uint64_t{0}, std::uint64_t{1}}) {
    File text;
    text.start(0, 1).key("k", GgufType::string);
    text.string(std::string(limits::gguf_string_bytes_max + more, 'x'));
    EXPECT_EQ(code_of(text.parse()), more == 1 ? Code::gguf_string : Code::internal);

    const std::uint64_t count = limits::gguf_array_elements_max + more;
    File array;
    array.start(0, 1).key("k", GgufType::array).pod<std::uint32_t>(0).pod(count);
    array.fill(count);
    EXPECT_EQ(code_of(array.parse()), more == 1 ? Code::gguf_array : Code::internal);
  }
}

TEST(Gguf, LimitsOfAlignmentAndRank) {
  for (const std::uint64_t alignment : {std::uint64_t{1}, limits::gguf_alignment_max,
                                        2 * limits::gguf_alignment_max, std::uint64_t{0}}) {
    File file;
    file.start(0, 1).key("general.alignment", GgufType::u32);
    file.pod(static_cast<std::uint32_t>(alignment));
    const bool good = alignment == 1 || alignment == limits::gguf_alignment_max;
    EXPECT_EQ(code_of(file.parse()), good ? Code::internal : Code::gguf_alignment) << alignment;
  }
  static_assert(limits::gguf_rank_max == 4);
  File four, five;
  four.start(1, 0).tensor("t", {1, 1, 1, 1}, 0).align().fill(4);
  five.start(1, 0).tensor("t", {1, 1, 1, 1, 1}, 0).align().fill(4);
  EXPECT_TRUE(four.parse());
  EXPECT_EQ(code_of(five.parse()), Code::bad_header);
}

// Property A2: in any damaged file every tensor that is listed lies within it.
TEST(Gguf, NoChangedByteLeadsOutsideTheFile) {
  File file;
  file.start(2, 2);
  file.key("general.alignment", GgufType::u32).pod<std::uint32_t>(32);
  file.key("words", GgufType::array).pod<std::uint32_t>(8).pod<std::uint64_t>(2);
  file.string("one").string("two");
  file.tensor("a", {8, 2}, 0).tensor("b", {4}, 64).align().fill(80);
  int accepted = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    std::string damaged = file.text();
    for (std::uint64_t k = 0; k < 1 + i % 3; ++k) {
      const auto at =
          static_cast<std::size_t>(uniform(i, 2 * k) * static_cast<double>(damaged.size() - 80));
      damaged[at] = static_cast<char>(static_cast<unsigned char>(uniform(i, 2 * k + 1) * 256));
    }
    // In memory of just that size, so that a sanitizer sees a step beyond it.
    const std::vector<char> exact(damaged.begin(), damaged.end());
    const auto found = parse_gguf(std::as_bytes(std::span(exact)));
    if (!found) continue;
    ++accepted;
    for (const GgufTensor& tensor : found->tensors) {
      ASSERT_LE(tensor.begin, tensor.end);
      ASSERT_LE(tensor.end, exact.size());
    }
    for (const GgufEntry& entry : found->entries)
      if (const auto* array = std::get_if<GgufArray>(&entry.value)) {
        ASSERT_EQ(array->strings().has_value(), array->type == GgufType::string);
      }
  }
  EXPECT_GT(accepted, 100);
}

TEST(GgufWriter, IsReadAgain) {
  const fs::path path = fs::path(testing::TempDir()) / "herd_writer.gguf";
  fs::remove(path);
  GgufKeys keys;
  keys.put("general.architecture", "llama4");
  keys.put("n", std::uint32_t{9});
  keys.put("x", 0.5f);
  keys.put("yes", true);
  const std::vector<std::string> words{"a", "bc"};
  keys.put("words", std::span<const std::string>(words));
  const std::vector<PlannedTensor> tensors{{"odd", DType::f32, {5}},
                                           {"blocks", DType::q8_0, {2, 32}}};
  std::vector<std::byte> bytes(20 + 68);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  {
    auto writer = GgufWriter::create(path, keys, tensors).value();
    ASSERT_TRUE(writer.write(std::span(bytes).first(20)));
    ASSERT_TRUE(writer.write(std::span(bytes).subspan(20, 50)));
    ASSERT_TRUE(writer.write(std::span(bytes).subspan(70)));
    ASSERT_TRUE(writer.finish());
  }
  EXPECT_EQ(GgufWriter::create(path, keys, tensors).error().code, Code::cannot_create);
  const auto mapping = Mapping::open(path).value();
  const auto found = parse_gguf(mapping.bytes());
  ASSERT_TRUE(found) << to_string(found.error());
  EXPECT_EQ(found->integer("n").value(), 9);
  EXPECT_EQ(found->number("x").value(), 0.5);
  EXPECT_EQ(found->boolean("yes").value(), true);
  EXPECT_THAT(*found->texts("words").value(), ElementsAre("a", "bc"));
  ASSERT_EQ(found->tensors.size(), 2u);
  const GgufTensor &blocks = found->tensors[0], &odd = found->tensors[1];
  EXPECT_EQ(blocks.shape, (Shape{2, 32}));
  EXPECT_EQ(std::memcmp(mapping.bytes().data() + odd.begin, bytes.data(), 20), 0);
  EXPECT_EQ(std::memcmp(mapping.bytes().data() + blocks.begin, bytes.data() + 20, 68), 0);
  fs::remove(path);
}

}  // namespace
}  // namespace herd::checkpoint
