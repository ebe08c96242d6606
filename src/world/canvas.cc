#include "world/canvas.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace herd::world {
namespace {

std::uint8_t clamped(int x) { return static_cast<std::uint8_t>(std::clamp(x, 0, 255)); }

double squared(double x) { return x * x; }

// Squared distance of a point from a segment.
double segment_distance(double x, double y, Point a, Point b) {
  const double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
  const double t =
      length > 0 ? std::clamp(((x - a.x) * dx + (y - a.y) * dy) / length, 0.0, 1.0) : 0;
  return squared(x - a.x - t * dx) + squared(y - a.y - t * dy);
}

}  // namespace

Canvas::Canvas(int width, int height, Colour background)
    : image_{.width = width, .height = height, .rgb = {}} {
  image_.rgb.resize(media::rgb_bytes(width, height));
  for (std::size_t i = 0; i < image_.rgb.size(); i += 3) {
    image_.rgb[i] = background.red;
    image_.rgb[i + 1] = background.green;
    image_.rgb[i + 2] = background.blue;
  }
}

template <typename Distance>
void Canvas::paint(double left, double top, double right, double bottom, Colour colour,
                   Distance&& distance) {
  const int x0 = std::max(static_cast<int>(std::floor(left - 1)), 0);
  const int y0 = std::max(static_cast<int>(std::floor(top - 1)), 0);
  const int x1 = std::min(static_cast<int>(std::ceil(right + 1)), width());
  const int y1 = std::min(static_cast<int>(std::ceil(bottom + 1)), height());
  for (int y = y0; y < y1; ++y) {
    std::uint8_t* pixel =
        image_.rgb.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(width()) +
                             static_cast<std::size_t>(std::max(x0, 0))) *
                                3;
    for (int x = x0; x < x1; ++x, pixel += 3) {
      const double covered = std::clamp(0.5 - distance(x + 0.5, y + 0.5), 0.0, 1.0);
      if (covered <= 0) continue;
      const auto blend = [&](std::uint8_t under, std::uint8_t over) {
        return static_cast<std::uint8_t>(under + covered * (over - under) + 0.5);
      };
      pixel[0] = blend(pixel[0], colour.red);
      pixel[1] = blend(pixel[1], colour.green);
      pixel[2] = blend(pixel[2], colour.blue);
    }
  }
}

void Canvas::disc(Point centre, double radius, Colour colour) {
  paint(centre.x - radius, centre.y - radius, centre.x + radius, centre.y + radius, colour,
        [&](double x, double y) {
          return std::sqrt(squared(x - centre.x) + squared(y - centre.y)) - radius;
        });
}

void Canvas::polygon(std::span<const Point> corners, Colour colour) {
  HERD_CHECK(corners.size() >= 3, "{} corners", corners.size());
  const auto [left, right] = std::ranges::minmax(corners, {}, &Point::x);
  const auto [top, bottom] = std::ranges::minmax(corners, {}, &Point::y);
  paint(left.x, top.y, right.x, bottom.y, colour, [&](double x, double y) {
    bool inside = false;
    double nearest = 1e30;
    for (std::size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
      const Point a = corners[i], b = corners[j];
      nearest = std::min(nearest, segment_distance(x, y, a, b));
      if ((a.y > y) != (b.y > y) && x < a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x))
        inside = !inside;
    }
    return inside ? -std::sqrt(nearest) : std::sqrt(nearest);
  });
}

void Canvas::line(Point from, Point to, double thickness, Colour colour) {
  const double half = thickness / 2;
  paint(std::min(from.x, to.x) - half, std::min(from.y, to.y) - half, std::max(from.x, to.x) + half,
        std::max(from.y, to.y) + half, colour,
        [&](double x, double y) { return std::sqrt(segment_distance(x, y, from, to)) - half; });
}

void Canvas::slice(Point centre, double radius, double begin, double end, Colour colour) {
  std::vector<Point> corners{centre};
  const int steps = std::max(2, static_cast<int>(std::ceil((end - begin) * 40)));
  for (int i = 0; i <= steps; ++i) {
    const double angle = (begin + (end - begin) * i / steps) * 2 * std::numbers::pi;
    corners.push_back({centre.x + radius * std::sin(angle), centre.y - radius * std::cos(angle)});
  }
  polygon(corners, colour);
}

void Canvas::noise(Draw& draw, int amplitude) {
  if (amplitude <= 0) return;
  std::uint32_t state = draw.bits() | 1;  // one word of the sample's stream, drawn out by xorshift
  const std::uint32_t span = static_cast<std::uint32_t>(2 * amplitude + 1);
  for (std::uint8_t& value : image_.rgb) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    value = clamped(value + static_cast<int>((state >> 16) * span >> 16) - amplitude);
  }
}

Colour colour_of(std::string_view name) {
  struct Row {
    std::string_view name;
    Colour colour;
  };
  static constexpr Row rows[] = {
      {"red", {214, 40, 40}},     {"green", {40, 160, 60}},   {"blue", {40, 90, 220}},
      {"yellow", {245, 215, 50}}, {"orange", {245, 135, 30}}, {"purple", {130, 55, 170}},
      {"pink", {250, 150, 190}},  {"brown", {125, 75, 35}},   {"black", {20, 20, 20}},
      {"white", {248, 248, 248}}, {"grey", {140, 140, 140}},
  };
  const auto* row = std::ranges::find(rows, name, &Row::name);
  HERD_CHECK(row != std::end(rows), "no colour \"{}\"", name);
  return row->colour;
}

Colour varied(Draw& draw, Colour colour, int amount) {
  const auto moved = [&](std::uint8_t value) {
    return clamped(value + draw.between(-amount, amount));
  };
  return {moved(colour.red), moved(colour.green), moved(colour.blue)};
}

}  // namespace herd::world
