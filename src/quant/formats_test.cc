// Decoding against the numbers that the `gguf` package reads from the same blocks (tools/reference/make_quant.py).
#include "quant/formats.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <vector>

#include "base/file.h"

namespace herd::quant {
namespace {

class EveryType : public testing::TestWithParam<DType> {};

TEST_P(EveryType, DecodesToTheVeryBitsOfTheReference) {
  const DTypeRow& row = row_of(GetParam());
  const auto path = fs::path(HERD_ROOT) / "tests/data/quant" / fmt::format("{}.bin", row.name);
  const auto file = read_file(path, 1 << 20);
  ASSERT_TRUE(file) << file.error().message;
  const std::size_t of_block = row.bytes + row.block * sizeof(float);
  ASSERT_EQ(file->size() % of_block, 0u);
  const std::size_t blocks = file->size() / of_block;
  ASSERT_GE(blocks, 4u);

  std::vector<float> wanted(blocks * row.block), got(wanted.size());
  std::memcpy(wanted.data(), file->data() + blocks * row.bytes, wanted.size() * sizeof(float));
  // From an odd address: blocks of a mapped file lie anywhere.
  const std::string shifted = "x" + file->substr(0, blocks * row.bytes);
  decode_row(row.type, shifted.data() + 1, got.data(), static_cast<std::int64_t>(got.size()));
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(wanted[i]))
        << row.name << " number " << i << ": " << got[i] << ", wanted " << wanted[i];
}

std::vector<DType> quantized_types() {
  std::vector<DType> out;
  for (const DTypeRow& row : dtype_table)
    if (row.block != 1 && row.type != DType::q8_k)
      out.push_back(row.type);  // the package has no Q8_K
  return out;
}

INSTANTIATE_TEST_SUITE_P(Quant, EveryType, testing::ValuesIn(quantized_types()),
                         [](const auto& one) { return std::string(row_of(one.param).name); });

TEST(Formats, Q8KIsAFloatTimesBytes) {
  Q8_K block{};
  const float d = 0.37f;
  std::memcpy(block.d, &d, sizeof d);
  for (int i = 0; i < 256; ++i) block.q[i] = byte_of(i - 128);
  std::vector<float> got(256);
  decode_row(DType::q8_k, &block, got.data(), 256);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(got[std::size_t(i)], d * static_cast<float>(i - 128));
}

}  // namespace
}  // namespace herd::quant
