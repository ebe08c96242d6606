#include "world/font.h"

#include <array>
#include <cmath>
#include <numbers>

namespace herd::world {
namespace {

// Polylines of points "xy" on a grid: x 0 to 4, y 0 (capitals) to 8 (descenders), the base line at 6, small letters
// from 2. A line of one point twice is a dot.
struct Glyph {
  char letter;
  std::string_view strokes;
};
constexpr Glyph glyphs[] = {
    {'A', "062046 1434"},
    {'B', "0006 003041423303 3344453606"},
    {'C', "4130100105163645"},
    {'D', "00062644422000"},
    {'E', "40000646 0333"},
    {'F', "400006 0333"},
    {'G', "41301001051636454323"},
    {'H', "0006 4046 0343"},
    {'I', "2026 1030 1636"},
    {'J', "4045361605"},
    {'K', "0006 400346"},
    {'L', "000646"},
    {'M', "0600234046"},
    {'N', "06004640"},
    {'O', "103041453616050110"},
    {'P', "06003041423303"},
    {'Q', "103041453616050110 3446"},
    {'R', "06003041423303 2346"},
    {'S', "413010010213334445361605"},
    {'T', "0040 2026"},
    {'U', "000516364540"},
    {'V', "002640"},
    {'W', "0016223640"},
    {'X', "0046 4006"},
    {'Y', "002340 2326"},
    {'Z', "00400646"},
    {'a', "12324346 441405163645"},
    {'b', "0006 0312324345361605"},
    {'c', "4332120305163645"},
    {'d', "4046 4332120305163645"},
    {'e', "04444332120305163645"},
    {'f', "41302126 1232"},
    {'g', "4247381807 4332120305163645"},
    {'h', "0006 0312324346"},
    {'i', "2226 2020"},
    {'j', "32372818 3030"},
    {'k', "0006 320436"},
    {'l', "10202536"},
    {'m', "0206 03122326 23324346"},
    {'n', "0206 0312324346"},
    {'o', "123243453616050312"},
    {'p', "0208 0312324345361605"},
    {'q', "4248 4332120305163645"},
    {'r', "0206 031232"},
    {'s', "43321203143445361605"},
    {'t', "202536 0242"},
    {'u', "0205163645 4246"},
    {'v', "022642"},
    {'w', "0216233642"},
    {'x', "0246 4206"},
    {'y', "0226 4208"},
    {'z', "02420646"},
    {'0', "103041453616050110 1432"},
    {'1', "112026 1636"},
    {'2', "01103041420646"},
    {'3', "01103041423323 3344453616 1605"},
    {'4', "36300444"},
    {'5', "400003334445361605"},
    {'6', "413010010516364544331304"},
    {'7', "004016"},
    {'8', "13020110304142331304051636454433"},
    {'9', "051636454130100102133342"},
    {'.', "2626"},
    {',', "2617"},
    {'-', "1333"},
    {':', "2323 2626"},
    {'+', "1333 2224"},
    {'=', "1232 1434"},
    {'%', "4006 1111 3535"},
    {'!', "2024 2626"},
};

std::string_view strokes_of(char letter) {
  static constexpr auto table = [] {
    std::array<std::string_view, 128> all{};
    for (const Glyph& glyph : glyphs) all[static_cast<std::size_t>(glyph.letter)] = glyph.strokes;
    return all;
  }();
  const auto at = static_cast<unsigned char>(letter);
  return at < table.size() ? table[at] : std::string_view();
}

}  // namespace

double text_units(std::string_view text) {
  return text.empty() ? 0 : 5.0 * static_cast<double>(text.size()) - 1;
}

void write_text(Canvas& canvas, std::string_view text, Point at, const TextStyle& style,
                Colour colour) {
  const double turn = style.angle * 2 * std::numbers::pi, c = std::cos(turn), s = std::sin(turn);
  double left = 0;
  const auto place = [&](char x, char y) {
    const double down = y - '0';
    const double across = (left + (x - '0')) * style.stretch + (6 - down) * style.slant;
    return Point{at.x + style.unit * (across * c - down * s),
                 at.y + style.unit * (across * s + down * c)};
  };
  for (const char letter : text) {
    const std::string_view strokes = strokes_of(letter);
    for (std::size_t i = 0; i + 3 < strokes.size(); i += 2) {
      if (strokes[i + 2] == ' ') {  // the next polyline
        ++i;
        continue;
      }
      canvas.line(place(strokes[i], strokes[i + 1]), place(strokes[i + 2], strokes[i + 3]),
                  style.thickness * style.unit, colour);
    }
    left += 5;
  }
}

}  // namespace herd::world
