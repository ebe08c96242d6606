// Options (base/options.h) as JSON: request fields of the HTTP surface, recipe files, --json output.
#pragma once

#include <span>
#include <string_view>

#include "base/json.h"
#include "base/options.h"

namespace herd {

// Sets the fields that `object` names. null leaves an optional empty and is refused elsewhere. Fails with usage for a
// key that no field has (the hint is the nearest), with out_of_range for a value of another kind or outside the range;
// fields set before the error stay set. `what` is what keys are called in messages: "option", "field".
Result<void> set_options(std::span<const OptionRow> rows, const json::object& object,
                         std::string_view what = "option");

// Every field; an optional that is not given becomes null.
json::object options_to_json(std::span<const OptionRow> rows);

template <typename Options>
Result<void> set_options_from_json(Options& options, const json::object& object,
                                   std::string_view what = "option") {
  const auto rows = option_rows(options);
  return set_options(rows, object, what);
}

template <typename Options>
json::object options_to_json(Options options) {
  const auto rows = option_rows(options);
  return options_to_json(std::span<const OptionRow>(rows));
}

}  // namespace herd
