#include "world/simulate.h"

#include <algorithm>

namespace herd::world {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::vector<int> others_here(const SmallWorld& world, int person) {
  std::vector<int> here;
  for (int i = 0; i < static_cast<int>(world.people.size()); ++i)
    if (i != person && world.place_of[at(i)] == world.place_of[at(person)]) here.push_back(i);
  return here;
}

std::vector<int> lying_here(const SmallWorld& world, int person) {
  std::vector<int> here;
  for (int i = 0; i < static_cast<int>(world.objects.size()); ++i)
    if (world.holder_of[at(i)] < 0 && world.lies_at[at(i)] == world.place_of[at(person)])
      here.push_back(i);
  return here;
}

std::string_view pattern_of(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::go:
      return "{went|walked|ran|went|moved|travelled|hurried} to the $place";
    case Event::Kind::take:
      return "{took|picked up|got|grabbed|took} the $object";
    case Event::Kind::drop:
      return "{put down|dropped|left} the $object{| there}";
    case Event::Kind::give:
      return "{gave|handed|passed|gave} {the $object to $whom|$whom the $object}";
  }
  return "";
}

}  // namespace

std::vector<int> SmallWorld::held_by(int person) const {
  std::vector<int> held;
  for (int i = 0; i < static_cast<int>(objects.size()); ++i)
    if (holder_of[at(i)] == person) held.push_back(i);
  return held;
}

int SmallWorld::place_of_object(int object) const {
  const int holder = holder_of[at(object)];
  return holder < 0 ? lies_at[at(object)] : place_of[at(holder)];
}

void SmallWorld::apply(const Event& event) {
  const int here = place_of[at(event.who)];
  switch (event.kind) {
    case Event::Kind::go:
      HERD_CHECK(event.place != here, "a walk to where one is");
      place_of[at(event.who)] = event.place;
      break;
    case Event::Kind::take:
      HERD_CHECK(holder_of[at(event.object)] < 0 && lies_at[at(event.object)] == here,
                 "it is not there");
      holder_of[at(event.object)] = event.who;
      break;
    case Event::Kind::drop:
      HERD_CHECK(holder_of[at(event.object)] == event.who, "it is not in hand");
      holder_of[at(event.object)] = -1;
      lies_at[at(event.object)] = here;
      break;
    case Event::Kind::give:
      HERD_CHECK(holder_of[at(event.object)] == event.who && place_of[at(event.whom)] == here,
                 "not in hand, or not together");
      holder_of[at(event.object)] = event.whom;
      break;
  }
  events.push_back(event);
}

SmallWorld draw_world(Draw& draw, int people_count, int objects_count, int places_count) {
  // The smallest stories are about a few well-known ones, so that who, what and where come before reading names.
  const auto known = [small = draw.items_of(2) == 1](auto all) {
    constexpr std::size_t few = 12;
    return small ? all.first(few) : all;
  };
  SmallWorld world;
  world.people = draw.several(people_count, known(people()));
  world.objects = draw.several(objects_count, known(objects()));
  world.places = draw.several(places_count, known(places()));
  for (int i = 0; i < people_count; ++i) world.place_of.push_back(draw.below(places_count));
  for (int i = 0; i < objects_count; ++i) {
    world.holder_of.push_back(-1);
    // Half of the things lie where somebody is, or too little would happen.
    world.lies_at.push_back(draw.chance(0.5) ? draw.one(world.place_of) : draw.below(places_count));
  }
  return world;
}

Event draw_event(Draw& draw, const SmallWorld& world) {
  const int who = draw.below(static_cast<int>(world.people.size()));
  const int here = world.place_of[at(who)];
  const std::vector<int> held = world.held_by(who), lying = lying_here(world, who);
  const std::vector<int> others = others_here(world, who);
  if (!held.empty() && !others.empty() && draw.chance(0.6))
    return {Event::Kind::give, who, draw.one(others), draw.one(held), -1, here};
  if (!lying.empty() && draw.chance(0.6))
    return {Event::Kind::take, who, -1, draw.one(lying), -1, here};
  if (!held.empty() && draw.chance(0.25))
    return {Event::Kind::drop, who, -1, draw.one(held), -1, here};
  const int steps = draw.between(1, static_cast<int>(world.places.size()) - 1);
  const int there = (here + steps) % static_cast<int>(world.places.size());
  return {Event::Kind::go, who, -1, -1, here, there};
}

std::string tell(Draw& draw, const SmallWorld& world, const Event& event, Teller& teller) {
  const Person& who = world.people[at(event.who)];
  std::string out = draw.say("{||||Then |Then |After that, |Next, |Later, |Soon }");
  const bool pronoun = teller.subject == event.who && draw.chance(0.5);
  const std::string_view name = pronoun ? subject_of(who.gender) : who.name;
  out += out.empty() ? capitalised(name) : std::string(name);
  out += ' ';
  const std::string_view object = event.object < 0 ? "" : world.objects[at(event.object)];
  const std::string_view whom = event.whom < 0 ? "" : world.people[at(event.whom)].name;
  out += draw.say(pattern_of(event.kind),
                  {{"object", object}, {"whom", whom}, {"place", world.places[at(event.place)]}});
  teller.subject = event.who;
  return out += '.';
}

std::string tell_start(Draw& draw, const SmallWorld& world) {
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < world.people.size(); ++i)
    sentences.push_back(draw.say("$name {is|is|was} $place.",
                                 {{"name", world.people[i].name},
                                  {"place", in_place(world.places[at(world.place_of[i])])}}));
  for (std::size_t i = 0; i < world.objects.size(); ++i)
    sentences.push_back(draw.say("{The $object {is|is|was} $place.|There {is|was} $an $place.}",
                                 {{"object", world.objects[i]},
                                  {"an", with_article(world.objects[i])},
                                  {"place", in_place(world.places[at(world.lies_at[i])])}}));
  draw.shuffle(sentences);
  return joined(sentences, " ", " ");
}

std::string subject_of(const SmallWorld& world) {
  return fmt::format("{}|{}|{}", world.people[0].name, world.objects[0], world.places[0]);
}

std::string in_place(std::string_view place) {
  constexpr std::string_view on[] = {"hill", "bridge", "island", "playground", "farm", "street"};
  constexpr std::string_view beside[] = {"beach", "river",  "lake",    "market",  "station",
                                         "zoo",   "school", "airport", "harbour", "stadium"};
  const std::string_view word = std::ranges::find(on, place) != std::end(on)           ? "on the "
                                : std::ranges::find(beside, place) != std::end(beside) ? "at the "
                                                                                       : "in the ";
  return std::string(word) += place;
}

}  // namespace herd::world
