// How close are the CPU kernels to what the machine can do? Times them at the shapes of Llama 4 Scout and prints one
// JSON object a line: the best of several rounds, and its fraction of the limit that was measured in the same rounds.
//
//   kernels_bench [--quick] [--cpu] [--threads=N] [--only=SUBSTRING]
//
// --cpu counts processor time instead of the clock on the wall: for one thread on a machine that others use too.
//
// Limits: reading memory in order (GB/s), and fused multiply-adds in registers (GFLOP/s), both with the same threads.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "bench/kernel_clock.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/machine_limits.h"
#include "kernels/table.h"
#include "tensor/float_bits.h"

namespace herd {
namespace {

// What one call does, for the rates: bytes it must read at least once, and floating-point operations.
struct Work {
  double bytes = 0;
  double flops = 0;
};

class Bench {
 public:
  explicit Bench(const KernelBenchOptions& options)
      : options_(options), pool_(options.threads), stream_(std::size_t{256} << 20, 1) {
    fmt::print("{{\"instruction_set\": \"{}\", \"threads\": {}}}\n", cpu::chosen_instruction_set(),
               pool_.threads());
  }

  [[nodiscard]] Lane lane() { return {&pool_}; }
  [[nodiscard]] bool quick() const { return options_.quick; }

  // Alternates the kernel with both limits, so that a busy moment of the machine meets all three.
  void time(const std::string& name, const Work& work, const std::function<void()>& call) {
    if (name.find(options_.only) == std::string::npos) return;
    call();  // page in, grow scratch memory
    double best = 1e30, read = 0, fma = 0;
    double spent = 0;
    const double budget = options_.quick ? 0.3 : 2.0;
    for (int round = 0; round < 200 && (round < 3 || spent < budget); ++round) {
      const double seconds = seconds_of(call);
      best = std::min(best, seconds);
      spent += seconds;
      if (round % 4 != 0) continue;
      const auto bytes = static_cast<double>(stream_.size());
      const auto read_once = [&] { cpu::read_seconds(stream_.data(), stream_.size(), lane()); };
      read = std::max(read, bytes / seconds_of(read_once));
      double flops = 0;
      const auto multiply = [&] { flops = cpu::fma_time(5'000'000, lane()).flops; };
      const double fma_seconds = seconds_of(multiply);
      fma = std::max(fma, flops / fma_seconds);
    }
    fmt::print(
        "{{\"kernel\": \"{}\", \"us\": {:.1f}, \"gb_per_s\": {:.2f}, \"gflop_per_s\": {:.1f}, "
        "\"read_limit_gb_per_s\": {:.2f}, \"fma_limit_gflop_per_s\": {:.1f}, "
        "\"of_read_limit\": {:.2f}, \"of_fma_limit\": {:.2f}}}\n",
        name, best * 1e6, work.bytes / best / 1e9, work.flops / best / 1e9, read / 1e9, fma / 1e9,
        work.bytes / best / read, work.flops / best / fma);
    std::fflush(stdout);
  }

 private:
  [[nodiscard]] double seconds_of(const std::function<void()>& call) const {
    return herd::seconds_of(options_, call);
  }

