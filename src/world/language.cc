// What the words of the small world mean: kinds, opposites, plurals, days and months, numbers; and lists in the form
// that is asked for.
#include <fmt/format.h>

#include <algorithm>

#include "world/draw.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

struct Asked {
  std::string question, answer;
  Check check = Check::one_of;
  std::vector<std::string> accepted = {};
};

struct Kind {
  std::string_view name, plural;
  Words words;
};

std::span<const Kind> kinds() {
  static const Kind list[] = {
      {"animal", "animals", animals()},
      {"food", "foods", foods()},
      {"colour", "colours", colours()},
      {"place", "places", places()},
      {"job", "jobs", jobs()},
      {"body part", "body parts", body_parts()},
      {"plant", "plants", plants()},
      {"vehicle", "vehicles", vehicles()},
      {"instrument", "instruments", instruments()},
      {"sport", "sports", sports()},
      {"material", "materials", materials()},
  };
  return list;
}

// Words that are of several kinds ("orange", "fish") make questions with two answers.
bool is_of(const Kind& kind, std::string_view word) {
  return std::ranges::find(kind.words, word) != kind.words.end();
}

std::vector<Kind> two_kinds(Draw& draw, std::string_view& a, std::string_view& b) {
  while (true) {
    std::vector<Kind> two = draw.several(2, kinds());
    a = draw.one(two[0].words);
    b = draw.one(two[1].words);
    if (!is_of(two[1], a) && !is_of(two[0], b)) return two;
  }
}

Asked ask_kind(Draw& draw) {
  std::string_view a, b;
  const std::vector<Kind> two = two_kinds(draw, a, b);
  const std::string one = with_article(two[0].name), other = with_article(two[1].name);
  switch (draw.below(3)) {
    case 0: {
      const bool yes = draw.chance(0.5);
      return {draw.say("Is \"$a\" $kind?", {{"a", a}, {"kind", yes ? one : other}}),
              yes ? "Yes." : "No."};
    }
    case 1: {
      const bool swapped = draw.chance(0.5);
      return {draw.say("Is \"$a\" $x or $y?",
                       {{"a", a}, {"x", swapped ? other : one}, {"y", swapped ? one : other}}),
              capitalised(one) + "."};
    }
    default: {
      const bool swapped = draw.chance(0.5);
      return {draw.say("Which {of these |}is $kind: $x or $y?",
                       {{"kind", one}, {"x", swapped ? b : a}, {"y", swapped ? a : b}}),
              capitalised(a) + "."};
    }
  }
}

Asked ask_odd_one(Draw& draw) {
  while (true) {
    const std::vector<Kind> two = draw.several(2, kinds());
    std::vector<std::string_view> words = draw.several(3, two[0].words);
    const std::string_view odd = draw.one(two[1].words);
    if (is_of(two[0], odd) ||
        std::ranges::any_of(words, [&](std::string_view word) { return is_of(two[1], word); }))
      continue;
    words.insert(words.begin() + draw.below(4), odd);
    return {draw.say("{Which word does not fit|Find the odd one out|Which one is different}: $a, "
                     "$b, $c, $d?",
                     {{"a", words[0]}, {"b", words[1]}, {"c", words[2]}, {"d", words[3]}}),
            capitalised(odd) + "."};
  }
}

Asked ask_opposite(Draw& draw) {
  constexpr std::pair<std::string_view, std::string_view> opposites[] = {
      {"big", "small"},      {"old", "new"},      {"long", "short"},     {"high", "low"},
      {"wide", "narrow"},    {"thick", "thin"},   {"heavy", "light"},    {"hard", "soft"},
      {"hot", "cold"},       {"wet", "dry"},      {"clean", "dirty"},    {"fast", "slow"},
      {"loud", "quiet"},     {"bright", "dark"},  {"sharp", "blunt"},    {"smooth", "rough"},
      {"deep", "shallow"},   {"full", "empty"},   {"strong", "weak"},    {"rich", "poor"},
      {"good", "bad"},       {"early", "late"},   {"open", "closed"},    {"true", "false"},
      {"happy", "sad"},      {"up", "down"},      {"left", "right"},     {"yes", "no"},
      {"day", "night"},      {"begin", "end"},    {"push", "pull"},      {"win", "lose"},
      {"buy", "sell"},       {"north", "south"},  {"east", "west"},      {"always", "never"},
      {"inside", "outside"}, {"cheap", "costly"}, {"safe", "dangerous"}, {"wild", "tame"},
  };
  const auto [a, b] = draw.one(opposites);
  const bool swapped = draw.chance(0.5);
  return {draw.say("{What is the opposite of|Give the opposite of|The opposite of} \"$a\"{?|:}",
                   {{"a", swapped ? b : a}}),
          capitalised(swapped ? a : b) + "."};
}

