#include "quant/codebook.h"

#include <algorithm>
#include <utility>

#include "quant/i_grids.h"

namespace herd::quant {
namespace {

template <class Levels>
std::vector<float> as_floats(const Levels& levels) {
  return {std::begin(levels), std::end(levels)};
}

}  // namespace

template <std::size_t dims, std::size_t levels>
Codebook<dims, levels>::Codebook(std::span<const std::uint16_t> grid,
                                 std::span<const float> values) {
  constexpr unsigned bits = dims == 8 ? 2 : 3;
  for (const unsigned packed : grid) {
    Point& point = points_.emplace_back();
    for (std::size_t i = dims; i-- > 0;) {
      point.level[i] = static_cast<std::uint8_t>((packed >> (bits * i)) & ((1u << bits) - 1));
      std::uint8_t& part = point.parts[i / places];
      part = static_cast<std::uint8_t>(part * levels + point.level[i]);
    }
  }
  // Distances between parts, and from them those between vectors.
  std::array<std::array<float, codes>, codes> between{};
  for (std::size_t a = 0; a < codes; ++a)
    for (std::size_t b = 0; b < codes; ++b)
      for (std::size_t i = 0, x = a, y = b; i < places; ++i, x /= levels, y /= levels) {
        const float off = values[x % levels] - values[y % levels];
        between[a][b] += off * off;
      }
  std::vector<std::pair<float, std::uint16_t>> all(points_.size());
  constexpr std::size_t vectors = codes * codes * codes * codes;
  nearest_.reserve(vectors * kept);
  for (std::size_t vector = 0; vector < vectors; ++vector) {
    std::array<const float*, 4> from{};
    for (std::size_t k = 0, rest = vector; k < 4; ++k, rest /= codes)
      from[k] = between[rest % codes].data();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Parts& parts = points_[i].parts;
      all[i] = {from[0][parts[0]] + from[1][parts[1]] + from[2][parts[2]] + from[3][parts[3]],
                static_cast<std::uint16_t>(i)};
    }
    const auto last = all.begin() + static_cast<std::ptrdiff_t>(kept);
    std::nth_element(all.begin(), last - 1, all.end());
    std::sort(all.begin(), last);
    for (std::size_t i = 0; i < kept; ++i) nearest_.push_back(all[i].second);
  }
}

template class Codebook<8, 3>;
template class Codebook<4, 8>;

namespace {

constexpr float levels_of_2[] = {8, 25, 43};
constexpr float levels_of_1[] = {-1, 0, 1};

}  // namespace

const Codebook<8, 3>& iq2_xxs_book() {
  static const Codebook<8, 3> book(iq2_xxs_grid, levels_of_2);
  return book;
}
const Codebook<8, 3>& iq2_xs_book() {
  static const Codebook<8, 3> book(iq2_xs_grid, levels_of_2);
  return book;
}
const Codebook<8, 3>& iq2_s_book() {
  static const Codebook<8, 3> book(iq2_s_grid, levels_of_2);
  return book;
}
const Codebook<8, 3>& iq1_book() {
  static const Codebook<8, 3> book(iq1_grid, levels_of_1);
  return book;
}
const Codebook<4, 8>& iq3_xxs_book() {
  static const Codebook<4, 8> book(iq3_xxs_grid, as_floats(iq3_xxs_levels));
  return book;
}
const Codebook<4, 8>& iq3_s_book() {
  static const Codebook<4, 8> book(iq3_s_grid, as_floats(iq3_s_levels));
  return book;
}

}  // namespace herd::quant
