#include "quant/encode_grids.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "quant/codebook.h"

namespace herd::quant {
namespace {

constexpr float tiny = 1e-30f;
constexpr float never = std::numeric_limits<float>::max();

enum class Signs : std::uint8_t {
  each,    // a bit a number
  even,    // seven bits of eight: an even number of minuses
  inside,  // none: the levels have them
};

enum class Shift : std::uint8_t { none, group, octet };  // who has an eighth up or down

// What sets a format apart. Its numbers are base (2 s + 1) level, s below `scales`, base = fraction d.
template <std::size_t dims_, std::size_t levels_>
struct Form {
  static constexpr std::size_t dims = dims_, levels = levels_;
  const Codebook<dims, levels>& book;
  std::array<float, levels> values;
  int group;
  int scales;
  float fraction;
  Signs signs = Signs::each;
  Shift shift = Shift::none;
};

// Eight numbers as they will be written.
struct Octet {
  std::array<std::uint16_t, 2> index{};  // of their vectors: one of 8 numbers or two of 4
  std::uint8_t signs = 0;                // bits, set where negative
  bool down = false;                     // the shift
};

// What was chosen, its error, and the sums that tell the best scale: of weight x level and weight level^2.
struct Fit {
  float error = 0, product = 0, square = 0;

  void add(const Fit& more) {
    error += more.error;
    product += more.product;
    square += more.square;
  }
};

struct GroupFit {
  Fit fit;
  std::array<Octet, 4> octets{};
};

// How thoroughly to search.
struct Effort {
  std::size_t candidates;  // of the grid's vectors, nearest first
  int flips;               // places where a minus too many or too few may go
};
constexpr Effort quick{10, 1}, thorough{32, 2};

// The vector of the grid that is nearest to y [dims] at this scale, in weighted distance.
template <std::size_t dims, std::size_t levels>
Fit choose(const Codebook<dims, levels>& book, const std::array<float, levels>& values,
           const float* y, const float* w, float scale, std::size_t candidates,
           std::uint16_t& index) {
  using Book = Codebook<dims, levels>;
  float error[levels][dims];
  std::uint32_t level[dims] = {};  // the nearest for each number
  for (std::size_t l = 0; l < levels; ++l) {
    const float at = scale * values[l];
    for (std::size_t i = 0; i < dims; ++i) error[l][i] = w[i] * ((y[i] - at) * (y[i] - at));
    if (l == 0) continue;
    const float between = 0.5f * (at + scale * values[l - 1]);
    for (std::size_t i = 0; i < dims; ++i) level[i] += y[i] > between ? 1u : 0u;
  }
  typename Book::Parts parts{};
  for (std::size_t k = 0; k < 4; ++k) {
    std::uint32_t code = level[k * Book::places];
    if constexpr (Book::places == 2) code += static_cast<std::uint32_t>(levels) * level[2 * k + 1];
    parts[k] = static_cast<std::uint8_t>(code);
  }
  const std::uint16_t* near = book.nearest(parts);
  index = near[0];
  if (book.point(index).parts != parts) {
    // Errors of all parts, so that a candidate costs three sums.
    float of_part[4][Book::codes];
    for (std::size_t k = 0; k < 4; ++k)
      for (std::size_t c = 0; c < Book::codes; ++c) {
        if constexpr (Book::places == 2)
          of_part[k][c] = error[c % levels][2 * k] + error[c / levels][2 * k + 1];
        else
          of_part[k][c] = error[c][k];
      }
    float least = never;
    for (std::size_t k = 0; k < candidates; ++k) {
      const std::uint8_t* p = book.point(near[k]).parts.data();
      const float sum =
          (of_part[0][p[0]] + of_part[1][p[1]]) + (of_part[2][p[2]] + of_part[3][p[3]]);
      if (sum < least) least = sum, index = near[k];
    }
  }
  Fit fit;
  const std::uint8_t* chosen = book.point(index).level.data();
  for (std::size_t i = 0; i < dims; ++i) {
    const std::size_t l = chosen[i];
    fit.error += error[l][i];
    fit.product += w[i] * y[i] * values[l];
    fit.square += w[i] * values[l] * values[l];
  }
  return fit;
}

// The one or two vectors of eight numbers.
template <std::size_t dims, std::size_t levels>
Fit choose_octet(const Form<dims, levels>& form, const std::array<float, levels>& values,
                 const float* y, const float* w, float scale, Effort effort, Octet& octet) {
  Fit fit;
  for (std::size_t part = 0; part < 8 / dims; ++part)
    fit.add(choose(form.book, values, y + dims * part, w + dims * part, scale, effort.candidates,
                   octet.index[part]));
  return fit;
}

template <std::size_t dims, std::size_t levels>
Fit fit_signed(const Form<dims, levels>& form, const float* x, const float* w, float scale,
               Effort effort, Octet& octet) {
  std::array<float, 8> y;
  octet.signs = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    y[i] = std::fabs(x[i]);
    if (x[i] < 0) octet.signs = static_cast<std::uint8_t>(octet.signs | (1u << i));
  }
  if (form.signs == Signs::each || std::popcount(octet.signs) % 2 == 0)
    return choose_octet(form, form.values, y.data(), w, scale, effort, octet);
  // One sign must be wrong: where that costs least, which is about weight times size.
  std::array<std::size_t, 8> order = {0, 1, 2, 3, 4, 5, 6, 7};
  std::ranges::sort(order, {}, [&](std::size_t i) { return w[i] * y[i]; });
  Fit best{.error = never};
  const Octet natural = octet;
  for (std::size_t k = 0; k < static_cast<std::size_t>(effort.flips); ++k) {
    Octet flipped = natural;
    flipped.signs = static_cast<std::uint8_t>(flipped.signs ^ (1u << order[k]));
    y[order[k]] = -y[order[k]];
    const Fit fit = choose_octet(form, form.values, y.data(), w, scale, effort, flipped);
    y[order[k]] = -y[order[k]];
    if (fit.error < best.error || k == 0) best = fit, octet = flipped;
  }
  return best;
}

// A group at a given scale.
template <std::size_t dims, std::size_t levels>
GroupFit fit_group(const Form<dims, levels>& form, const float* x, const float* w, float scale,
                   Effort effort) {
  const auto octets = static_cast<std::size_t>(form.group / 8);
  if (form.signs != Signs::inside) {
    GroupFit all;
    for (std::size_t o = 0; o < octets; ++o)
      all.fit.add(fit_signed(form, x + 8 * o, w + 8 * o, scale, effort, all.octets[o]));
    return all;
  }
  std::array<GroupFit, 2> shifted;  // up, down
  std::array<std::array<float, levels>, 2> values = {form.values, form.values};
  for (std::size_t l = 0; l < levels; ++l) values[0][l] += 0.125f, values[1][l] -= 0.125f;
  for (std::size_t o = 0; o < octets; ++o) {
    std::array<Fit, 2> fits;
    for (std::size_t down = 0; down < 2; ++down) {
      Octet& octet = shifted[down].octets[o];
      octet.down = down != 0;
      fits[down] = choose_octet(form, values[down], x + 8 * o, w + 8 * o, scale, effort, octet);
    }
    if (form.shift == Shift::octet) {
      const bool down = fits[1].error < fits[0].error;
      shifted[down ? 0 : 1].octets[o] = shifted[down ? 1 : 0].octets[o];
      fits[down ? 0 : 1] = fits[down ? 1 : 0];
    }
    for (std::size_t down = 0; down < 2; ++down) shifted[down].fit.add(fits[down]);
  }
  return shifted[shifted[1].fit.error < shifted[0].fit.error ? 1 : 0];
}

// Scales where a search begins: from the largest number on the highest level and a little beyond to well cut off, and
// the one for numbers that are all of one size.
template <std::size_t dims, std::size_t levels>
std::vector<float> starts(const Form<dims, levels>& form, const float* x) {
  float top = 0, squares = 0;
  for (int i = 0; i < form.group; ++i) {
    top = std::max(top, std::fabs(x[i]));
    squares += x[i] * x[i];
  }
  if (!(top > tiny)) return {};
  std::vector<float> out;
  if (form.signs == Signs::inside) {
    const float rms = std::sqrt(squares / static_cast<float>(form.group));
    for (float factor = 0.8f; factor < 2.2f; factor *= 1.13f) out.push_back(rms * factor);
    out.push_back(top / (form.values.back() + 0.125f));
  } else {
    for (float factor = 0.88f; factor < 2.3f; factor *= 1.12f)
      out.push_back(top / form.values.back() * factor);
    out.push_back(top / form.values.front());
  }
  return out;
}

// The scale at which a group's error is least, were it free.
template <std::size_t dims, std::size_t levels>
float best_scale(const Form<dims, levels>& form, const float* x, const float* w) {
  float scale = 0, most = 0;  // by what zeros would lose more
  const auto consider = [&](float at, Effort effort) {
    const Fit fit = fit_group(form, x, w, at, effort).fit;
    if (!(fit.product > 0 && fit.square > 0)) return false;
    const float gain = fit.product * fit.product / fit.square;
    if (!(gain > most)) return false;
    most = gain;
    scale = fit.product / fit.square;
    return true;
  };
  for (const float start : starts(form, x)) consider(start, quick);
  for (int pass = 0; pass < 3 && scale > 0; ++pass)
    if (!consider(scale, thorough)) break;
  return scale;
}

struct BlockFit {
  float d = 0;
  std::array<int, 16> scale{};
  std::array<GroupFit, 16> groups{};
  std::array<Octet, 32> octets{};
};

float as_finite_half(float value) { return to_float(to_half(std::min(value, 65504.0f))); }

// The scale of least squared error leaves the numbers shorter than they were, and so all that is multiplied by them: a
// sum of many keeps its size where sum(w x q) is sum(w x x). Half way there diverges least from the model (1 to 3 %
// less at most formats of one and two bits, docs/gguf.md). Not beyond a quarter: what the vectors hardly fit must not
// grow, and an infinite number must not spoil the others.
float lengthened(float d, double squares, double product) {
  if (!(product > 0)) return d;
  return as_finite_half(static_cast<float>(d * std::min(1.25, 0.5 + 0.5 * squares / product)));
}

// 256 numbers: scales of the groups, rounded to what the block can say; then by turns the block's scale for the vectors
// as they are, and the vectors and groups' scales for it.
template <std::size_t dims, std::size_t levels>
BlockFit fit_block(const Form<dims, levels>& form, const float* x, const float* importance) {
  std::array<float, 256> w;
  w.fill(1);
  if (importance != nullptr) std::copy_n(importance, w.size(), w.begin());
  const auto size = static_cast<std::size_t>(form.group), groups = 256 / size;
  std::array<float, 16> wanted{};
  for (std::size_t g = 0; g < groups; ++g)
    wanted[g] = best_scale(form, x + g * size, w.data() + g * size);
  const float top = *std::ranges::max_element(wanted);
  if (!(top > tiny)) return {};

  // Groups at the scale of least error among those about `near`, for a block's scale d.
  const auto fit_all = [&](float d, const std::array<int, 16>& near, int reach, BlockFit& out) {
    float error = 0;
    out.d = d;
    for (std::size_t g = 0; g < groups; ++g) {
      bool first = true;
      for (int s = near[g] - reach; s <= near[g] + reach; ++s) {
        if (s < 0 || s >= form.scales) continue;
        const float scale = d * form.fraction * static_cast<float>(2 * s + 1);
        const GroupFit fit = fit_group(form, x + g * size, w.data() + g * size, scale, thorough);
        if (!first && !(fit.fit.error < out.groups[g].fit.error)) continue;
        first = false;
        out.groups[g] = fit;
        out.scale[g] = s;
      }
      error += out.groups[g].fit.error;
    }
    return error;
  };

  BlockFit best;
  const float d = as_finite_half(top / (form.fraction * static_cast<float>(2 * form.scales - 1)));
  if (!(d > 0)) return {};
  std::array<int, 16> near{};
  for (std::size_t g = 0; g < groups; ++g) {
    const float units = wanted[g] / (d * form.fraction);
    near[g] = std::clamp(static_cast<int>(std::lround((units - 1) / 2)), 0, form.scales - 1);
  }
  float error = fit_all(d, near, 1, best);
  for (int pass = 0; pass < 2; ++pass) {
    float product = 0, square = 0;
    for (std::size_t g = 0; g < groups; ++g) {
      const float units = form.fraction * static_cast<float>(2 * best.scale[g] + 1);
      product += best.groups[g].fit.product * units;
      square += best.groups[g].fit.square * units * units;
    }
    const float next_d = square > 0 ? as_finite_half(product / square) : 0;
    if (!(next_d > 0) || next_d == best.d) break;
    BlockFit next;
    const float now = fit_all(next_d, best.scale, 0, next);
    if (!(now < error)) break;
    error = now;
    best = next;
  }
  double squares = 0, product = 0;
  for (std::size_t i = 0; i < 256; ++i) squares += double{w[i]} * x[i] * x[i];
  for (std::size_t g = 0; g < groups; ++g) {
    const float scale = best.d * form.fraction * static_cast<float>(2 * best.scale[g] + 1);
    product += double{best.groups[g].fit.product} * scale;
    std::copy_n(best.groups[g].octets.begin(), size / 8,
                best.octets.begin() + static_cast<std::ptrdiff_t>(g * size / 8));
  }
  best.d = lengthened(best.d, squares, product);
  return best;
}

template <class Levels>
std::array<float, 8> eight_floats(const Levels& levels) {
  std::array<float, 8> out{};
  std::ranges::copy(levels, out.begin());
  return out;
}

constexpr std::array<float, 3> levels_of_2 = {8, 25, 43}, levels_of_1 = {-1, 0, 1};

void put_u16(std::uint32_t value, std::uint8_t* to) {
  to[0] = static_cast<std::uint8_t>(value & 255);
  to[1] = static_cast<std::uint8_t>((value >> 8) & 255);
}

void put_u32(std::uint32_t value, std::uint8_t* to) {
  put_u16(value & 0xffff, to);
  put_u16(value >> 16, to + 2);
}

// 7 bits of signs of each of four groups of 8, and a scale.
std::uint32_t signs_and_scale(const BlockFit& fit, std::size_t group) {
  auto word = static_cast<std::uint32_t>(fit.scale[group]) << 28;
  for (std::size_t k = 0; k < 4; ++k)
    word |= static_cast<std::uint32_t>(fit.octets[4 * group + k].signs & 127) << (7 * k);
  return word;
}

void put_scales(const BlockFit& fit, std::size_t groups, std::uint8_t* to) {  // 4 bits each
  for (std::size_t g = 0; g < groups; ++g) to[g / 2] |= byte_of(fit.scale[g] << (g % 2 * 4));
}

}  // namespace

