// herd gen: samples of the generated world, one JSON line each: what cria is taught, and what it is asked.
#include <algorithm>

#include "base/file.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "media/png_writer.h"
#include "text/python_text.h"
#include "world/mixture.h"
#include "world/sample.h"
#include "world/turns.h"

namespace herd::cli {
namespace {

constexpr std::string_view splits[] = {"train", "held_out"};

struct GenOptions {
  std::optional<std::string> task = {};
  std::optional<std::string> stage = {};
  std::uint64_t seed = 1;
  std::uint64_t from = 0;
  std::uint64_t count = 10;
  std::string split = "train";
  std::int64_t items = 0;
  std::int64_t bytes = 0;
  std::optional<std::string> pictures = {};
  bool texts = false;
  bool list = false;
  bool json = true;

  static constexpr auto fields() {
    using O = GenOptions;
    return option_list(
        option("task", &O::task, "samples of this task; --list names them"),
        option("stage", &O::stage, "samples of this stage's mixture: pretrain, mid or sft"),
        option("seed", &O::seed, "of the random numbers; the same seed gives the same samples",
               any_number),
        option("from", &O::from, "index of the first sample", any_number),
        option("count", &O::count, "how many", any_number),
        option("split", &O::split, "what is trained on, or what never is", Choices{splits}),
        option("items", &O::items,
               "things to remember in a sample, where the task has room for so many; 0 for as many "
               "as it happens",
               Range{0, 10'000}),
        option("bytes", &O::bytes, "of text around needles; 0 for as many as it happens",
               Range{0, 10'000'000}),
        option("pictures", &O::pictures,
               "a directory to write the pictures into, as PNG; lines then have their names"),
        option("texts", &O::texts,
               "print {\"text\": ...} lines of all that is said, for train-tokenizer --field text"),
        option("list", &O::list, "name the tasks and stages, and make nothing"),
        option("json", &O::json, "samples are printed as JSON in any case"));
  }
};

std::string_view name_of(world::Check check) {
  constexpr std::string_view names[] = {"none",       "exact", "contains",   "number",
                                        "tool_calls", "json",  "conclusion", "one_of"};
  return names[static_cast<std::size_t>(check)];
}

std::string_view name_of(text::Role role) {
  constexpr std::string_view names[] = {"system", "user", "assistant", "tool"};
  return names[static_cast<std::size_t>(role)];
}

std::string picture_name(const world::Sample& sample, std::uint64_t index, std::size_t picture) {
  return fmt::format("{}-{}-{}.png", sample.task, index, picture);
}

// `pictures`: where the pictures are files, if anywhere; else they have numbers.
json::value content_of(const text::Message& message, const world::Sample& sample,
                       std::uint64_t index, const std::optional<std::string>& pictures) {
  if (message.role == text::Role::tool) return message.result;
  if (message.parts.size() == 1 && message.parts[0].kind == text::ContentPart::Kind::text)
    return json::value(message.parts[0].text);
  json::array parts;
  for (const text::ContentPart& part : message.parts)
    if (part.kind == text::ContentPart::Kind::text)
      parts.push_back(json::object{{"type", "text"}, {"text", part.text}});
    else
      parts.push_back(json::object{
          {"type", "image"},
          {"image", pictures ? (fs::path(*pictures) /
                                picture_name(sample, index, world::picture_index(part.text)))
                                   .string()
                             : part.text}});
  return parts.empty() ? json::value("") : json::value(parts);
}

json::object line_of(const world::Sample& sample, std::uint64_t index,
                     const std::optional<std::string>& pictures_in) {
  json::object line{{"task", sample.task}, {"index", index}};
  if (sample.is_document()) {
    line["text"] = sample.text;
    return line;
  }
  if (sample.conversation.tools) line["tools"] = *sample.conversation.tools;
  json::array messages;
  for (const text::Message& message : sample.conversation.messages) {
    json::object item{{"role", name_of(message.role)},
                      {"content", content_of(message, sample, index, pictures_in)}};
    if (!message.tool_calls.empty()) {
      json::array calls;
      for (const text::ToolCall& call : message.tool_calls)
        calls.push_back(json::object{
            {"type", "function"},
            {"function", json::object{{"name", call.name}, {"arguments", call.arguments}}}});
      item["tool_calls"] = std::move(calls);
    }
    messages.push_back(std::move(item));
  }
  line["messages"] = std::move(messages);
  json::array pictures;
  for (const media::Image& picture : sample.pictures)
    pictures.push_back(json::object{{"width", picture.width}, {"height", picture.height}});
  if (!pictures.empty()) line["pictures"] = std::move(pictures);
  line["check"] = name_of(sample.check);
  line["expected"] = sample.expected;
  json::array accepted;
  for (const std::string& answer : sample.accepted) accepted.emplace_back(answer);
  line["accepted"] = std::move(accepted);
  return line;
}

// All texts of a sample: the document, definitions of tools, what is said and called.
std::vector<std::string> texts_of(const world::Sample& sample) {
  if (sample.is_document()) return {sample.text};
  std::vector<std::string> texts;
  if (sample.conversation.tools) texts.push_back(text::python_json(*sample.conversation.tools));
  for (const text::Message& message : sample.conversation.messages) {
    if (message.role == text::Role::tool) texts.push_back(text::python_json(message.result));
    if (const std::string said = message.text(); !said.empty()) texts.push_back(said);
    for (const text::ToolCall& call : message.tool_calls)
      texts.push_back(
          text::python_json(json::object{{"name", call.name}, {"parameters", call.arguments}}));
  }
  return texts;
}

Result<void> write_pictures(const fs::path& directory, const world::Sample& sample,
                            std::uint64_t index) {
  std::error_code error;  // what cannot be made cannot be written to either, and that is named
  fs::create_directories(directory, error);
  for (std::size_t i = 0; i < sample.pictures.size(); ++i) {
    const std::string name = picture_name(sample, index, i);
    const std::vector<std::byte> png = media::encode_png(sample.pictures[i]);
    HERD_TRY_VOID(write_file(directory / name, std::span<const std::byte>(png)));
  }
  return {};
}

std::string list_text() {
  std::string out = "tasks:\n";
  for (const world::Task& task : world::tasks())
    out += fmt::format("  {:<16} {}\n", task.name, task.sentence);
  out += "stages, and each task's percentage of the tokens:\n";
  for (const world::Stage& stage : world::stages()) {
    out += fmt::format("  {:<16} {}\n", stage.name, stage.sentence);
    for (const world::Task& task : world::tasks())
      out += fmt::format("    {:<16} {:5.1f}\n", task.name, 100 * world::share_of(task, stage));
  }
  return out;
}

Result<void> check_names(const GenOptions& options, const world::Task* task,
                         const world::Stage* stage) {
  if (options.task.has_value() == options.stage.has_value())
    return fail_with_hint(Code::usage, "herd gen: give either --task or --stage",
                          "herd gen --list names them");
  if (options.task && task == nullptr)
    return fail_with_hint(Code::usage, fmt::format("herd gen: no task \"{}\"", *options.task),
                          world::task_hint(*options.task));
  if (options.stage && stage == nullptr)
    return fail_with_hint(Code::usage, fmt::format("herd gen: no stage \"{}\"", *options.stage),
                          world::stage_hint(*options.stage));
  return {};
}

}  // namespace

Result<int> gen(Arguments arguments) {
  GenOptions options;
  Flags flags("gen", "Samples of the generated world that cria learns, one JSON line each",
              "herd gen --task story_questions --count 3 --split held_out");
  flags.add(options);
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (options.list) {
    HERD_TRY_VOID(print(list_text()));
    return 0;
  }
  const world::Task* task = world::find_task(options.task.value_or(""));
  const world::Stage* stage = world::find_stage(options.stage.value_or(""));
  HERD_TRY_VOID(check_names(options, task, stage));
  const world::Split split =
      options.split == "train" ? world::Split::train : world::Split::held_out;
  world::Sizes sizes = stage != nullptr ? stage->sizes : world::Sizes{};
  sizes.items = static_cast<int>(options.items);
  sizes.bytes = static_cast<int>(options.bytes);
  std::optional<world::Mixture> mixture;
  if (stage != nullptr) mixture.emplace(*stage, sizes);
  for (std::uint64_t i = options.from; i - options.from < options.count; ++i) {
    const world::Sample sample = mixture ? mixture->make_sample(options.seed, i, split)
                                         : world::make_sample(*task, options.seed, i, split, sizes);
    if (options.pictures) HERD_TRY_VOID(write_pictures(*options.pictures, sample, i));
    if (!options.texts) {
      HERD_TRY_VOID(print(text::python_json(line_of(sample, i, options.pictures)) + "\n"));
      continue;
    }
    for (const std::string& text : texts_of(sample))
      HERD_TRY_VOID(print(text::python_json(json::object{{"text", text}}) + "\n"));
  }
  return 0;
}

}  // namespace herd::cli
