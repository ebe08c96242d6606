#include "world/filler.h"

#include "world/simulate.h"
#include "world/words.h"

namespace herd::world {

std::string filler_sentence(Draw& draw) {
  const Person person = draw.one(people());
  const std::string_view place = draw.one(places()), animal = draw.one(animals());
  const std::string_view look = draw.one(colours()), food = draw.one(foods());
  const std::string where = in_place(place), an_animal = with_article(animal),
                    a_food = with_article(food);
  const std::string many = plural_of(animal), foods_text = plural_of(food);
  return draw.say(
      "{$^where, $an_animal {was asleep|sat under a tree|ran away|looked for food}.|"
      "$p {likes|loves|eats|sells|buys} $foods {in the morning|on Sundays|every day|with tea}.|"
      "The {house|door|roof|wall|car|boat} {of $p|near the $place} is $look.|"
      "$p {went|walked|drove} to the $place {with a friend|alone|in the rain|after lunch}.|"
      "The {sun|wind|rain|sky|snow} was {warm|soft|strong|cold|grey} {that day|in the evening|all "
      "week}.|"
      "{Some|Many|Most} $many {can|cannot} {swim|run fast|climb|sing|sleep in the day}.|"
      "$p {saw|heard|drew|fed} $an_animal {at night|yesterday|last week|on the way home}.|"
      "There was $a_food on the {table|chair|floor|shelf|plate}.|"
      "{Nobody|Everybody} {knew|said|thought} that the $animal was {old|kind|lost|hungry}.|"
      "$^she was {happy|tired|late|busy|quiet}, and the $place was {full|empty|closed|open}.}",
      {{"p", person.name},
       {"place", place},
       {"where", where},
       {"animal", animal},
       {"an_animal", an_animal},
       {"look", look},
       {"foods", foods_text},
       {"a_food", a_food},
       {"many", many},
       {"she", subject_of(person.gender)}});
}

std::vector<std::string> filler(Draw& draw, int bytes) {
  std::vector<std::string> sentences;
  while (bytes > 0) {
    sentences.push_back(filler_sentence(draw));
    bytes -= static_cast<int>(sentences.back().size()) + 1;
  }
  return sentences;
}

}  // namespace herd::world
