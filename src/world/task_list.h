// The table of tasks: one row a task, one function each, in files of their names.
#pragma once

#include "world/draw.h"
#include "world/sample.h"
#include "world/shape_scene.h"

namespace herd::world {

// One to `turns` questions about a scene. The sample's last `pictures` pictures stand before the first of them.
void add_shape_turns(Draw& draw, Sample& sample, const ShapeScene& scene, int turns, int pictures);

bool make_story(Draw& draw, Sample& sample);
bool make_story_questions(Draw& draw, Sample& sample);
bool make_arithmetic(Draw& draw, Sample& sample);
bool make_recall(Draw& draw, Sample& sample);
bool make_last_write(Draw& draw, Sample& sample);
bool make_count(Draw& draw, Sample& sample);
bool make_needle(Draw& draw, Sample& sample);
bool make_multi_hop(Draw& draw, Sample& sample);
bool make_strings(Draw& draw, Sample& sample);
bool make_chat(Draw& draw, Sample& sample);
bool make_facts(Draw& draw, Sample& sample);
bool make_system(Draw& draw, Sample& sample);
bool make_language(Draw& draw, Sample& sample);
bool make_shapes(Draw& draw, Sample& sample);
bool make_charts(Draw& draw, Sample& sample);
bool make_letters(Draw& draw, Sample& sample);
bool make_written(Draw& draw, Sample& sample);
bool make_board(Draw& draw, Sample& sample);
bool make_several_pictures(Draw& draw, Sample& sample);
bool make_picture_and_text(Draw& draw, Sample& sample);
bool make_picture_tool(Draw& draw, Sample& sample);
bool make_languages(Draw& draw, Sample& sample);
bool make_tools(Draw& draw, Sample& sample);
bool make_json(Draw& draw, Sample& sample);
bool make_code(Draw& draw, Sample& sample);

inline constexpr Task task_list[] = {
    {"story", "a short story of people, things and feelings, consistent by construction",
     make_story},
    {"story_questions", "who has what, where things are, what came before", make_story_questions},
    {"arithmetic", "sums, differences, products and comparisons, with worked steps",
     make_arithmetic},
    {"recall", "values of keys from a list", make_recall},
    {"last_write", "the last of several values written to a key", make_last_write},
    {"count", "how often a word stands in a list", make_count},
    {"needle", "facts hidden in a text that does not matter", make_needle},
    {"multi_hop", "chains of facts followed step by step", make_multi_hop},
    {"strings", "copy, reverse, sort, dedupe, spell, capitals", make_strings},
    {"chat", "small talk, what cria is, and what it does not know", make_chat},
    {"facts", "what the user told of himself and others, with pronouns over turns", make_facts},
    {"system", "system prompts: a name, a shop, a form for every answer", make_system},
    {"language", "kinds, opposites, plurals, days, number words, lists in a wanted form",
     make_language},
    {"languages", "words, numbers and greetings of nine other languages", make_languages},
    {"tools",
     "tool calls by definitions that change, several at once, results used, requests declined",
     make_tools},
    {"json", "JSON by a schema or with given keys, and read back", make_json},
    {"code", "what short programs print, and small functions by a description", make_code},
    {"shapes", "coloured shapes: what, which colour, how many, where", make_shapes},
    {"charts", "bar, line and pie charts: values, extremes, trend", make_charts},
    {"board", "a grid full of shapes, read row by row or cell by cell", make_board},
    {"letters", "charts of single letters and digits, read row by row", make_letters},
    {"written", "pictures of written words and numbers", make_written},
    {"several_pictures", "two to four pictures compared and described", make_several_pictures},
    {"picture_and_text", "a picture beside a text, and questions about both",
     make_picture_and_text},
    {"picture_tool", "what a picture shows, put into a tool call", make_picture_tool},
};

}  // namespace herd::world
