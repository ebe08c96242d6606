// herd chat: a conversation in the terminal.
#include <algorithm>
#include <map>
#include <random>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/conversation_file.h"
#include "cli/flags.h"
#include "cli/form_arguments.h"
#include "cli/line_reader.h"
#include "cli/media_input.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "engine/bundle.h"
#include "engine/generate.h"

namespace herd::cli {
namespace {

struct Options {
  std::string system;
  std::int64_t max_tokens = 1024;

  static constexpr auto fields() {
    using O = Options;
    return option_list(option("system", &O::system, "instructions in front of the conversation"),
                       option("max_tokens", &O::max_tokens, "at most so many tokens an answer",
                              Range{1, 1 << 30}));
  }
};

constexpr std::int64_t seeds = std::int64_t{1} << 53;

constexpr std::string_view help_text =
    "  /image FILE    show a picture with your next message\n"
    "  /system TEXT   instructions in front of the conversation; without TEXT, none\n"
    "  /retry         answer your last message again, by other random numbers\n"
    "  /undo          take back your last message and its answer\n"
    "  /clear         start over\n"
    "  /save FILE     keep the conversation        /load FILE   continue one\n"
    "  /stats         tokens, speed and memory     /quit        or Ctrl-D\n"
    "  Ctrl-C stops an answer, not the program. A line that ends in \\ goes on.\n";

// The conversation and everything it is held with.
class Chat {
 public:
  Chat(const Opened& opened, const engine::Bundle& bundle, engine::Session session,
       const Options& options, const engine::SamplingOptions& sampling,
       engine::AnswerGrammarPtr grammar, bool interactive)
      : opened_(opened),
        bundle_(bundle),
        session_(std::move(session)),
        options_(options),
        sampling_(sampling),
        grammar_(std::move(grammar)),
        interactive_(interactive) {
    set_system(options.system);
  }

  // One line of a person: a command or something to answer. False ends the conversation.
  Result<bool> take(const std::string& line) {
    if (line.empty()) return true;
    if (line.front() != '/') return answer(line);
    const std::size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (name == "/quit" || name == "/exit") return false;
    HERD_TRY_VOID(command(name, rest));
    return true;
  }

 private:
  Result<void> command(const std::string& name, const std::string& rest) {
    if (name == "/help") return print(help_text);
    if (name == "/image") return attach(rest);
    if (name == "/system") return set_system(rest), Result<void>{};
    if (name == "/retry") return retry();
    if (name == "/undo") return undo();
    if (name == "/clear") {
      const std::string system = options_.system;
      conversation_ = {};
      attached_.clear();
      set_system(system);
      return tell("a new conversation");
    }
    if (name == "/save" || name == "/load") {
      if (rest.empty()) return fail(Code::usage, "{} needs a file name", name);
      if (name == "/save") {
        HERD_TRY_VOID(save_conversation(conversation_, rest));
        return tell(fmt::format("{} messages in {}", conversation_.messages.size(), shown(rest)));
      }
      HERD_TRY(conversation_, load_conversation(rest));
      attached_.clear();
      return tell(fmt::format("{} messages from {}", conversation_.messages.size(), shown(rest)));
    }
    if (name == "/stats") return stats();
    return fail_with_hint(Code::usage, fmt::format("unknown command {}", shown(name)),
                          "/help lists the commands");
  }

  // What a command did, for people; scripts get the answers alone.
  Result<void> tell(std::string_view what) const {
    return interactive_ ? print(fmt::format("  {}\n", what)) : Result<void>{};
  }

  void set_system(const std::string& text) {
    options_.system = text;
    auto& messages = conversation_.messages;
    if (!messages.empty() && messages.front().role == text::Role::system)
      messages.erase(messages.begin());
    if (!text.empty()) messages.insert(messages.begin(), text_message(text::Role::system, text));
  }