void encode(const float* x, const float* importance, IQ3_S& b) {
  const Form<4, 8> form{.book = iq3_s_book(),
                        .values = eight_floats(iq3_s_levels),
                        .group = 32,
                        .scales = 16,
                        .fraction = 1};
  const BlockFit fit = fit_block(form, x, importance);
  b.d = to_half(fit.d);
  put_scales(fit, 8, b.scales);
  for (std::size_t k = 0; k < 64; ++k) {
    const int index = fit.octets[k / 2].index[k % 2];
    b.q[k] = byte_of(index);
    b.high[k / 8] |= byte_of((index >> 8) << (k % 8));
    b.signs[k / 2] = fit.octets[k / 2].signs;
  }
}

void encode(const float* x, const float* importance, IQ3_XXS& b) {
  const Form<4, 8> form{.book = iq3_xxs_book(),
                        .values = eight_floats(iq3_xxs_levels),
                        .group = 32,
                        .scales = 16,
                        .fraction = 0.25f,
                        .signs = Signs::even};
  const BlockFit fit = fit_block(form, x, importance);
  b.d = to_half(fit.d);
  for (std::size_t k = 0; k < 64; ++k) b.q[k] = byte_of(fit.octets[k / 2].index[k % 2]);
  for (std::size_t g = 0; g < 8; ++g) put_u32(signs_and_scale(fit, g), b.signs_and_scales + 4 * g);
}

