// The generated world: all that cria is taught, made by rule. A sample is a pure function of (task, seed, index,
// split): no files, no state, any thread. docs/world.md shows an example of each task; mixture.h says how much of each.
//
// Train and held-out never meet: what a sample is about (an operand pair, a set of keys, a colour and a shape, a
// sentence) is hashed, and the hash alone says which side it is on (draw.h), whatever the seed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/image.h"
#include "text/conversation.h"

namespace herd::world {

class Draw;

enum class Split : std::uint8_t { train, held_out };

// How a reply is judged against Sample::accepted; grade.h does it.
enum class Check : std::uint8_t {
  none,        // nothing to grade: a document
  exact,       // the same text, but for space around it
  contains,    // one of `accepted` stands in it as whole words, none of `rejected` does
  number,      // its first number is within 5 % of accepted[0]
  tool_calls,  // the calls of accepted[0] (a JSON list of {"name", "parameters"}), in any order
  json,        // the same JSON value as accepted[0]
  conclusion,  // what stands after its last ": " is one of `accepted`, as in one_of
  one_of,      // the same as one of `accepted`, but for case, space around it and a final full stop
};

struct Sample {
  std::string_view task;  // Task::name

  // A document of plain text, with no messages; or a conversation whose last message is the assistant's answer.
  // A picture is a part with the source "picture:0", "picture:1", ...: an index into `pictures`.
  std::string text;
  text::Conversation conversation;
  std::vector<media::Image> pictures;

  Check check = Check::none;
  std::string expected;  // the answer as taught: the last message's text, or its calls as JSON
  std::vector<std::string> accepted;  // see Check
  std::vector<std::string> rejected;  // Check::contains only

  std::string subject;  // what decided the split; see Draw::fits

  [[nodiscard]] bool is_document() const { return conversation.messages.empty(); }
};

// How big a sample is. Zero leaves a size to the task, which draws it log-uniformly up to its maximum. Tasks without
// such a size ignore it.
struct Sizes {
  int items = 0;       // pairs to remember, words to sort, digits, events
  int items_max = 32;  // when drawn
  int bytes = 0;  // about so many bytes of prompt, filled up with sentences: recall and needles
  int bytes_max =
      3000;  // when drawn; and what no prompt of any task exceeds by more than a sentence or two
  double depth = -1;  // where a needle stands: 0 first, 1 last; negative: drawn
};

struct Task {
  std::string_view name;
  std::string_view sentence;  // what it is, for lists
  // Fills the sample, or gives false when what was drawn belongs to the other split: then it is tried again.
  bool (*make)(Draw& draw, Sample& sample);
};

// All tasks, in the order of docs/world.md.
std::span<const Task> tasks();

// Null when there is none of this name.
const Task* find_task(std::string_view name);

// For messages about a name that no task has: "did you mean 'story'? herd gen --list names all".
std::string task_hint(std::string_view name);

Sample make_sample(const Task& task, std::uint64_t seed, std::uint64_t index, Split split,
                   const Sizes& sizes = {});

// What the model is given when it is graded: the conversation without its last message.
text::Conversation prompt_of(const Sample& sample);

// The index in "picture:3". The source is one of a sample's.
std::size_t picture_index(std::string_view source);

}  // namespace herd::world
