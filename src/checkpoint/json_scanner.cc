#include "checkpoint/json_scanner.h"

namespace herd::checkpoint {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  const auto tail = [&](int shift) { put(0x80 | ((code_point >> shift) & 0x3f)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | (code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    put(0xe0 | (code_point >> 12));
    tail(6);
    tail(0);
  } else {
    put(0xf0 | (code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

int utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tails = [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i)
      if (i >= text.size() || (byte(i) & 0xc0) != 0x80) return false;
    return true;
  };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tails(1, 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!tails(1, 2)) return 0;
    if (lead == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (lead == 0xed && byte(1) >= 0xa0) return 0;  // surrogate
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!tails(1, 3)) return 0;
    if (lead == 0xf0 && byte(1) < 0x90) return 0;   // overlong
    if (lead == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
    return 4;
  }
  return 0;
}

void JsonScanner::skip_space() {
  while (!at_end() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n'))
    ++at_;
}

bool JsonScanner::accept(char wanted) {
  skip_space();
  if (at_end() || text_[at_] != wanted) return false;
  ++at_;
  return true;
}

Result<void> JsonScanner::expect(char wanted) {
  if (accept(wanted)) return {};
  return fail(Code::bad_header, "wanted '{}' at byte {} of the header, found {}", wanted, at_,
              what_is_here());
}

Result<std::string> JsonScanner::string(std::uint64_t bytes_max) {
  HERD_TRY_VOID(expect('"'));
  const std::uint64_t begin = at_ - 1;
  std::string out;
  while (true) {
    if (at_end())
      return fail(Code::bad_header, "the string at byte {} of the header has no end", begin);
    if (out.size() > bytes_max)
      return fail(Code::bad_header, "the string at byte {} of the header is longer than {} bytes",
                  begin, bytes_max);
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return out;
    }
    if (c == '\\') {
      HERD_TRY_VOID(escape(out));
      continue;
    }
    if (static_cast<unsigned char>(c) < 0x20)
      return fail(Code::bad_header,
                  "control character {:#04x} in a string at byte {} of the header",
                  static_cast<unsigned>(c), at_);
    const int length = utf8_length(text_.substr(at_, 4));
    if (length == 0) return fail(Code::bad_header, "byte {} of the header is not UTF-8", at_);
    out.append(text_.substr(at_, static_cast<std::size_t>(length)));
    at_ += static_cast<std::uint64_t>(length);
  }
}

Result<std::uint64_t> JsonScanner::whole_number() {
  skip_space();
  const std::uint64_t begin = at_;
  std::uint64_t value = 0;
  for (; !at_end() && is_digit(text_[at_]); ++at_) {
    const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
        __builtin_add_overflow(value, digit, &value))
      return fail(Code::bad_header, "the number at byte {} of the header is not below 2^64", begin);
  }
  const bool ends = at_end() || (text_[at_] != '.' && text_[at_] != 'e' && text_[at_] != 'E');
  const bool leading_zero = at_ > begin + 1 && text_[begin] == '0';
  if (at_ == begin || !ends || leading_zero) {
    at_ = begin;
    return fail(Code::bad_header, "wanted a whole number at byte {} of the header, found {}", begin,
                what_is_here());
  }
  return value;
}

// At a backslash.
Result<void> JsonScanner::escape(std::string& out) {
  const std::uint64_t begin = at_;
  ++at_;
  const char kind = at_end() ? '\0' : text_[at_];
  ++at_;
  switch (kind) {
    case '"':
    case '\\':
    case '/':
      out.push_back(kind);
      return {};
    case 'b':
      out.push_back('\b');
      return {};
    case 'f':
      out.push_back('\f');
      return {};
    case 'n':
      out.push_back('\n');
      return {};
    case 'r':
      out.push_back('\r');
      return {};
    case 't':
      out.push_back('\t');
      return {};
    case 'u':
      break;
    default:
      return fail(Code::bad_header, "unknown escape at byte {} of the header", begin);
  }
  HERD_TRY(std::uint32_t code_point, four_hex_digits());
  if (code_point >= 0xd800 && code_point <= 0xdbff) {
    std::uint32_t low = 0;
    if (text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      HERD_TRY(low, four_hex_digits());
    }
    if (low < 0xdc00 || low > 0xdfff)
      return fail(Code::bad_header, "lone surrogate at byte {} of the header", begin);
    code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
  } else if (code_point >= 0xdc00 && code_point <= 0xdfff) {
    return fail(Code::bad_header, "lone surrogate at byte {} of the header", begin);
  }
  append_utf8(out, code_point);
  return {};
}

Result<std::uint32_t> JsonScanner::four_hex_digits() {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    std::uint32_t digit = 0;
    if (is_digit(c))
      digit = static_cast<std::uint32_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<std::uint32_t>(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F')
      digit = static_cast<std::uint32_t>(c - 'A') + 10;
    else
      return fail(Code::bad_header, "wanted a hexadecimal digit at byte {} of the header", at_);
    value = value * 16 + digit;
  }
  return value;
}

std::string JsonScanner::what_is_here() const {
  if (at_ >= text_.size()) return "the header's end";
  return shown(text_.substr(at_, 12));
}

}  // namespace herd::checkpoint
