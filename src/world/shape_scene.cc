#include "world/shape_scene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace herd::world {
namespace {

constexpr auto kinds =
    std::to_array<std::string_view>({"circle", "square", "triangle", "star", "cross", "heart"});
constexpr auto shape_colour_list = std::to_array<std::string_view>(
    {"red", "green", "blue", "yellow", "orange", "purple", "pink", "brown"});

Shape draw_shape(Draw& draw) {
  Shape shape;
  shape.kind = draw.one(kinds);
  shape.colour = draw.one(shape_colour_list);
  shape.large = draw.chance(0.5);
  return shape;
}

std::vector<Point> turned(std::vector<Point> points, const Shape& shape, double turns) {
  const double angle = turns * 2 * std::numbers::pi, c = std::cos(angle), s = std::sin(angle);
  for (Point& p : points)
    p = {shape.centre.x + shape.radius * (p.x * c - p.y * s),
         shape.centre.y + shape.radius * (p.x * s + p.y * c)};
  return points;
}

// Corners on the unit circle, every second one at `inner`.
std::vector<Point> star_points(int points, double inner) {
  std::vector<Point> out;
  for (int i = 0; i < 2 * points; ++i) {
    const double angle = std::numbers::pi * i / points, r = i % 2 == 0 ? 1 : inner;
    out.push_back({r * std::sin(angle), -r * std::cos(angle)});
  }
  return out;
}

constexpr std::string_view blob = "blob";

// A closed line around the centre, each time another one.
std::vector<Point> blob_points(Draw& draw) {
  std::vector<Point> out;
  const int corners = draw.between(5, 9);
  for (int i = 0; i < corners; ++i) {
    const double angle = 2 * std::numbers::pi * i / corners, r = draw.real(0.45, 1.0);
    out.push_back({r * std::sin(angle), -r * std::cos(angle)});
  }
  return out;
}

// Seen on every ground: neither as light nor as dark as they are.
Colour draw_any_colour(Draw& draw) {
  while (true) {
    const auto channel = [&] { return static_cast<std::uint8_t>(draw.below(256)); };
    const Colour colour{channel(), channel(), channel()};
    const int light = (2 * colour.red + 5 * colour.green + colour.blue) / 8;
    if (light > 70 && light < 190) return colour;
  }
}

std::string_view nearest_name(Colour colour) {
  const auto distance = [&](std::string_view name) {
    const Colour other = colour_of(name);
    return std::abs(colour.red - other.red) + std::abs(colour.green - other.green) +
           std::abs(colour.blue - other.blue);
  };
  return *std::ranges::min_element(shape_colour_list, {}, distance);
}

void paint_shape(Draw& draw, Canvas& canvas, const Shape& shape, Colour colour, double tilt) {
  const auto corners = [&](std::vector<Point> points) {
    canvas.polygon(turned(std::move(points), shape, tilt), colour);
  };
  if (shape.kind == "circle") return canvas.disc(shape.centre, shape.radius * 0.95, colour);
  if (shape.kind == "square")
    return corners({{-0.85, -0.85}, {0.85, -0.85}, {0.85, 0.85}, {-0.85, 0.85}});
  if (shape.kind == "triangle") return corners({{0, -1}, {0.95, 0.75}, {-0.95, 0.75}});
  if (shape.kind == "star") return corners(star_points(5, 0.42));
  if (shape.kind == blob) return corners(blob_points(draw));
  if (shape.kind == "cross")
    return corners({{-0.33, -1},
                    {0.33, -1},
                    {0.33, -0.33},
                    {1, -0.33},
                    {1, 0.33},
                    {0.33, 0.33},
                    {0.33, 1},
                    {-0.33, 1},
                    {-0.33, 0.33},
                    {-1, 0.33},
                    {-1, -0.33},
                    {-0.33, -0.33}});
  std::vector<Point> heart;  // the classic curve of sines and cosines
  for (int i = 0; i < 24; ++i) {
    const double t = 2 * std::numbers::pi * i / 24, s = std::sin(t);
    heart.push_back(
        {s * s * s,
         -(13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t)) / 17});
  }
  corners(std::move(heart));
}

Colour draw_background(Draw& draw) {
  static constexpr Colour grounds[] = {{250, 250, 250}, {250, 250, 250}, {15, 15, 20},
                                       {225, 230, 235}, {235, 230, 215}, {40, 45, 60}};
  return varied(draw, draw.one(grounds), 5);
}

}  // namespace

