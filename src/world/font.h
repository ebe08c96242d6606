// Writes text into pictures with a stroke font of its own: letters of lines, so that weight, slant and turn are free.
#pragma once

#include <string_view>

#include "world/canvas.h"

namespace herd::world {

struct TextStyle {
  double unit = 2;  // pixels; capitals are six units high, letters four wide with one between
  double thickness = 0.9;  // of strokes, in units
  double slant = 0;        // units of x for a unit of y
  double stretch = 1;      // of widths
  double angle = 0;        // turns, clockwise
};

// In units: width of a line of text, and from the top of capitals to the foot of descenders.
double text_units(std::string_view text);
inline constexpr double line_units = 8;

// `at` is the left end of the line, at the top of capitals; it is the point that the line turns about. Characters that
// the font lacks are left out; it has ASCII letters, digits, and . , - : + = % !
void write_text(Canvas& canvas, std::string_view text, Point at, const TextStyle& style,
                Colour colour);

}  // namespace herd::world
