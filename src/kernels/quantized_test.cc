// Products with, and rows of, matrices of every block format: the very bits that the decoded matrix gives.
#include <gtest/gtest.h>

#include "base/thread_pool.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/testing/cases.h"
#include "quant/formats.h"

namespace herd {
namespace {

using test::Draw;

std::vector<DType> quantized_types() {
  std::vector<DType> out;
  for (const DTypeRow& row : dtype_table)
    if (row.block != 1) out.push_back(row.type);
  return out;
}

// Random blocks whose numbers are finite and of ordinary size, and what they decode to.
struct Blocks {
  Blocks(Draw& draw, DType dtype, std::int64_t count)
      : bytes(static_cast<std::size_t>(bytes_of(dtype, count)) + 1),
        floats(static_cast<std::size_t>(count)) {
    const DTypeRow& row = row_of(dtype);
    const auto block = static_cast<std::int64_t>(row.block);
    for (std::int64_t i = 0; i < count; i += block) {
      float* numbers = &floats[static_cast<std::size_t>(i)];
      std::uint8_t* at = data() + bytes_of(dtype, i);
      do {
        for (std::size_t b = 0; b < row.bytes; ++b)
          at[b] = static_cast<std::uint8_t>(draw.between(0, 255));
        quant::decode_row(dtype, at, numbers, block);
      } while (!std::all_of(numbers, numbers + block, [](float x) { return std::fabs(x) < 1e4f; }));
    }
  }
  std::uint8_t* data() { return bytes.data() + 1; }  // at an odd address

  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
};

std::vector<float> product(const KernelTable& table, const Matrix& w, const std::vector<float>& x,
                           std::int64_t rows, const Lane& lane) {
  std::vector<float> y(static_cast<std::size_t>(rows * w.out));
  const MatmulGroup group{
      .weight = w, .bias = nullptr, .row_begin = 0, .row_end = rows, .y_column = 0};
  table.matmul({.x = x.data(),
                .x_stride = w.in,
                .y = y.data(),
                .y_stride = w.out,
                .groups = &group,
                .num_groups = 1},
               lane);
  return y;
}

class Quantized : public testing::TestWithParam<DType> {
 protected:
  void TearDown() override { cpu::force_instruction_set(""); }
};

TEST_P(Quantized, ProductsHaveTheBitsOfTheDecodedMatrix) {
  Draw draw(11);
  ThreadPool pool(2);
  for (const Layout layout : {Layout::out_in, Layout::in_out}) {
    // Whole blocks along the stored row, an odd number of stored rows.
    const std::int64_t across = 768, along = 37;
    const std::int64_t out = layout == Layout::out_in ? along : across;
    const std::int64_t in = layout == Layout::out_in ? across : along;
    Blocks blocks(draw, GetParam(), across * along);
    const Matrix quantized{blocks.data(), GetParam(), layout, out, in, across, nullptr};
    const Matrix decoded{blocks.floats.data(), DType::f32, layout, out, in, across, nullptr};
    for (const std::int64_t rows : {1, 3, 41}) {
      std::vector<float> x(static_cast<std::size_t>(rows * in));
      for (float& value : x) value = draw.number();
      ASSERT_EQ(product(ref_kernels(), quantized, x, rows, {}),
                product(ref_kernels(), decoded, x, rows, {}));
      for (const std::string_view set : cpu::instruction_sets()) {
        ASSERT_TRUE(cpu::force_instruction_set(set));
        ASSERT_EQ(product(cpu_kernels(), quantized, x, rows, {&pool}),
                  product(cpu_kernels(), decoded, x, rows, {}))
            << set << " " << rows << " rows, layout " << static_cast<int>(layout);
      }
    }
  }
}

TEST_P(Quantized, RowsAreThoseOfTheDecodedTable) {
  Draw draw(12);
  constexpr std::int64_t width = 512, count = 9;
  Blocks blocks(draw, GetParam(), width * count);
  const std::vector<std::int32_t> row{8, 0, 3, 3};
  const std::vector<float> factor{1.5f, -2, 0.1f, 1};
  for (const KernelTable* table : {&ref_kernels(), &cpu_kernels()})
    for (const float* scale : {factor.data(), static_cast<const float*>(nullptr)}) {
      std::vector<float> y(row.size() * width);
      table->gather({.table = blocks.data(),
                     .dtype = GetParam(),
                     .row = row.data(),
                     .factor = scale,
                     .y = y.data(),
                     .R = static_cast<std::int64_t>(row.size()),
                     .D = width},
                    {});
      for (std::size_t i = 0; i < y.size(); ++i) {
        const std::size_t r = i / width;
        ASSERT_EQ(y[i], blocks.floats[static_cast<std::size_t>(row[r]) * width + i % width] *
                            (scale != nullptr ? scale[r] : 1.0f))
            << i;
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Quantized, testing::ValuesIn(quantized_types()),
                         [](const auto& one) { return std::string(row_of(one.param).name); });

}  // namespace
}  // namespace herd
