// Random arguments for every kernel of table.h: odd sizes, unaligned starts, strides larger than widths, outputs
// between guards. One kind a kernel; parity tests, determinism tests and benchmarks draw from the same kinds.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
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

struct CaseKind {
  const char* name;
  std::function<std::unique_ptr<KernelCase>(Draw&)> make;
};

// float32's rounding error, relative.
inline constexpr double eps = 0x1p-24;

}  // namespace herd::test
