// Questions about a small world that was told: who has what, where it is, what came before. Several turns about one
// story, so that one telling teaches several answers.
#include <algorithm>

#include "world/draw.h"
#include "world/simulate.h"
#include "world/task_list.h"
#include "world/turns.h"

namespace herd::world {
namespace {

struct Asked {
  std::string question;
  std::string sentence;                 // the answer as a sentence
  std::string word;                     // the answer as a word or two
  std::vector<std::string> wrong = {};  // what a right answer does not name
};

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::string names_of(const SmallWorld& world, const std::vector<int>& objects) {
  std::vector<std::string> names;
  for (const int object : objects) names.push_back("the " + std::string(world.objects[at(object)]));
  return joined(names);
}

std::vector<std::string> all_but(Words names, std::string_view right) {
  std::vector<std::string> others;
  for (const std::string_view name : names)
    if (name != right) others.emplace_back(name);
  return others;
}

bool ask_where_person(Draw& draw, const SmallWorld& world, Asked& asked) {
  const int who = draw.below(static_cast<int>(world.people.size()));
  const std::string_view name = world.people[at(who)].name;
  const std::string_view place = world.places[at(world.place_of[at(who)])];
  asked.question = draw.say("Where is $name{| now}?", {{"name", name}});
  asked.sentence = std::string(name) + " is " + in_place(place) + ".";
  asked.word = place;
  asked.wrong = all_but(world.places, place);
  return true;
}

bool ask_where_object(Draw& draw, const SmallWorld& world, Asked& asked) {
  const int object = draw.below(static_cast<int>(world.objects.size()));
  const std::string_view place = world.places[at(world.place_of_object(object))];
  const std::string_view name = world.objects[at(object)];
  asked.question =
      draw.say("{Where is the $object{| now}?|In which place is the $object?}", {{"object", name}});
  asked.sentence = "The " + std::string(name) + " is " + in_place(place) + ".";
  asked.word = place;
  asked.wrong = all_but(world.places, place);
  return true;
}

bool ask_who_has(Draw& draw, const SmallWorld& world, Asked& asked) {
  const int object = draw.below(static_cast<int>(world.objects.size()));
  const int holder = world.holder_of[at(object)];
  const std::string_view name = world.objects[at(object)];
  asked.question = draw.say("Who {has|is holding|has got} the $object{| now}?", {{"object", name}});
  const std::string_view who = holder < 0 ? "Nobody" : world.people[at(holder)].name;
  asked.sentence = std::string(who) + " has the " + std::string(name) + ".";
  asked.word = who;
  for (const Person& person : world.people)
    if (person.name != who) asked.wrong.emplace_back(person.name);
  return holder >= 0 || draw.chance(0.3);
}

bool ask_what_held(Draw& draw, const SmallWorld& world, Asked& asked) {
  const int who = draw.below(static_cast<int>(world.people.size()));
  const std::vector<int> held = world.held_by(who);
  const std::string_view name = world.people[at(who)].name;
  if (draw.chance(0.3)) {
    asked.question =
        draw.say("How many things {does $name have|is $name carrying}?", {{"name", name}});
    asked.word = number_word(static_cast<int>(held.size()));
    asked.sentence =
        std::string(name) + " has " + asked.word + (held.size() == 1 ? " thing." : " things.");
  } else {
    asked.question =
        draw.say("What {does $name have|is $name carrying|is $name holding}?", {{"name", name}});
    asked.word = held.empty() ? "nothing" : names_of(world, held);
    asked.sentence = std::string(name) + " has " + asked.word + ".";
  }
  return !held.empty() || draw.chance(0.2);
}

bool ask_about_gift(Draw& draw, const SmallWorld& world, Asked& asked) {
  std::vector<Event> gifts;
  for (const Event& event : world.events)
    if (event.kind == Event::Kind::give) gifts.push_back(event);
  if (gifts.empty()) return false;
  const Event gift = draw.one(gifts);
  int same_object = 0, same_pair = 0;  // a question needs one answer
  for (const Event& other : gifts) {
    same_object += other.object == gift.object ? 1 : 0;
    same_pair += other.who == gift.who && other.whom == gift.whom ? 1 : 0;
  }
  const std::string_view giver = world.people[at(gift.who)].name;
  const std::string_view taker = world.people[at(gift.whom)].name;
  const std::string_view object = world.objects[at(gift.object)];
  switch (draw.below(3)) {
    case 0:
      asked.question = draw.say("Who gave {the $object to $taker|$taker the $object}?",
                                {{"object", object}, {"taker", taker}});
      asked.word = giver;
      asked.sentence = asked.word + " did.";
      break;
    case 1:
      asked.question =
          draw.say("Who did $giver give the $object to?", {{"giver", giver}, {"object", object}});
      asked.word = taker;
      asked.sentence = "To " + asked.word + ".";
      break;
    default:
      asked.question = draw.say("What did $giver give {to $taker|$taker}?",
                                {{"giver", giver}, {"taker", taker}});
      asked.word = object;
      asked.sentence = "The " + asked.word + ".";
      asked.wrong = all_but(world.objects, object);
      return same_pair == 1;
  }
  for (const Person& person : world.people)
    if (person.name != asked.word) asked.wrong.emplace_back(person.name);
  return same_object == 1;
}

// Where somebody was before, or went after, a walk. The walk is to or from a place visited once.
bool ask_before_after(Draw& draw, const SmallWorld& world, Asked& asked) {
  std::vector<Event> walks;
  for (const Event& event : world.events)
    if (event.kind == Event::Kind::go) walks.push_back(event);
  if (walks.empty()) return false;
  const Event walk = draw.one(walks);
  const bool before = draw.chance(0.5);
  int same = 0;
  for (const Event& other : walks)
    if (other.who == walk.who)
      same += (before ? other.place == walk.place : other.from == walk.from) ? 1 : 0;
  if (same != 1) return false;
  const std::string_view name = world.people[at(walk.who)].name;
  const std::string_view from = world.places[at(walk.from)], to = world.places[at(walk.place)];
  if (before) {
    asked.question = draw.say("Where was $name before {the $to|going to the $to}?",
                              {{"name", name}, {"to", to}});
    asked.sentence = std::string(name) + " was " + in_place(from) + ".";
  } else {
    asked.question =
        draw.say("Where did $name go {after|from} the $from?", {{"name", name}, {"from", from}});
    asked.sentence = std::string(name) + " went to the " + std::string(to) + ".";
  }
  asked.word = before ? from : to;
  asked.wrong = all_but(world.places, asked.word);
  return true;
}

bool ask_yes_no(Draw& draw, const SmallWorld& world, Asked& asked) {
  const int who = draw.below(static_cast<int>(world.people.size()));
  const std::string_view name = world.people[at(who)].name;
  bool yes = draw.chance(0.5);
  if (draw.chance(0.5)) {
    const int there =
        yes ? world.place_of[at(who)] : draw.below(static_cast<int>(world.places.size()));
    yes = there == world.place_of[at(who)];
    const std::string place = in_place(world.places[at(there)]);
    asked.question = draw.say("Is $name $place{| now}?", {{"name", name}, {"place", place}});
    asked.sentence = draw.say(yes ? "Yes, $name is $place." : "No, $name is not $place.",
                              {{"name", name}, {"place", place}});
  } else {
    const std::vector<int> held = world.held_by(who);
    const int object =
        yes && !held.empty() ? draw.one(held) : draw.below(static_cast<int>(world.objects.size()));
    yes = world.holder_of[at(object)] == who;
    const std::string_view thing = world.objects[at(object)];
    asked.question = draw.say("Does $name have the $thing?", {{"name", name}, {"thing", thing}});
    asked.sentence =
        draw.say(yes ? "Yes, $name has the $thing." : "No, $name does not have the $thing.",
                 {{"name", name}, {"thing", thing}});
  }
  asked.word = yes ? "Yes" : "No";
  asked.wrong = {yes ? "No" : "Yes"};
  return true;
}

// Which of two events came first; both of one kind, by two people.
bool ask_order(Draw& draw, const SmallWorld& world, Asked& asked) {
  for (std::size_t i = 0; i < world.events.size(); ++i)
    for (std::size_t j = i + 1; j < world.events.size(); ++j) {
      const Event &first = world.events[i], &second = world.events[j];
      if (first.kind != Event::Kind::go || second.kind != Event::Kind::go) continue;
      if (first.place != second.place || first.who == second.who) continue;
      const std::string_view winner = world.people[at(first.who)].name;
      const std::string_view other = world.people[at(second.who)].name;
      const bool swapped = draw.chance(0.5);
      asked.question = draw.say("Who went to the $place first, $a or $b?",
                                {{"place", world.places[at(first.place)]},
                                 {"a", swapped ? other : winner},
                                 {"b", swapped ? winner : other}});
      asked.sentence = std::string(winner) + " went there first.";
      asked.word = winner;
      asked.wrong = {std::string(other)};
      return true;
    }
  return false;
}

Asked ask(Draw& draw, const SmallWorld& world) {
  using Asker = bool (*)(Draw&, const SmallWorld&, Asked&);
  constexpr Asker askers[] = {ask_where_person, ask_where_object, ask_who_has, ask_what_held,
                              ask_about_gift,   ask_before_after, ask_yes_no,  ask_order};
  while (true) {
    Asked asked;
    if (draw.one(askers)(draw, world, asked)) return asked;
  }
}

// Short answers only when they are asked for.
void add_turn(Draw& draw, Sample& sample, const Asked& asked, std::string_view before, bool last) {
  const bool brief = draw.chance(0.25);
  std::string question(before);
  question += asked.question;
  if (brief) question += draw.say(" {Answer in {one word|a word or two}.|Short answer, please.}");
  add_user(sample, question);
  add_answer(sample, brief ? capitalised(asked.word) + "." : asked.sentence);
  if (last) grade_as(sample, Check::contains, {asked.word}, asked.wrong);
}

}  // namespace

bool make_story_questions(Draw& draw, Sample& sample) {
  const int events = std::min(draw.items_of(draw.log_between(2, 10)), 40);
  const int most = draw.items_of(4);  // a story of few events has few people and things
  const int people = std::min(draw.between(2, 4), most + 1);
  const int objects = std::min(draw.between(1, 3), most), places = draw.between(3, 4);
  SmallWorld world = draw_world(draw, people, objects, places);
  sample.subject = subject_of(world);
  if (!draw.fits("story", sample.subject)) return false;

  std::string told = tell_start(draw, world);
  Teller teller;
  for (int i = 0; i < events; ++i) {
    const Event event = draw_event(draw, world);
    told += ' ';
    told += tell(draw, world, event, teller);
    world.apply(event);
  }
  told += draw.chance(0.5) ? "\n\n" : "\n";
  std::vector<Asked> asked;
  for (int turns = draw.turns(4, 7); turns > 0; --turns) {
    Asked next = ask(draw, world);
    if (std::ranges::find(asked, next.question, &Asked::question) == asked.end())
      asked.push_back(std::move(next));
  }
  for (const Asked& each : asked)
    add_turn(draw, sample, each, &each == asked.data() ? std::string_view(told) : "",
             &each == &asked.back());
  return true;
}

}  // namespace herd::world
