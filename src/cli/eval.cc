// herd eval: how much of the generated world a model masters, on samples it never saw.
#include <algorithm>

#include "base/json_text.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "eval/choices.h"
#include "eval/graded.h"

namespace herd::cli {
namespace {

struct EvalOptions {
  std::vector<std::string> task;
  std::int64_t limit = 100;
  std::uint64_t seed = 1;
  std::int64_t max_tokens = 256;
  std::int64_t items_max = world::Sizes{}.items_max;
  std::int64_t bytes_max = world::Sizes{}.bytes_max;
  std::optional<std::string> choices = {};
  bool plain = false;
  bool needles = false;
  std::vector<std::string> bytes;
  std::int64_t mistakes = 0;
  bool train_split = false;
  bool markdown = false;
  bool json = false;

  static constexpr auto fields() {
    using O = EvalOptions;
    return option_list(
        option("task", &O::task, "tasks of the world (herd gen --list); none: all"),
        option("limit", &O::limit, "cases of each task, and of each cell of the grid",
               Range{1, 1'000'000}),
        option("seed", &O::seed, "of the samples", any_number),
        option("max_tokens", &O::max_tokens, "of an answer", Range{1, 1 << 20}),
        option("items_max", &O::items_max, "most things to remember in a sample, as in recipes",
               Range{1, 10'000}),
        option("bytes_max", &O::bytes_max, "longest sample, as in recipes", Range{100, 1e8}),
        option(
            "choices", &O::choices,
            "instead of tasks: a file of {question, choices, answer} lines; the likeliest choice"),
        option("plain", &O::plain, "of --choices: as plain text instead of a conversation"),
        option("needles", &O::needles, "the grid of needles instead: length of text by depth"),
        option("bytes", &O::bytes,
               "lengths of the grid in bytes, several times for several; default: 1000 4000 16000"),
        option("mistakes", &O::mistakes, "print up to so many wrong answers of each task",
               Range{0, 5}),
        option("train_split", &O::train_split,
               "samples like those of the training instead of held-out ones"),
        option("markdown", &O::markdown, "a table as model cards and reports have them"),
        option("json", &O::json, "one JSON document instead of a table"));
  }
};

json::object json_of(const eval::Score& score) {
  json::array mistakes;
  for (const eval::Mistake& mistake : score.mistakes)
    mistakes.push_back(json::object{{"index", mistake.index},
                                    {"question", mistake.question},
                                    {"expected", mistake.expected},
                                    {"reply", mistake.reply}});
  return {{"task", score.task},
          {"cases", score.cases},
          {"right", score.right},
          {"share", score.share()},
          {"standard_error", score.standard_error()},
          {"majority", score.majority_share()},
          {"cut_off", score.cut_off},
          {"mistakes", mistakes}};
}

std::string line_of(const eval::Score& score, std::int64_t mistakes) {
  std::string line = fmt::format(
      "{:<16} {:6.1f} % ± {:4.1f}   {:5} cases   majority {:5.1f} %{}\n", score.task,
      100 * score.share(), 100 * score.standard_error(), score.cases, 100 * score.majority_share(),
      score.cut_off > 0 ? fmt::format("   {} cut off", score.cut_off) : "");
  for (std::size_t i = 0; i < std::min(score.mistakes.size(), static_cast<std::size_t>(mistakes));
       ++i) {
    const eval::Mistake& mistake = score.mistakes[i];
    line += fmt::format("    {}: {}\n      wanted: {}\n      said:   {}\n", mistake.index,
                        mistake.question, mistake.expected, mistake.reply);
  }
  return line;
}

std::string markdown_of(const eval::Score& score) {
  return fmt::format("| {} | {:.1f} % | {:.1f} | {} | {:.1f} % |\n", score.task,
                     100 * score.share(), 100 * score.standard_error(), score.cases,
                     100 * score.majority_share());
}

Result<std::vector<const world::Task*>> tasks_named(const std::vector<std::string>& names) {
  std::vector<const world::Task*> tasks;
  for (const world::Task& task : world::tasks())
    if (names.empty()) tasks.push_back(&task);
  for (const std::string& name : names) {
    const world::Task* task = world::find_task(name);
    if (task == nullptr)
      return fail_with_hint(Code::usage, fmt::format("there is no task \"{}\"", name),
                            world::task_hint(name));
    tasks.push_back(task);
  }
  return tasks;
}

Result<void> print_grid(const eval::NeedleGrid& grid, bool as_json) {
  if (as_json) {
    json::array cells;
    for (std::size_t i = 0; i < grid.cells.size(); ++i) {
      json::object cell = json_of(grid.cells[i]);
      cell["bytes"] = grid.bytes[i / grid.depths.size()];
      cell["tokens"] = grid.tokens[i / grid.depths.size()];
      cell["depth"] = grid.depths[i % grid.depths.size()];
      cells.push_back(cell);
    }
    return print_json(json::object{{"needles", cells}});
  }
  std::string text = fmt::format("{:>8} {:>8}", "bytes", "tokens");
  for (const double depth : grid.depths) text += fmt::format(" {:>6.0f} %", 100 * depth);
  text += "  deep in the text\n";
  for (std::size_t row = 0; row < grid.bytes.size(); ++row) {
    text += fmt::format("{:>8} {:>8}", grid.bytes[row], grid.tokens[row]);
    for (std::size_t column = 0; column < grid.depths.size(); ++column)
      text +=
          fmt::format(" {:>6.1f}  ", 100 * grid.cells[row * grid.depths.size() + column].share());
    text += "\n";
  }
  text += fmt::format("percent right of {} cases a cell\n", grid.cells.front().cases);
  return print(text);
}

// What a single task asks for and this model cannot give: pictures where it sees only text, a prompt longer than the
// context. Any other error is the model's or the machine's and ends the command.
bool is_of_the_task(Code code) {
  return code == Code::conversation_invalid || code == Code::context_length_exceeded ||
         code == Code::tokenizer_invalid;  // it has no tokens for pictures
}

// A row a task. A task that cannot run is left out and named, so that the others' results are not lost; where none
// can, the first one's error is the answer.
Result<void> grade_tasks(engine::Session& session, const engine::Bundle& bundle,
                         const std::vector<const world::Task*>& tasks,
                         const eval::GradedOptions& graded, const EvalOptions& options) {
  json::array scores;
  std::vector<std::pair<std::string, Error>> left_out;
  bool any_ran = false;
  if (options.markdown)
    HERD_TRY_VOID(
        print("| task | right | standard error | cases | commonest answer alone |\n"
              "|---|--:|--:|--:|--:|\n"));
  for (const world::Task* task : tasks) {
    Result<eval::Score> score = eval::grade(session, bundle, *task, graded);
    if (!score) {
      if (!is_of_the_task(score.error().code)) return std::unexpected(std::move(score).error());
      left_out.emplace_back(task->name, std::move(score).error());
      continue;
    }
    if (score->cases == 0) {  // of all tasks some are only read
      if (!options.task.empty())
        left_out.emplace_back(
            task->name,
            Error{Code::usage, fmt::format("{} has no answers to grade", task->name), {}});
      continue;
    }
    any_ran = true;
    if (options.json)
      scores.push_back(json_of(*score));
    else
      HERD_TRY_VOID(
          print(options.markdown ? markdown_of(*score) : line_of(*score, options.mistakes)));
  }
  if (!any_ran && !left_out.empty()) return std::unexpected(std::move(left_out.front().second));
  json::array left_out_rows;
  for (const auto& [task, error] : left_out) {
    fmt::print(stderr, "note: {} was left out: {}\n", task, error.message);
    left_out_rows.push_back(json::object{{"task", task}, {"error", error.message}});
  }
  if (options.json)
    HERD_TRY_VOID(print_json(
        json::object{{"seed", options.seed}, {"scores", scores}, {"left_out", left_out_rows}}));
  return {};
}

// Multiple choice by log-probability.
Result<int> eval_choices(engine::Session& session, const engine::Bundle& bundle,
                         const EvalOptions& options) {
  HERD_TRY(std::vector<eval::ChoiceQuestion> questions, eval::read_questions(*options.choices));
  questions.resize(std::min(questions.size(), static_cast<std::size_t>(options.limit)));
  Progress progress("questions", questions.size(), ProgressUnit::items);
  HERD_TRY(const eval::ChoiceScore score, eval::choose(session, bundle, questions, options.plain,
                                                       [&](std::int64_t) { progress.add(1); }));
  if (options.json) {
    json::array cases;
    for (const eval::ChosenCase& one : score.chosen)
      cases.push_back(
          json::object{{"logprobs", json::array(one.logprob.begin(), one.logprob.end())},
                       {"by_sum", one.by_sum},
                       {"by_characters", one.by_characters}});
    HERD_TRY_VOID(print_json(json::object{{"cases", score.cases},
                                          {"right_by_sum", score.right_by_sum},
                                          {"right_by_characters", score.right_by_characters},
                                          {"chance", score.chance},
                                          {"chosen", cases}}));
    return 0;
  }
  const auto line = [&](std::string_view by, std::int64_t right) {
    return fmt::format("{:<24} {:6.1f} % ± {:4.1f}   {:5} cases   guessing {:5.1f} %\n", by,
                       100 * score.share(right), 100 * score.standard_error(right), score.cases,
                       100 * score.chance);
  };
  HERD_TRY_VOID(print(line("likeliest choice", score.right_by_sum) +
                      line("likeliest per character", score.right_by_characters)));
  return 0;
}

}  // namespace

Result<int> eval(Arguments arguments) {
  ModelArguments model;
  EvalOptions options;
  Flags flags("eval", "how much of the generated world a model masters",
              "herd eval models/cria --limit 50");
  flags.add(model, {{"model"}});
  flags.add(options, {{"task", false}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;

  if (options.choices && options.needles)
    return fail(Code::usage, "herd eval: both --choices and --needles");
  if ((options.choices || options.needles) && !options.task.empty())
    return fail(Code::usage, "herd eval: {} asks for no task, found {}",
                options.choices ? "--choices" : "--needles", shown(options.task.front()));
  HERD_TRY(const std::vector<const world::Task*> tasks, tasks_named(options.task));
  HERD_TRY(const fs::path directory, find_model(model.model));
  HERD_TRY(const llama4::Config config, llama4::read_config(directory, model.mmproj));
  HERD_TRY(const engine::Bundle bundle, engine::Bundle::open(directory, config));
  HERD_TRY(Opened opened, open_model(model));
  HERD_TRY(engine::Session session,
           engine::Session::create(opened.loaded->model(), *opened.ctx, opened.session_options()));
  const eval::GradedOptions graded{
      .cases = options.limit,
      .seed = options.seed,
      .max_tokens = options.max_tokens,
      .split = options.train_split ? world::Split::train : world::Split::held_out,
      .sizes = {.items_max = static_cast<int>(options.items_max),
                .bytes_max = static_cast<int>(options.bytes_max)}};
  if (options.choices) return eval_choices(session, bundle, options);
  if (options.needles) {
    std::vector<std::int64_t> bytes;
    for (const std::string& text : options.bytes) {
      std::int64_t value = 0;
      HERD_TRY_VOID(set_option(
          {.name = "bytes", .sentence = "", .range = {100, 1e8}, .choices = {}, .value = &value},
          text));
      bytes.push_back(value);
    }
    if (bytes.empty()) bytes = {1000, 4000, 16000};
    Progress progress("needles", bytes.size() * 5 * static_cast<std::uint64_t>(options.limit),
                      ProgressUnit::items);
    HERD_TRY(const eval::NeedleGrid grid,
             eval::needle_grid(session, bundle, bytes, {0, 0.25, 0.5, 0.75, 1}, graded,
                               [&](std::int64_t) { progress.add(1); }));
    HERD_TRY_VOID(print_grid(grid, options.json));
    return 0;
  }
  HERD_TRY_VOID(grade_tasks(session, bundle, tasks, graded, options));
  return 0;
}

}  // namespace herd::cli
