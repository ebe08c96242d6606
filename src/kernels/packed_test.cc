// Packed weights: nothing lost by packing; the same bits from every path, for any rows and threads; close to the
// reference, as close as eight bits of x allow, and to exact sums of the quantized x within a few roundings.
#include "kernels/packed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/thread_pool.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/quantized_product.h"
#include "kernels/packed_block.h"
#include "kernels/testing/all_cases.h"
#include "quant/formats.h"

namespace herd {
namespace {

using test::Draw;
using test::first_difference;
using test::Input;

std::vector<DType> packable() {
  std::vector<DType> types;
  for (const DTypeRow& row : dtype_table)
    if (can_pack(row.type)) types.push_back(row.type);
  return types;
}

// A matrix of random bytes, except that no block decodes to anything above a million or not finite, packed.
class RandomPacked {
 public:
  RandomPacked(Draw& draw, DType dtype, std::int64_t out, std::int64_t in)
      : in_(in), packed_(static_cast<std::size_t>(packed_bytes(dtype, out, in))) {
    const DTypeRow& format = row_of(dtype);
    const auto block = static_cast<std::int64_t>(format.block);
    std::vector<float> decoded(format.block);
    std::vector<std::uint8_t> bytes(format.bytes);
    for (std::int64_t b = 0; b < out * in / block; ++b) {
      do {
        for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(draw.between(0, 255));
        quant::decode_row(dtype, bytes.data(), decoded.data(), block);
      } while (!std::ranges::all_of(decoded, [](float w) { return std::fabs(w) < 1e6f; }));
      file_.insert(file_.end(), bytes.begin(), bytes.end());
    }
    source_ = {file_.data(), dtype, Layout::out_in, out, in, in, nullptr};
    pack(source_, 0, (out + 15) / 16, packed_.data());
  }

  [[nodiscard]] Matrix matrix() const {
    return packed_matrix(source_.dtype, source_.out, in_, packed_.data());
  }
  [[nodiscard]] const std::vector<std::uint8_t>& file() const { return file_; }
  [[nodiscard]] std::string_view packed() const {
    return text_of(std::span<const unsigned char>(packed_));
  }
  // Output o as its file's decoder has it.
  [[nodiscard]] std::vector<float> decoded(std::int64_t o) const {
    std::vector<float> row(static_cast<std::size_t>(in_));
    quant::decode_row(source_.dtype, file_.data() + o * bytes_of(source_.dtype, in_), row.data(),
                      in_);
    return row;
  }

