#include "eval/graded.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/generate.h"
#include "world/grade.h"

namespace herd::eval {
namespace {

constexpr std::size_t mistakes_kept = 5;
constexpr std::uint64_t tries_per_case = 10;

Result<engine::Prompt> prompt_of(const world::Sample& sample, const engine::Bundle& bundle) {
  const text::Conversation conversation = world::prompt_of(sample);
  std::vector<media::Image> images;
  for (const text::Message& message : conversation.messages)
    for (const text::ContentPart& part : message.parts)
      if (part.kind == text::ContentPart::Kind::image)
        images.push_back(sample.pictures[world::picture_index(part.text)]);
  return bundle.chat_prompt(conversation, images);
}

std::string question_of(const world::Sample& sample) {
  const text::Conversation conversation = world::prompt_of(sample);
  return conversation.messages.empty() ? "" : conversation.messages.back().text();
}

struct Case {
  Score* score;
  const world::Sample* sample;
  std::uint64_t index;
};

Result<std::int64_t> grade_case(engine::Session& session, const engine::Bundle& bundle,
                                const Case& one, std::int64_t max_tokens) {
  HERD_TRY(const engine::Prompt prompt, prompt_of(*one.sample, bundle));
  engine::GenerateOptions options{
      .max_tokens = max_tokens, .sampling = {}, .stop = {}, .stop_tokens = bundle.stop_tokens};
  options.sampling.temperature = 0;
  HERD_TRY(const engine::Answer answer,
           engine::generate(session, bundle.tokenizer, prompt, options));
  Score& score = *one.score;
  ++score.cases;
  if (answer.finish_reason == engine::FinishReason::length) ++score.cut_off;
  if (world::is_right(*one.sample, answer.text))
    ++score.right;
  else if (score.mistakes.size() < mistakes_kept)
    score.mistakes.push_back(
        {one.index, question_of(*one.sample), one.sample->expected, answer.text});
  return answer.prompt_tokens;
}

std::int64_t majority_of(const std::vector<world::Sample>& samples) {
  std::map<std::string, int> count;
  // Of answers that are worked out the conclusion alone: the way there is every sample's own.
  for (const world::Sample& sample : samples)
    ++count[sample.check == world::Check::conclusion ? sample.accepted.front() : sample.expected];
  const auto commonest =
      std::ranges::max_element(count, {}, [](const auto& entry) { return entry.second; });
  return std::ranges::count_if(samples, [&](const world::Sample& sample) {
    return world::is_right(sample, commonest->first);
  });
}

}  // namespace

double Score::share() const {
  return cases == 0 ? 0 : static_cast<double>(right) / static_cast<double>(cases);
}
double Score::standard_error() const {
  return cases == 0 ? 0 : std::sqrt(share() * (1 - share()) / static_cast<double>(cases));
}
double Score::majority_share() const {
  return cases == 0 ? 0 : static_cast<double>(majority) / static_cast<double>(cases);
}

Result<Score> grade(engine::Session& session, const engine::Bundle& bundle, const world::Task& task,
                    const GradedOptions& options, const OnCase& on_case) {
  Score score{.task = std::string(task.name), .mistakes = {}};
  std::vector<world::Sample> samples;
  std::vector<std::uint64_t> indices;
  const auto wanted = static_cast<std::size_t>(options.cases);
  // Some tasks have documents among their samples; a task of nothing else is given up soon.
  for (std::uint64_t i = 0; samples.size() < wanted && i < tries_per_case * wanted; ++i) {
    world::Sample sample = world::make_sample(task, options.seed, i, options.split, options.sizes);
    if (sample.check == world::Check::none) continue;
    if (options.wants && !options.wants(sample)) continue;
    samples.push_back(std::move(sample));
    indices.push_back(i);
  }
  if (samples.empty()) return score;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    HERD_TRY([[maybe_unused]] const std::int64_t tokens,
             grade_case(session, bundle, {&score, &samples[i], indices[i]}, options.max_tokens));
    if (on_case) on_case(static_cast<std::int64_t>(i) + 1);
  }
  score.majority = majority_of(samples);
  return score;
}

Result<NeedleGrid> needle_grid(engine::Session& session, const engine::Bundle& bundle,
                               std::vector<std::int64_t> bytes, std::vector<double> depths,
                               const GradedOptions& options, const OnCase& on_case) {
  const world::Task* task = world::find_task("needle");
  HERD_CHECK(task != nullptr, "the world has no needles");
  NeedleGrid grid{
      .bytes = std::move(bytes), .depths = std::move(depths), .cells = {}, .tokens = {}};
  std::int64_t done = 0;
  for (const std::int64_t length : grid.bytes) {
    std::int64_t tokens = 0;
    for (const double depth : grid.depths) {
      Score& score = grid.cells.emplace_back();
      for (std::int64_t i = 0; i < options.cases; ++i) {
        world::Sizes sizes = options.sizes;
        sizes.bytes = static_cast<int>(length);
        sizes.bytes_max = std::max(sizes.bytes_max, static_cast<int>(length));
        sizes.depth = depth;
        const auto index = static_cast<std::uint64_t>(i);
        const world::Sample sample =
            world::make_sample(*task, options.seed, index, options.split, sizes);
        HERD_TRY(const std::int64_t prompt_tokens,
                 grade_case(session, bundle, {&score, &sample, index}, options.max_tokens));
        tokens += prompt_tokens;
        if (on_case) on_case(++done);
      }
    }
    grid.tokens.push_back(
        tokens /
        std::max<std::int64_t>(1, options.cases * static_cast<std::int64_t>(grid.depths.size())));
  }
  return grid;
}

}  // namespace herd::eval
