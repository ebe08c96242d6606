// The tools of the world: what each does, how it may be called and asked for, and what it answers. tools.cc makes
// conversations of them.
#pragma once

#include <span>
#include <string_view>

namespace herd::world {

// What a value is drawn from.
enum class ValueKind : unsigned char {
  city,
  thing,
  person,
  number,
  small_number,
  weekday,
  room,
  animal,
  on_off,
  word,
  phone,
  clock,
  sky,
  hit
};

struct Parameter {
  std::string_view names;  // alternatives, separated by '|'
  std::string_view description;
  ValueKind kind;
};

// How the result is found.
enum class Effect : unsigned char { look_up, add, subtract, multiply, done };

// Patterns use $a, $b, $c for the arguments and $r, $s for the result's members.
struct ToolKind {
  std::string_view names;  // alternatives; a tool may also get a made-up name
  std::string_view description;
  std::span<const Parameter> parameters;  // one to three
  std::string_view request;
  Effect effect;
  std::span<const Parameter> results;  // members of the result, at most two
  std::string_view answer;
};

std::span<const ToolKind> tool_kinds();

}  // namespace herd::world