 private:
  std::int64_t in_;
  std::vector<std::uint8_t> file_, packed_;
  Matrix source_;
};

class Packed : public testing::TestWithParam<DType> {
 protected:
  void TearDown() override { cpu::force_quantized_kernels(""); }
};

INSTANTIATE_TEST_SUITE_P(Formats, Packed, testing::ValuesIn(packable()),
                         [](const auto& param) { return std::string(row_of(param.param).name); });

// Not whole bands of 16 outputs; whole blocks of 256 inputs, or where the format's are smaller, a part of one at the
// end.
std::int64_t odd_in(DType dtype) {
  const std::size_t block = row_of(dtype).block;
  return block == 32 ? 2 * 256 + 96 : block == 128 ? 2 * 256 + 128 : 3 * 256;
}

// Rows of different sizes; among them zeros, one without a sign, whose sums are as large as sums can be, and one with
// alternating extremes.
Input<float> rows_of_x(Draw& draw, std::int64_t rows, std::int64_t in) {
  auto x = Input<float>::floats(draw, rows * in);
  for (std::int64_t t = 0; t < rows; ++t)
    for (std::int64_t i = 0; i < in; ++i) {
      float& value = x.data()[t * in + i];
      if (t % 11 == 3) value = 0;
      if (t % 11 == 5) value = 1.5f;
      if (t % 11 == 8) value = i % 2 == 0 ? -3.0f : 3.0f;
      if (t % 11 == 9) value *= std::exp2(static_cast<float>(i % 20));
    }
  return x;
}

TEST_P(Packed, HoldsTheNumbersOfItsFile) {
  Draw draw(1);
  for (const std::int64_t out : {1, 16, 37}) {
    const std::int64_t in = odd_in(GetParam());
    const RandomPacked weight(draw, GetParam(), out, in);
    std::vector<float> unpacked(static_cast<std::size_t>(in));
    for (std::int64_t o = 0; o < out; ++o) {
      unpack_output(weight.matrix(), o, unpacked.data());
      ASSERT_EQ(first_difference(unpacked, weight.decoded(o)), -1)
          << "output " << o << " of " << out;
    }
  }
}

TEST_P(Packed, GivesBackTheBytesOfItsFile) {
  Draw draw(3);
  const DTypeRow& format = row_of(GetParam());
  for (const std::int64_t out : {1, 16, 37}) {
    const RandomPacked weight(draw, GetParam(), out, odd_in(GetParam()));
    std::vector<std::uint8_t> file(weight.file().size(), 0xab);
    const std::size_t row = file.size() / static_cast<std::size_t>(out);
    const std::int64_t middle = out / 2;
    unpack(weight.matrix(), 0, middle, file.data());
    unpack(weight.matrix(), middle, out, file.data() + static_cast<std::size_t>(middle) * row);
    for (std::size_t i = 0; i < file.size(); ++i) {
      if (GetParam() == DType::q8_k && i % format.bytes >= 4 + 256) continue;  // sums: next test
      ASSERT_EQ(file[i], weight.file()[i]) << "byte " << i << " of " << out << " outputs";
    }
  }
}

TEST(PackedQ8K, GivesBackTheSumsOfItsCodes) {
  std::vector<std::uint8_t> block(row_of(DType::q8_k).bytes, 0), back(block.size());
  for (std::size_t i = 0; i < 256; ++i) block[4 + i] = static_cast<std::uint8_t>(i < 128 ? i : -i);
  std::vector<std::uint8_t> packed(static_cast<std::size_t>(packed_bytes(DType::q8_k, 1, 256)));
  pack({block.data(), DType::q8_k, Layout::out_in, 1, 256, 256, nullptr}, 0, 1, packed.data());
  unpack(packed_matrix(DType::q8_k, 1, 256, packed.data()), 0, 1, back.data());
  for (int g = 0; g < 16; ++g) {
    int wanted = 0;
    for (int k = 16 * g; k < 16 * (g + 1); ++k)
      wanted += static_cast<std::int8_t>(k < 128 ? k : -k);
    const auto at = static_cast<std::size_t>(260 + 2 * g);
    EXPECT_EQ(static_cast<std::int16_t>(back[at] | back[at + 1] << 8), wanted) << g;
  }
}

// Packed stores on disks hold this order of bytes. Where it is meant to change, raise packed_layout_version and write
// down the new sums.
TEST(PackedLayout, IsThatOfItsVersion) {
  constexpr std::array sums{
      std::pair{DType::q8_0, 0xb79c8069u},    std::pair{DType::q4_0, 0x616b4e23u},
      std::pair{DType::q4_1, 0x6f47cdf8u},    std::pair{DType::q5_0, 0x4ab5abc1u},
      std::pair{DType::q5_1, 0x6c8aca07u},    std::pair{DType::q2_k, 0x309b7304u},
      std::pair{DType::q3_k, 0xca6cf4fau},    std::pair{DType::q4_k, 0x7bbd2b11u},
      std::pair{DType::q5_k, 0x0411e1c5u},    std::pair{DType::q6_k, 0x26772bbeu},
      std::pair{DType::q8_k, 0x44bb73d1u},    std::pair{DType::iq4_nl, 0x078f76b4u},
      std::pair{DType::iq4_xs, 0x54fe46bcu},  std::pair{DType::mxfp4, 0x34731c7cu},
      std::pair{DType::iq1_s, 0xd76b987bu},   std::pair{DType::iq1_m, 0x9fd9aa41u},
      std::pair{DType::iq2_xxs, 0x1c63bfe9u}, std::pair{DType::iq2_xs, 0xe91e4e3du},
      std::pair{DType::iq2_s, 0x0eba127fu},   std::pair{DType::iq3_xxs, 0xfabb550eu},
      std::pair{DType::iq3_s, 0x64dd5642u},   std::pair{DType::int4, 0xdf0e0061u},
  };
  EXPECT_EQ(packed_layout_version, 1u);
  ASSERT_EQ(sums.size(), packable().size());
  for (const auto& [dtype, wanted] : sums) {
    Draw draw(4);
    const std::uint32_t sum = crc32c(RandomPacked(draw, dtype, 18, odd_in(dtype)).packed());
    EXPECT_EQ(sum, wanted) << row_of(dtype).name << fmt::format(" 0x{:08x}u", sum);
  }
}

TEST_P(Packed, IsNoLargerThanItsFile) {
  const auto block = static_cast<double>(row_of(GetParam()).block);
  EXPECT_LE(static_cast<double>(packed_bytes(GetParam(), 64, 1024)),
            64 * 1024 / block * static_cast<double>(row_of(GetParam()).bytes));
}

TEST_P(Packed, GivesTheSameBitsForAnyRowsThreadsAndInstructions) {
  constexpr std::int64_t rows = 205, out = 43;  // more rows than one item has
  const std::int64_t in = odd_in(GetParam());
  Draw draw(2);
  const RandomPacked weight(draw, GetParam(), out, in);
  const auto x = rows_of_x(draw, rows, in);
  const auto bias = Input<float>::floats(draw, out);
  // All rows in pieces of `step`: one call for each, or one call with a group for each, as experts are.
  const auto multiply = [&](std::int64_t step, int threads, bool one_call) {
    ThreadPool pool(threads);
    std::vector<float> y(rows * out);
    std::vector<MatmulGroup> groups;
    for (std::int64_t t = 0; t < rows; t += step)
      groups.push_back({weight.matrix(), bias.data(), t, std::min(rows, t + step), 0});
    const std::size_t together = one_call ? groups.size() : 1;
    for (std::size_t g = 0; g < groups.size(); g += together)
      cpu_kernels().matmul(
          {x.data(), in, y.data(), out, &groups[g], static_cast<std::int64_t>(together)}, {&pool});
    return y;
  };
  ASSERT_TRUE(cpu::force_quantized_kernels("portable"));
  const std::vector<float> whole = multiply(rows, 1, true);
  for (const cpu::QuantizedKernels* kernels : cpu::quantized_kernels()) {
    const std::string_view path = kernels->name;
    ASSERT_TRUE(cpu::force_quantized_kernels(path));
    for (const std::int64_t step : {1, 2, 3, 4, 7, 8, 11, 12, 13, 20, 205})
      for (const int threads : {1, 3}) {
        if (path == "portable" && step % 4 != 1) continue;  // slow
        const std::int64_t at = first_difference(whole, multiply(step, threads, threads == 3));
        ASSERT_EQ(at, -1) << path << ", " << step << " rows at a time, " << threads
                          << " threads: row " << at / out << " output " << at % out;
      }
  }
}

TEST_P(Packed, IsTheSumOfItsQuantizedProducts) {
  constexpr std::int64_t rows = 23, out = 40;
  const std::int64_t in = odd_in(GetParam()), blocks = (in + 255) / 256;
  Draw draw(3);
  const RandomPacked weight(draw, GetParam(), out, in);
  const auto x = rows_of_x(draw, rows, in);
  std::vector<float> y(rows * out), exact(rows * out);
  const MatmulGroup group{weight.matrix(), nullptr, 0, rows, 0};
  cpu_kernels().matmul({x.data(), in, y.data(), out, &group, 1}, {});
  ref_kernels().matmul({x.data(), in, exact.data(), out, &group, 1}, {});
  std::vector<cpu::QuantizedInputs> quantized(static_cast<std::size_t>(blocks));
  for (std::int64_t t = 0; t < rows; ++t) {
    cpu::quantized_portable.quantize(cpu::input_scales(GetParam()), x.data() + t * in, in,
                                     quantized.data(), 1);
    for (std::int64_t o = 0; o < out; ++o) {
      const std::vector<float> w = weight.decoded(o);
      double sum = 0, magnitudes = 0, rounding_of_x = 0;
      for (std::int64_t i = 0; i < in; ++i) {
        const auto& block = quantized[static_cast<std::size_t>(i / 256)];
        const double value = w[static_cast<std::size_t>(i)], d = block.d32[i % 256 / 32];
        const double input = d * block.code[i % 256];
        sum += value * input;
        // Scale times code and minimum are rounded one by one: each may be larger than their difference.
        magnitudes += (std::fabs(value) + 16 * test::eps) * std::fabs(input);
        rounding_of_x += std::fabs(value) * d * 0.5001;
      }
      const double got = y[static_cast<std::size_t>(t * out + o)];
      double largest = 0;
      for (const float value : w) largest = std::max(largest, std::fabs(double{value}));
      for (const auto& block : quantized)
        for (const float d : block.d32) magnitudes += largest * 32 * 127 * double{d} / 8;
      ASSERT_NEAR(got, sum, 64 * test::eps * magnitudes) << "row " << t << " output " << o;
      ASSERT_NEAR(got, double{exact[static_cast<std::size_t>(t * out + o)]},
                  rounding_of_x + 64 * test::eps * magnitudes)
          << "row " << t << " output " << o;
    }
  }
}

// What the kernels for x86 should be by Linux's own account of the processor; empty where it gives none.
std::string wanted_by_linux() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags")) continue;
    const auto has = [&](std::string_view flag) {
      return (line + " ").find(fmt::format(" {} ", flag)) != std::string::npos;
    };
    return has("avx512_vnni") && has("avx512vl") ? "avx512_vnni"
           : has("avx_vnni")                     ? "avx_vnni"
           : has("avx2")                         ? "avx2"
                                                 : "portable";
  }
  return {};
}