  KernelBenchOptions options_;
  ThreadPool pool_;
  std::vector<std::uint8_t> stream_;
};

std::vector<float> floats(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::uint32_t state = 12345;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return values;
}

std::vector<std::uint8_t> encoded(DType dtype, std::int64_t count) {
  const std::vector<float> values = floats(std::min<std::int64_t>(count, 1 << 16));
  const auto bytes = static_cast<std::int64_t>(row_of(dtype).bytes);
  std::vector<std::uint8_t> out(static_cast<std::size_t>(count * bytes));
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = values[static_cast<std::size_t>(i) % values.size()];
    std::uint8_t* to = out.data() + i * bytes;
    const std::uint16_t half = bf16_of_f32(value);
    if (dtype == DType::f32)
      std::memcpy(to, &value, 4);
    else if (dtype == DType::f8_e4m3)
      *to = static_cast<std::uint8_t>(half >> 8 & 0xb7);
    else if (dtype == DType::f16)
      *to = static_cast<std::uint8_t>(half), to[1] = static_cast<std::uint8_t>(half >> 8 & 0xb7);
    else
      std::memcpy(to, &half, 2);
  }
  return out;
}

void bench_matmul(Bench& bench, const char* what, DType dtype, Layout layout, std::int64_t in,
                  std::int64_t out) {
  const std::vector<std::uint8_t> weight = encoded(dtype, in * out);
  for (const std::int64_t T : {1, 4, 16, 64, 512}) {
    if (bench.quick() && T == 64) continue;
    const std::vector<float> x = floats(T * in);
    std::vector<float> y(static_cast<std::size_t>(T * out));
    const MatmulGroup group{.weight = {weight.data(), dtype, layout, out, in,
                                       layout == Layout::out_in ? in : out, nullptr},
                            .bias = nullptr,
                            .row_begin = 0,
                            .row_end = T,
                            .y_column = 0};
    const MatmulArgs args{x.data(), in, y.data(), out, &group, 1};
    bench.time(fmt::format("matmul {} {} {}x{} T={}", what, row_of(dtype).name, in, out, T),
               {static_cast<double>(weight.size()),
                2.0 * static_cast<double>(T) * static_cast<double>(in) * static_cast<double>(out)},
               [&] { cpu_kernels().matmul(args, bench.lane()); });
  }
}

// The products of training a model as small as cria, in float32: `groups` matrices (experts), each with its own rows.
void bench_training_matmul(Bench& bench, Layout layout, std::int64_t groups, std::int64_t rows,
                           std::int64_t in, std::int64_t out) {
  const std::vector<float> weight = floats(groups * in * out), x = floats(groups * rows * in);
  std::vector<float> y(static_cast<std::size_t>(groups * rows * out));
  std::vector<MatmulGroup> all;
  for (std::int64_t g = 0; g < groups; ++g)
    all.push_back({.weight = {weight.data() + g * in * out, DType::f32, layout, out, in,
                              layout == Layout::out_in ? in : out, nullptr},
                   .bias = nullptr,
                   .row_begin = g * rows,
                   .row_end = (g + 1) * rows,
                   .y_column = 0});
  const MatmulArgs args{x.data(), in, y.data(), out, all.data(), groups};
  bench.time(fmt::format("training {} groups={} rows={} {}x{}",
                         layout == Layout::out_in ? "out_in" : "in_out", groups, rows, in, out),
             {4.0 * static_cast<double>(weight.size() + x.size() + y.size()),
              2.0 * static_cast<double>(groups * rows * in * out)},
             [&] { cpu_kernels().matmul(args, bench.lane()); });
}

// dW += dY^T X of `groups` matrices, each with its own rows.
void bench_weight_grad(Bench& bench, std::int64_t groups, std::int64_t rows, std::int64_t in,
                       std::int64_t out) {
  const std::vector<float> x = floats(groups * rows * in), dy = floats(groups * rows * out);
  std::vector<float> dw(static_cast<std::size_t>(groups * in * out));
  std::vector<WeightGradGroup> all;
  for (std::int64_t g = 0; g < groups; ++g)
    all.push_back({.dw = dw.data() + g * in * out,
                   .out = out,
                   .in = in,
                   .stride = in,
                   .row_begin = g * rows,
                   .row_end = (g + 1) * rows});
  const WeightGradArgs args{x.data(), in, dy.data(), out, all.data(), groups};
  bench.time(fmt::format("training weight_grad groups={} rows={} {}x{}", groups, rows, in, out),
             {4.0 * static_cast<double>(dw.size() + x.size() + dy.size()),
              2.0 * static_cast<double>(groups * rows * in * out)},
             [&] { cpu_kernels().weight_grad(args, bench.lane()); });
}

// The way back through cria's heads; 2,048 rows in causal segments of `length`. Counted: five products of the pairs
// seen.
void bench_attend_grad(Bench& bench, std::int64_t length) {
  constexpr std::int64_t T = 2048, N = 4, G = 2, d = 64;
  const std::vector<float> q = floats(T * N * d), k = floats(T * G * d), v = floats(T * G * d);
  std::vector<float> dq(q.size()), dk(k.size()), dv(v.size());
  std::vector<AttendSegment> segments;
  for (std::int64_t at = 0; at < T; at += length) segments.push_back({at, at + length});
  const AttendGradArgs args{.q = q.data(),
                            .k = k.data(),
                            .v = v.data(),
                            .d_out = q.data(),
                            .dq = dq.data(),
                            .dk = dk.data(),
                            .dv = dv.data(),
                            .segments = segments.data(),
                            .num_segments = T / length,
                            .N = N,
                            .G = G,
                            .d = d,
                            .scale = 0.125f,
                            .causal = true};
  const double pairs = static_cast<double>(T) * static_cast<double>(length + 1) / 2;
  bench.time(fmt::format("training attend_grad rows={} segments of {}", T, length),
             {4.0 * static_cast<double>(2 * q.size() + 4 * k.size()), 10.0 * pairs * N * d},
             [&] { cpu_kernels().attend_grad(args, bench.lane()); });
}

void bench_training(Bench& bench) {
  for (const Layout layout : {Layout::out_in, Layout::in_out}) {
    bench_training_matmul(bench, layout, 1, 2048, 192, 512);
    bench_training_matmul(bench, layout, 1, 2048, 384, 192);
    bench_training_matmul(bench, layout, 8, 256, 192, 768);
    bench_training_matmul(bench, layout, 8, 256, 384, 192);
  }
  for (const auto& [groups, rows, in, out] : std::initializer_list<std::array<std::int64_t, 4>>{
           {1, 2048, 192, 512}, {1, 2048, 416, 192}, {8, 256, 192, 416}, {1, 512, 192, 2048}})
    bench_weight_grad(bench, groups, rows, in, out);
  for (const std::int64_t length : {128, 512}) bench_attend_grad(bench, length);
}

void bench_attend(Bench& bench, const char* what, DType dtype, std::int64_t T, std::int64_t keys) {
  constexpr std::int64_t N = 40, G = 8, d = 128;
  const std::int64_t blocks = (keys + keys_per_block - 1) / keys_per_block;
  const std::int64_t block = G * keys_per_block * d;
  const std::int64_t bytes = bytes_of(dtype, block);
  // Of integers: codes and scales of small ordinary numbers.
  const std::vector<std::uint8_t> key =
      is_quantized(dtype)
          ? std::vector<std::uint8_t>(static_cast<std::size_t>(blocks * bytes), 0x11)
          : encoded(dtype, blocks * block);
  const std::vector<std::uint8_t> value = key;
  std::vector<const void*> key_blocks, value_blocks;
  for (std::int64_t b = 0; b < blocks; ++b) {
    key_blocks.push_back(key.data() + b * bytes);
    value_blocks.push_back(value.data() + b * bytes);
  }
  std::vector<AttendRow> rows;
  double pairs = 0;
  for (std::int64_t t = 0; t < T; ++t) {
    rows.push_back({key_blocks.data(), value_blocks.data(), 0, keys - T + t + 1});
    pairs += static_cast<double>(rows.back().count);
  }
  const std::vector<float> q = floats(T * N * d);
  std::vector<float> o(q.size());
  const AttendArgs args{q.data(), o.data(), rows.data(), dtype, T, N, G, d, N * d, N * d, 0.088f};
  bench.time(fmt::format("attend {} {} T={} keys={}", what, row_of(dtype).name, T, keys),
             {2.0 * static_cast<double>(blocks * bytes), 4.0 * pairs * N * d},
             [&] { cpu_kernels().attend(args, bench.lane()); });
}

void bench_rows(Bench& bench, std::int64_t T) {
  constexpr std::int64_t D = 5120, I = 8192;
  const std::vector<float> x = floats(T * D), weight = floats(D), gate_up = floats(T * 2 * I);
  std::vector<float> y(static_cast<std::size_t>(T * I));
  const auto rows = static_cast<double>(T);
  bench.time(fmt::format("rms_norm T={} D={}", T, D), {rows * D * 4, rows * D * 4}, [&] {
    cpu_kernels().rms_norm({x.data(), weight.data(), y.data(), T, D, 1e-5f}, bench.lane());
  });
  bench.time(fmt::format("layer_norm T={} D={}", T, D), {rows * D * 4, rows * D * 8}, [&] {
    cpu_kernels().layer_norm({x.data(), weight.data(), weight.data(), y.data(), T, D, 1e-5f},
                             bench.lane());
  });
  bench.time(fmt::format("silu_mul T={} I={}", T, I), {rows * I * 8, rows * I * 5},
             [&] { cpu_kernels().silu_mul({gate_up.data(), y.data(), T, I}, bench.lane()); });
  bench.time(fmt::format("gelu count={}", T * D), {rows * D * 4, rows * D * 10},
             [&] { cpu_kernels().gelu({x.data(), y.data(), T * D}, bench.lane()); });
  bench.time(fmt::format("add count={}", T * D), {rows * D * 8, rows * D},
             [&] { cpu_kernels().add({x.data(), x.data(), y.data(), T * D}, bench.lane()); });
  const std::vector<float> cosine = floats(T * 64);
  bench.time(fmt::format("rope T={} N=40 d=128", T), {rows * D * 4, rows * D * 3}, [&] {
    cpu_kernels().rope({x.data(), cosine.data(), cosine.data(), y.data(), T, 40, 128, D, D},
                       bench.lane());
  });
}

}  // namespace
}  // namespace herd

