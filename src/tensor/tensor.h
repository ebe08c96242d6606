// A block of numbers: where it lies, of which type, in which shape. A view, copied freely, owning nothing; rows are
// contiguous and in row-major order. Weights live in a Mapping, results in an Arena, caches in a Buffer.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/check.h"
#include "tensor/dtype.h"

namespace herd {

class Shape {
 public:
  static constexpr int rank_max = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    for (std::int64_t dim : dims) push(dim);
  }

  void push(std::int64_t dim) {
    HERD_CHECK(rank_ < rank_max && dim >= 0, "dimension {} of rank {}", dim, rank_);
    dims_[static_cast<std::size_t>(rank_++)] = dim;
  }
  [[nodiscard]] int rank() const { return rank_; }
  // dims from the front; negative counts from the back: shape[-1] is the last.
  [[nodiscard]] std::int64_t operator[](int axis) const {
    const int at = axis < 0 ? axis + rank_ : axis;
    HERD_CHECK(at >= 0 && at < rank_, "axis {} of rank {}", axis, rank_);
    return dims_[static_cast<std::size_t>(at)];
  }
  [[nodiscard]] std::int64_t elements() const {
    std::int64_t product = 1;
    for (int axis = 0; axis < rank_; ++axis) product *= dims_[static_cast<std::size_t>(axis)];
    return product;
  }
  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int axis = 0; axis < a.rank_; ++axis)
      if (a[axis] != b[axis]) return false;
    return true;
  }
  // "[40, 128]"
  [[nodiscard]] std::string text() const {
    std::string out = "[";
    for (int axis = 0; axis < rank_; ++axis)
      out += fmt::format("{}{}", axis == 0 ? "" : ", ", (*this)[axis]);
    return out + "]";
  }

 private:
  std::array<std::int64_t, rank_max> dims_{};
  int rank_ = 0;
};

template <typename T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "no dtype for this type");
  return DType::f32;
}();
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::i64;

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  [[nodiscard]] explicit operator bool() const { return data != nullptr; }
  [[nodiscard]] std::int64_t elements() const { return shape.elements(); }
  [[nodiscard]] std::int64_t rows() const { return shape[0]; }

  // The elements as T, which must be the tensor's type.
  template <typename T>
  [[nodiscard]] std::span<T> as() const {
    HERD_CHECK(dtype == dtype_of<T>, "tensor is {}, wanted {}", row_of(dtype).name,
               row_of(dtype_of<T>).name);
    return {static_cast<T*>(data), static_cast<std::size_t>(elements())};
  }

  // The first `count` rows of a matrix.
  [[nodiscard]] Tensor first_rows(std::int64_t count) const {
    HERD_CHECK(shape.rank() == 2 && count <= rows(), "{} rows of {}", count, shape.text());
    return {data, dtype, {count, shape[1]}};
  }

  // The same numbers in another shape of equal size.
  [[nodiscard]] Tensor view(Shape wanted) const {
    HERD_CHECK(wanted.elements() == elements(), "view {} as {}", shape.text(), wanted.text());
    return {data, dtype, wanted};
  }
};

}  // namespace herd
