// What can be done to words and lists: copy, reverse, sort, remove what is there twice, spell, count letters, capitals.
// What goes letter by letter is worked out so: a word is one or two tokens, whose letters a model has to call up first.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "world/draw.h"
#include "world/shape_scene.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

using List = std::vector<std::string>;

std::string draw_item(Draw& draw, int kind) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
  if (kind == 0) return std::string(draw.one(lexicon()));
  if (kind == 1) return std::to_string(draw.below(draw.one({10, 100, 1000})));
  if (kind == 2) return std::string(draw.one(people()).name);
  if (kind == 4) return (std::string(draw.one(shape_colours())) += ' ') += draw.one(shape_kinds());
  std::string out;
  for (int i = draw.between(2, 5); i > 0; --i) out += draw.one(letters);
  return out;
}

List draw_list(Draw& draw, int kind, int count) {
  List list;
  for (int i = 0; i < count; ++i) list.push_back(draw_item(draw, kind));
  return list;
}

bool by_number(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;  // no leading zeros
}

List without_repeats(const List& list) {
  List out;
  for (const std::string& item : list)
    if (std::ranges::find(out, item) == out.end()) out.push_back(item);
  return out;
}

// Which items are new: "red, blue, red again, green".
std::string with_repeats_marked(const List& list) {
  std::string out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto end = list.begin() + static_cast<std::ptrdiff_t>(i);
    out += (i > 0 ? ", " : "") + list[i];
    if (std::find(list.begin(), end, list[i]) != end) out += " again";
  }
  return out;
}

// The first step of sorting: the items in four heaps, of so many digits or by the first letter (to f, m, s, z), each
// heap in the list's order: "7, 6 | 22 | 681 | -".
std::string in_heaps(const List& list, bool numbers) {
  List heaps(4);
  for (const std::string& item : list) {
    const char first = static_cast<char>(item.front() | 0x20);  // small or capital
    const std::size_t heap =
        numbers ? item.size() - 1 : std::size_t{first > 'f'} + (first > 'm') + (first > 's');
    heaps[heap] += (heaps[heap].empty() ? "" : ", ") + item;
  }
  if (numbers) heaps.pop_back();  // none has four digits
  for (std::string& heap : heaps)
    if (heap.empty()) heap = "-";
  return joined(heaps, " | ", " | ");
}

struct Work {
  std::string request, given, answer;
  std::string steps = {};  // before the answer
};

Work list_work(Draw& draw) {
  // Training also writes of coloured shapes, those among them that it never sees in a picture.
  const int kind = draw.split() == Split::train && draw.chance(0.15) ? 4 : draw.below(4);
  List list = draw_list(draw, kind, draw.items(2, 24));
  const bool numbers = kind == 1;
  switch (draw.below(5)) {
    case 0:
      return {
          draw.say(
              "{Copy|Repeat|Write again|Say again}{ this list| these words| this|}{ exactly|}:"),
          joined(list, ", ", ", "), joined(list, ", ", ", ")};
    case 1: {
      List reversed(list.rbegin(), list.rend());
      return {
          draw.say(
              "{Reverse {this list|the order}|Write this list backwards|Turn this list around}:"),
          joined(list, ", ", ", "), joined(reversed, ", ", ", ")};
    }
    case 2: {
      List sorted = list;
      numbers ? std::ranges::sort(sorted, by_number) : std::ranges::sort(sorted);
      return {draw.say(numbers ? "{Sort {these numbers|this list}|Put these numbers in order}{, "
                                 "smallest first|}:"
                               : "{Sort {these words|this list}{ by the alphabet|}|Put these words "
                                 "in alphabetical order}:"),
              joined(list, ", ", ", "), joined(sorted, ", ", ", "), in_heaps(list, numbers) + ": "};
    }
    case 3: {
      const std::size_t kept = list.size();
      for (std::size_t i = 0; i < (kept + 1) / 2; ++i) {
        const std::string again = draw.one(list);
        list.insert(list.begin() + draw.below(static_cast<int>(list.size())), again);
      }
      return {draw.say("{Remove {the repeated words|repeats|duplicates}|Write every item once}:"),
              joined(list, ", ", ", "), joined(without_repeats(list), ", ", ", "),
              with_repeats_marked(list) + ": "};
    }
    default: {
      const std::string given = joined(list, ", ", ", ");
      if (draw.chance(0.3))
        return {draw.say("What is the last item {of|in} this list:"), given, list.back()};
      const auto place = static_cast<std::size_t>(draw.below(static_cast<int>(list.size())));
      return {draw.say("What is item {number |}$n {of|in} this list:",
                       {{"n", std::to_string(place + 1)}}),
              given, list[place], numbered(std::span(list).first(place + 1)) + ": "};
    }
  }
}

Work word_work(Draw& draw) {
  std::string word = draw_item(draw, draw.one({0, 0, 2, 3}));
  switch (draw.below(6)) {
    case 0:
      return {draw.say("{Spell|Spell the word|Write the letters of}:"), word, spelled(word, "-")};
    case 1: {
      const std::string backwards(word.rbegin(), word.rend());
      return {draw.say("{Reverse the {word|letters}|Write backwards|Spell backwards}:"), word,
              backwards, spelled(word, "-") + ", " + spelled(backwards, "-") + ": "};
    }
    case 2:
      return {draw.say("{Write in {capitals|capital letters|upper case}|Make this upper case}:"),
              word, upper_case(word)};
    case 3:
      return {draw.say("{How many letters {has|are in}|Count the letters of}:"), word,
              std::to_string(word.size()), numbered(letters_of(word)) + ": "};
    case 4:
      return {draw.say("What is the first letter of:"), word, word.substr(0, 1)};
    default:
      return {draw.say("What is the last letter of:"), word, word.substr(word.size() - 1)};
  }
}

// "a b c": joins letters that were spelled, or capitals back to small ones.
Work letter_work(Draw& draw) {
  const std::string word(draw.one(lexicon()));
  if (draw.chance(0.5))
    return {draw.say("{Join these letters|Which word is this}:"), spelled(word, " "), word};
  return {draw.say("{Write in {small letters|lower case}|Make this lower case}:"), upper_case(word),
          word};
}

}  // namespace

bool make_strings(Draw& draw, Sample& sample) {
  for (int turns = draw.between(1, 4); turns > 0; --turns) {
    const double kind = draw.real();
    const Work work = kind < 0.6   ? list_work(draw)
                      : kind < 0.9 ? word_work(draw)
                                   : letter_work(draw);
    sample.subject = work.given;
    if (turns == 1 ? !draw.fits("strings", work.given) : !draw.may_use("strings", work.given))
      return false;
    add_user(sample, work.request + " " + work.given);
    add_answer(sample, work.steps + work.answer);
    if (work.steps.empty())
      grade_as(sample, Check::exact);
    else
      grade_as(sample, Check::conclusion, {work.answer});
  }
  return true;
}

}  // namespace herd::world