Asked ask_form(Draw& draw) {
  if (draw.chance(0.5)) {
    const std::string_view noun = draw.one(draw.one({animals(), foods(), objects(), vehicles()}));
    return {draw.say("{What is the plural of|Give the plural of} \"$a\"{?|:}", {{"a", noun}}),
            capitalised(plural_of(noun)) + "."};
  }
  const int n = draw.chance(0.6) ? draw.below(100) : draw.below(1000);
  if (draw.chance(0.5))
    return {draw.say("{Write $n in words.|How do you write $n as a word?|Spell out the number $n.}",
                     {{"n", std::to_string(n)}}),
            capitalised(number_word(n)) + "."};
  return {draw.say("{Write $n in digits.|Which number is $n?|Write $n as a number.}",
                   {{"n", number_word(n)}}),
          std::to_string(n)};
}

Asked ask_calendar(Draw& draw) {
  const bool days = draw.chance(0.5);
  const Words list = days ? weekdays() : months();
  const int count = static_cast<int>(list.size()), at = draw.below(count);
  const auto item = [&](int i) { return list[static_cast<std::size_t>((i + count) % count)]; };
  const int step = draw.chance(0.3) ? 2 : 1;
  const bool after = draw.chance(0.5);
  return {draw.say(step == 1 ? "{Which|What} $unit comes $before $a?"
                             : "{Which|What} $unit is two $units $before $a?",
                   {{"units", days ? "days" : "months"},
                    {"unit", days ? "day" : "month"},
                    {"before", after ? "after" : "before"},
                    {"a", item(at)}}),
          std::string(item(after ? at + step : at - step)) + "."};
}

// A list of given words in a wanted form.
Asked ask_list(Draw& draw) {
  const Kind& kind = draw.one(kinds());
  const std::vector<std::string_view> words = draw.several(draw.between(2, 6), kind.words);
  std::string given, out;
  const int form = draw.below(4);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) given += i + 1 == words.size() ? " and " : ", ";
    given += words[i];
    const std::string_view comma = i > 0 ? ", " : "", newline = i > 0 ? "\n" : "";
    out += form == 0   ? fmt::format("{}- {}", newline, words[i])
           : form == 1 ? fmt::format("{}{}. {}", newline, i + 1, words[i])
           : form == 2 ? fmt::format("{}\"{}\"", comma, words[i])
                       : fmt::format("{}{}", newline, words[i]);
  }
  if (form == 2) out = "[" + out + "]";
  constexpr std::string_view forms[] = {
      "{as a list with dashes|as bullet points|with a dash before each}",
      "{as a numbered list|with numbers}", "{as a JSON list|as JSON|as a JSON array}",
      "{one on each line|each on its own line}"};
  const std::string wanted = draw.say(forms[form]);
  return {draw.say("{Write|Give me|Put} $given $form.", {{"given", given}, {"form", wanted}}), out,
          form == 2 ? Check::json : Check::exact};
}

}  // namespace

bool make_language(Draw& draw, Sample& sample) {
  using Asker = Asked (*)(Draw&);
  constexpr Asker askers[] = {ask_kind, ask_kind,     ask_odd_one, ask_opposite,
                              ask_form, ask_calendar, ask_list,    ask_list};
  for (int turns = draw.between(1, 4); turns > 0; --turns) {
    Asked asked = draw.one(askers)(draw);
    sample.subject = asked.question;
    if (turns == 1 ? !draw.fits("language", asked.question)
                   : !draw.may_use("language", asked.question))
      return false;
    add_user(sample, asked.question);
    add_answer(sample, asked.answer);
    grade_as(sample, asked.check, std::move(asked.accepted));
  }
  return true;
}

}  // namespace herd::world
