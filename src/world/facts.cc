// A conversation in which the user tells about himself and others, and asks later: names, ages, pets, likes. Pronouns
// and "my" must be followed over the turns.
#include <algorithm>

#include "world/draw.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

// One thing told of somebody. {tell, ask, answer} are patterns over: $who (I, my sister Anna), $value.
struct Attribute {
  std::string_view mine_told, mine_asked, mine_answer;     // the user's own
  std::string_view their_told, their_asked, their_answer;  // of $Name or, by pronoun, $she
  int values;                                              // which list
};

constexpr Attribute attributes[] = {
    {"I am $value years old.", "How old am I?", "You are $value years old.",
     "$who is $value years old.", "How old is $she?", "$^she is $value years old.", 0},
    {"I like $value.", "What do I like?", "You like $value.", "$who likes $value.",
     "What does $she like?", "$^she likes $value.", 1},
    {"I have a $value.", "Which animal do I have?", "You have a $value.", "$who has a $value.",
     "Which animal does $she have?", "$^she has a $value.", 2},
    {"I play $value.", "What do I play?", "You play $value.", "$who plays $value.",
     "What does $she play?", "$^she plays $value.", 3},
    {"My favourite colour is $value.", "What is my favourite colour?",
     "Your favourite colour is $value.", "The favourite colour of $who is $value.",
     "What is $hers favourite colour?", "$^hers favourite colour is $value.", 4},
    {"I work as a $value.", "What is my job?", "You work as a $value.", "$who works as a $value.",
     "What is $hers job?", "$^she works as a $value.", 5},
    {"My birthday is in $value.", "When is my birthday?", "Your birthday is in $value.",
     "The birthday of $who is in $value.", "When is $hers birthday?",
     "$^hers birthday is in $value.", 6},
};

std::string draw_value(Draw& draw, int list) {
  switch (list) {
    case 0:
      return std::to_string(draw.between(3, 90));
    case 1:
      return plural_of(draw.one(draw.chance(0.6) ? foods() : animals()));
    case 2:
      return std::string(draw.one(animals()));
    case 3:
      return std::string(draw.one(draw.chance(0.5) ? sports() : instruments()));
    case 4:
      return std::string(draw.one(colours()));
    case 5:
      return std::string(draw.one(jobs()));
    default:
      return std::string(draw.one(months()));
  }
}

struct Told {
  int attribute;
  bool mine;
  std::string value;
};

// "a owl" becomes "an owl".
std::string with_right_articles(std::string text) {
  for (std::size_t i = 0; i + 3 < text.size(); ++i)
    if (text.compare(i, 3, " a ") == 0 &&
        std::string_view("aeiou").find(text[i + 3]) != std::string_view::npos)
      text.insert(i + 2, 1, 'n');
  return text;
}

constexpr std::string_view nods[] = {"I see.", "Good to know.", "I will remember that.",
                                     "Thank you for telling me.", "Nice!"};

}  // namespace

bool make_facts(Draw& draw, Sample& sample) {
  const std::vector<Person> two = draw.several(2, people());
  const Person me = two[0], other = two[1];
  constexpr std::string_view girls[] = {"sister", "mother",  "daughter", "aunt",
                                        "friend", "teacher", "neighbour"};
  constexpr std::string_view boys[] = {"brother", "father",  "son",      "uncle",
                                       "friend",  "teacher", "neighbour"};
  const std::string_view kin = other.gender == Gender::she ? draw.one(girls) : draw.one(boys);
  const std::string_view she = subject_of(other.gender), hers = possessive_of(other.gender);

  std::vector<Told> told;
  for (const int attribute :
       draw.different(draw.between(2, 4), static_cast<int>(std::size(attributes)))) {
    const bool mine = draw.chance(0.5);
    const int list = attributes[attribute].values;
    if (list == 2 || !draw.chance(0.2)) {
      told.push_back({attribute, mine, draw_value(draw, list)});
    } else {  // of both, with two values
      told.push_back({attribute, true, draw_value(draw, list)});
      told.push_back({attribute, false, draw_value(draw, list)});
      if (told.back().value == told[told.size() - 2].value) told.pop_back();
    }
  }
  sample.subject = std::string(me.name) + "|" + std::string(other.name) + "|" + told[0].value;
  if (!draw.fits("facts", sample.subject)) return false;

  const std::string who_first = "my " + std::string(kin) + " " + std::string(other.name);
  std::string opening = draw.say("{Hello! |Hi! |}{My name is|I am} $me.", {{"me", me.name}});
  bool introduced = false;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const Attribute& attribute = attributes[told[i].attribute];
    const bool pronoun = introduced && attribute.their_told.starts_with("$who") && draw.chance(0.5);
    std::string who = !introduced ? who_first
                      : pronoun   ? std::string(she)
                                  : std::string(other.name);
    if (attribute.their_told.starts_with("$who")) who = capitalised(who);
    const std::string sentence =
        with_right_articles(draw.say(told[i].mine ? attribute.mine_told : attribute.their_told,
                                     {{"who", who}, {"value", told[i].value}}));
    introduced = introduced || !told[i].mine;
    if (i > 0 && draw.chance(0.4)) {  // a turn of its own
      add_user(sample, opening);
      const bool first = sample.conversation.messages.size() == 1;
      add_answer(sample,
                 first ? "Hello, " + std::string(me.name) + "!" : std::string(draw.one(nods)));
      opening = sentence;
    } else {
      opening += " " + sentence;
    }
  }
  std::vector<Told> asked = told;
  draw.shuffle(asked);
  const int questions = std::min(static_cast<int>(asked.size()), draw.between(1, 3));
  for (int i = 0; i < questions; ++i) {
    const Told& fact = asked[static_cast<std::size_t>(i)];
    const Attribute& attribute = attributes[fact.attribute];
    const std::string_view subject = i == 0 || draw.chance(0.3) ? other.name : she;
    const std::string named = std::string(other.name) + "'s";
    std::string question =
        draw.say(fact.mine ? attribute.mine_asked : attribute.their_asked,
                 {{"she", subject}, {"hers", subject == she ? hers : std::string_view(named)}});
    if (i == 0) question = opening + " " + question;
    add_user(sample, question);
    add_answer(sample, with_right_articles(
                           draw.say(fact.mine ? attribute.mine_answer : attribute.their_answer,
                                    {{"she", she}, {"hers", hers}, {"value", fact.value}})));
    grade_as(sample, Check::contains, {fact.value});
  }
  return true;
}

}  // namespace herd::world
