// Letters: n taps (source pixels under one output pixel's triangle), k their weights in fixed point.
#include "media/resize.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace herd::media {

namespace {

// A byte times weights that add to one needs 8 + 22 bits of a signed 32-bit sum; one bit stays for rounding.
constexpr int fraction_bits = 22;
constexpr std::int32_t half = 1 << (fraction_bits - 1);

// For each output position: the first source position, the number of taps, and as many weights.
struct Filter {
  struct Window {
    std::int64_t first = 0;
    std::int64_t taps = 0;
    const std::int32_t* weights = nullptr;
  };

  [[nodiscard]] Window at(std::int64_t i) const {
    const auto row = static_cast<std::size_t>(i);
    return {first[row], taps[row], weights.data() + i * stride};
  }

  std::int64_t stride = 0;
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> taps;
  std::vector<std::int32_t> weights;
};

Filter triangle(std::int64_t source, std::int64_t target) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double support = std::max(scale, 1.0);  // half the base of the triangle, in source pixels
  const double inverse = 1.0 / support;
  Filter filter;
  filter.stride = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  filter.weights.resize(static_cast<std::size_t>(filter.stride * target));
  std::vector<double> weight(static_cast<std::size_t>(filter.stride));
  for (std::int64_t i = 0; i < target; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(centre + support + 0.5), source);
    const auto taps = static_cast<std::size_t>(end - first);
    double sum = 0.0;
    for (std::size_t t = 0; t < taps; ++t) {
      const double x = (static_cast<double>(first + static_cast<std::int64_t>(t)) - centre + 0.5);
      weight[t] = std::max(1.0 - std::abs(x * inverse), 0.0);
      sum += weight[t];
    }
    std::int32_t* fixed = filter.weights.data() + i * filter.stride;
    for (std::size_t t = 0; t < taps; ++t) {
      const double share = sum != 0.0 ? weight[t] / sum : weight[t];
      fixed[t] = static_cast<std::int32_t>(0.5 + share * (1 << fraction_bits));
    }
    filter.first.push_back(first);
    filter.taps.push_back(end - first);
  }
  return filter;
}

// Rounded weights may add to a little more than one; up to 16,384 taps that is too little to reach 256, beyond it not.
std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::min(sum >> fraction_bits, 255));
}

Image resize_rows(const Image& image, std::int64_t width) {
  const Filter filter = triangle(image.width, width);
  Image out{width, image.height, std::vector<std::uint8_t>(rgb_bytes(width, image.height))};
  std::uint8_t* to = out.rgb.data();
  for (std::int64_t y = 0; y < image.height; ++y) {
    const std::uint8_t* const row = image.rgb.data() + y * image.width * 3;
    for (std::int64_t x = 0; x < width; ++x, to += 3) {
      const auto [first, taps, k] = filter.at(x);
      const std::uint8_t* from = row + first * 3;
      std::int32_t red = half;
      std::int32_t green = half;
      std::int32_t blue = half;
      for (std::int64_t t = 0; t < taps; ++t, from += 3) {
        red += from[0] * k[t];
        green += from[1] * k[t];
        blue += from[2] * k[t];
      }
      to[0] = rounded(red);
      to[1] = rounded(green);
      to[2] = rounded(blue);
    }
  }
  return out;
}

Image resize_columns(const Image& image, std::int64_t height) {
  const Filter filter = triangle(image.height, height);
  Image out{image.width, height, std::vector<std::uint8_t>(rgb_bytes(image.width, height))};
  const auto bytes = static_cast<std::size_t>(image.width) * 3;
  std::vector<std::int32_t> sums(bytes);
  for (std::int64_t y = 0; y < height; ++y) {
    // Tap after tap over the whole row: source rows are read once in order, and the loop over bytes is a vector loop.
    const auto [first, taps, k] = filter.at(y);
    std::ranges::fill(sums, half);
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::uint8_t* const from = image.rgb.data() + (first + t) * image.width * 3;
      const std::int32_t weight = k[t];
      for (std::size_t i = 0; i < bytes; ++i) sums[i] += from[i] * weight;
    }
    std::uint8_t* const to = out.rgb.data() + y * image.width * 3;
    for (std::size_t i = 0; i < bytes; ++i) to[i] = rounded(sums[i]);
  }
  return out;
}

}  // namespace

Image resize_bilinear(const Image& image, std::int64_t width, std::int64_t height) {
  HERD_CHECK(width >= 1 && height >= 1, "to {}x{}", width, height);
  HERD_CHECK(image.width >= 1 && image.height >= 1, "from {}x{}", image.width, image.height);
  HERD_CHECK(image.rgb.size() == rgb_bytes(image.width, image.height), "{} bytes for {}x{}",
             image.rgb.size(), image.width, image.height);
  if (image.width == width) return image.height == height ? image : resize_columns(image, height);
  Image narrowed = resize_rows(image, width);
  return image.height == height ? narrowed : resize_columns(narrowed, height);
}

}  // namespace herd::media