void encode(const float* x, const float* importance, IQ2_S& b) {
  const Form<8, 3> form{
      .book = iq2_s_book(), .values = levels_of_2, .group = 16, .scales = 16, .fraction = 0.125f};
  const BlockFit fit = fit_block(form, x, importance);
  b.d = to_half(fit.d);
  put_scales(fit, 16, b.scales);
  for (std::size_t k = 0; k < 32; ++k) {
    b.q[k] = byte_of(fit.octets[k].index[0]);
    b.high[k / 4] |= byte_of((fit.octets[k].index[0] >> 8) << (k % 4 * 2));
    b.signs[k] = fit.octets[k].signs;
  }
}

void encode(const float* x, const float* importance, IQ2_XS& b) {
  const Form<8, 3> form{.book = iq2_xs_book(),
                        .values = levels_of_2,
                        .group = 16,
                        .scales = 16,
                        .fraction = 0.125f,
                        .signs = Signs::even};
  const BlockFit fit = fit_block(form, x, importance);
  b.d = to_half(fit.d);
  put_scales(fit, 16, b.scales);
  for (std::size_t k = 0; k < 32; ++k) {
    const std::uint32_t signs = fit.octets[k].signs & 127;
    put_u16(fit.octets[k].index[0] | (signs << 9), b.q + 2 * k);
  }
}

