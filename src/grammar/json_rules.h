// The parts of JSON's own grammar (RFC 8259) as rules, shared by all schemas: space, strings, numbers, any value.
#pragma once

#include <optional>

#include "grammar/characters.h"
#include "grammar/limits.h"

namespace herd::grammar {

// How documents are written.
struct JsonStyle {
  // White space between tokens, at most this much at each place: a model that prefers indentation may have it, one that
  // is stuck in spaces comes to an end. 0: none.
  std::uint32_t space_max = 64;
  // One space after each comma and colon and none elsewhere, whatever space_max says: as Python writes JSON, and as
  // calls of tools stand in what models learn from.
  bool fixed = false;
};

class JsonRules {
 public:
  JsonRules(Grammar& grammar, JsonStyle style) : grammar_(grammar), style_(style) {}

  NodeId space();
  NodeId comma();   // and the space behind it
  NodeId colon();   // and the space around it
  NodeId string();  // with its quotes
  NodeId
  number();  // at most limits::digits_max digits before the point, 32 after it, two in the exponent
  NodeId integer();  // without point and exponent
  NodeId value();
  NodeId object();
  NodeId array();
  // One character of a string, in any spelling; surrogates come in pairs.
  NodeId character();

 private:
  NodeId shared(std::optional<RuleId>& rule, const char* name, NodeId (JsonRules::*body)());
  NodeId space_body();
  NodeId string_body();
  NodeId number_body();
  NodeId integer_body();
  NodeId value_body();
  NodeId object_body();
  NodeId array_body();
  NodeId list(NodeId element, const char* open, const char* close);

  Grammar& grammar_;
  JsonStyle style_;
  std::optional<RuleId> space_, string_, number_, integer_, value_, object_, array_;
};

}  // namespace herd::grammar
