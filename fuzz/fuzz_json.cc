// The JSON reader: what it takes, it gives back, in both ways of writing; what it refuses, it explains.
#include "base/bytes.h"
#include "base/check.h"
#include "base/json.h"
#include "base/json_text.h"
#include "text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  const std::string_view input = text_of({data, size});
  const auto value = parse_json(input);
  if (!value) {
    HERD_CHECK(!value.error().message.empty());
    HERD_CHECK(value.error().code == Code::invalid_json ||
               value.error().code == Code::json_too_deep ||
               value.error().code == Code::invalid_utf8);
    return 0;
  }
  HERD_CHECK(!text::first_invalid_utf8(input), "text that is no UTF-8 was taken");
  const auto again = parse_json(json::serialize(*value));
  HERD_CHECK(again && *again == *value, "{}", json::serialize(*value));
  const auto pretty = parse_json(json_text(*value));
  HERD_CHECK(pretty && json::serialize(*pretty) == json::serialize(*value), "{}",
             json_text(*value));
  // A depth that is just allowed, and one that is not.
  HERD_CHECK(parse_json(input, limits::json_depth_max + 1));
  return 0;
}
