// What holds for every task: the same sample from the same numbers, right answers that are judged right, splits that
// never meet, sizes that are kept. What the answers say is checked in tests/world_test.py and the tests of pictures.
#include "world/sample.h"

#include <gtest/gtest.h>

#include <set>
#include <unordered_map>

#include "base/thread_pool.h"
#include "text/python_text.h"
#include "world/draw.h"
#include "world/grade.h"
#include "world/mixture.h"
#include "world/turns.h"
#include "world/weight.h"

namespace herd::world {
namespace {

// Everything that the model sees of it: texts, definitions, calls, results and pixels.
std::string seen(const text::Conversation& conversation, const Sample& sample) {
  std::string out = sample.text;
  if (conversation.tools) out += json_line(*conversation.tools);
  for (const text::Message& message : conversation.messages) {
    out += "\x01";
    for (const text::ContentPart& part : message.parts) {
      if (part.kind == text::ContentPart::Kind::text) {
        out += part.text;
        continue;
      }
      const media::Image& picture = sample.pictures.at(picture_index(part.text));
      out.append(picture.rgb.begin(), picture.rgb.end());
    }
    if (!message.tool_calls.empty()) out += json_line(calls_json(message.tool_calls));
    if (message.role == text::Role::tool) out += json_line(message.result);
  }
  return out;
}

std::string everything(const Sample& sample) {
  return seen(sample.conversation, sample) + "\x02" + sample.expected + "\x02" + sample.subject;
}

// The answer as a model would write it.
std::string reply_of(const Sample& sample) {
  const text::Message& last = sample.conversation.messages.back();
  if (last.tool_calls.empty()) return last.text();
  std::string out = "<|python_start|><|python_end|>";
  for (const text::ToolCall& call : last.tool_calls)
    out += "{\"name\": \"" + call.name + "\", \"parameters\": " + json_line(call.arguments) + "}";
  return out;
}

TEST(World, TheSameNumbersGiveTheSameSample) {
  for (const Task& task : tasks())
    for (const Split split : {Split::train, Split::held_out}) {
      std::set<std::string> different;
      for (std::uint64_t i = 0; i < 20; ++i) {
        const std::string one = everything(make_sample(task, 7, i, split));
        EXPECT_EQ(one, everything(make_sample(task, 7, i, split))) << task.name;
        EXPECT_NE(one, everything(make_sample(task, 8, i, split))) << task.name << " " << i;
        different.insert(one);
      }
      EXPECT_GE(different.size(), 19u) << task.name;
    }
}

TEST(World, SamplesDoNotDependOnThreads) {
  const Stage& stage = stages()[0];
  constexpr std::int64_t count = 200;
  std::vector<std::string> together(count);
  ThreadPool pool(3);
  pool.run(count, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i)
      together[static_cast<std::size_t>(i)] =
          everything(make_sample(stage, 3, static_cast<std::uint64_t>(i), Split::train));
  });
  for (std::int64_t i = count; i-- > 0;)
    EXPECT_EQ(together[static_cast<std::size_t>(i)],
              everything(make_sample(stage, 3, static_cast<std::uint64_t>(i), Split::train)));
}

TEST(World, EveryTaughtAnswerIsRightAndOthersAreNot) {
  for (const Task& task : tasks())
    for (std::uint64_t i = 0; i < 150; ++i) {
      const Sample sample = make_sample(task, 11, i, i % 3 == 0 ? Split::held_out : Split::train);
      if (sample.is_document()) continue;
      ASSERT_EQ(sample.conversation.messages.back().role, text::Role::assistant);
      ASSERT_NE(sample.check, Check::none) << task.name;
      EXPECT_TRUE(is_right(sample, reply_of(sample)))
          << task.name << " " << i << ": " << reply_of(sample);
      EXPECT_TRUE(is_right(sample, " " + reply_of(sample) + "\n")) << task.name;
      EXPECT_FALSE(is_right(sample, "")) << task.name;
      EXPECT_FALSE(is_right(sample, "It is a mystery.")) << task.name << ": " << reply_of(sample);
      EXPECT_EQ(prompt_of(sample).messages.size() + 1, sample.conversation.messages.size());
    }
}

