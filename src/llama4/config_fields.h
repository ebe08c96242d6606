// Reads the members of a configuration one by one and keeps every complaint, so that the reader of an error sees all of
// them at once. Values that do not pass come back as the fallback; nothing is thrown and nothing stops early.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "llama4/config.h"

namespace herd::llama4 {

using Problems = std::vector<std::string>;

// One config_invalid error of all of them, numbered when there are several.
std::unexpected<Error> config_error(const Problems& problems);

class Fields {
 public:
  // `where` is put in front of names ("text_config."); `object` may be null: everything is missing then.
  Fields(const json::value* object, std::string where, Problems& problems)
      : object_(object), where_(std::move(where)), problems_(problems) {}

  // The member, or null when it is missing or null.
  [[nodiscard]] const json::value* find(std::string_view name) const;
  [[nodiscard]] bool is_null(std::string_view name) const;  // present, with the value null

  // A whole number in [min, max]; a missing one is `fallback`, or a problem where there is no fallback.
  std::int64_t integer(std::string_view name, std::int64_t min, std::int64_t max,
                       std::optional<std::int64_t> fallback = {});
  // A finite number above zero.
  double positive(std::string_view name, std::optional<double> fallback = {});
  // A finite number.
  double number(std::string_view name, double fallback);
  // A boolean, or a number that counts as true unless it is 0 (transformers 4 wrote 4 for attn_temperature_tuning).
  bool boolean(std::string_view name, bool fallback);
  // A text; problem when it is there and none.
  std::string text(std::string_view name, std::string_view fallback);
  // A list of whole numbers (booleans count as 0 and 1) in [min, max]. Nothing when missing or null.
  std::optional<std::vector<std::int64_t>> integers(std::string_view name, std::int64_t min,
                                                    std::int64_t max);
  // A list of texts. Nothing when missing or null.
  std::optional<std::vector<std::string>> texts(std::string_view name);

  // problem("head_dim", "is 7, wanted an even number")
  void problem(std::string_view name, std::string_view what);

  // True when nothing was wrong with any of these so far: a relation between them is worth checking.
  [[nodiscard]] bool passed(std::initializer_list<std::string_view> names) const;

  [[nodiscard]] Problems& problems() { return problems_; }
  [[nodiscard]] std::string path(std::string_view name) const { return where_ + std::string(name); }

 private:
  const json::value* object_;
  std::string where_;
  Problems& problems_;
  std::vector<std::string> failed_;
};

// The number when `value` is a whole one that fits (also as 8192.0), else nothing.
std::optional<std::int64_t> whole_number(const json::value& value);

// At most 40 characters of a value, as a message shows it.
std::string shown_json(const json::value& value);

// The release-day files of Scout stretch by 8 from frequency factor 4 on; its weights were trained for 16 and 1
// (llama-models #322, spec D1). Puts that right, with a note.
void correct_scout_scaling(Config& config);

}  // namespace herd::llama4
