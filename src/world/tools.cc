// Tool calls: one to six tools with names and arguments that change from sample to sample, so that the definitions must
// be read; one call or several at once; results that are read and used; and requests that no tool fits.
#include "world/tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

constexpr std::string_view cities[] = {
    "Arden",  "Bilton", "Corva",  "Dunmore", "Elsted", "Farley", "Galen",  "Hartwick",
    "Isola",  "Jarrow", "Kelby",  "Lowen",   "Morva",  "Norden", "Oakham", "Penrod",
    "Quill",  "Rastow", "Selby",  "Torvik",  "Ulmen",  "Varna",  "Wexby",  "Yarrow",
    "Zelten", "Brigg",  "Calder", "Drumlin", "Everby", "Fossa"};

std::string one_of_names(Draw& draw, std::string_view names) {
  return draw.say("{" + std::string(names) + "}");
}

std::string made_up_name(Draw& draw) {
  constexpr std::string_view consonants = "bcdfgklmnprstvz", vowels = "aeiou";
  std::string name;
  for (int i = draw.between(2, 3); i > 0; --i) {
    name += draw.one(consonants);
    name += draw.one(vowels);
  }
  if (draw.chance(0.3)) name += "_" + std::to_string(draw.between(1, 9));
  return name;
}

json::value draw_value(Draw& draw, ValueKind kind) {
  switch (kind) {
    case ValueKind::city:
      return json::value(std::string(draw.one(cities)));
    case ValueKind::thing:
      return json::value(std::string(draw.one(objects())));
    case ValueKind::person:
      return json::value(std::string(draw.one(people()).name));
    case ValueKind::number: {
      const int high = draw.one({20, 100, 1000});
      return json::value(draw.between(2, high - 1));
    }
    case ValueKind::small_number:
      return json::value(draw.between(2, 40));
    case ValueKind::weekday:
      return json::value(std::string(draw.one(weekdays())));
    case ValueKind::room:
      return json::value(std::string(draw.one(rooms())));
    case ValueKind::animal:
      return json::value(std::string(draw.one(animals())));
    case ValueKind::on_off:
      return json::value(draw.chance(0.5) ? "on" : "off");
    case ValueKind::word: {
      std::string text(draw.one(lexicon()));
      for (int more = draw.below(3); more > 0; --more) (text += ' ') += draw.one(lexicon());
      return json::value(text);
    }
    case ValueKind::phone:
      return json::value(std::to_string(draw.between(10000, 999999)));
    case ValueKind::clock: {
      const int hour = draw.between(6, 21), quarter = draw.below(4) * 15;
      return json::value(fmt::format("{}:{:02}", hour, quarter));
    }
    case ValueKind::sky:
      return json::value(std::string(draw.one(weather())));
    case ValueKind::hit:
      return json::value(draw.between(1, 300));
  }
  return nullptr;
}

bool is_number(ValueKind kind) {
  return kind == ValueKind::number || kind == ValueKind::small_number || kind == ValueKind::hit;
}

}  // namespace

std::string text_of_value(const json::value& value) {
  return value.is_string() ? std::string(value.get_string().data(), value.get_string().size())
                           : json_line(value);
}

Tool draw_tool(Draw& draw, const ToolKind& kind) {
  Tool tool{.kind = &kind, .name = {}, .parameters = {}};
  do tool.name = draw.chance(0.35) ? made_up_name(draw) : one_of_names(draw, kind.names);
  while (!draw.may_use("tool_name", tool.name));
  for (const Parameter& parameter : kind.parameters)
    tool.parameters.push_back(draw.chance(0.1) ? made_up_name(draw)
                                               : one_of_names(draw, parameter.names));
  return tool;
}

