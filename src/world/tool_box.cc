#include "world/tool_box.h"

namespace herd::world {
namespace {

using enum ValueKind;

constexpr Parameter city_parameter[] = {{"city|place|location|town", "the city", city}};
constexpr Parameter weather_results[] = {{"temperature|degrees|temp", "", small_number},
                                         {"sky|weather|condition", "", sky}};
constexpr Parameter item_parameter[] = {{"item|product|name|article", "the product", thing}};
constexpr Parameter price_results[] = {{"price|coins|cost", "", number}};
constexpr Parameter stock_results[] = {{"count|stock|amount|pieces", "", number}};
constexpr Parameter two_numbers[] = {{"a|x|first|left", "the first number", number},
                                     {"b|y|second|right", "the second number", number}};
constexpr Parameter number_result[] = {{"result|value|answer", "", number}};
constexpr Parameter message_parameters[] = {{"to|person|recipient|name", "who gets it", person},
                                            {"text|message|content|body", "what it says", word}};
constexpr Parameter person_parameter[] = {
    {"name|person|who|contact", "the name of the person", person}};
constexpr Parameter phone_results[] = {{"phone|number|telephone", "", phone}};
constexpr Parameter place_results[] = {{"room|place|where|location", "", room}};
constexpr Parameter age_results[] = {{"age|years", "", small_number}};
constexpr Parameter timer_parameters[] = {
    {"minutes|duration|length|time", "how many minutes", small_number}};
constexpr Parameter alarm_parameters[] = {{"time|hour|when|at", "the time, as 7:30", clock},
                                          {"day|weekday", "the day of the week", weekday}};
constexpr Parameter light_parameters[] = {{"room|place|where", "the room", room},
                                          {"state|power|set_to|mode", "on or off", on_off}};
constexpr Parameter booking_parameters[] = {
    {"name|guest|person", "who comes", person},
    {"people|guests|seats|count", "how many people", small_number},
    {"day|date|weekday", "the day of the week", weekday}};
constexpr Parameter booking_results[] = {{"number|booking|code|reference", "", number}};
constexpr Parameter route_parameters[] = {{"from|start|origin", "where it begins", city},
                                          {"to|goal|destination|end", "where it ends", city}};
constexpr Parameter distance_results[] = {{"km|distance|kilometres", "", number}};
constexpr Parameter pet_parameters[] = {{"animal|pet|kind", "the kind of animal", animal}};
constexpr Parameter pet_results[] = {{"name|called", "", person}};
constexpr Parameter open_results[] = {{"opens|from|open", "", clock},
                                      {"closes|to|until", "", clock}};
constexpr Parameter note_parameters[] = {{"text|note|content", "what to write down", word}};
constexpr Parameter search_parameters[] = {{"query|word|term|text", "what to look for", word}};
constexpr Parameter search_results[] = {{"page|found_on|hit", "", hit}};

constexpr ToolKind kinds[] = {
    {"get_weather|weather|check_weather|forecast", "Gives the weather in a city.", city_parameter,
     "{What is the weather {like |}in $a?|How is the weather in $a?|Tell me the weather in $a.}",
     Effect::look_up, weather_results, "It is $s in $a, with $r degrees."},
    {"get_price|price_of|find_price|lookup_price", "Gives the price of a product.", item_parameter,
     "{How much is the $a?|What does the $a cost?|What is the price of the $a?}", Effect::look_up,
     price_results, "The $a costs $r coins."},
    {"count_stock|stock|in_stock|check_stock", "Says how many pieces of a product are in stock.",
     item_parameter,
     "{How many of the $a are in stock?|How many pieces of the $a do we have?|Check the stock of "
     "the $a.}",
     Effect::look_up, stock_results, "There are $r in stock."},
    {"add|sum|add_numbers|plus", "Adds two numbers.", two_numbers,
     "{What is $a plus $b?|Add $a and $b.|$a + $b = ?}", Effect::add, number_result,
     "$a + $b = $r"},
    {"subtract|minus|difference|take_away", "Subtracts the second number from the first.",
     two_numbers, "{What is $a minus $b?|Subtract $b from $a.|$a - $b = ?}", Effect::subtract,
     number_result, "$a - $b = $r"},
    {"multiply|times|product|mul", "Multiplies two numbers.", two_numbers,
     "{What is $a times $b?|Multiply $a by $b.|$a x $b = ?}", Effect::multiply, number_result,
     "$a x $b = $r"},
    {"send_message|message|send|write_to",
     "Sends a message to a person.",
     message_parameters,
     "{Send the message \"$b\" to $a.|Write \"$b\" to $a.|Tell $a: \"$b\".}",
     Effect::done,
     {},
     "I sent the message to $a."},
    {"find_phone|phone_book|get_number|contacts", "Gives the phone number of a person.",
     person_parameter,
     "{What is the phone number of $a?|Which number does $a have?|Find the phone number of $a.}",
     Effect::look_up, phone_results, "The phone number of $a is $r."},
    {"locate|find_person|where_is|track", "Says in which room a person is.", person_parameter,
     "{Where is $a?|In which room is $a?|Find $a.}", Effect::look_up, place_results,
     "$a is in the $r."},
    {"get_age|age_of|how_old|find_age", "Gives the age of a person.", person_parameter,
     "{How old is $a?|What is the age of $a?|Tell me the age of $a.}", Effect::look_up, age_results,
     "$a is $r years old."},
    {"set_timer|timer|start_timer|countdown",
     "Starts a timer.",
     timer_parameters,
     "{Set a timer for $a minutes.|Start a timer of $a minutes.|Remind me in $a minutes.}",
     Effect::done,
     {},
     "The timer is set to $a minutes."},
    {"set_alarm|alarm|wake_up|new_alarm",
     "Sets an alarm.",
     alarm_parameters,
     "{Wake me at $a on $b.|Set an alarm for $a on $b.|I need an alarm on $b at $a.}",
     Effect::done,
     {},
     "The alarm is set for $b at $a."},
    {"switch_light|light|set_light|lamp",
     "Turns the light in a room on or off.",
     light_parameters,
     "{Turn the light in the $a $b.|Turn $b the light in the $a.|Light $b in the $a, please.}",
     Effect::done,
     {},
     "The light in the $a is $b."},
    {"book_table|reserve|new_booking|book", "Books a table in the restaurant.", booking_parameters,
     "{Book a table for $b people on $c for $a.|I need a table on $c for $b people. The name is "
     "$a.}",
     Effect::look_up, booking_results, "The table is booked. The number is $r."},
    {"distance|how_far|get_distance|measure_route", "Gives the distance between two cities.",
     route_parameters, "{How far is it from $a to $b?|What is the distance from $a to $b?}",
     Effect::look_up, distance_results, "It is $r kilometres from $a to $b."},
    {"pet_name|name_of_pet|find_pet|zoo_list", "Gives the name of an animal in the zoo.",
     pet_parameters, "{What is the name of the $a in the zoo?|How is the $a in the zoo called?}",
     Effect::look_up, pet_results, "The $a is called $r."},
    {"opening_hours|hours|when_open|get_hours", "Says when the shop in a city opens and closes.",
     city_parameter, "{When is the shop in $a open?|What are the opening hours in $a?}",
     Effect::look_up, open_results, "It is open from $r to $s."},
    {"save_note|note|write_down|add_note",
     "Writes a note down.",
     note_parameters,
     "{Write down \"$a\".|Make a note: \"$a\".|Note \"$a\".}",
     Effect::done,
     {},
     "I wrote it down."},
    {"search_book|find_word|search|lookup", "Says on which page of the book a word stands.",
     search_parameters,
     "{On which page is the word \"$a\"?|Find \"$a\" in the book.|Search the book for \"$a\".}",
     Effect::look_up, search_results, "The word is on page $r."},
};

}  // namespace

std::span<const ToolKind> tool_kinds() { return kinds; }

}  // namespace herd::world