// Each instruction set has its own; HERD_TEST_KERNELS names what this processor's best must be where Linux does not.
TEST(QuantizedKernels, FollowTheInstructionSet) {
  const auto best = cpu::quantized_kernels().front()->name;
  const char* given = std::getenv("HERD_TEST_KERNELS");
  const std::string wanted = given != nullptr ? given : wanted_by_linux();
  if (!wanted.empty()) {
    EXPECT_EQ(best, wanted);
  }
  EXPECT_EQ(cpu::chosen_quantized_kernels().name, best);
  for (const std::string_view set : cpu::instruction_sets()) {
    ASSERT_TRUE(cpu::force_instruction_set(set));
    const bool own = set.starts_with("AVX3") || set == "NEON";
    const bool short_vnni = std::ranges::any_of(
        cpu::quantized_kernels(), [](const auto* one) { return one->name == "avx_vnni"; });
    EXPECT_EQ(cpu::chosen_quantized_kernels().name, own             ? best
                                                    : set != "AVX2" ? "portable"
                                                    : short_vnni    ? "avx_vnni"
                                                                    : "avx2")
        << set;
  }
  cpu::force_instruction_set("");
  EXPECT_FALSE(cpu::force_quantized_kernels("abacus"));
  EXPECT_EQ(cpu::chosen_quantized_kernels().name, best);
}