json::object definition_of(const Tool& tool) {
  json::object properties;
  json::array required;
  for (std::size_t i = 0; i < tool.parameters.size(); ++i) {
    const Parameter& parameter = tool.kind->parameters[i];
    json::object property{{"type", is_number(parameter.kind) ? "integer" : "string"},
                          {"description", parameter.description}};
    if (parameter.kind == ValueKind::on_off) property["enum"] = json::array{"on", "off"};
    properties[tool.parameters[i]] = std::move(property);
    required.emplace_back(tool.parameters[i]);
  }
  json::object schema{
      {"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
  return {{"type", "function"},
          {"function", json::object{{"name", tool.name},
                                    {"description", tool.kind->description},
                                    {"parameters", std::move(schema)}}}};
}

Use draw_use(Draw& draw, const Tool& tool) {
  const ToolKind& kind = *tool.kind;
  std::string texts[3], results[2];
  Use use;
  use.call.name = tool.name;
  for (std::size_t i = 0; i < kind.parameters.size(); ++i) {
    json::value value = draw_value(draw, kind.parameters[i].kind);
    while (i > 0 && text_of_value(value) == texts[0])
      value = draw_value(draw, kind.parameters[i].kind);  // from a to a
    texts[i] = text_of_value(value);
    use.call.arguments[tool.parameters[i]] = std::move(value);
  }
  const auto number = [&](std::size_t i) {
    return use.call.arguments.at(tool.parameters[i]).as_int64();
  };
  if (kind.effect == Effect::done) use.result = json::object{{"ok", true}};
  if (kind.effect != Effect::done) {
    json::object result;
    for (std::size_t i = 0; i < kind.results.size(); ++i) {
      json::value value = draw_value(draw, kind.results[i].kind);
      if (kind.effect == Effect::add) value = number(0) + number(1);
      if (kind.effect == Effect::subtract) value = number(0) - number(1);
      if (kind.effect == Effect::multiply) value = number(0) * number(1);
      results[i] = text_of_value(value);
      result[one_of_names(draw, kind.results[i].names)] = std::move(value);
    }
    use.result = std::move(result);
  }
  use.request = draw.say(kind.request, {{"a", texts[0]}, {"b", texts[1]}, {"c", texts[2]}});
  use.answer = draw.say(
      kind.answer,
      {{"a", texts[0]}, {"b", texts[1]}, {"c", texts[2]}, {"r", results[0]}, {"s", results[1]}});
  use.word = kind.effect == Effect::done ? use.answer : results[0];
  return use;
}

namespace {

// Of different kinds, and with different names.
std::vector<Tool> draw_tools(Draw& draw, int count) {
  std::vector<Tool> tools;
  for (const int at : draw.different(count, static_cast<int>(tool_kinds().size()))) {
    Tool tool = draw_tool(draw, tool_kinds()[static_cast<std::size_t>(at)]);
    while (std::ranges::find(tools, tool.name, &Tool::name) != tools.end())
      tool = draw_tool(draw, *tool.kind);
    tools.push_back(std::move(tool));
  }
  return tools;
}

void offer(Draw& draw, Sample& sample, std::vector<Tool> tools) {
  draw.shuffle(tools);
  json::array definitions;
  for (const Tool& tool : tools) definitions.push_back(definition_of(tool));
  sample.conversation.tools = std::move(definitions);
}

void decline(Draw& draw, Sample& sample, std::vector<Tool> tools) {
  const Tool missing = std::move(tools.back());  // one that is asked for and not offered
  tools.pop_back();
  const Use use = draw_use(draw, missing);
  sample.subject = use.request;
  offer(draw, sample, std::move(tools));
  add_user(sample, use.request);
  add_answer(sample, "I have no tool for that.");
  grade_as(sample, Check::contains, {"no tool"});
}

// The rounds of one conversation: request, calls, results, answer.
void add_round(Draw& draw, Sample& sample, const std::vector<Use>& uses, bool stop_at_call) {
  std::string request, answer;
  std::vector<text::ToolCall> calls;
  std::vector<std::string> words;
  for (const Use& use : uses) {
    if (!request.empty()) request += draw.say("{ And | Also: | | Then: }");
    request += use.request;
    if (!answer.empty()) answer += '\n';
    answer += use.answer;
    calls.push_back(use.call);
    words.push_back(use.word);
  }
  for (std::size_t i = 0; i < calls.size(); ++i)
    calls[i].id = fmt::format("call_{}_{}", sample.conversation.messages.size(), i);
  add_user(sample, request);
  add_calls(sample, std::move(calls));
  if (stop_at_call) return grade_as(sample, Check::tool_calls);
  for (const Use& use : uses) add_result(sample, use.result);
  add_answer(sample, answer);
  // One answer is judged by what the tool gave; several by the whole text, which follows from the calls.
  if (uses.size() == 1) return grade_as(sample, Check::contains, std::move(words));
  grade_as(sample, Check::one_of);
}

}  // namespace

bool make_tools(Draw& draw, Sample& sample) {
  // A definition is up to 700 bytes when it is printed.
  const int most = std::clamp(draw.sizes().bytes_max / 700, 1, 6);
  const int drawn = draw.one({1, 1, 2, 2, 3, 3, 4, 5, 6});
  const int offered = std::min(draw.sizes().items > 0 ? draw.sizes().items : drawn, most);
  if (draw.chance(0.4))
    add_system(sample, draw.say("{You are a helpful assistant.|Use the tools when they help.|You "
                                "can call functions.|Answer briefly.}"));
  // What is asked rarely is learned late: training declines more often.
  if (draw.chance(draw.split() == Split::train ? 0.25 : 0.12)) {
    decline(draw, sample, draw_tools(draw, offered + 1));
    return draw.fits("tools", sample.subject);
  }
  const std::vector<Tool> tools = draw_tools(draw, offered);
  offer(draw, sample, tools);
  const bool trains = draw.split() == Split::train;  // as in Draw::turns
  for (int round = trains ? draw.one({1, 2, 2, 3, 4}) : draw.one({1, 1, 1, 2}); round > 0;
       --round) {
    const int parallel = draw.one({1, 1, 1, 2, 2, 3});
    const Tool& first = draw.one(tools);
    std::vector<Use> uses;
    while (static_cast<int>(uses.size()) < parallel) {
      Use use = draw_use(draw, uses.empty() || draw.chance(0.6) ? first : draw.one(tools));
      if (std::ranges::find(uses, use.request, &Use::request) == uses.end())
        uses.push_back(std::move(use));
    }
    sample.subject = uses[0].call.name + json_line(uses[0].call.arguments);
    if (round == 1 ? !draw.fits("tools", sample.subject) : !draw.may_use("tools", sample.subject))
      return false;
    add_round(draw, sample, uses, round == 1 && draw.chance(0.5));
  }
  return true;
}

}  // namespace herd::world
