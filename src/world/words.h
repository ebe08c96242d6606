// The words of the world, all written for it: simple English, a little of eight other languages in languages.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace herd::world {

using Words = std::span<const std::string_view>;

enum class Gender : std::uint8_t { she, he };

struct Person {
  std::string_view name;
  Gender gender;
};

std::span<const Person> people();
Words objects();  // what one can carry, countable
Words foods();    // countable: "an apple"
Words animals();
Words places();      // with "the": "the park"
Words containers();  // objects that hold other objects
Words rooms();
Words jobs();
Words feelings_good();
Words feelings_bad();
Words adjectives();  // of things
Words colours();     // the eleven plain ones
Words nouns();       // further common ones
Words verbs();       // base forms
Words adverbs();
Words clothes();
Words body_parts();
Words months();
Words weekdays();
Words weather();
Words materials();
Words vehicles();
Words plants();
Words instruments();
Words sports();

// All single lower-case words above, each once, in alphabetical order.
Words lexicon();

std::string_view subject_of(Gender gender);     // she
std::string_view object_of(Gender gender);      // her
std::string_view possessive_of(Gender gender);  // her

std::string with_article(std::string_view noun);  // "an apple"
std::string plural_of(std::string_view noun);     // "boxes", "mice"
std::string capitalised(std::string_view text);   // ASCII
std::string upper_case(std::string_view text);    // ASCII
std::string number_word(int n);                   // "twenty-one"; 0 to 9999
std::string joined(std::span<const std::string> items, std::string_view between = ", ",
                   std::string_view last = " and ");
std::vector<std::string> letters_of(std::string_view word);            // ASCII: "sun" is s, u, n
std::string spelled(std::string_view word, std::string_view between);  // "s-u-n"
std::string numbered(std::span<const std::string> items);              // "sun 1, moon 2"

}  // namespace herd::world
