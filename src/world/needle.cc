// Needles: one or a few facts among sentences that do not matter, at any depth of a text of any length; and chains of
// facts that must be followed from one to the next.
#include <fmt/format.h>

#include <algorithm>

#include "world/draw.h"
#include "world/filler.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

struct Needle {
  std::string fact, question, answer;
};

constexpr std::string_view fact_patterns[] = {
    "{The secret code of $who is $what.|$who has the secret code $what.|Remember: the secret code "
    "of $who is $what.}",
    "{The key number of the $thing is $what.|On the $thing is the key number $what.}",
    "{The magic word of $who is $what.|$who has the magic word $what.}",
};
constexpr std::string_view question_patterns[] = {
    "{What is the secret code of $who?|Which secret code does $who have?|Tell me the secret code "
    "of $who.}",
    "{What is the key number of the $thing?|Which key number is on the $thing?}",
    "{What is the magic word of $who?|Which magic word does $who have?}",
};

Needle draw_needle(Draw& draw) {
  const auto kind = static_cast<std::size_t>(draw.below(3));
  const std::string_view who = draw.one(people()).name, thing = draw.one(objects());
  std::string what(draw.one(lexicon()));
  if (kind != 2) {
    const int low = draw.one({10, 100, 1000});
    what = std::to_string(draw.between(low, low * 10 - 1));
  }
  return {draw.say(fact_patterns[kind], {{"who", who}, {"thing", thing}, {"what", what}}),
          draw.say(question_patterns[kind], {{"who", who}, {"thing", thing}}), what};
}

int draw_bytes(Draw& draw) {
  const Sizes& sizes = draw.sizes();
  return sizes.bytes > 0 ? sizes.bytes
                         : draw.log_between(120, std::max(sizes.bytes_max - 300, 121));
}

// The facts among the sentences: the first at the wanted depth, the others anywhere.
std::string hidden(Draw& draw, std::vector<std::string> sentences,
                   const std::vector<std::string>& facts) {
  const double depth = draw.sizes().depth;
  const int count = static_cast<int>(sentences.size());
  std::string out;
  for (std::size_t i = facts.size(); i-- > 0;) {  // the first fact last, so that its depth is exact
    const int place =
        i == 0 && depth >= 0 ? static_cast<int>(depth * count + 0.5) : draw.between(0, count);
    const int there = std::clamp(place, 0, static_cast<int>(sentences.size()));
    sentences.insert(sentences.begin() + there, facts[i]);
  }
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    if (i > 0) out += i % 8 == 0 ? "\n" : " ";
    out += sentences[i];
  }
  return out;
}

}  // namespace

bool make_needle(Draw& draw, Sample& sample) {
  // Training plants more of them: each is a question that the same text answers.
  const int count = draw.items(1, draw.split() == Split::train ? 10 : 4);
  std::vector<Needle> needles;
  while (static_cast<int>(needles.size()) < count) {
    Needle needle = draw_needle(draw);
    if (std::ranges::find(needles, needle.question, &Needle::question) != needles.end()) continue;
    // Two ways to ask for one code would make two answers right.
    if (std::ranges::any_of(needles, [&](const Needle& other) {
          return other.fact.substr(0, 12) == needle.fact.substr(0, 12) ||
                 other.answer == needle.answer;
        }))
      continue;
    if (draw.may_use("needle", needle.fact)) needles.push_back(std::move(needle));
  }
  sample.subject = needles[0].fact;
  if (!draw.fits("needle", sample.subject)) return false;

  std::vector<std::string> facts;
  for (const Needle& needle : needles) facts.push_back(needle.fact);
  const int bytes = draw_bytes(draw);
  const std::string text = hidden(draw, filler(draw, bytes), facts);
  const std::string_view intro =
      draw.one({"", "", "Read this text.\n\n", "Text:\n", "Here is a text:\n\n"});
  // The first needle, whose depth was chosen, is asked for last and graded.
  for (std::size_t i = needles.size(); i-- > 0;) {
    const bool first = i + 1 == needles.size();
    add_user(sample, first ? std::string(intro) + text + "\n\n" + needles[i].question
                           : needles[i].question);
    add_answer(sample, needles[i].answer);
  }
  grade_as(sample, Check::one_of, {needles[0].answer});
  return true;
}

// a -> b, b -> c, ...: what comes after so many steps. Written as lines or as sentences among others.
bool make_multi_hop(Draw& draw, Sample& sample) {
  const int count = draw.items(3, 60);
  const bool named = count <= 40 && draw.chance(0.5);
  std::vector<std::string> chain;
  if (named)
    for (const Person& person : draw.several(count, people())) chain.emplace_back(person.name);
  else
    for (const std::string_view word : draw.several(count, lexicon())) chain.emplace_back(word);
  // Training takes longer ways: each step is an answer of its own.
  const int hops = draw.between(2, std::min(draw.split() == Split::train ? 10 : 4, count - 1));
  const int start = draw.below(count - hops);
  const auto at = [&](int i) -> const std::string& { return chain[static_cast<std::size_t>(i)]; };
  sample.subject = at(start) + ">" + at(start + 1) + ">" + at(start + hops);
  if (!draw.fits("multi_hop", sample.subject)) return false;

  std::vector<std::string> links;
  for (int i = 0; i + 1 < count; ++i)
    links.push_back(named ? fmt::format("The friend of {} is {}.", at(i), at(i + 1))
                          : fmt::format("{} -> {}", at(i), at(i + 1)));
  draw.shuffle(links);
  std::string text = joined(links, named ? " " : "\n", named ? " " : "\n");
  if (named && draw.chance(0.4)) {
    const int bytes = std::min(draw_bytes(draw), draw.sizes().bytes_max / 2);
    text = hidden(draw, filler(draw, bytes), links);
  }
  std::string path = at(start);
  for (int i = 1; i <= hops; ++i) path += " -> " + at(start + i);
  std::string question;
  if (named) {
    question = "Who is ";
    for (int i = 0; i < hops; ++i) question += "the friend of ";
    question += at(start) + "?";
  } else {
    question = draw.say("Start at $start and take $hops steps. Where are you?",
                        {{"start", at(start)}, {"hops", number_word(hops)}});
  }
  add_user(sample, text + "\n\n" + question);
  add_answer(sample, path + "\n" + at(start + hops));
  grade_as(sample, Check::one_of, {sample.conversation.messages.back().text(), at(start + hops)});
  return true;
}

}  // namespace herd::world
