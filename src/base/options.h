// Options, declared once: a struct with defaults and one list of its fields. Command-line flags (cli/flags.h), --help,
// JSON (base/options_json.h), range checks, the table in the docs and equality all follow from the list; a field that
// the list forgets does not compile.
//
//   struct SampleOptions {
//     double temperature = 0.6;
//     std::uint64_t seed = 0;
//     static constexpr auto fields() {
//       return option_list(
//           option("temperature", &SampleOptions::temperature, "0 always takes the likeliest token", Range{0, 2}),
//           option("seed", &SampleOptions::seed, "of the random numbers", any_number));
//     }
//   };
//
// A field is a bool, std::int64_t, std::uint64_t, double, std::string, a vector of strings, or an optional of the
// numbers and the string (nothing = not given). A number always states its range; a string may list its choices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace herd {

// Both ends belong to it. long double holds every int64 and uint64 exactly where herd runs, so one type serves all.
struct Range {
  long double low = 0;
  long double high = 0;

  // False for NaN, which passes any comparison written the other way round.
  [[nodiscard]] constexpr bool contains(long double x) const { return x >= low && x <= high; }
};

// Whatever the type can hold, except infinity and NaN.
inline constexpr Range any_number{-std::numeric_limits<double>::max(),
                                  std::numeric_limits<double>::max()};

static_assert(std::numeric_limits<long double>::digits >= 64);

struct Choices {
  std::span<const std::string_view> names;
};

// A field of one object, its type forgotten.
struct OptionRow {
  using Value = std::variant<bool*, std::int64_t*, std::uint64_t*, double*, std::string*,
                             std::vector<std::string>*, std::optional<std::int64_t>*,
                             std::optional<double>*, std::optional<std::string>*>;

  std::string_view name;      // snake_case, as in JSON; the flag is --snake-case
  std::string_view sentence;  // for --help and the docs
  Range range;
  Choices choices;
  Value value;  // points into the object
};

namespace detail {

template <typename Owner, typename T>
struct OptionField {
  std::string_view name;
  T Owner::* member;
  std::string_view sentence;
  Range range;
  Choices choices;
};

template <typename T>
inline constexpr bool is_number = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
template <typename T>
inline constexpr bool is_number<std::optional<T>> = is_number<T>;

template <typename T>
inline constexpr bool is_text =
    std::is_same_v<T, std::string> || std::is_same_v<T, std::optional<std::string>> ||
    std::is_same_v<T, std::vector<std::string>>;

// {} initialises whatever comes after the listed members, if anything does.
template <typename Owner, typename... T>
consteval bool lists_every_member(const std::tuple<OptionField<Owner, T>...>&) {
  constexpr bool fits = requires { Owner{std::declval<T>()...}; };
  constexpr bool forgets = requires { Owner{std::declval<T>()..., {}}; };
  return fits && !forgets;
}

}  // namespace detail

template <typename Owner, typename T>
  requires detail::is_number<T>
constexpr detail::OptionField<Owner, T> option(std::string_view name, T Owner::* member,
                                               std::string_view sentence, Range range) {
  return {name, member, sentence, range, {}};
}

template <typename Owner, typename T>
  requires(!detail::is_number<T>)
constexpr detail::OptionField<Owner, T> option(std::string_view name, T Owner::* member,
                                               std::string_view sentence) {
  return {name, member, sentence, {}, {}};
}

// `names` must live as long as the program: a constexpr array.
template <typename Owner, typename T>
  requires detail::is_text<T>
constexpr detail::OptionField<Owner, T> option(std::string_view name, T Owner::* member,
                                               std::string_view sentence, Choices choices) {
  return {name, member, sentence, {}, choices};
}

template <typename Owner, typename... T>
constexpr std::tuple<detail::OptionField<Owner, T>...> option_list(
    detail::OptionField<Owner, T>... fields) {
  return {fields...};
}

// The fields of `options`, in order; they point into it and live no longer.
template <typename Options>
std::vector<OptionRow> option_rows(Options& options) {
  constexpr auto fields = Options::fields();
  static_assert(detail::lists_every_member(fields),
                "fields() lists every member of the struct once, in the order of declaration");
  std::vector<OptionRow> rows;
  rows.reserve(std::tuple_size_v<decltype(fields)>);
  std::apply(
      [&](const auto&... field) {
        (rows.push_back(
             {field.name, field.sentence, field.range, field.choices, &(options.*field.member)}),
         ...);
      },
      fields);
  return rows;
}

// The row of that name. Fails with usage; the hint is the nearest name. `what` is "option", "field", ...
Result<const OptionRow*> find_option(std::span<const OptionRow> rows, std::string_view name,
                                     std::string_view what);

// Sets a field from its text, as a command line gives it; a vector gets one more element. Fails with out_of_range,
// and the field keeps its value.
Result<void> set_option(const OptionRow& row, std::string_view text);

// Numbers from elsewhere, checked for kind and range. Fail with out_of_range, and the field keeps its value.
Result<void> set_option(const OptionRow& row, bool value);
Result<void> set_option(const OptionRow& row, std::int64_t value);
Result<void> set_option(const OptionRow& row, std::uint64_t value);
Result<void> set_option(const OptionRow& row, double value);

// Whether every field holds a value that it may hold: for objects that code filled in.
Result<void> check_options(std::span<const OptionRow> rows);

// "0.6"; "" for an optional that is not given; elements of a vector are joined with commas.
std::string option_text(const OptionRow& row);

// What a field may hold: "0 to 2", "at least 1", "f32 or native", "true or false", "text".
std::string allowed_text(const OptionRow& row);

// A Markdown table: name, default, allowed, meaning.
std::string options_table(std::span<const OptionRow> rows);

// Field by field; rows of two objects of one type.
bool same_options(std::span<const OptionRow> a, std::span<const OptionRow> b);

template <typename Options>
bool same_options(Options a, Options b) {
  const auto a_rows = option_rows(a), b_rows = option_rows(b);
  return same_options(std::span<const OptionRow>(a_rows), std::span<const OptionRow>(b_rows));
}

template <typename Options>
Result<void> check_options(Options options) {
  const auto rows = option_rows(options);
  return check_options(std::span<const OptionRow>(rows));
}

}  // namespace herd
