// Matrices in compressed-tensors' int4: put together, taken apart, and what is wrong with them said. Whole models,
// whose files and numbers are the library's own: tests/data/models/int4 (tests/golden_test.cc).
#include "llama4/pack_quantized.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "quant/encode.h"
#include "quant/formats.h"
#include "tensor/float_bits.h"

namespace herd::llama4 {
namespace {

using testing::HasSubstr;

constexpr std::int64_t outs = 3, ins = 256;

std::vector<float> some_numbers() {
  std::vector<float> out;
  for (int i = 0; i < outs * ins; ++i)
    out.push_back(0.01f * static_cast<float>(i * i * 7 % 201 - 100) *
                  static_cast<float>(1 + i / 64));
  return out;
}

std::vector<std::byte> blocks_of(const std::vector<float>& numbers) {
  std::vector<std::byte> out(static_cast<std::size_t>(bytes_of(DType::int4, outs * ins)));
  quant::encode_row(DType::int4, numbers.data(), outs * ins, out.data());
  return out;
}

// The three tensors of a matrix, and what beside them a test changes.
struct Matrix3 {
  std::vector<std::byte> blocks = blocks_of(some_numbers());
  PackQuantized packed = pack_quantized(blocks);
  std::int64_t shape[2] = {outs, ins};
  std::vector<MergedTensor> named;
  std::deque<std::vector<std::byte>> storage;

  Matrix3() {
    add("_packed", DType::i32, {outs, ins / 8}, packed.words.data());
    add("_scale", DType::f32, {outs, ins / 128}, bytes_at(packed.scales.data()));
    add("_shape", DType::i64, {2}, bytes_at(shape));
    named.push_back({"norm.weight", "model.norm.weight", {DType::bf16, {4}, packed.words.data()}});
  }
  static const std::byte* bytes_at(const void* p) { return static_cast<const std::byte*>(p); }
  void add(const std::string& end, DType dtype, const Shape& of, const std::byte* data) {
    named.push_back({"x.weight" + end, "model.x.weight" + end, {dtype, of, data}});
  }
  Result<void> join() { return join_pack_quantized(named, storage); }

  void expect_refused(const std::string& why) {
    const Result<void> joined = join();
    ASSERT_FALSE(joined) << why;
    EXPECT_EQ(joined.error().code, Code::tensor_mismatch);
    EXPECT_THAT(joined.error().message, HasSubstr("model.x.weight"));
    EXPECT_THAT(joined.error().message, HasSubstr(why));
  }
};

TEST(PackQuantized, ComesBackAsTheBlocksThatItWas) {
  Matrix3 m;
  ASSERT_TRUE(m.join());
  ASSERT_EQ(m.named.size(), 2u);
  EXPECT_EQ(m.named[0].canonical, "norm.weight");
  const MergedTensor& joined = m.named[1];
  EXPECT_EQ(joined.canonical, "x.weight");
  EXPECT_EQ(joined.stored, "model.x.weight");
  EXPECT_EQ(joined.tensor.dtype, DType::int4);
  EXPECT_EQ(joined.tensor.shape, (Shape{outs, ins}));
  ASSERT_EQ(m.storage.size(), 1u);
  EXPECT_EQ(m.storage[0], m.blocks);
  EXPECT_EQ(joined.tensor.data, m.storage[0].data());
}

// Input i in bits 4 (i % 8) of word i / 8, 8 above what it means.
TEST(PackQuantized, HasEightInputsInAWordTheFirstInTheLowestBits) {
  std::vector<float> numbers(outs * ins, 0.0f);
  for (std::size_t i = 0; i < 8; ++i) numbers[i] = static_cast<float>(i) - 4;
  numbers[127] = -8;  // the scale is 1
  const PackQuantized packed = pack_quantized(blocks_of(numbers));
  std::uint32_t word = 0;
  std::memcpy(&word, packed.words.data(), sizeof word);
  EXPECT_EQ(word, 0xba987654u);
  EXPECT_EQ(packed.scales[0], 1.0f);
  EXPECT_EQ(packed.words.size(), std::size_t{outs * ins / 2});
  EXPECT_EQ(packed.scales.size(), std::size_t{outs * ins / 128});
}

TEST(PackQuantized, TakesHalfPrecisionScalesAndOneForAnOutput) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    Matrix3 m;
    const std::uint16_t scales[outs] = {0x3f80, 0x3c00, 0x4123};
    m.named[1].tensor = {dtype, {outs, 1}, Matrix3::bytes_at(scales)};
    ASSERT_TRUE(m.join());
    std::vector<float> got(outs * ins), codes(outs * ins);
    quant::decode_row(DType::int4, m.storage[0].data(), got.data(), outs * ins);
    quant::decode_row(DType::int4, m.blocks.data(), codes.data(), outs * ins);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const float code = std::round(codes[i] / m.packed.scales[i / 128]);
      ASSERT_EQ(got[i], code * element_as_f32(scales, dtype, static_cast<std::int64_t>(i) / ins))
          << i;
    }
  }
}

TEST(PackQuantized, NeedsNoShape) {
  Matrix3 m;
  m.named.erase(m.named.begin() + 2);
  ASSERT_TRUE(m.join());
  EXPECT_EQ(m.named.back().tensor.shape, (Shape{outs, ins}));
}

TEST(PackQuantized, SaysWhatDoesNotFit) {
  {
    Matrix3 m;
    m.named.erase(m.named.begin() + 1);
    const Result<void> joined = m.join();
    ASSERT_FALSE(joined);
    EXPECT_EQ(joined.error().code, Code::tensor_missing);
    EXPECT_THAT(joined.error().message, HasSubstr("model.x.weight_scale is missing"));
  }
  const auto refused = [](const std::string& why, const auto& change) {
    SCOPED_TRACE(why);
    Matrix3 m;
    change(m);
    m.expect_refused(why);
  };
  refused("i64 [3, 32], wanted i32", [](Matrix3& m) { m.named[0].tensor.dtype = DType::i64; });
  refused("wanted i32 of [outputs, inputs / 8]",
          [](Matrix3& m) { m.named[0].tensor.shape = {outs, 8, 4}; });
  refused("its 192 inputs are not whole groups of 128",
          [](Matrix3& m) { m.named[0].tensor.shape = {outs, 24}; });
  // Groups of 64 and of 32.
  for (const std::int64_t groups : {4, 8})
    refused(fmt::format("f32 [3, {}], wanted f32, bf16 or f16 of [3, 2]", groups),
            [&](Matrix3& m) { m.named[1].tensor.shape = {outs, groups}; });
  refused("i32 [3, 2], wanted", [](Matrix3& m) { m.named[1].tensor.dtype = DType::i32; });
  refused("f32 [2, 3], wanted", [](Matrix3& m) { m.named[1].tensor.shape = {2, outs}; });
  refused("its weight_shape says [3, 512]", [](Matrix3& m) { m.shape[1] = 512; });
  refused("its weight_shape says nothing readable",
          [](Matrix3& m) { m.named[2].tensor.shape = {1}; });
  refused("has zero points", [](Matrix3& m) {
    m.add("_zero_point", DType::i32, {1, ins / 128}, m.packed.words.data());
  });
  refused("weight_g_idx",
          [](Matrix3& m) { m.add("_g_idx", DType::i32, {ins}, m.packed.words.data()); });
}

}  // namespace
}  // namespace herd::llama4
