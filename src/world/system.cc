// System prompts that must be followed: another name, facts of a shop, a form for every answer, a word to end with.
#include <fmt/format.h>

#include <algorithm>

#include "world/draw.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

// A question with a short answer that needs no more than the question itself.
struct Easy {
  std::string question, sentence, word;
};

Easy easy_question(Draw& draw) {
  const std::vector<Person> two = draw.several(2, people());
  const std::vector<std::string_view> things = draw.several(2, objects()),
                                      shades = draw.several(2, colours());
  const std::string_view place = draw.one(places());
  const std::string a(two[0].name), b(two[1].name), x(things[0]), y(things[1]);
  switch (draw.below(3)) {
    case 0:
      return {fmt::format("The {} is {} and the {} is {}. What colour is the {}?", x, shades[0], y,
                          shades[1], y),
              fmt::format("The {} is {}.", y, shades[1]), std::string(shades[1])};
    case 1:
      return {fmt::format("{} has a {} and {} has a {}. Who has the {}?", a, x, b, y, x),
              fmt::format("{} has the {}.", a, x), a};
    default:
      return {fmt::format("{} went to the {} with the {}. Where is the {} now?", a, place, x, x),
              fmt::format("The {} is at the {}.", x, place), std::string(place)};
  }
}

bool follow_name(Draw& draw, Sample& sample) {
  const Person person = draw.one(people());
  const std::string_view job = draw.one(jobs());
  sample.subject = std::string(person.name) + "|" + std::string(job);
  if (!draw.fits("system", sample.subject)) return false;
  const std::string a_job = with_article(job);
  add_system(
      sample,
      draw.say(
          "{Your name is $name. You are $job.|You are $name, $job.|You play $name, who is $job.}",
          {{"name", person.name}, {"job", a_job}}));
  if (draw.chance(0.5)) {
    add_user(sample, draw.say("{What is your name?|Who are you?|Hello, who is this?}"));
    add_answer(sample, draw.say("I am $name, $job.", {{"name", person.name}, {"job", a_job}}));
    grade_as(sample, Check::contains, {std::string(person.name)});
  } else {
    add_user(sample, draw.say("{What is your job?|What do you do?|What do you work as?}"));
    add_answer(sample, draw.say("I am $job.", {{"job", a_job}}));
    grade_as(sample, Check::contains, {std::string(job)});
  }
  return true;
}

bool follow_shop(Draw& draw, Sample& sample) {
  const Person owner = draw.one(people());
  const std::vector<std::string_view> goods = draw.several(draw.between(2, 4), foods());
  const int opens = draw.between(6, 11), closes = draw.between(15, 22);
  std::vector<int> prices;
  std::vector<std::string> lines;
  for (const std::string_view good : goods) {
    prices.push_back(draw.between(1, 20));
    lines.push_back(fmt::format("{}: {} coins", good, prices.back()));
  }
  const std::string_view closed = draw.one(weekdays());
  sample.subject = fmt::format("{}|{}|{}", owner.name, goods[0], prices[0]);
  if (!draw.fits("system", sample.subject)) return false;
  add_system(sample, fmt::format("You are the assistant in the shop of {}. The shop opens at {} "
                                 "and closes at {}. It is closed on {}. "
                                 "Prices: {}. If something is not sold here, say so.",
                                 owner.name, opens, closes, closed, joined(lines, ", ", ", ")));
  for (int turns = draw.between(1, 3); turns > 0; --turns) {
    switch (draw.below(5)) {
      case 0:
        add_user(sample, draw.say("{When do you open?|At what time does the shop open?}"));
        add_answer(sample, fmt::format("We open at {}.", opens));
        grade_as(sample, Check::contains, {std::to_string(opens)});
        break;
      case 1:
        add_user(sample, draw.say("{When do you close?|Until when are you open?}"));
        add_answer(sample, fmt::format("We close at {}.", closes));
        grade_as(sample, Check::contains, {std::to_string(closes)});
        break;
      case 2:
        add_user(sample, draw.say("{On which day are you closed?|Which day is the shop closed?}"));
        add_answer(sample, fmt::format("We are closed on {}.", closed));
        grade_as(sample, Check::contains, {std::string(closed)});
        break;
      case 3: {
        const auto which = static_cast<std::size_t>(draw.below(static_cast<int>(goods.size())));
        add_user(sample, draw.say("{How much is $good?|What does $good cost?}",
                                  {{"good", with_article(goods[which])}}));
        add_answer(sample, fmt::format("{} costs {} {}.", capitalised(with_article(goods[which])),
                                       prices[which], prices[which] == 1 ? "coin" : "coins"));
        grade_as(sample, Check::contains, {std::to_string(prices[which])});
        break;
      }
      default: {
        const std::string_view wanted = draw.one(foods());
        const bool sold = std::ranges::find(goods, wanted) != goods.end();
        add_user(sample, draw.say("Do you {sell|have} $goods?", {{"goods", plural_of(wanted)}}));
        add_answer(sample,
                   fmt::format(fmt::runtime(sold ? "Yes, we sell {}." : "No, we do not sell {}."),
                               plural_of(wanted)));
        grade_as(sample, Check::contains, {sold ? "yes" : "no"}, {sold ? "no" : "yes"});
      }
    }
  }
  return true;
}

// A rule for the form of every answer.
bool follow_form(Draw& draw, Sample& sample) {
  const int rule = draw.below(5);
  const std::string_view word =
      draw.one({"please", "thanks", "over", "done", "stop", "okay", "end", "sir"});
  constexpr std::string_view rules[] = {
      "{Answer with one word.|Use only one word for every answer.|One word answers only.}",
      "{Answer in capital letters.|Write everything in capitals.|Use only capital letters.}",
      "{End every answer with the word $word.|The last word of every answer is $word.}",
      "{Begin every answer with the word $word.|Start each answer with $word.}",
      "{Answer in whole sentences.|Always use a full sentence.}",
  };
  const std::string system = draw.say(rules[rule], {{"word", word}});
  add_system(sample, system);
  for (int turns = draw.between(1, 3); turns > 0; --turns) {
    const Easy easy = easy_question(draw);
    sample.subject = easy.question;
    if (turns == 1 ? !draw.fits("system", easy.question) : !draw.may_use("system", easy.question))
      return false;
    add_user(sample, easy.question);
    const std::string answers[] = {capitalised(easy.word), upper_case(easy.sentence),
                                   easy.sentence + " " + capitalised(word) + ".",
                                   capitalised(word) + ". " + easy.sentence, easy.sentence};
    add_answer(sample, answers[rule]);
    grade_as(sample, rule == 1 ? Check::exact : Check::one_of);
  }
  return true;
}

}  // namespace

bool make_system(Draw& draw, Sample& sample) {
  const double kind = draw.real();
  if (kind < 0.25) return follow_name(draw, sample);
  return kind < 0.6 ? follow_shop(draw, sample) : follow_form(draw, sample);
}

}  // namespace herd::world
