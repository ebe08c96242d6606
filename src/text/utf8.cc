#include "text/utf8.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"

namespace herd::text {
namespace {

const unsigned char* begin_of(std::string_view bytes) { return octets_of(bytes).data(); }

// Bytes that a sequence starting with `lead` has, 0 when no sequence starts so.
std::size_t length_from(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// Length of the longest prefix of `bytes` that some well-formed sequence begins with; at least 1.
std::size_t viable_prefix(std::string_view bytes) {
  const unsigned char* p = begin_of(bytes);
  const std::size_t wanted = length_from(p[0]);
  if (wanted < 2 || bytes.size() < 2) return 1;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;  // of the second byte: table 3-7
  if (p[0] == 0xE0) low = 0xA0;
  if (p[0] == 0xED) high = 0x9F;
  if (p[0] == 0xF0) low = 0x90;
  if (p[0] == 0xF4) high = 0x8F;
  if (p[1] < low || p[1] > high) return 1;
  std::size_t n = 2;
  while (n < std::min(wanted, bytes.size()) && (p[n] & 0xC0) == 0x80) ++n;
  return n;
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view bytes) {
  const unsigned char* p = begin_of(bytes);
  const unsigned char* end = p + bytes.size();
  for (std::size_t at = 0; at < bytes.size();) {
    const Character c = character_at(p + at, end);
    if (c.code_point == Character::not_a_character) return at;
    at += c.size;
  }
  return std::nullopt;
}

std::size_t incomplete_tail(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const auto lead = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((lead & 0xC0) == 0x80) continue;
    const std::string_view tail = bytes.substr(bytes.size() - back);
    return length_from(lead) > back && viable_prefix(tail) == back ? back : 0;
  }
  return 0;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  const unsigned char* p = begin_of(bytes);
  const unsigned char* end = p + bytes.size();
  for (std::size_t at = 0; at < bytes.size();) {
    const Character c = character_at(p + at, end);
    if (c.code_point != Character::not_a_character) {
      out.append(bytes.substr(at, c.size));
      at += c.size;
    } else {
      out.append("\xEF\xBF\xBD");
      at += viable_prefix(bytes.substr(at));
    }
  }
  return out;
}

}  // namespace herd::text
