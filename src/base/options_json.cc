#include "base/options_json.h"

#include <type_traits>

namespace herd {
namespace {

std::unexpected<Error> wrong_kind(const OptionRow& row, const json::value& value) {
  const json::string_view kind = json::to_string(value.kind());
  return fail(Code::out_of_range, "{} is of kind {}, wanted {}", row.name,
              std::string_view(kind.data(), kind.size()), allowed_text(row));
}

Result<void> set_vector(const OptionRow& row, std::vector<std::string>& field,
                        const json::array& array) {
  std::vector<std::string> before;
  before.swap(field);
  for (const json::value& element : array) {
    const json::string* text = element.if_string();
    Result<void> set = text == nullptr ? Result<void>(wrong_kind(row, element))
                                       : set_option(row, std::string_view(*text));
    if (!set) {
      before.swap(field);
      return set;
    }
  }
  return {};
}

Result<void> set_null(const OptionRow& row, const json::value& value) {
  return std::visit(
      [&](auto* field) -> Result<void> {
        if constexpr (requires { field->reset(); }) {
          field->reset();
          return {};
        } else {
          return wrong_kind(row, value);
        }
      },
      row.value);
}

Result<void> set_from_json(const OptionRow& row, const json::value& value) {
  auto* const* vector = std::get_if<std::vector<std::string>*>(&row.value);
  switch (value.kind()) {
    case json::kind::null:
      return set_null(row, value);
    case json::kind::bool_:
      return set_option(row, value.get_bool());
    case json::kind::int64:
      return set_option(row, value.get_int64());
    case json::kind::uint64:
      return set_option(row, value.get_uint64());
    case json::kind::double_:
      return set_option(row, value.get_double());
    case json::kind::string: {
      const bool wants_text = std::holds_alternative<std::string*>(row.value) ||
                              std::holds_alternative<std::optional<std::string>*>(row.value);
      if (!wants_text) return wrong_kind(row, value);
      return set_option(row, std::string_view(value.get_string()));
    }
    case json::kind::array:
      if (vector == nullptr) return wrong_kind(row, value);
      return set_vector(row, **vector, value.get_array());
    case json::kind::object:
      return wrong_kind(row, value);
  }
  return wrong_kind(row, value);
}

template <typename T>
json::value json_of(const T& field) {
  if constexpr (requires { field.has_value(); }) {
    if (!field) return nullptr;
    return json_of(*field);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    json::array array;
    for (const std::string& element : field) array.emplace_back(json::string(element));
    return array;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return json::string(field);
  } else {
    return field;
  }
}

}  // namespace

Result<void> set_options(std::span<const OptionRow> rows, const json::object& object,
                         std::string_view what) {
  for (const auto& member : object) {
    const std::string_view key(member.key().data(), member.key().size());
    HERD_TRY(const OptionRow* row, find_option(rows, key, what));
    HERD_TRY_VOID(set_from_json(*row, member.value()));
  }
  return {};
}

json::object options_to_json(std::span<const OptionRow> rows) {
  json::object object;
  for (const OptionRow& row : rows)
    object[json::string_view(row.name.data(), row.name.size())] =
        std::visit([](const auto* field) { return json_of(*field); }, row.value);
  return object;
}

}  // namespace herd
