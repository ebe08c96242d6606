// How close are products with packed quantized weights to what the machine can do? Times them at a shape of Scout, by
// turns with the machine's two limits, and prints one JSON object a line: medians of the rounds, and the fraction of
// the rate of four-by-four-byte products in registers and of reading memory in order.
//
//   quant_bench [--quick] [--cpu] [--threads=N] [--only=SUBSTRING]
//
// --cpu counts processor time instead of the clock on the wall: for one thread on a machine that others use too.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/large_pages.h"
#include "base/thread_pool.h"
#include "bench/kernel_clock.h"
#include "kernels/cpu/machine_limits.h"
#include "kernels/cpu/quantized_product.h"
#include "kernels/packed.h"
#include "kernels/table.h"

namespace herd {
namespace {

// Random codes under sane scales: a byte pattern of small half-precision numbers wherever a format could have one.
std::vector<std::uint8_t> random_weights(DType dtype, std::int64_t count) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(bytes_of(dtype, count)));
  std::uint32_t state = 12345;
  for (std::uint8_t& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::uint8_t>((state >> 24) & 0x1f);
  }
  return bytes;
}

std::vector<float> floats(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::uint32_t state = 54321;
  for (float& value : values) {
    // Four uniform numbers: about what activations look like.
    value = 0;
    for (int i = 0; i < 4; ++i) {
      state = state * 1664525u + 1013904223u;
      value += static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
    }
  }
  return values;
}

// Memory in large pages, as a model's packed weights lie in: with small ones a processor spends a tenth of its time on
// finding them.
class LargePages {
 public:
  explicit LargePages(std::size_t bytes)
      : memory_(std::make_unique_for_overwrite<std::uint8_t[]>(bytes + large_page)) {
    void* at = memory_.get();
    std::size_t room = bytes + large_page;
    std::align(large_page, bytes, at, room);
    data_ = static_cast<std::uint8_t*>(at);
    ask_for_large_pages(data_, bytes);
    std::memset(data_, 1, bytes);
  }
  [[nodiscard]] std::uint8_t* data() const { return data_; }

 private:
  std::unique_ptr<std::uint8_t[]> memory_;
  std::uint8_t* data_ = nullptr;
};

class Bench {
 public:
  explicit Bench(const KernelBenchOptions& options)
      : options_(options), pool_(options.threads), stream_(stream_bytes) {
    fmt::print("{{\"kernels\": \"{}\", \"threads\": {}}}\n", cpu::chosen_quantized_kernels().name,
               pool_.threads());
  }

  [[nodiscard]] Lane lane() { return {&pool_}; }
  [[nodiscard]] bool quick() const { return options_.quick; }
  [[nodiscard]] bool wanted(const std::string& name) const {
    return name.find(options_.only) != std::string::npos;
  }

  void time(const std::string& name, double bytes, double ops, const std::function<void()>& call) {
    call();  // page in, grow scratch memory
    std::vector<double> took, dot, read;
    double spent = 0;
    const double budget = options_.quick ? 0.4 : 2.0;
    for (int round = 0; round < 100 && (round < 5 || spent < budget); ++round) {
      took.push_back(seconds_of(call));
      spent += took.back();
      double done = 0;
      const auto dots = [&] { done = cpu::dot_time(400'000, lane()).operations; };
      const double dot_seconds = seconds_of(dots);
      dot.push_back(done / dot_seconds);
      const auto read_once = [&] { cpu::read_seconds(stream_.data(), stream_bytes, lane()); };
      read.push_back(static_cast<double>(stream_bytes) / seconds_of(read_once));
    }
    const double seconds = quartile(took, 0.25), ops_limit = quartile(dot, 0.75),
                 read_limit = quartile(read, 0.75);
    fmt::print(
        "{{\"kernel\": \"{}\", \"us\": {:.1f}, \"us_median\": {:.1f}, \"gb_per_s\": {:.2f}, "
        "\"gop_per_s\": {:.1f}, \"read_limit_gb_per_s\": {:.2f}, \"int8_limit_gop_per_s\": {:.1f}, "
        "\"of_read_limit\": {:.2f}, \"of_int8_limit\": {:.3f}}}\n",
        name, seconds * 1e6, quartile(took, 0.5) * 1e6, bytes / seconds / 1e9, ops / seconds / 1e9,
        read_limit / 1e9, ops_limit / 1e9, bytes / seconds / read_limit, ops / seconds / ops_limit);
    std::fflush(stdout);
  }

 private:
  static double quartile(std::vector<double> values, double at) {
    std::ranges::sort(values);
    return values[static_cast<std::size_t>(at * static_cast<double>(values.size() - 1) + 0.5)];
  }
  [[nodiscard]] double seconds_of(const std::function<void()>& call) const {
    return herd::seconds_of(options_, call);
  }

  KernelBenchOptions options_;
  ThreadPool pool_;
  static constexpr std::size_t stream_bytes = std::size_t{256} << 20;
  LargePages stream_;
};

void bench_format(Bench& bench, DType dtype, std::int64_t in, std::int64_t out) {
  const auto name = [&](std::int64_t rows) {
    return fmt::format("{} {}x{} rows={}", row_of(dtype).name, in, out, rows);
  };
  constexpr std::int64_t counts[]{1, 2, 4, 8, 16, 32, 128, 512};
  if (std::ranges::none_of(counts, [&](std::int64_t rows) { return bench.wanted(name(rows)); }))
    return;
  const std::vector<std::uint8_t> file = random_weights(dtype, in * out);
  // More than the last-level cache holds, so that a single row is read from memory.
  const LargePages packed(static_cast<std::size_t>(packed_bytes(dtype, out, in)));
  std::uint8_t* const memory = packed.data();
  pack({file.data(), dtype, Layout::out_in, out, in, in, nullptr}, 0, (out + 15) / 16, memory);
  const Matrix weight = packed_matrix(dtype, out, in, memory);
  for (const std::int64_t rows : counts) {
    if (!bench.wanted(name(rows)) || (bench.quick() && (rows == 2 || rows == 16))) continue;
    const std::vector<float> x = floats(rows * in);
    std::vector<float> y(static_cast<std::size_t>(rows * out));
    const MatmulGroup group{weight, nullptr, 0, rows, 0};
    bench.time(name(rows), static_cast<double>(packed_bytes(dtype, out, in)),
               2.0 * static_cast<double>(rows * in * out), [&] {
                 cpu_kernels().matmul({x.data(), in, y.data(), out, &group, 1}, bench.lane());
               });
  }
}

}  // namespace
}  // namespace herd

int main(int argc, char** argv) {
  const auto options = herd::kernel_bench_options(argc, argv);
  if (!options) return 2;
  using herd::DType;
  herd::Bench bench(*options);
  // Scout's query projection and an expert's gate: one quarter of a gigabit of codes at least.
  for (const DType dtype :
       {DType::q4_k, DType::q8_0, DType::q6_k, DType::iq4_xs, DType::q5_k, DType::q4_0, DType::q3_k,
        DType::q2_k, DType::mxfp4, DType::int4, DType::iq3_s, DType::iq3_xxs, DType::iq2_s,
        DType::iq2_xs, DType::iq2_xxs, DType::iq1_m, DType::iq1_s})
    herd::bench_format(bench, dtype, 5120, 8192);
}
