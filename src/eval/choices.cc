#include "eval/choices.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/json.h"
#include "engine/answer.h"

namespace herd::eval {
namespace {

constexpr std::uint64_t file_bytes_max = std::uint64_t{1} << 30;

std::optional<std::size_t> answer_in(const json::value& answer,
                                     const std::vector<std::string>& choices) {
  std::size_t index = choices.size();
  if (answer.is_int64() && answer.get_int64() >= 0) {
    index = static_cast<std::size_t>(answer.get_int64());
  } else if (answer.is_string()) {
    const std::string_view text = answer.get_string();
    const auto found = std::ranges::find(choices, text);
    index = static_cast<std::size_t>(found - choices.begin());
    if (found == choices.end() && text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z')
      index = static_cast<std::size_t>(text[0] - 'A');
  }
  if (index >= choices.size()) return std::nullopt;
  return index;
}

Result<ChoiceQuestion> question_in(std::string_view line) {
  HERD_TRY(const json::value value, parse_json(line));
  const json::value* question = find(value, "question");
  const json::value* choices = find(value, "choices");
  const json::value* answer = find(value, "answer");
  if (question == nullptr || !question->is_string() || choices == nullptr || !choices->is_array() ||
      answer == nullptr)
    return fail(Code::invalid_json, "wanted an object with question, choices and answer");
  ChoiceQuestion out{.question = std::string(question->get_string()), .choices = {}};
  for (const json::value& choice : choices->get_array()) {
    if (!choice.is_string() || choice.get_string().empty())
      return fail(Code::invalid_json, "choices: wanted texts that are not empty");
    out.choices.emplace_back(choice.get_string());
  }
  if (out.choices.size() < 2)
    return fail(Code::invalid_json, "{} choices, wanted two at least", out.choices.size());
  const auto right = answer_in(*answer, out.choices);
  if (!right)
    return fail(Code::invalid_json, "answer: {} is none of the {} choices",
                json::serialize(*answer), out.choices.size());
  out.answer = *right;
  return out;
}

double characters_in(std::string_view text) {
  return static_cast<double>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// The prompt and the tokens of each choice after it.
struct Asked {
  engine::Prompt prompt;
  std::vector<std::vector<std::int32_t>> continuations;
};

// As conversations: the assistant's turn is begun, and its words are the choice.
Result<Asked> as_chat(const engine::Bundle& bundle, const ChoiceQuestion& question) {
  text::Conversation conversation;
  text::Message& message = conversation.messages.emplace_back();
  message.role = text::Role::user;
  message.parts.push_back({.kind = text::ContentPart::Kind::text, .text = question.question});
  Asked asked;
  HERD_TRY(asked.prompt, bundle.chat_prompt(conversation, {}));
  for (const std::string& choice : question.choices)
    asked.continuations.push_back(bundle.tokenizer.encode(choice, text::SpecialTokens::as_text));
  return asked;
}

// As plain text: question and choice are tokenised together, and the question's tokens are those that it has alone.
Asked as_text(const engine::Bundle& bundle, const ChoiceQuestion& question) {
  Asked asked{.prompt = bundle.raw_prompt(question.question), .continuations = {}};
  const std::size_t length = asked.prompt.tokens.size();
  for (const std::string& choice : question.choices) {
    const engine::Prompt whole = bundle.raw_prompt(question.question + " " + choice);
    const auto begin = whole.tokens.begin() +
                       static_cast<std::ptrdiff_t>(std::min(length, whole.tokens.size() - 1));
    asked.continuations.emplace_back(begin, whole.tokens.end());
  }
  return asked;
}

}  // namespace

Result<std::vector<ChoiceQuestion>> read_questions(const fs::path& path) {
  HERD_TRY(const std::string content, read_file(path, file_bytes_max));
  std::vector<ChoiceQuestion> questions;
  std::string_view rest = content;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    auto question = question_in(line);
    if (!question)
      return std::unexpected(
          std::move(question).error().in(fmt::format("{}: line {}", path.string(), number)));
    questions.push_back(std::move(*question));
  }
  if (questions.empty()) return fail(Code::invalid_json, "{}: no question in it", path.string());
  return questions;
}

Result<std::vector<double>> continuation_logprobs(
    engine::Session& session, const engine::Prompt& prompt,
    std::span<const std::vector<std::int32_t>> continuations) {
  std::vector<double> sums;
  for (const std::vector<std::int32_t>& continuation : continuations) {
    HERD_CHECK(!continuation.empty(), "a continuation without tokens");
    HERD_TRY(std::span<float> logits, session.prefill(prompt));
    double sum = 0;
    for (std::size_t i = 0; i < continuation.size(); ++i) {
      if (i > 0) {
        HERD_TRY(logits, session.step(continuation[i - 1]));
      }
      sum += engine::logprobs_of(logits, continuation[i], 0).logprob;
    }
    sums.push_back(sum);
  }
  return sums;
}

Result<ChoiceScore> choose(engine::Session& session, const engine::Bundle& bundle,
                           std::span<const ChoiceQuestion> questions, bool plain,
                           const std::function<void(std::int64_t)>& on_case) {
  ChoiceScore score;
  for (const ChoiceQuestion& question : questions) {
    Asked asked;
    if (plain) {
      asked = as_text(bundle, question);
    } else {
      HERD_TRY(asked, as_chat(bundle, question));
    }
    ChosenCase chosen;
    HERD_TRY(chosen.logprob, continuation_logprobs(session, asked.prompt, asked.continuations));
    std::vector<double> by_characters;
    for (std::size_t i = 0; i < chosen.logprob.size(); ++i)
      by_characters.push_back(chosen.logprob[i] / characters_in(question.choices[i]));
    const auto best = [](const std::vector<double>& of) {
      return static_cast<std::size_t>(std::ranges::max_element(of) - of.begin());
    };
    chosen.by_sum = best(chosen.logprob);
    chosen.by_characters = best(by_characters);
    ++score.cases;
    score.right_by_sum += chosen.by_sum == question.answer ? 1 : 0;
    score.right_by_characters += chosen.by_characters == question.answer ? 1 : 0;
    score.chance += 1.0 / static_cast<double>(question.choices.size());
    score.chosen.push_back(std::move(chosen));
    if (on_case) on_case(score.cases);
  }
  score.chance /= static_cast<double>(std::max<std::int64_t>(1, score.cases));
  return score;
}

double ChoiceScore::share(std::int64_t right) const {
  return cases == 0 ? 0 : static_cast<double>(right) / static_cast<double>(cases);
}

double ChoiceScore::standard_error(std::int64_t right) const {
  const double p = share(right);
  return cases == 0 ? 0 : std::sqrt(p * (1 - p) / static_cast<double>(cases));
}

}  // namespace herd::eval