TEST(QuantizedKernels, CountTheOperationsOfTheirChains) {
  for (const cpu::QuantizedKernels* kernels : cpu::quantized_kernels()) {
    const double once = kernels->dot_chains(1);
    EXPECT_GE(once, 2 * 64) << kernels->name;
    EXPECT_EQ(kernels->dot_chains(7), 7 * once) << kernels->name;
  }
}

class QuantizedRows : public testing::TestWithParam<cpu::InputScales> {};

TEST_P(QuantizedRows, RoundToNearestAndKnowTheirSums) {
  const std::size_t shared = GetParam() == cpu::InputScales::per_256 ? 256 : 32;
  Draw draw(4);
  std::vector<float> x(256);
  for (int trial = 0; trial < 50; ++trial) {
    for (float& value : x) value = draw.wide_number(1e3);
    for (const cpu::QuantizedKernels* kernels : cpu::quantized_kernels()) {
      cpu::QuantizedInputs q;
      kernels->quantize(GetParam(), x.data(), 256, &q, 1);
      int sum = 0;
      for (std::size_t k = 0; k < 256; ++k) {
        const float d = q.d32[k / 32];
        float most = 0;
        for (std::size_t i = k / shared * shared; i < (k / shared + 1) * shared; ++i)
          most = std::max(most, std::fabs(x[i]));
        ASSERT_EQ(d, most / 127.0f);
        ASSERT_LE(std::fabs(double{x[k]} - double{d} * q.code[k]), double{d} * 0.5001);
        sum += q.code[k];
        if (k % 32 == 31) {
          ASSERT_EQ(q.sum32[k / 32], sum);
          ASSERT_EQ(q.minus128_sum32[k / 32], -128 * sum);
          sum = 0;
        }
      }
      ASSERT_EQ(q.d, shared == 256 ? q.d32[0] : 0);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Scales, QuantizedRows,
                         testing::Values(cpu::InputScales::per_256, cpu::InputScales::per_32),
                         [](const auto& scales) {
                           return scales.param == cpu::InputScales::per_256 ? "per256" : "per32";
                         });

// Weights of both kinds in one call: each finds the inputs as it wants them.
TEST(QuantizedRowsOfOneCall, ServeFormatsOfBothKinds) {
  constexpr std::int64_t rows = 9, out = 20, in = 512;
  Draw draw(6);
  const RandomPacked coarse(draw, DType::q4_k, out, in), fine(draw, DType::q8_0, out, in);
  const auto x = rows_of_x(draw, rows, in);
  const std::array<MatmulGroup, 2> groups{
      {{coarse.matrix(), nullptr, 0, rows, 0}, {fine.matrix(), nullptr, 2, rows, out}}};
  std::vector<float> both(rows * 2 * out), one(rows * 2 * out);
  cpu_kernels().matmul({x.data(), in, both.data(), 2 * out, groups.data(), 2}, {});
  for (const MatmulGroup& group : groups)
    cpu_kernels().matmul({x.data(), in, one.data(), 2 * out, &group, 1}, {});
  EXPECT_EQ(first_difference(one, both), -1);
}

// What is not a number stays so, in its own row.
TEST_P(QuantizedRows, KeepNotANumber) {
  const DType type = GetParam() == cpu::InputScales::per_256 ? DType::q4_k : DType::q4_1;
  constexpr std::int64_t rows = 15, out = 20, in = 512;
  Draw draw(5);
  const RandomPacked weight(draw, type, out, in);
  auto x = Input<float>::floats(draw, rows * in);
  x.data()[3 * in + 300] = std::numeric_limits<float>::quiet_NaN();
  x.data()[7 * in + 10] = -std::numeric_limits<float>::infinity();
  std::vector<float> y(rows * out);
  const MatmulGroup group{weight.matrix(), nullptr, 0, rows, 0};
  cpu_kernels().matmul({x.data(), in, y.data(), out, &group, 1}, {});
  for (std::int64_t i = 0; i < rows * out; ++i) {
    const bool bad = i / out == 3 || i / out == 7;
    ASSERT_EQ(std::isnan(y[static_cast<std::size_t>(i)]), bad) << "row " << i / out;
  }
}

}  // namespace
}  // namespace herd