  // Decodes at once, so that a bad file is refused when it is named.
  Result<void> attach(const std::string& path) {
    if (path.empty()) return fail(Code::usage, "/image needs a file name");
    if (!bundle_.config.vision)
      return fail(Code::conversation_invalid, "this model reads only text");
    std::error_code error;
    const std::string full = fs::absolute(path, error).string();
    HERD_TRY(const media::Image* image, picture(full));
    attached_.push_back(full);
    return print(fmt::format("  {} x {} pixels, shown with your next message\n", image->width,
                             image->height));
  }

  Result<const media::Image*> picture(const std::string& path) {
    const auto known = pictures_.find(path);
    if (known != pictures_.end()) return &known->second;
    HERD_TRY(media::Image image, read_image(path));
    return &pictures_.emplace(path, std::move(image)).first->second;
  }

  Result<void> undo() {
    auto& messages = conversation_.messages;
    if (messages.empty() || messages.back().role == text::Role::system)
      return fail(Code::conversation_invalid, "there is nothing to take back");
    while (!messages.empty() && messages.back().role == text::Role::assistant) messages.pop_back();
    if (!messages.empty() && messages.back().role == text::Role::user) messages.pop_back();
    return tell(fmt::format("taken back; {} messages are left", messages.size()));
  }

  Result<void> retry() {
    auto& messages = conversation_.messages;
    std::vector<text::Message> before;
    while (!messages.empty() && messages.back().role == text::Role::assistant) {
      before.insert(before.begin(), std::move(messages.back()));
      messages.pop_back();
    }
    if (messages.empty() || messages.back().role != text::Role::user) {
      std::ranges::move(before, std::back_inserter(messages));
      return fail(Code::conversation_invalid, "there is no message to answer again");
    }
    const Result<engine::Answer> said = speak();
    HERD_TRY_VOID(print("\n"));
    if (!said) {
      std::ranges::move(before, std::back_inserter(messages));
      return std::unexpected(said.error());
    }
    keep(*said);
    return {};
  }

  void keep(const engine::Answer& said) {
    last_ = said;
    conversation_.messages.push_back(text_message(text::Role::assistant, said.text));
  }

  Result<bool> answer(const std::string& text) {
    text::Message message = text_message(text::Role::user, text);
    for (const std::string& path : attached_)
      message.parts.insert(message.parts.end() - 1, {text::ContentPart::Kind::image, path});
    message.parts_listed = !attached_.empty();
    conversation_.messages.push_back(std::move(message));

    const Result<engine::Answer> said = speak();
    HERD_TRY_VOID(print("\n"));
    if (!said) {
      // What could not be answered is not part of the conversation; its pictures stay attached.
      conversation_.messages.pop_back();
      return std::unexpected(said.error());
    }
    attached_.clear();
    keep(*said);
    return true;
  }

  Result<engine::Answer> speak() {
    std::vector<media::Image> images;
    for (const text::Message& message : conversation_.messages)
      for (const text::ContentPart& part : message.parts)
        if (part.kind == text::ContentPart::Kind::image) {
          HERD_TRY(const media::Image* image, picture(part.text));
          images.push_back(*image);
        }
    HERD_TRY(const engine::Prompt prompt, bundle_.chat_prompt(conversation_, images));
    const Interrupt interrupt;
    Progress progress("reading", prompt.tokens.size(), ProgressUnit::items);
    std::int64_t before = 0;
    engine::SamplingOptions sampling = sampling_;
    sampling.seed = (sampling_.seed + answers_++) % seeds;  // no two answers by the same numbers
    return engine::generate(
        session_, bundle_.tokenizer, prompt,
        {.max_tokens = options_.max_tokens,
         .sampling = sampling,
         .stop = {},
         .stop_tokens = bundle_.stop_tokens,
         .grammar = grammar_},
        [](std::string_view piece) { (void)print_said(piece); },
        [&](std::int64_t done, std::int64_t) {
          progress.add(static_cast<std::uint64_t>(done - before));
          before = done;
        },
        interrupt.token());
  }

