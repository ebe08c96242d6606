// Random arguments for every kernel of table.h: odd sizes, unaligned starts, strides larger than widths, outputs
// between guards. One kind a kernel; parity tests, determinism tests and benchmarks draw from the same kinds.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "kernels/table.h"
#include "tensor/float_bits.h"

namespace herd::test {

// A stream of random numbers.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : seed_(seed) {}

  double unit() { return uniform(seed_, counter_++); }
  std::int64_t between(std::int64_t low, std::int64_t high) {  // both included
    return low + static_cast<std::int64_t>(unit() * static_cast<double>(high - low + 1));
  }
  bool one_in(int n) { return between(1, n) == 1; }
  float number() { return static_cast<float>(4 * unit() - 2); }
  // Of any size up to `largest`, most of them far below it, some zero: for kernels that treat sizes differently.
  float wide_number(double largest) {
    if (one_in(50)) return one_in(2) ? 0.0f : -0.0f;
    return static_cast<float>((one_in(2) ? largest : -largest) * std::exp2(-30 * unit() * unit()));
  }

 private:
  std::uint64_t seed_;
  std::uint64_t counter_ = 0;
};

// An input: exactly as long as it must be, so that a sanitizer sees a read beyond it, at a random offset from
// alignment.
template <class T>
class Input {
 public:
  Input() = default;
  Input(Draw& draw, std::int64_t count, const std::function<T()>& value)
      : offset_(static_cast<std::size_t>(draw.between(0, 15))),
        data_(offset_ + static_cast<std::size_t>(count)) {
    for (std::size_t i = offset_; i < data_.size(); ++i) data_[i] = value();
  }
  static Input floats(Draw& draw, std::int64_t count) {
    return Input(draw, count, [&] { return draw.number(); });
  }

  [[nodiscard]] T* data() { return data_.data() + offset_; }
  [[nodiscard]] const T* data() const { return data_.data() + offset_; }
  [[nodiscard]] std::int64_t size() const {
    return static_cast<std::int64_t>(data_.size() - offset_);
  }
  [[nodiscard]] Input magnitudes() const {
    Input copy = *this;
    for (T& value : copy.data_) value = value < 0 ? -value : value;
    return copy;
  }

 private:
  std::size_t offset_ = 0;
  std::vector<T> data_;
};

// What fills an output before a kernel runs; a NaN that no arithmetic makes.
inline constexpr std::uint32_t untouched_bits = 0x7fedcba9;

// An output between two guards.
class Output {
 public:
  static constexpr std::int64_t guard = 32;

  Output(std::int64_t offset, std::int64_t count)
      : offset_(offset), data_(static_cast<std::size_t>(offset + count + 2 * guard)) {
    for (float& value : data_) std::memcpy(&value, &untouched_bits, sizeof value);
  }
  // One that holds values already: to be added to, or read and written in place.
  Output(std::int64_t offset, const Input<float>& values) : Output(offset, values.size()) {
    std::copy(values.data(), values.data() + values.size(), data());
  }
  [[nodiscard]] float* data() { return data_.data() + guard + offset_; }
  [[nodiscard]] std::vector<float> all() && { return std::move(data_); }

 private:
  std::int64_t offset_;
  std::vector<float> data_;
};

// Arguments of one call, with all they point to.
class KernelCase {
 public:
  virtual ~KernelCase() = default;
  // Calls the kernel of `table`: everything it wrote or could have written, as numbers, guards included.
  virtual std::vector<float> run(const KernelTable& table, const Lane& lane) = 0;
  // How far each of those numbers may be from the reference's (0: equal).
  virtual std::vector<double> tolerance(const std::vector<float>& reference) = 0;
  virtual std::string text() const = 0;
};

// A case made of functions, which own what they need.
class FunctionCase final : public KernelCase {
 public:
  using Run = std::function<std::vector<float>(const KernelTable&, const Lane&)>;
  using Tolerance = std::function<std::vector<double>(const std::vector<float>&)>;

  FunctionCase(std::string text, Run run, Tolerance tolerance)
      : text_(std::move(text)), run_(std::move(run)), tolerance_(std::move(tolerance)) {}
  std::vector<float> run(const KernelTable& table, const Lane& lane) override {
    return run_(table, lane);
  }
  std::vector<double> tolerance(const std::vector<float>& reference) override {
    return tolerance_(reference);
  }
  std::string text() const override { return text_; }

 private:
  std::string text_;
  Run run_;
  Tolerance tolerance_;
};

struct CaseKind {
  const char* name;
  std::function<std::unique_ptr<KernelCase>(Draw&)> make;
  std::uint64_t seeds = 200;
};

// float32's rounding error, relative.
inline constexpr double eps = 0x1p-24;

// Tolerance of `roundings` roundings of the result itself, and `floor` where results are subnormal or cancel.
inline FunctionCase::Tolerance roundings_of_result(double roundings, double floor = 0) {
  return [=](const std::vector<float>& reference) {
    std::vector<double> bound;
    for (const float value : reference)
      bound.push_back(roundings * eps * std::fabs(double{value}) + floor);
    return bound;
  };
}

// The kernel does the reference's own operations in the reference's order.
inline FunctionCase::Tolerance equal_bits() { return roundings_of_result(0); }

inline std::vector<float> joined(std::vector<float> a, const std::vector<float>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// One random finite number of a weight's type, as bytes.
inline void append_weight(Draw& draw, DType dtype, std::vector<std::uint8_t>& bytes) {
  if (dtype == DType::f8_e4m3) {
    const std::int64_t code = draw.between(0, 253);  // without the two NaN
    bytes.push_back(static_cast<std::uint8_t>(code < 127 ? code : code + 1));
    return;
  }
  const float value = draw.number();
  if (dtype == DType::f32) {
    const auto four = std::bit_cast<std::array<std::uint8_t, 4>>(value);
    bytes.insert(bytes.end(), four.begin(), four.end());
    return;
  }
  // Half precision from zero through subnormals to 2, or bfloat16.
  const auto half =
      dtype == DType::bf16
          ? bf16_of_f32(value)
          : static_cast<std::uint16_t>(draw.between(0, 0x4000) | (value < 0 ? 0x8000 : 0));
  bytes.push_back(static_cast<std::uint8_t>(half & 0xff));
  bytes.push_back(static_cast<std::uint8_t>(half >> 8));
}

}  // namespace herd::test