// 100,000 samples: no text or picture, and no subject, is seen on both sides; and the hash of what decides is what
// Draw::fits says.
TEST(World, TrainAndHeldOutNeverMeet) {
  std::size_t samples = 0;
  for (const Task& task : tasks()) {
    const bool pictures = !make_sample(task, 1, 0, Split::train).pictures.empty();
    const std::uint64_t count = pictures ? 1200 : 5000;
    std::unordered_map<std::uint64_t, Split> of_text;
    std::unordered_map<std::string, Split> subjects;
    for (std::uint64_t i = 0; i < count; ++i)
      for (const Split split : {Split::train, Split::held_out}) {
        if (split == Split::held_out && i % 4 != 0) continue;
        // Other seeds: what is held out is held out from every training.
        const Sample sample = make_sample(task, split == Split::train ? 1 : 2, i, split);
        const std::uint64_t hash =
            hash_of(sample.is_document() ? sample.text : seen(prompt_of(sample), sample));
        const auto [text, fresh] = of_text.emplace(hash, split);
        EXPECT_EQ(text->second, split) << task.name << ": " << everything(sample).substr(0, 400);
        const auto [subject, unseen] = subjects.emplace(sample.subject, split);
        EXPECT_EQ(subject->second, split) << task.name << ": " << sample.subject;
        ASSERT_FALSE(sample.subject.empty()) << task.name;
        ++samples;
      }
  }
  EXPECT_GE(samples, 90'000u);
}

TEST(World, AboutATenthOfAKindIsHeldOut) {
  int held_out = 0;
  for (int i = 0; i < 10'000; ++i)
    held_out += split_of("kind", std::to_string(i)) == Split::held_out ? 1 : 0;
  EXPECT_NEAR(held_out, 1000, 120);
  EXPECT_EQ(split_of("arithmetic", "12+35"), split_of("arithmetic", "12+35"));
}

TEST(World, NoSampleIsTooLong) {
  for (const Stage& stage : stages())
    for (const Task& task : tasks())
      for (std::uint64_t i = 0; i < 150; ++i) {
        const Sample sample = make_sample(task, 5, i, Split::train, stage.sizes);
        EXPECT_LE(text_bytes_of(sample), stage.sizes.bytes_max + 2000)
            << stage.name << " " << task.name << " " << i;
        EXPECT_GT(text_bytes_of(sample), 5) << task.name;
        EXPECT_LE(sample.pictures.size(), 4u);
      }
}

TEST(World, SizesAreFollowed) {
  const Task& needle = *find_task("needle");
  for (const int bytes : {500, 4000, 40'000}) {
    const Sample sample =
        make_sample(needle, 1, 0, Split::train, {.items = 1, .bytes = bytes, .depth = 0.5});
    EXPECT_NEAR(text_bytes_of(sample), bytes, 300);
    const std::string text = sample.conversation.messages[0].text();
    const auto at = static_cast<double>(text.find(sample.expected));
    EXPECT_NEAR(at / static_cast<double>(text.size()), 0.5, 0.2) << bytes;
  }
  const Sample recall = make_sample(*find_task("recall"), 1, 2, Split::train, {.items = 40});
  EXPECT_GT(text_bytes_of(recall), 300);
}

TEST(World, AMixtureKeepsItsShares) {
  for (const Stage& stage : stages()) {
    double sum = 0, bytes = 0;
    for (const Task& task : tasks()) sum += share_of(task, stage);
    EXPECT_NEAR(sum, 1, 1e-9);
    std::unordered_map<std::string_view, double> of_task;
    for (std::uint64_t i = 0; i < 4000; ++i) {
      const Sample sample = make_sample(stage, 9, i, Split::train);
      of_task[sample.task] += bytes_of(sample);
      bytes += bytes_of(sample);
    }
    for (const char* name : {"story", "tools", "shapes", "recall"}) {
      const double wanted = share_of(*find_task(name), stage);
      EXPECT_NEAR(of_task[name] / bytes, wanted, 0.35 * wanted + 0.01) << stage.name << " " << name;
    }
  }
}

// What is worked out is judged by its conclusion, whatever its case; what a program prints at once is judged as it is.
TEST(World, CapitalsThatAProgramPrintsAreCapitals) {
  int upper = 0;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const Sample sample = make_sample(*find_task("code"), 5, i, Split::train);
    const std::string question = prompt_of(sample).messages.back().text();
    if (!question.ends_with("print(s.upper())")) continue;
    ++upper;
    std::string small = sample.expected;
    for (char& c : small) c = static_cast<char>(c | 0x20);
    EXPECT_TRUE(is_right(sample, sample.expected));
    EXPECT_FALSE(is_right(sample, small)) << small;
  }
  EXPECT_GT(upper, 5);
}

}  // namespace
}  // namespace herd::world
