// The table of tasks: one row a task, one function each, in files of their names.
#pragma once

#include "world/draw.h"
#include "world/sample.h"
#include "world/shape_scene.h"

namespace herd::world {

// One to `turns` questions about a scene whose picture is the last of the sample's.
void add_shape_turns(Draw& draw, Sample& sample, const ShapeScene& scene, int turns);

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
    {"shapes", "coloured shapes: what, which colour, how many, where", make_shapes},
};

}  // namespace herd::world
