// A grid of good vectors of the I formats (i_grids.h) and, for every vector of levels, those of the grid that lie
// nearest: what their encoders search.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace herd::quant {

// Vectors of `dims` places, each one of `levels` levels: 8 of 3, or 4 of 8. A vector has four parts, of two places
// or of one, each told by a code.
template <std::size_t dims, std::size_t levels>
class Codebook {
 public:
  static constexpr std::size_t places = dims / 4;                             // of a part
  static constexpr std::size_t codes = dims == 8 ? levels * levels : levels;  // of a part
  static constexpr std::size_t kept = 32;  // nearest vectors that are listed

  using Parts = std::array<std::uint8_t, 4>;
  struct Point {
    Parts parts{};
    std::array<std::uint8_t, dims> level{};  // of each place
  };

  // `grid`: as i_grids.h keeps it. `values`: what the levels stand for, up to a factor.
  Codebook(std::span<const std::uint16_t> grid, std::span<const float> values);

  [[nodiscard]] const Point& point(std::size_t index) const { return points_.data()[index]; }
  // Indices of the `kept` vectors nearest to a vector, the nearest first.
  [[nodiscard]] const std::uint16_t* nearest(const Parts& parts) const {
    const std::size_t row = ((parts[3] * codes + parts[2]) * codes + parts[1]) * codes + parts[0];
    return nearest_.data() + row * kept;
  }

 private:
  std::vector<Point> points_;
  std::vector<std::uint16_t> nearest_;  // [codes^4][kept]
};

// Made when they are first asked for, in less than a second.
const Codebook<8, 3>& iq2_xxs_book();
const Codebook<8, 3>& iq2_xs_book();
const Codebook<8, 3>& iq2_s_book();
const Codebook<8, 3>& iq1_book();
const Codebook<4, 8>& iq3_xxs_book();
const Codebook<4, 8>& iq3_s_book();

}  // namespace herd::quant
