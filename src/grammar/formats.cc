#include "grammar/formats.h"

#include <array>
#include <utility>

namespace herd::grammar {
namespace {

// RFC 3339: days that exist, February 29 in leap years.
#define HERD_DATE                                                   \
  "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|"       \
  "(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|" \
  "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
#define HERD_TIME \
  "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
// At most 63 characters; hyphens as third and fourth mark other alphabets, whose rules are not followed.
#define HERD_LABEL                                                                           \
  "[A-Za-z0-9](?:(?:|[A-Za-z0-9-]{1,2}|[A-Za-z0-9-](?:[A-Za-z0-9][A-Za-z0-9-]|-[A-Za-z0-9])" \
  "[A-Za-z0-9-]{0,58})[A-Za-z0-9])?"
#define HERD_OCTET "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> formats{{
    {"date", HERD_DATE},
    {"time", HERD_TIME},
    {"date-time", HERD_DATE "T" HERD_TIME},
    {"duration",
     "P(?:\\d{1,9}W|(?:\\d{1,9}Y(?:\\d{1,9}M(?:\\d{1,9}D)?)?|\\d{1,9}M(?:\\d{1,9}D)?|\\d{1,9}D)"
     "(?:T(?:\\d{1,9}H(?:\\d{1,9}M(?:\\d{1,9}S)?)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S))?|"
     "T(?:\\d{1,9}H(?:\\d{1,9}M(?:\\d{1,9}S)?)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S))"},
    {"uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
    {"email", "[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,15}){0,2}@" HERD_LABEL "(?:\\." HERD_LABEL
              "){1,3}"},
    {"hostname", HERD_LABEL "(?:\\." HERD_LABEL "){0,3}"},
    {"ipv4", HERD_OCTET "(?:\\." HERD_OCTET "){3}"},
    {"uri", "[A-Za-z][A-Za-z0-9+.-]{0,31}:(?://" HERD_LABEL "(?:\\." HERD_LABEL
            "){0,3}(?::[1-9]\\d{0,3})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*"
            "|[A-Za-z0-9._~!$&'()*+,;=:@-]+)(?:\\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?"
            "(?:#[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?"},
}};

}  // namespace

std::string_view pattern_of_format(std::string_view format) {
  for (const auto& [name, pattern] : formats)
    if (name == format) return pattern;
  return {};
}

}  // namespace herd::grammar
