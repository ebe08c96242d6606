// Associative recall: keys and values are listed, then some are asked for, in several turns over one list. Also lists
// that are written to again (the last value counts) and counting.
#include <fmt/format.h>

#include <algorithm>

#include "world/draw.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

// A kind of key or value.
enum class Alphabet : std::uint8_t { word, name, code, number, letters };

std::string draw_token(Draw& draw, Alphabet alphabet) {
  constexpr std::string_view consonants = "bcdfghjklmnpqrstvwxz", vowels = "aeiou";
  switch (alphabet) {
    case Alphabet::word:
      return std::string(draw.one(lexicon()));
    case Alphabet::name:
      return std::string(draw.one(people()).name);
    case Alphabet::code: {
      const char letter = draw.one(consonants);
      return upper_case(std::string(1, letter)) + std::to_string(draw.between(10, 999));
    }
    case Alphabet::number:
      return std::to_string(draw.between(10, 9999));
    case Alphabet::letters: {
      std::string out;
      for (int i = draw.between(1, 2); i >= 0; --i)
        (out += draw.one(consonants)) += draw.one(vowels);
      return out;
    }
  }
  return {};
}

// Words that are keys in held-out samples are never keys in training; other keys are divided pair by pair.
struct Pair {
  std::string key, value;
  [[nodiscard]] std::string subject() const { return key + "=" + value; }
};

