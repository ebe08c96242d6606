#include "world/sample.h"

#include <algorithm>
#include <charconv>

#include "base/nearest.h"
#include "world/draw.h"
#include "world/task_list.h"

namespace herd::world {

std::span<const Task> tasks() { return task_list; }

const Task* find_task(std::string_view name) {
  const auto* found = std::ranges::find(task_list, name, &Task::name);
  return found == std::end(task_list) ? nullptr : found;
}

std::string task_hint(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Task& task : task_list) names.push_back(task.name);
  const std::string similar = did_you_mean(name, names);
  return similar + (similar.empty() ? "" : " ") + "herd gen --list names all";
}

Sample make_sample(const Task& task, std::uint64_t seed, std::uint64_t index, Split split,
                   const Sizes& sizes) {
  // One attempt in ten is held out; a task that needs thousands never gives its side of the split at all.
  constexpr std::uint32_t attempts_max = 4000;
  const std::uint64_t stream = hash_of(task.name);
  for (std::uint32_t attempt = 0; attempt < attempts_max; ++attempt) {
    Draw draw(seed, stream, index, attempt, split, sizes);
    Sample sample;
    sample.task = task.name;
    if (task.make(draw, sample)) return sample;
  }
  HERD_CHECK(false, "{}: no sample of this split in {} attempts", task.name, attempts_max);
}

text::Conversation prompt_of(const Sample& sample) {
  HERD_CHECK(!sample.is_document(), "a document has no prompt");
  text::Conversation prompt = sample.conversation;
  prompt.messages.pop_back();
  return prompt;
}

std::size_t picture_index(std::string_view source) {
  constexpr std::string_view scheme = "picture:";
  std::size_t index = 0;
  HERD_CHECK(source.starts_with(scheme), "\"{}\" is no picture of a sample", source);
  const char* end = source.data() + source.size();
  const auto read = std::from_chars(source.data() + scheme.size(), end, index);
  HERD_CHECK(read.ec == std::errc() && read.ptr == end, "\"{}\" has no number", source);
  return index;
}

}  // namespace herd::world
