// A small world of people, places and things in which only possible events happen: nobody takes what is elsewhere, or
// gives what is not in hand. Stories are told from it and questions answered from it, so both are true by construction.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "world/draw.h"
#include "world/words.h"

namespace herd::world {

struct Event {
  enum class Kind : std::uint8_t { go, take, drop, give };
  Kind kind = Kind::go;
  int who = 0;
  int whom = -1;    // give
  int object = -1;  // take, drop, give
  int from = -1;    // go: the place left
  int place = -1;   // where it happened; go: where to
};

// Indices into people, objects and places; -1 for none.
struct SmallWorld {
  std::vector<Person> people;
  std::vector<std::string_view> objects;
  std::vector<std::string_view> places;
  std::vector<int> place_of;   // of each person
  std::vector<int> holder_of;  // of each object, or -1
  std::vector<int> lies_at;    // of each object that nobody holds
  std::vector<Event> events;   // so far

  [[nodiscard]] std::vector<int> held_by(int person) const;
  [[nodiscard]] int place_of_object(int object) const;  // where its holder is, or where it lies

  void apply(const Event& event);
};

// People, things and places, all different; everybody somewhere, everything lying somewhere.
SmallWorld draw_world(Draw& draw, int people, int objects, int places);

// An event that can happen now; more often one that moves a thing than one that moves a person.
Event draw_event(Draw& draw, const SmallWorld& world);

// Who was spoken of last, for pronouns.
struct Teller {
  int subject = -1;
};

// One sentence, with a full stop. Does not apply the event.
std::string tell(Draw& draw, const SmallWorld& world, const Event& event, Teller& teller);

// "Tom is in the park. The ball is at the station.", in random order.
std::string tell_start(Draw& draw, const SmallWorld& world);

// What decides the split of its stories: the first person, thing and place.
std::string subject_of(const SmallWorld& world);

std::string in_place(std::string_view place);  // "in the park", "at the station", "on the hill"

}  // namespace herd::world
