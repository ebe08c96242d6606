// Draws anti-aliased pictures: every edge is a distance, and a pixel is covered as far as the edge lets it be.
#pragma once

#include <span>
#include <vector>

#include "media/image.h"
#include "world/draw.h"

namespace herd::world {

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
};

struct Point {
  double x = 0, y = 0;  // pixels; y grows downwards
};

class Canvas {
 public:
  Canvas(int width, int height, Colour background);

  [[nodiscard]] int width() const { return static_cast<int>(image_.width); }
  [[nodiscard]] int height() const { return static_cast<int>(image_.height); }

  void disc(Point centre, double radius, Colour colour);
  void polygon(std::span<const Point> corners, Colour colour);
  // A stroke with round ends.
  void line(Point from, Point to, double thickness, Colour colour);
  // A slice of a disc between two angles in turns (0 is up, clockwise), begin < end <= begin + 1.
  void slice(Point centre, double radius, double begin, double end, Colour colour);

  // Adds independent noise of at most `amplitude` to every channel.
  void noise(Draw& draw, int amplitude);

  media::Image take() { return std::move(image_); }

 private:
  // Calls distance(x, y) for the pixels of a box: negative inside, in pixels.
  template <typename Distance>
  void paint(double left, double top, double right, double bottom, Colour colour,
             Distance&& distance);

  media::Image image_;
};

// The plain colours by name; the world's pictures use no others.
Colour colour_of(std::string_view name);

// The same colour a little lighter, darker or elsewhere, by at most `amount` in each channel.
Colour varied(Draw& draw, Colour colour, int amount);

}  // namespace herd::world