std::vector<Pair> draw_pairs(Draw& draw, int count, Alphabet keys, Alphabet values) {
  std::vector<Pair> pairs;
  while (static_cast<int>(pairs.size()) < count) {
    Pair pair{draw_token(draw, keys), draw_token(draw, values)};
    if (std::ranges::find(pairs, pair.key, &Pair::key) != pairs.end()) continue;
    if (keys == Alphabet::word && !draw.may_use("recall_key", pair.key)) continue;
    if (!draw.may_use("recall", pair.subject())) continue;
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

std::string listed(const std::vector<Pair>& pairs, std::string_view pattern,
                   std::string_view between) {
  std::string out;
  for (const Pair& pair : pairs) {
    if (!out.empty()) out += between;
    out += fmt::format(fmt::runtime(pattern), pair.key, pair.value);
  }
  return out;
}

struct Manner {
  std::string_view line, between, question;  // line: {} key, {} value; question: $key
};
constexpr Manner manners[] = {
    {"{}: {}", "\n", "{What is {the value of |}$key?|$key?|Give me {the value of |}$key.}"},
    {"{} = {}", "\n", "{What is $key?|$key = ?|What is the value of $key?}"},
    {"{} -> {}", ", ", "{What does $key {map|point|lead} to?|$key -> ?}"},
    {"The code of {} is {}.", " ", "{What is the code of $key?|Which code does $key have?}"},
    {"{} likes {}.", " ", "{What does $key like?|Tell me what $key likes.}"},
    {"{} has number {}", "; ", "{Which number does $key have?|What is the number of $key?}"},
    {"| {} | {} |", "\n", "{What stands beside $key?|Look up $key.|What is $key in the table?}"},
};

// Up to sixteen keys in one turn: training only, where a list should teach as much as it can.
void add_look_up_of_several(Draw& draw, Sample& sample, const std::string& before,
                            const std::vector<Pair>& pairs) {
  const int most = std::min(static_cast<int>(pairs.size()), 16);
  std::string keys, values;
  for (const Pair& pair : draw.several(draw.between(2, most), pairs)) {
    keys += (keys.empty() ? "" : ", ") + pair.key;
    values += (values.empty() ? "" : ", ") + pair.value;
  }
  add_user(sample,
           before + draw.say("{Look up|Give me the values of|What are}: $keys", {{"keys", keys}}));
  add_answer(sample, values);
}

void add_queries(Draw& draw, Sample& sample, const std::string& list,
                 const std::vector<Pair>& pairs, const Manner& manner) {
  // Many questions over one list teach more than many lists; the last one is graded.
  const int queries = std::min(static_cast<int>(pairs.size()), draw.turns(6, 8));
  const std::string_view opening =
      draw.one({"", "", "Remember this:\n", "Here is a list:\n", "Read this:\n", "Data:\n"});
  std::vector<int> order = draw.different(queries, static_cast<int>(pairs.size()));
  std::string before = std::string(opening) + list + "\n\n";  // the first question
  if (draw.split() == Split::train && draw.chance(0.5)) {
    add_look_up_of_several(draw, sample, before, pairs);
    before.clear();
  }
  for (int turn = 0; turn < queries; ++turn) {
    const Pair& pair = pairs[static_cast<std::size_t>(order[static_cast<std::size_t>(turn)])];
    add_user(sample, before + draw.say(manner.question, {{"key", pair.key}}));
    before.clear();
    add_answer(sample, pair.value);
    if (turn + 1 == queries) {
      grade_as(sample, Check::one_of, {pair.value});
      sample.subject = pair.subject();
    }
  }
}

bool fits_keys(const Draw& draw, const Pair& pair, Alphabet keys) {
  return keys == Alphabet::word ? draw.fits("recall_key", pair.key)
                                : draw.fits("recall", pair.subject());
}

}  // namespace

bool make_recall(Draw& draw, Sample& sample) {
  const int manner = draw.below(static_cast<int>(std::size(manners)));
  const Alphabet keys = manner == 4 ? Alphabet::name
                                    : draw.one({Alphabet::word, Alphabet::word, Alphabet::code,
                                                Alphabet::letters, Alphabet::number});
  const Alphabet values = draw.one(
      {Alphabet::word, Alphabet::number, Alphabet::number, Alphabet::code, Alphabet::letters});
  const int most = keys == Alphabet::name ? 64 : 512;
  const std::vector<Pair> pairs = draw_pairs(draw, draw.items(2, most), keys, values);
  const Manner& how = manners[static_cast<std::size_t>(manner)];
  add_queries(draw, sample, listed(pairs, how.line, how.between), pairs, how);
  const std::size_t equals = sample.subject.find('=');
  return fits_keys(draw, {sample.subject.substr(0, equals), sample.subject.substr(equals + 1)},
                   keys);
}

// Assignments, some of them to names that had a value: the last one counts.
bool make_last_write(Draw& draw, Sample& sample) {
  const Alphabet keys = draw.one({Alphabet::word, Alphabet::letters, Alphabet::name});
  const int names = draw.between(2, 6);
  std::vector<Pair> now = draw_pairs(draw, names, keys, Alphabet::number);
  const std::string_view line =
      draw.one({"{} = {}\n", "Set {} to {}.\n", "{} is now {}.\n", "{}: {}\n"});
  std::string told = listed(now, line, "");
  for (int writes = draw.items(1, 200); writes > 0; --writes) {
    Pair& changed = now[static_cast<std::size_t>(draw.below(names))];
    do changed.value = draw_token(draw, Alphabet::number);
    while (!draw.may_use("recall", changed.subject()));
    told += fmt::format(fmt::runtime(line), changed.key, changed.value);
  }
  const std::string_view intro =
      draw.one({"", "These lines run one after the other.\n", "Follow the changes.\n"});
  constexpr Manner how{"", "",
                       "{What is $key {now|at the end}?|What is the {last|final} value of $key?}"};
  told.pop_back();
  add_queries(draw, sample, std::string(intro) + told, now, how);
  return draw.fits("recall", sample.subject);
}

// How often something stands in a list. The answer goes through the list and numbers what it counts: a model that must
// say the sum at once guesses it.
bool make_count(Draw& draw, Sample& sample) {
  const Words from = draw.one({colours(), animals(), foods(), objects()});
  const std::vector<std::string_view> kinds = draw.several(draw.between(2, 4), from);
  std::vector<std::string> items;
  for (int i = draw.items(3, 20); i > 0; --i) items.emplace_back(draw.one(kinds));
  const std::string_view asked = draw.one(kinds);
  // "hen, duck 1, hen, duck 2: 2"; an empty word counts them all.
  const auto count_of = [&](std::string_view word) {
    std::string walk;
    int count = 0;
    for (const std::string& item : items) {
      walk += (walk.empty() ? "" : ", ") + item;
      if (word.empty() || item == word) walk += fmt::format(" {}", ++count);
    }
    return walk + fmt::format(": {}", count);
  };
  const std::string list = joined(items, ", ", ", ");
  sample.subject = list;
  if (!draw.fits("count", sample.subject)) return false;
  const bool any = draw.chance(0.2);
  add_user(sample, draw.say(any ? "How many words are in this list? $list"
                                : "{How often does \"$word\" stand in this list?|How many times is "
                                  "\"$word\" in the list?|"
                                  "Count \"$word\":} $list",
                            {{"word", asked}, {"list", list}}));
  add_answer(sample, count_of(any ? "" : asked));
  if (draw.split() == Split::train)  // as in Draw::turns
    for (const std::string_view word : kinds) {
      if ((word == asked && !any) || draw.chance(0.5)) continue;
      add_user(sample, draw.say("{And \"$word\"?|How often \"$word\"?|Now count \"$word\".}",
                                {{"word", word}}));
      add_answer(sample, count_of(word));
    }
  const std::string answer = sample.conversation.messages.back().text();
  grade_as(sample, Check::conclusion, {answer.substr(answer.rfind(' ') + 1)});
  return true;
}

}  // namespace herd::world
