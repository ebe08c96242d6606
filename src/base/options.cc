#include "base/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/nearest.h"

namespace herd {
namespace {

template <typename T>
struct Unwrap {
  using type = T;
};
template <typename T>
struct Unwrap<std::optional<T>> {
  using type = T;
};
// The type of one value: T for T and for optional<T>.
template <typename T>
using Plain = typename Unwrap<T>::type;

template <typename T>
inline constexpr bool is_vector = std::is_same_v<T, std::vector<std::string>>;
template <typename T>
inline constexpr bool is_optional = !std::is_same_v<Plain<T>, T>;

// Calls visit(field) with a reference to the field.
template <typename Visit>
decltype(auto) visit_value(const OptionRow& row, Visit visit) {
  return std::visit([&](auto* field) { return visit(*field); }, row.value);
}

template <typename T>
std::string kind_text() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_integral_v<T>) return "a whole number";
  if constexpr (std::is_floating_point_v<T>) return "a number";
  return "text";
}

std::string number_text(long double x) {
  // Whole numbers in full, the rest as short as a double can be read back.
  if (x >= -0x1p63L && x < 0x1p63L && x == static_cast<long double>(static_cast<std::int64_t>(x)))
    return fmt::format("{}", static_cast<std::int64_t>(x));
  if (x >= 0 && x < 0x1p64L && x == static_cast<long double>(static_cast<std::uint64_t>(x)))
    return fmt::format("{}", static_cast<std::uint64_t>(x));
  return fmt::format("{}", static_cast<double>(x));
}

// The part of the row's range that the type can hold.
template <typename T>
Range usable_range(const OptionRow& row) {
  return {std::max(row.range.low, static_cast<long double>(std::numeric_limits<T>::lowest())),
          std::min(row.range.high, static_cast<long double>(std::numeric_limits<T>::max()))};
}

template <typename T>
std::string range_text(const OptionRow& row) {
  const Range range = usable_range<T>(row);
  const bool open_below = range.low <= static_cast<long double>(std::numeric_limits<T>::lowest()) &&
                          !std::is_unsigned_v<T>;
  const bool open_above = range.high >= static_cast<long double>(std::numeric_limits<T>::max());
  if (open_below && open_above) return kind_text<T>();
  if (open_above) return fmt::format("at least {}", number_text(range.low));
  if (open_below) return fmt::format("at most {}", number_text(range.high));
  return fmt::format("{} to {}", number_text(range.low), number_text(range.high));
}

std::unexpected<Error> refuse(const OptionRow& row, std::string_view found) {
  return fail(Code::out_of_range, "{} is {}, wanted {}", row.name, found, allowed_text(row));
}

bool is_choice(const OptionRow& row, std::string_view text) {
  return row.choices.names.empty() || std::find(row.choices.names.begin(), row.choices.names.end(),
                                                text) != row.choices.names.end();
}

// Assigns `value` to a field of number type T if the row's range and the type allow it.
template <typename T>
Result<void> assign_number(const OptionRow& row, T& field, long double value,
                           std::string_view found) {
  using P = Plain<T>;
  if (!usable_range<P>(row).contains(value)) return refuse(row, found);
  field = static_cast<P>(value);
  return {};
}

template <typename Number>
Result<void> set_number(const OptionRow& row, Number value) {
  const std::string found = fmt::format("{}", value);
  return visit_value(row, [&](auto& field) -> Result<void> {
    using T = Plain<std::remove_cvref_t<decltype(field)>>;
    constexpr bool whole_to_real = std::is_floating_point_v<T> && std::is_integral_v<Number>;
    constexpr bool same_kind =
        std::is_integral_v<T> == std::is_integral_v<Number> && detail::is_number<T>;
    if constexpr (whole_to_real || same_kind)
      return assign_number(row, field, static_cast<long double>(value), found);
    else
      return refuse(row, found);
  });
}