std::string Shape::name() const { return (std::string(colour) += ' ') += kind; }

Words shape_kinds() { return kinds; }
Words shape_colours() { return shape_colour_list; }

std::vector<std::size_t> ShapeScene::in_order() const {
  std::vector<std::size_t> order(shapes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {},
                    [&](std::size_t i) { return shapes[i].row * columns + shapes[i].column; });
  return order;
}

int ShapeScene::count(std::string_view kind, std::string_view colour) const {
  return static_cast<int>(std::ranges::count_if(shapes, [&](const Shape& shape) {
    return (kind.empty() || shape.kind == kind) && (colour.empty() || shape.colour == colour);
  }));
}

bool ShapeScene::unique(const Shape& shape) const { return count(shape.kind, shape.colour) == 1; }

bool draw_scene(Draw& draw, ShapeScene& scene, int least, int most) {
  const int count = draw.between(least, most);
  const std::vector<int> cells = draw.different(count, scene.columns * scene.rows);
  // Some scenes repeat kinds and colours, so that there is something to count.
  const double repeats = draw.one({0.0, 0.4, 0.7});
  for (const int cell : cells) {
    Shape shape = draw_shape(draw);
    if (!scene.shapes.empty() && draw.chance(repeats)) shape.kind = scene.shapes[0].kind;
    if (!scene.shapes.empty() && draw.chance(repeats / 2)) shape.colour = scene.shapes[0].colour;
    shape.column = cell % scene.columns;
    shape.row = cell / scene.columns;
    const bool first = scene.shapes.empty();
    if (first ? !draw.fits(shape_pair_kind, shape.name(), shape_pair_percent)
              : !draw.may_use(shape_pair_kind, shape.name(), shape_pair_percent))
      return false;
    scene.shapes.push_back(shape);
  }
  return true;
}

void paint_any_colour(Draw& draw, ShapeScene& scene) {
  for (Shape& shape : scene.shapes) {
    do {
      shape.paint = draw_any_colour(draw);
      shape.colour = nearest_name(*shape.paint);
    } while (!draw.may_use(shape_pair_kind, shape.name(), shape_pair_percent));
  }
}

void make_blobs(ShapeScene& scene) {
  for (Shape& shape : scene.shapes) shape.kind = blob;
}

media::Image draw_picture(Draw& draw, ShapeScene& scene) {
  constexpr int tile = 112;
  const bool close = scene.columns == 1 && scene.rows == 1;
  const double scale = close ? 3 : 1;
  const int width = close ? tile : scene.columns * tile / 3;
  const int height = close ? tile : scene.rows * tile / 3;
  Canvas canvas(width, height, draw_background(draw));
  const double cell_width = double(width) / scene.columns,
               cell_height = double(height) / scene.rows;
  for (Shape& shape : scene.shapes) {
    shape.radius = scale * (shape.large ? draw.real(14.0, 16.5) : draw.real(7.0, 9.0));
    const double room = scale * 17.5 - shape.radius;
    const double dx = draw.real(-room, room), dy = draw.real(-room, room);
    shape.centre = {(shape.column + 0.5) * cell_width + dx, (shape.row + 0.5) * cell_height + dy};
    const Colour colour = shape.paint.value_or(varied(draw, colour_of(shape.colour), 8));
    paint_shape(draw, canvas, shape, colour, draw.real(-0.02, 0.02));
  }
  canvas.noise(draw, draw.one({0, 4, 8, 12}));
  return canvas.take();
}

std::string caption_of(const ShapeScene& scene) {
  std::vector<std::string> names;
  for (const std::size_t i : scene.in_order())
    names.push_back(with_article(scene.shapes[i].name()));
  return capitalised(joined(names)) + ".";
}

std::string place_name(const ShapeScene& scene, const Shape& shape) {
  constexpr std::string_view across[] = {"left", "", "right"}, down[] = {"top", "", "bottom"};
  const std::string_view x = across[shape.column * 3 / scene.columns],
                         y = down[shape.row * 3 / scene.rows];
  if (x.empty() && y.empty()) return "middle";
  return x.empty() ? std::string(y) : y.empty() ? std::string(x) : (std::string(y) += ' ') += x;
}

}  // namespace herd::world
