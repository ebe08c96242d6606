// Stories: a setting, one or two small plots and an ending, told about people, things, places and feelings. A plot is a
// chain of causes; what it needs later it sets up before (what was lost in the barn is found in the barn).
#include "world/draw.h"
#include "world/simulate.h"
#include "world/task_list.h"
#include "world/turns.h"

namespace herd::world {
namespace {

// What a plot may speak of. Every value lives as long as the cast does.
struct Cast {
  Person a, b;
  std::string_view animal, colour, look, thing, place, other_place, food, weather, day, good, bad,
      job, container;
  std::string in_place, in_other_place, a_thing, a_food, an_animal, foods, count, given, left,
      a_job, has, a_container;
  std::vector<Draw::Slot> slots;
};

void draw_numbers(Draw& draw, Cast& cast) {
  const int count = draw.between(3, 12);
  const int given = draw.between(1, count - 1);
  cast.count = number_word(count);
  cast.given = number_word(given);
  cast.left = number_word(count - given);
  cast.has = count - given == 1 ? std::string(cast.food) : plural_of(cast.food);
}

Cast draw_cast(Draw& draw) {
  Cast cast;
  const std::vector<Person> two = draw.several(2, people());
  cast.a = two[0];
  cast.b = two[1];
  cast.animal = draw.one(animals());
  cast.colour = draw.one(colours());
  cast.look = draw.one({"little", "old", "shiny", "small", "round", "pretty", "soft", "new",
                        "funny", "bright", "heavy"});
  cast.thing = draw.one(objects());
  const std::vector<std::string_view> where = draw.several(2, places());
  cast.place = where[0];
  cast.other_place = where[1];
  cast.food = draw.one(foods());
  cast.weather = draw.one(weather());
  cast.day = draw.one(weekdays());
  cast.good = draw.one(feelings_good());
  cast.bad = draw.one({"sad", "upset", "worried", "cross", "angry"});
  cast.job = draw.one(jobs());
  cast.container = draw.one(containers());
  return cast;
}

// The slots refer to the cast they are in, so they are made when it stands where it stays.
void fill_slots(Draw& draw, Cast& c) {
  c.in_place = in_place(c.place);
  c.in_other_place = in_place(c.other_place);
  c.a_thing = with_article(c.thing);
  c.a_food = with_article(c.food);
  c.an_animal = with_article(c.animal);
  c.foods = plural_of(c.food);
  c.a_job = with_article(c.job);
  c.a_container = with_article(c.container);
  draw_numbers(draw, c);
  c.slots = {{"a", c.a.name},
             {"b", c.b.name},
             {"she", subject_of(c.a.gender)},
             {"her", object_of(c.a.gender)},
             {"hers", possessive_of(c.a.gender)},
             {"bshe", subject_of(c.b.gender)},
             {"bher", object_of(c.b.gender)},
             {"bhers", possessive_of(c.b.gender)},
             {"girl", c.a.gender == Gender::she ? "girl" : "boy"},
             {"woman", c.b.gender == Gender::she ? "woman" : "man"},
             {"animal", c.animal},
             {"an_animal", c.an_animal},
             {"colour", c.colour},
             {"look", c.look},
             {"thing", c.thing},
             {"a_thing", c.a_thing},
             {"place", c.place},
             {"in_place", c.in_place},
             {"other", c.other_place},
             {"in_other", c.in_other_place},
             {"food", c.food},
             {"foods", c.foods},
             {"a_food", c.a_food},
             {"count", c.count},
             {"given", c.given},
             {"left", c.left},
             {"left_foods", c.has},
             {"weather", c.weather},
             {"day", c.day},
             {"good", c.good},
             {"bad", c.bad},
             {"job", c.job},
             {"a_job", c.a_job},
             {"box", c.container},
             {"a_box", c.a_container}};
}

constexpr std::string_view openings[] = {
    "{Once upon a time, there was|One day, there was|Long ago, there was|There was once} a {little "
    "|young |kind |clever |}$girl {named|called} $a. ",
    "$a was a {kind|clever|quiet|cheerful|brave|funny|careful|busy} {$girl|child}. {$^she lived "
    "near the $place. |}",
    "{It was a $weather day|It was a $weather $day|On a $weather $day, the sky was wide}. $a was "
    "{at home|in bed|by the window|at the door}. ",
    "One $weather {morning|day|afternoon|evening}, $a {woke up early|felt $good|looked out of the "
    "window}. ",
    "$a and $b were {good |best |old |}friends. {They {liked|loved} to play together. |They met "
    "every $day. |}",
};

constexpr std::string_view lost[] = {
    "$^she had {a $look $colour $thing|a $look $thing}. {$^she loved it {very much|more than "
    "anything}. |It was a gift from $b. |}",
    "$a took {it|the $thing} to the $place {and played all day|and showed it to everyone|to play}. "
    "{On the way home, it began to get dark. |}",
    "{But when $she came home|But in the evening|But at home}, the $thing was {gone|not there}. $a "
    "was $bad. ",
    "{\"Where is my $thing?\" $she {said|asked|cried}. |$^she {looked|searched} under the bed and "
    "behind the door. |}",
    "$a asked $b {for help|to help $her|what to do}. {\"Do not {worry|be $bad},\" said $b. \"We "
    "will find it.\" |}",
    "First they looked $in_other. {The $thing was not there. |They found only $an_animal. |}Then "
    "they went to the $place. ",
    "There was the $thing{, under a {tree|bench|stone}|, behind a {wall|door|bush}|, next to "
    "$an_animal|}! $a was {very |so |}$good {and hugged $b|and thanked $b|again}. ",
};

constexpr std::string_view birthday[] = {
    "{It was the birthday of $b|$b had a birthday}. $a wanted to give $bher {a "
    "{present|gift}|something {nice|special}}. ",
    "$^she went to the $place and {bought|found|chose} {a $look $thing|$a_thing}. {It cost "
    "{two|three|four|five|six} coins. |}",
    "$^she put {it|the $thing} {in $a_box|into $a_box with a ribbon|in $a_box and closed it}. "
    "{Then $she walked to the house of $b. |}",
    "\"{Happy birthday|This is for you}, $b!\" {said $a|$a said}. $b opened the $box. {Inside was "
    "the $thing. |}",
    "$b {was $good|smiled|laughed} and said, \"{Thank you|Thank you so much|What a lovely $thing}, "
    "$a!\" ",
    "{Then they ate {cake|$foods} {together|and sang songs}. |They played {with the $thing|} until "
    "the evening. |}",
};

constexpr std::string_view broken[] = {
    "$a had {a $look $colour $thing|a $look $thing}. {$^she used it every day. |It was very old. "
    "|}",
    "{One $day, |}$she {dropped the $thing|fell and sat on the $thing|let the $thing fall} and it "
    "broke. $a was $bad. ",
    "{$^she tried to fix it, but $she could not. |\"Oh no!\" said $a. |}",
    "$a took the broken $thing to $b, who was {$a_job|$a_job $in_place}. {\"Can you "
    "{mend|fix|repair} it?\" $she asked. |}",
    "$b looked at it {carefully|slowly|for a long time}. \"{Yes|Of course}, I can,\" said $b. "
    "{$^bshe {took a hammer|took some glue|went to get a tool} and worked for an hour. |}",
    "{Soon|Then|At last} the $thing was {as good as new|whole again|mended}. $a was $good. {$^she "
    "gave $b $a_food to say thank you. |\"You are very kind,\" $she said. |}",
};

constexpr std::string_view sharing[] = {
    "$a had $count $foods. {$b had none. |$b was hungry and had no food. }",
    "{\"May I have some?\" asked $b. |$b looked at the $foods. |}$a {thought for a "
    "moment|smiled|nodded}. ",
    "{Then $she|$^she} gave $b $given. {\"Here you are,\" said $a. |}Now $a had $left $left_foods "
    "{left|}. ",
    "{$b was $good and said thank you. |\"Thank you, $a,\" said $b. |They ate together "
    "{$in_place|under a tree}. |It is good to share. }",
};

constexpr std::string_view rain[] = {
    "$a wanted to go to the $place. {$^she put on $hers {shoes|coat|hat}. |$^she asked $b to come "
    "too. }",
    "{But then it began to rain|But the rain came|Then dark clouds came and it started to rain}. "
    "$a was $bad. ",
    "\"We can {play|read|paint|build a tower|play with the $thing} {inside|at home},\" said $b. So "
    "they {stayed at home|stayed inside} {and had fun|and played}. ",
    "{After an hour|Later|In the afternoon}, the rain stopped and the sun came out. {They saw a "
    "rainbow in the sky. |Everything was wet. |}",
    "Then $a and $b went to the $place {after all|at last|together}. $a was $good. ",
};

constexpr std::string_view hungry[] = {
    "{On the way to the $place|$^in_place|Near the $place}, $a saw {a small $animal|a thin "
    "$animal|$an_animal}. {It was {hungry|tired|lost|cold}. |It looked at $her with big eyes. }",
    "\"{Hello|Do not be afraid}, little $animal,\" said $a. {$^she had $a_food in $hers "
    "{bag|pocket}. |}",
    "$^she gave {it $a_food|the $animal $a_food} and {the $animal|it} {ate it all|ate it "
    "slowly|was happy}. ",
    "{From that day|After that|Then}, the $animal {followed $her|came back every day|was $hers "
    "friend}. {$a called it {Spot|Star|Lucky|Snow|Button|Pip}. |}$a {felt|was} $good. ",
};

constexpr std::string_view race[] = {
    "{There was a race $in_place|One $day there was a big race $in_place}. $a and $b {both wanted "
    "to win|were both very fast|took part}. ",
    "\"Ready, go!\" {called|shouted|said} the $job. {At first, $b was in front. |They ran and ran. "
    "|The people cheered. |}",
    "{Near the end|Then|After the last tree}, $b {fell|slipped|lost a shoe}. $a {stopped and "
    "helped $bher up|came back and helped $bher|gave $bher a hand}. ",
    "{They crossed the line together|They finished at the same time}. {Everybody clapped. |}$b was "
    "$good and said, \"{A friend is better than a prize|Thank you}, $a.\" ",
};

constexpr std::string_view building[] = {
    "$a wanted to {build|make} a {house for $an_animal|boat|kite|robot|chair|tower}. $^she needed "
    "{wood|paper|rope|nails} and {cloth|string|glue|paint}. ",
    "{First|So} $she went to the $place {and found what $she needed there|to get everything}. "
    "{Then $she went to the $other and asked $b for help. |$b came to help. }",
    "They {worked|cut and painted|measured and cut} {all day|for two hours|until noon}. {It was "
    "hard, but they did not stop. |It was $colour and $look. |}",
    "{When it was ready|At last|In the end}, $a {showed it to everyone|was $good}. \"{Well "
    "done|That is great},\" said {$b|the $job}. ",
};

constexpr std::string_view endings[] = {
    "{Then they all went home|They walked home {together|slowly}|In the evening, $a went {home|to "
    "bed}} {and slept well|with a smile|and told the story}.",
    "It was a {good|happy|long|lovely} day.",
    "$a never forgot that day.",
    "And they {stayed friends|were happy|laughed about it for a long time}.",
    "{That night|In the night}, $a dreamed of the $place.",
    "$a learned that {it is good to help|friends are important|it is good to be kind|one should "
    "not give up}.",
};

using Plot = std::span<const std::string_view>;
constexpr Plot plots[] = {lost, birthday, broken, sharing, rain, hungry, race, building};

// "a orange ball": the patterns say "a $look ..." and cannot know. Also drops the space before a line's end.
std::string tidied(std::string text) {
  for (std::size_t i = 2; i + 1 < text.size(); ++i) {
    const bool vowel = std::string_view("aeiou").find(text[i + 1]) != std::string_view::npos;
    if (vowel && text[i] == ' ' && (text[i - 1] == 'a' || text[i - 1] == 'A') &&
        (text[i - 2] == ' ' || text[i - 2] == '\n'))
      text.insert(i, 1, 'n');
  }
  for (std::size_t i = 0; i + 1 < text.size();)
    if (text[i] == ' ' && (text[i + 1] == ' ' || text[i + 1] == '.' || text[i + 1] == '\n'))
      text.erase(i, 1);
    else
      ++i;
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

bool tell_events(Draw& draw, Sample& sample) {
  const int people = draw.between(2, 3), objects = draw.between(1, 3);
  SmallWorld world = draw_world(draw, people, objects, 3);
  sample.subject = subject_of(world);
  if (!draw.fits("story", sample.subject)) return false;
  std::string& out = sample.text = tell_start(draw, world);
  Teller teller;
  for (int i = draw.between(3, 8); i > 0; --i) {
    const Event event = draw_event(draw, world);
    out += ' ';
    out += tell(draw, world, event, teller);
    world.apply(event);
  }
  return true;
}

}  // namespace

bool make_story(Draw& draw, Sample& sample) {
  // Some in the plain manner in which the questions' worlds are told.
  if (draw.chance(0.15)) return tell_events(draw, sample);
  Cast cast = draw_cast(draw);
  fill_slots(draw, cast);
  sample.subject =
      std::string(cast.a.name) + "|" + std::string(cast.thing) + "|" + std::string(cast.place);
  if (!draw.fits("story", sample.subject)) return false;
  std::string out = draw.say(draw.one(openings), cast.slots);
  const int two = draw.chance(0.3) ? 2 : 1;
  for (const int plot : draw.different(two, static_cast<int>(std::size(plots)))) {
    if (two == 2) out += "\n\n";
    for (const std::string_view step : plots[static_cast<std::size_t>(plot)])
      out += draw.say(step, cast.slots);
  }
  out += draw.say(draw.one(endings), cast.slots);
  sample.text = tidied(std::move(out));
  return true;
}

}  // namespace herd::world
