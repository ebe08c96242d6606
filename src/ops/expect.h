// The contract of an op's arguments, said once and checked: a letter takes the size of the first axis it meets and must
// agree with every later one.
//   Dim T{"T"}, D{"D"};
//   expect(x_TD, {T, D});
//   expect(weight_D, {D});
#pragma once

#include <functional>
#include <initializer_list>

#include "tensor/tensor.h"

namespace herd {

class Dim {
 public:
  explicit Dim(const char* letter) : letter_(letter) {}
  Dim(const char* letter, std::int64_t size) : letter_(letter), size_(size) {}

  [[nodiscard]] std::int64_t size() const {
    HERD_CHECK(size_ >= 0, "{} has met no axis yet", letter_);
    return size_;
  }

 private:
  friend void expect(const Tensor&, std::initializer_list<std::reference_wrapper<Dim>>, DType);
  const char* letter_;
  std::int64_t size_ = -1;
};

// Aborts (HERD_CHECK) when rank, an axis or the type is not as stated.
void expect(const Tensor& x, std::initializer_list<std::reference_wrapper<Dim>> axes,
            DType dtype = DType::f32);

}  // namespace herd
