// Python's calls with literal arguments, read without evaluating anything: one pass, bounded depth.
#include "text/python_call.h"

#include <charconv>

namespace herd::text {
namespace {

constexpr int depth_max = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::optional<std::vector<PythonCall>> calls() {
    std::vector<PythonCall> out;
    if (!take('[')) return std::nullopt;
    while (!take(']')) {
      auto one = call();
      if (!one) return std::nullopt;
      out.push_back(std::move(*one));
      if (take(',')) continue;
      if (!take(']')) return std::nullopt;
      break;
    }
    return at_end() && !out.empty() ? std::optional(std::move(out)) : std::nullopt;
  }

  std::optional<PythonCall> only_call() {
    auto one = call();
    return at_end() ? one : std::nullopt;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").contains(text_[at_])) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  std::string_view word(std::string_view also) {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           (is_letter(text_[at_]) || is_digit(text_[at_]) || also.contains(text_[at_])))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }

  std::optional<PythonCall> call() {
    PythonCall out;
    out.name = word(".-");
    if (out.name.empty() || is_digit(out.name.front()) || !take('(')) return std::nullopt;
    while (!take(')')) {
      const std::string name(word(""));
      if (name.empty() || is_digit(name.front()) || !take('=')) return std::nullopt;
      auto value = literal(0);
      if (!value || !out.arguments.emplace(name, std::move(*value)).second) return std::nullopt;
      if (take(',')) continue;
      if (!take(')')) return std::nullopt;
      break;
    }
    return out;
  }

  std::optional<json::value> literal(int depth) {
    skip_space();
    if (at_ >= text_.size() || depth > depth_max) return std::nullopt;
    const char c = text_[at_];
    if (c == '"' || c == '\'') {
      auto text = string();
      if (!text) return std::nullopt;
      return json::value(std::move(*text));
    }
    if (c == '[') return list(depth);
    if (c == '{') return dictionary(depth);
    if (is_digit(c) || c == '-' || c == '.' || c == '+') return number();
    const std::string_view name = word("");
    if (name == "True" || name == "true") return json::value(true);
    if (name == "False" || name == "false") return json::value(false);
    if (name == "None" || name == "null") return json::value(nullptr);
    return std::nullopt;
  }

  std::optional<json::value> list(int depth) {
    json::array out;
    ++at_;
    while (!take(']')) {
      auto value = literal(depth + 1);
      if (!value) return std::nullopt;
      out.push_back(std::move(*value));
      if (take(',')) continue;
      if (!take(']')) return std::nullopt;
      break;
    }
    return json::value(std::move(out));
  }

  std::optional<json::value> dictionary(int depth) {
    json::object out;
    ++at_;
    while (!take('}')) {
      skip_space();
      if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) return std::nullopt;
      auto key = string();
      if (!key || !take(':')) return std::nullopt;
      auto value = literal(depth + 1);
      if (!value || !out.emplace(*key, std::move(*value)).second) return std::nullopt;
      if (take(',')) continue;
      if (!take('}')) return std::nullopt;
      break;
    }
    return json::value(std::move(out));
  }

  std::optional<json::value> number() {
    const bool plus = text_[at_] == '+';
    if (plus) ++at_;
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    std::int64_t whole = 0;
    double real = 0;
    const auto as_whole = std::from_chars(begin, end, whole);
    const auto as_real = std::from_chars(begin, end, real);
    if (as_real.ec != std::errc() || !(real - real == 0)) return std::nullopt;  // inf and nan too
    at_ += static_cast<std::size_t>(as_real.ptr - begin);
    if (at_ < text_.size() && is_letter(text_[at_])) return std::nullopt;
    if (as_whole.ec == std::errc() && as_whole.ptr == as_real.ptr) return json::value(whole);
    return json::value(real);
  }

  std::optional<std::string> string() {
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        out += text_[at_++];
      } else if (++at_ >= text_.size() || !escape(out)) {
        return std::nullopt;
      }
    }
    if (at_ >= text_.size()) return std::nullopt;
    ++at_;
    return out;
  }

  bool escape(std::string& out) {
    constexpr std::string_view from = "ntrbf0\\'\"/", to("\n\t\r\b\f\0\\'\"/", 10);
    const char c = text_[at_++];
    if (const std::size_t i = from.find(c); i != std::string_view::npos) {
      out += to[i];
      return true;
    }
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 0;
    if (digits == 0) {  // Python keeps an escape that it does not know as it stands
      out += '\\';
      out += c;
      return true;
    }
    auto code = hexadecimal(digits);
    if (!code) return false;
    // A pair of surrogates is one character; a lone one is none.
    if (*code >= 0xd800 && *code < 0xdc00 && text_.substr(at_).starts_with("\\u")) {
      at_ += 2;
      const auto low = hexadecimal(4);
      if (!low || *low < 0xdc00 || *low > 0xdfff) return false;
      *code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
    }
    if (*code >= 0xd800 && *code <= 0xdfff) return false;
    append_utf8(out, *code);
    return true;
  }

  std::optional<char32_t> hexadecimal(std::size_t digits) {
    if (text_.size() - at_ < digits) return std::nullopt;
    std::uint32_t code = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + digits, code, 16);
    if (error != std::errc() || end != begin + digits) return std::nullopt;
    at_ += digits;
    return static_cast<char32_t>(code);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<PythonCall> parse_python_call(std::string_view text) {
  return Reader(text).only_call();
}

std::optional<std::vector<PythonCall>> parse_python_calls(std::string_view text) {
  return Reader(text).calls();
}

}  // namespace herd::text