int main(int argc, char** argv) {
  const auto options = herd::kernel_bench_options(argc, argv);
  if (!options) return 2;
  using herd::DType;
  using herd::Layout;
  herd::Bench bench(*options);
  herd::bench_matmul(bench, "q", DType::bf16, Layout::out_in, 5120, 5120);
  herd::bench_matmul(bench, "shared_down", DType::bf16, Layout::out_in, 8192, 5120);
  herd::bench_matmul(bench, "expert_gate_up", DType::bf16, Layout::in_out, 5120, 16384);
  herd::bench_matmul(bench, "expert_down", DType::bf16, Layout::in_out, 8192, 5120);
  if (!options->quick) {
    for (const DType dtype : {DType::f32, DType::f16, DType::f8_e4m3}) {
      herd::bench_matmul(bench, "q", dtype, Layout::out_in, 5120, 5120);
      herd::bench_matmul(bench, "expert_down", dtype, Layout::in_out, 8192, 5120);
    }
  }
  herd::bench_training(bench);
  for (const DType dtype : {DType::f32, DType::bf16, DType::q8_0, DType::q4_0}) {
    herd::bench_attend(bench, "decode", dtype, 1, 8192);
    herd::bench_attend(bench, "prefill", dtype, 512, 2048);
  }
  for (const std::int64_t T : {1, 512}) herd::bench_rows(bench, T);
}
