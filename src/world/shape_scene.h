// A picture of coloured shapes in the cells of a grid, and what is in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "world/canvas.h"
#include "world/words.h"

namespace herd::world {

struct Shape {
  std::string_view kind, colour;
  bool large = false;
  int column = 0, row = 0;  // cells from the top left
  Point centre{};
  double radius = 0;            // pixels
  std::optional<Colour> paint;  // another colour than the named one

  [[nodiscard]] std::string name() const;  // "red circle"
};

struct ShapeScene {
  int columns = 3, rows = 3;
  std::vector<Shape> shapes;  // the first decides the split; the others stand in no order

  // Indices in reading order.
  [[nodiscard]] std::vector<std::size_t> in_order() const;
  [[nodiscard]] int count(std::string_view kind, std::string_view colour) const;  // "" is any
  // Whether no other shape has its kind and colour.
  [[nodiscard]] bool unique(const Shape& shape) const;
};

Words shape_kinds();
Words shape_colours();

// Pairs of kind and colour that training does not see: 15 %.
inline constexpr std::string_view shape_pair_kind = "shape_pair";
inline constexpr int shape_pair_percent = 15;

// Scenes of up to `most` shapes on columns x rows cells. False: the first shape is of the other split.
bool draw_scene(Draw& draw, ShapeScene& scene, int least, int most);

// Takes away the colours' names, or the kinds: shapes of any colour, blobs of no kind. From named pairs alone a model
// learns which pairs there are, and reads one that it never saw as one that it did. Training only; no colour is nearest
// to one that would make a held-out pair.
void paint_any_colour(Draw& draw, ShapeScene& scene);
void make_blobs(ShapeScene& scene);

// One cell is about 37 pixels, so 3 x 3 are a tile of 112 x 112; a lone cell fills one.
media::Image draw_picture(Draw& draw, ShapeScene& scene);

// "A red circle and a blue star.": all shapes in reading order.
std::string caption_of(const ShapeScene& scene);

// "top left", "middle", "right": on a grid of three by three.
std::string place_name(const ShapeScene& scene, const Shape& shape);

}  // namespace herd::world