void encode(const float* x, const float* importance, IQ2_XXS& b) {
  const Form<8, 3> form{.book = iq2_xxs_book(),
                        .values = levels_of_2,
                        .group = 32,
                        .scales = 16,
                        .fraction = 0.125f,
                        .signs = Signs::even};
  const BlockFit fit = fit_block(form, x, importance);
  b.d = to_half(fit.d);
  for (std::size_t g = 0; g < 8; ++g) {
    for (std::size_t k = 0; k < 4; ++k) b.q[8 * g + k] = byte_of(fit.octets[4 * g + k].index[0]);
    put_u32(signs_and_scale(fit, g), b.q + 8 * g + 4);
  }
}

void encode(const float* x, const float* importance, IQ1_S& b) {
  const Form<8, 3> form{.book = iq1_book(),
                        .values = levels_of_1,
                        .group = 32,
                        .scales = 8,
                        .fraction = 1,
                        .signs = Signs::inside,
                        .shift = Shift::group};
  const BlockFit fit = fit_block(form, x, importance);
  b.d = to_half(fit.d);
  for (std::size_t g = 0; g < 8; ++g) {
    auto word = static_cast<std::uint32_t>(fit.scale[g]) << 12;
    if (fit.octets[4 * g].down) word |= 0x8000;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint32_t index = fit.octets[4 * g + k].index[0];
      b.q[4 * g + k] = static_cast<std::uint8_t>(index & 255);
      word |= (index >> 8) << (3 * k);
    }
    put_u16(word, b.high + 2 * g);
  }
}

void encode(const float* x, const float* importance, IQ1_M& b) {
  const Form<8, 3> form{.book = iq1_book(),
                        .values = levels_of_1,
                        .group = 16,
                        .scales = 8,
                        .fraction = 1,
                        .signs = Signs::inside,
                        .shift = Shift::octet};
  const BlockFit fit = fit_block(form, x, importance);
  const Half d = to_half(fit.d);
  const std::uint32_t bits = d.low | static_cast<std::uint32_t>(d.high << 8);
  for (std::size_t i = 0; i < 4; ++i) {
    std::uint32_t word = ((bits >> (4 * i)) & 15) << 12;
    for (std::size_t g = 0; g < 4; ++g)
      word |= static_cast<std::uint32_t>(fit.scale[4 * i + g]) << (3 * g);
    put_u16(word, b.scales + 2 * i);
  }
  for (std::size_t k = 0; k < 32; ++k) {
    const Octet& octet = fit.octets[k];
    b.q[k] = byte_of(octet.index[0]);
    b.high[k / 2] |= byte_of(((octet.index[0] >> 8) | (octet.down ? 8 : 0)) << (k % 2 * 4));
  }
}

}  // namespace herd::quant