// The whole of `text` as a T.
template <typename T>
std::optional<T> parsed(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

Result<const OptionRow*> find_option(std::span<const OptionRow> rows, std::string_view name,
                                     std::string_view what) {
  std::vector<std::string_view> names;
  for (const OptionRow& row : rows) {
    if (row.name == name) return &row;
    names.push_back(row.name);
  }
  return fail_with_hint(Code::usage, fmt::format("unknown {} {}", what, shown(name)),
                        did_you_mean(name, names));
}

Result<void> set_option(const OptionRow& row, std::string_view text) {
  return visit_value(row, [&](auto& field) -> Result<void> {
    using T = std::remove_cvref_t<decltype(field)>;
    using P = Plain<T>;
    if constexpr (std::is_same_v<P, bool>) {
      if (text != "true" && text != "false") return refuse(row, shown(text));
      field = text == "true";
      return {};
    } else if constexpr (detail::is_number<P>) {
      const auto value = parsed<P>(text);
      if (!value) return refuse(row, shown(text));
      return assign_number(row, field, static_cast<long double>(*value), shown(text));
    } else {
      if (!is_choice(row, text)) {
        auto error = refuse(row, shown(text));
        error.error().hint = did_you_mean(text, row.choices.names);
        return error;
      }
      if constexpr (is_vector<T>)
        field.emplace_back(text);
      else
        field = std::string(text);
      return {};
    }
  });
}

Result<void> set_option(const OptionRow& row, bool value) {
  if (auto* const* field = std::get_if<bool*>(&row.value)) {
    **field = value;
    return {};
  }
  return refuse(row, value ? "true" : "false");
}

Result<void> set_option(const OptionRow& row, std::int64_t value) { return set_number(row, value); }
Result<void> set_option(const OptionRow& row, std::uint64_t value) {
  return set_number(row, value);
}
Result<void> set_option(const OptionRow& row, double value) { return set_number(row, value); }

Result<void> check_options(std::span<const OptionRow> rows) {
  for (const OptionRow& row : rows) {
    const bool good = visit_value(row, [&](const auto& field) {
      using T = std::remove_cvref_t<decltype(field)>;
      auto one_good = [&](const auto& value) {
        using P = std::remove_cvref_t<decltype(value)>;
        if constexpr (detail::is_number<P>)
          return usable_range<P>(row).contains(static_cast<long double>(value));
        else if constexpr (std::is_same_v<P, std::string>)
          return is_choice(row, value);
        else
          return true;
      };
      if constexpr (is_vector<T>)
        return std::all_of(field.begin(), field.end(), one_good);
      else if constexpr (is_optional<T>)
        return !field || one_good(*field);
      else
        return one_good(field);
    });
    if (!good) return refuse(row, shown(option_text(row)));
  }
  return {};
}

std::string option_text(const OptionRow& row) {
  return visit_value(row, [](const auto& field) -> std::string {
    using T = std::remove_cvref_t<decltype(field)>;
    if constexpr (is_vector<T>)
      return fmt::format("{}", fmt::join(field, ","));
    else if constexpr (is_optional<T>)
      return field ? fmt::format("{}", *field) : std::string();
    else
      return fmt::format("{}", field);
  });
}

std::string allowed_text(const OptionRow& row) {
  if (!row.choices.names.empty()) {
    const auto last = row.choices.names.size() - 1;
    if (last == 0) return std::string(row.choices.names[0]);
    return fmt::format("{} or {}", fmt::join(row.choices.names.first(last), ", "),
                       row.choices.names[last]);
  }
  return visit_value(row, [&](const auto& field) {
    using P = Plain<std::remove_cvref_t<decltype(field)>>;
    if constexpr (detail::is_number<P>)
      return range_text<P>(row);
    else
      return kind_text<P>();
  });
}

std::string options_table(std::span<const OptionRow> rows) {
  std::string out = "| option | default | allowed | meaning |\n|---|---|---|---|\n";
  for (const OptionRow& row : rows) {
    const std::string standard = option_text(row);
    out += fmt::format("| `{}` | {} | {} | {} |\n", row.name,
                       standard.empty() ? "none" : fmt::format("`{}`", standard), allowed_text(row),
                       row.sentence);
  }
  return out;
}

bool same_options(std::span<const OptionRow> a, std::span<const OptionRow> b) {
  HERD_CHECK(a.size() == b.size(), "{} fields against {}", a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool same = visit_value(a[i], [&](const auto& field) {
      using T = std::remove_cvref_t<decltype(field)>;
      return field == **std::get_if<T*>(&b[i].value);
    });
    if (!same) return false;
  }
  return true;
}

}  // namespace herd
