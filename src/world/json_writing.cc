// JSON: data written by a schema or with given keys, and values read out of it.
#include <fmt/format.h>

#include <algorithm>

#include "world/draw.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

// A member of a record: how it is called, how it is told of somebody.
struct Field {
  std::string_view keys;  // alternatives
  std::string_view told;  // $value
  int values;             // which list
  std::string_view type;
};
constexpr Field fields[] = {
    {"age|years", "is $value years old", 0, "integer"},
    {"job|work", "works as $a_value", 1, "string"},
    {"pet|animal", "has $a_value", 2, "string"},
    {"favourite_colour|colour", "likes the colour $value", 3, "string"},
    {"sport|game", "plays $value", 4, "string"},
    {"married|is_married", "is $value", 5, "boolean"},
    {"birth_month|month", "was born in $value", 6, "string"},
    {"children|kids", "has $value children", 7, "integer"},
    {"size_cm|height_cm", "is $value centimetres tall", 8, "integer"},
};

json::value draw_value(Draw& draw, int list) {
  const auto text = [](std::string_view word) { return json::value(std::string(word)); };
  switch (list) {
    case 0:
      return draw.between(5, 90);
    case 1:
      return text(draw.one(jobs()));
    case 2:
      return text(draw.one(animals()));
    case 3:
      return text(draw.one(colours()));
    case 4:
      return text(draw.one(sports()));
    case 5:
      return draw.chance(0.5);
    case 6:
      return text(draw.one(months()));
    case 7:
      return draw.between(2, 9);
    default:
      return draw.between(90, 200);
  }
}

struct Record {
  json::object object;
  std::string told;  // "Tom is 12 years old, works as a baker and has a dog."
};

struct Layout {
  std::vector<int> fields;
  std::vector<std::string> keys;  // the first is the name's
};

Layout draw_layout(Draw& draw) {
  Layout layout;
  layout.keys.push_back(draw.say("{name|name|first_name|person}"));
  layout.fields = draw.different(draw.between(1, 4), static_cast<int>(std::size(fields)));
  for (const int field : layout.fields)
    layout.keys.push_back(draw.say("{" + std::string(fields[field].keys) + "}"));
  return layout;
}

Record draw_record(Draw& draw, const Layout& layout) {
  Record record;
  const std::string name(draw.one(people()).name);
  record.object[layout.keys[0]] = name;
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < layout.fields.size(); ++i) {
    const Field& field = fields[layout.fields[i]];
    const json::value value = draw_value(draw, field.values);
    const std::string text = value.is_bool() ? (value.get_bool() ? "married" : "not married")
                             : value.is_string()
                                 ? std::string(value.get_string().data(), value.get_string().size())
                                 : json_line(value);
    parts.push_back(draw.say(field.told, {{"value", text}, {"a_value", with_article(text)}}));
    record.object[layout.keys[i + 1]] = value;
  }
  draw.shuffle(parts);
  record.told = name + " " + joined(parts) + ".";
  return record;
}

json::object schema_of(const Layout& layout) {
  json::object properties{{layout.keys[0], json::object{{"type", "string"}}}};
  json::array required{json::value(layout.keys[0])};
  for (std::size_t i = 0; i < layout.fields.size(); ++i) {
    properties[layout.keys[i + 1]] = json::object{{"type", fields[layout.fields[i]].type}};
    required.emplace_back(layout.keys[i + 1]);
  }
  return {
      {"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
}

bool write_record(Draw& draw, Sample& sample) {
  const Layout layout = draw_layout(draw);
  const Record record = draw_record(draw, layout);
  sample.subject = record.told;
  if (!draw.fits("json", sample.subject)) return false;
  if (draw.chance(0.5)) {
    const std::string schema = json_line(schema_of(layout));
    const std::string rule = draw.say(
                                 "{Answer in JSON by this schema|Reply only with JSON that fits "
                                 "this schema|Write JSON by the schema}: ") +
                             schema;
    const bool system = draw.chance(0.5);
    if (system) add_system(sample, rule);
    add_user(sample, system ? record.told : rule + "\n" + record.told);
  } else {
    const std::string keys = joined(layout.keys);
    add_user(sample, draw.say("{Write this as JSON with the {keys|members} $keys:|Give me JSON "
                              "with $keys:|Make a JSON object with the keys $keys.} $told",
                              {{"keys", keys}, {"told", record.told}}));
  }
  add_answer(sample, json_line(record.object));
  grade_as(sample, Check::json);
  return true;
}

bool write_list(Draw& draw, Sample& sample) {
  const Layout layout = draw_layout(draw);
  json::array list;
  std::string told;
  for (int i = draw.between(2, 3); i > 0; --i) {
    Record record = draw_record(draw, layout);
    if (!told.empty()) told += ' ';
    told += record.told;
    list.push_back(std::move(record.object));
  }
  sample.subject = told;
  if (!draw.fits("json", sample.subject)) return false;
  const std::string keys = joined(layout.keys);
  add_user(sample, draw.say("{Write a JSON list of objects with the keys $keys:|As a JSON list, "
                            "with $keys for each:} $told",
                            {{"keys", keys}, {"told", told}}));
  add_answer(sample, json_line(list));
  grade_as(sample, Check::json);
  return true;
}

bool read_member(Draw& draw, Sample& sample) {
  const Layout layout = draw_layout(draw);
  const Record record = draw_record(draw, layout);
  const std::string text = json_line(record.object);
  const std::string key = draw.one(layout.keys);
  sample.subject = text + key;
  if (!draw.fits("json", sample.subject)) return false;
  add_user(
      sample,
      draw.say(
          "{What is the value of \"$key\" in|Read \"$key\" from|Give me \"$key\" of} $text{?|}",
          {{"key", key}, {"text", text}}));
  const json::value& value = record.object.at(key);
  add_answer(sample, value.is_string()
                         ? std::string(value.get_string().data(), value.get_string().size())
                         : json_line(value));
  grade_as(sample, Check::one_of);
  return true;
}

}  // namespace

bool make_json(Draw& draw, Sample& sample) {
  const double kind = draw.real();
  if (kind < 0.6) return write_record(draw, sample);
  return kind < 0.8 ? write_list(draw, sample) : read_member(draw, sample);
}

}  // namespace herd::world