  Result<void> stats() {
    return print(
        fmt::format("  context     {} of {} tokens\n"
                    "  last prompt {} tokens, {} of them known already, {:.1f} tokens/s\n"
                    "  last answer {} tokens, {:.1f} tokens/s, ended by {}\n"
                    "  memory      {} resident, threads {}\n",
                    session_.length(), session_.context(), last_.prompt_tokens, last_.reused_tokens,
                    last_.prefill_tps(), last_.tokens.size(), last_.decode_tps(),
                    engine::name_of(last_.finish_reason), human_bytes(resident_memory().now),
                    opened_.pool->threads()));
  }

  const Opened& opened_;
  const engine::Bundle& bundle_;
  engine::Session session_;
  Options options_;
  engine::SamplingOptions sampling_;
  engine::AnswerGrammarPtr grammar_;
  text::Conversation conversation_;
  std::vector<std::string> attached_;             // pictures for the next message
  std::map<std::string, media::Image> pictures_;  // by absolute path
  engine::Answer last_;
  bool interactive_;
  std::int64_t answers_ = 0;
};

// Lines joined while they end in a backslash.
std::optional<std::string> read_message(LineReader& reader) {
  std::optional<std::string> line = reader.read("> ");
  while (line && line->ends_with('\\')) {
    line->back() = '\n';
    const std::optional<std::string> more = reader.read("  ");
    if (!more) break;
    *line += *more;
  }
  return line;
}

Result<void> banner(const Opened& opened, const engine::Bundle& bundle) {
  const llama4::TextConfig& text = bundle.config.text;
  HERD_TRY_VOID(print(fmt::format("{}: {} layers, {} experts, {}, context {} tokens, {} threads\n",
                                  opened.directory.string(), text.layers, text.experts,
                                  bundle.config.vision ? "reads text and pictures" : "reads text",
                                  opened.context, opened.pool->threads())));
  // The model's own word about itself, where it carries one ("untrained: answers are noise").
  for (const std::string& note : bundle.notes) HERD_TRY_VOID(print(note + "\n"));
  return print("/help lists commands; Ctrl-D ends.\n\n");
}

}  // namespace

Result<int> chat(Arguments arguments) {
  ModelArguments model;
  model.model = "cria";
  Options options;
  FormArguments form;
  engine::SamplingOptions sampling;
  auto parse = [&]() -> Result<std::optional<std::string>> {
    Flags flags("chat", "a conversation in the terminal", "herd chat models/cria");
    flags.add(model, {{"model", false}});
    flags.add(options);
    flags.add(form);
    flags.add(sampling);
    return flags.parse(arguments);
  };
  HERD_TRY(const std::optional<std::string> help, parse());
  if (help) {
    HERD_TRY_VOID(print(*help));
    return 0;
  }
  HERD_TRY(Opened opened, open_model(model));
  HERD_TRY(const engine::Bundle bundle,
           engine::Bundle::open(opened.directory, opened.loaded->config()));
  // The makers' recommended sampling, where the command line says nothing else.
  sampling = bundle.sampling;
  sampling.seed = -1;  // none was given
  model = {};
  model.model = "cria";
  options = {};
  form = {};
  HERD_TRY_VOID(parse());
  HERD_TRY(engine::AnswerGrammarPtr grammar, read_form(form, bundle));

  HERD_TRY(engine::Session session,
           engine::Session::create(opened.loaded->model(), *opened.ctx, opened.session_options()));
  LineReader reader;
  if (reader.interactive()) HERD_TRY_VOID(banner(opened, bundle));
  // People expect another answer another day; scripts expect the same one.
  if (sampling.seed < 0) sampling.seed = reader.interactive() ? std::random_device()() : 0;
  Chat chat(opened, bundle, std::move(session), options, sampling, std::move(grammar),
            reader.interactive());
  int status = 0;
  while (const std::optional<std::string> line = read_message(reader)) {
    const Result<bool> more = chat.take(*line);
    if (!more) {
      // A mistake ends nothing; a script learns of it by the exit status.
      fmt::print(stderr, "herd: {}\n", to_string(more.error()));
      status = row_of(more.error().code).exit_status;
    } else if (!*more) {
      break;
    }
  }
  return reader.interactive() ? 0 : status;
}

}  // namespace herd::cli
