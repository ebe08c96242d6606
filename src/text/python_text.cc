#include "text/python_text.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "text/character_class.h"
#include "text/utf8.h"

namespace herd::text {
namespace {

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// repr(float): the shortest digits that read back the same; an exponent below 1e-4 and from 1e16 on.
std::string python_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific);
  std::string_view text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  std::string out;
  if (text.starts_with('-')) {
    out = "-";
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  int exponent = 0;
  const char* from = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(from, text.data() + text.size(), exponent);
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);

  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0)
    return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return out + digits + std::string(whole - digits.size(), '0') + ".0";
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

void quote_json(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out += c;
    }
  }
  out += '"';
}

bool printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

// repr(str): single quotes, or double ones around a text that has single and no double ones.
void quote_python(std::string_view text, std::string& out) {
  const char quote =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"'
                                                                                            : '\'';
  out += quote;
  const auto* p = octets_of(text).data();
  const auto* end = p + text.size();
  while (p < end) {
    const Character c = character_at(p, end);
    const char32_t code = c.code_point == Character::not_a_character ? *p : c.code_point;
    if (code == static_cast<unsigned char>(quote) || code == '\\')
      (out += '\\') += static_cast<char>(code);
    else if (code == '\n')
      out += "\\n";
    else if (code == '\r')
      out += "\\r";
    else if (code == '\t')
      out += "\\t";
    else if (printable(code))
      out += text_of({p, c.size});
    else if (code < 0x100)
      out += fmt::format("\\x{:02x}", std::uint32_t{code});
    else if (code < 0x10000)
      out += fmt::format("\\u{:04x}", std::uint32_t{code});
    else
      out += fmt::format("\\U{:08x}", std::uint32_t{code});
    p += c.size;
  }
  out += quote;
}

// What json.dumps and repr() have in common: everything but scalars, quotes and line breaks.
class Printer {
 public:
  Printer(bool repr, int indent, std::string& out) : repr_(repr), indent_(indent), out_(out) {}

  void print(const json::value& value, int depth) {
    switch (value.kind()) {
      case json::kind::null:
        out_ += repr_ ? "None" : "null";
        break;
      case json::kind::bool_:
        out_ += value.get_bool() ? (repr_ ? "True" : "true") : (repr_ ? "False" : "false");
        break;
      case json::kind::int64:
        out_ += fmt::format("{}", value.get_int64());
        break;
      case json::kind::uint64:
        out_ += fmt::format("{}", value.get_uint64());
        break;
      case json::kind::double_:
        print_double(value.get_double());
        break;
      case json::kind::string:
        quote(view(value.get_string()));
        break;
      case json::kind::array:
        print_array(value.get_array(), depth);
        break;
      case json::kind::object:
        print_object(value.get_object(), depth);
        break;
    }
  }

 private:
  void print_double(double value) {
    if (repr_ && std::isinf(value))
      out_ += value < 0 ? "-inf" : "inf";
    else
      out_ += python_float(value);
  }
  void quote(std::string_view text) { repr_ ? quote_python(text, out_) : quote_json(text, out_); }
  void open_line(bool first, int depth) {
    if (!first) out_ += indent_ > 0 ? "," : ", ";
    if (indent_ > 0) (out_ += '\n').append(static_cast<std::size_t>(indent_ * depth), ' ');
  }
  void close_line(int depth) {
    if (indent_ > 0) (out_ += '\n').append(static_cast<std::size_t>(indent_ * depth), ' ');
  }
  void print_array(const json::array& array, int depth) {
    out_ += '[';
    bool first = true;
    for (const json::value& item : array) {
      open_line(first, depth + 1);
      first = false;
      print(item, depth + 1);
    }
    if (!first) close_line(depth);
    out_ += ']';
  }
  void print_object(const json::object& object, int depth) {
    out_ += '{';
    bool first = true;
    for (const auto& member : object) {
      open_line(first, depth + 1);
      first = false;
      quote({member.key().data(), member.key().size()});
      out_ += ": ";
      print(member.value(), depth + 1);
    }
    if (!first) close_line(depth);
    out_ += '}';
  }

  bool repr_;
  int indent_;
  std::string& out_;
};

}  // namespace

std::string python_json(const json::value& value, int indent) {
  std::string out;
  Printer(false, indent, out).print(value, 0);
  return out;
}

std::string python_str(const json::value& value) {
  if (value.is_string()) return std::string(view(value.get_string()));
  std::string out;
  Printer(true, 0, out).print(value, 0);
  return out;
}

std::string_view python_strip(std::string_view text) {
  const auto is_space = [](char32_t c) {
    return (flags_of(c) & flag::space) != 0 || (c >= 0x1C && c <= 0x1F);
  };
  const auto* begin = octets_of(text).data();
  const auto* end = begin + text.size();
  const auto* first = begin;
  while (first < end) {
    const Character c = character_at(first, end);
    if (!is_space(c.code_point)) break;
    first += c.size;
  }
  const auto* last = end;
  while (last > first) {
    const auto* p = last - 1;
    while (p > first && (*p & 0xC0) == 0x80 && last - p < 4) --p;
    const Character c = character_at(p, last);
    if (p + c.size != last || !is_space(c.code_point)) break;
    last = p;
  }
  return text.substr(static_cast<std::size_t>(first - begin),
                     static_cast<std::size_t>(last - first));
}

}  // namespace herd::text
