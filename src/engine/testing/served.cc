#include "engine/testing/served.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/rng.h"
#include "engine/generate.h"
#include "engine/grammars.h"
#include "llama4/testing/random_adapters.h"

namespace herd::engine {
namespace {

// Numbers that follow from a seed and a name of what they are for.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}
  std::int64_t roll(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(uniform(seed_, next_++, stream_) *
                                           static_cast<double>(high - low + 1));
  }
  bool chance(int percent) { return roll(0, 99) < percent; }

 private:
  std::uint64_t seed_, stream_, next_ = 0;
};

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

class Recorder : public Listener {
 public:
  void progress(std::int64_t done, std::int64_t total) override { progress_ok &= done <= total; }
  void prompt_logprobs(std::span<const TokenEvent> given) override {
    early &= events.empty();
    prompt.assign(given.begin(), given.end());
  }
  void token(const TokenEvent& event) override { events.push_back(event); }
  void finished(Result<Answer> given) override {
    HERD_CHECK(!answer.has_value(), "an answer has ended twice");
    answer = std::move(given);
  }

  bool progress_ok = true, early = true;
  std::vector<TokenEvent> prompt, events;
  std::optional<Result<Answer>> answer;
};

}  // namespace

// One request, when it comes and when it is given up.
struct Served::Case {
  Request request;
  std::int64_t comes = 0, leaves = -1;  // steps
};

Served::Served(const fs::path& root, const std::string& model) {
  const fs::path trained = root / "models" / model;
  const fs::path path = fs::exists(trained) ? trained : root / "tests/data/models" / model;
  auto loaded = llama4::load(path);
  HERD_CHECK(loaded.has_value(), "{}", loaded.error().message);
  loaded_ = std::move(*loaded);
  // One for all kinds of layers that there are, and one of another rank for a single kind.
  const bool moe =
      std::ranges::find(loaded_->config().text.is_moe, true) != loaded_->config().text.is_moe.end();
  const std::string layers = moe ? "experts" : "dense";
  for (const llama4::AdapterOptions& options :
       {llama4::AdapterOptions{
            .rank = 3, .alpha = 6, .targets = {"attention", "dense", "shared", "experts"}},
        llama4::AdapterOptions{.rank = 4, .alpha = 4, .targets = {layers}}}) {
    Adapted& each = adapted_.emplace_back();
    each.model = llama4::load(path).value();
    const auto seed = static_cast<std::uint64_t>(options.rank);
    each.own = llama4::random_adapters(each.model->model(), options, seed);
    llama4::make_own(each.model->model(), *each.own);
    each.brought = llama4::random_adapters(loaded_->model(), options, seed);
  }
  // The tiny models have no tokenizer; texts are made with cria's, whose first 256 tokens are the bytes.
  auto tokenizer = text::Tokenizer::from_directory(root / "models/cria");
  HERD_CHECK(tokenizer.has_value(), "{}", tokenizer.error().message);
  tokenizer_ = std::make_unique<text::Tokenizer>(std::move(*tokenizer));
  Grammars grammars(*tokenizer_, loaded_->config().text.vocabulary);
  const json::value record = parse_json(R"({"type":"object","properties":{
      "description":{"type":"string","maxLength":8},"measurements":{"type":"array",
      "items":{"enum":["left","right",12,null]},"minItems":1}},
      "required":["description","measurements"],"additionalProperties":false})")
                                 .value();
  grammars_ = {
      grammars.json_schema(record, true).value(), grammars.json_object().value(),
      grammars.regex("(one|two), (three|four)( and so on){0,9}\\.").value(),
      grammars
          .tool_calls({.tools = {{.name = "note", .schema = record, .strict = true}}, .must = true})
          .value(),
      grammars.tool_calls({.tools = {{.name = "note", .schema = record, .strict = true}}}).value()};
}

Served::~Served() = default;

Served::Case Served::make_case(std::uint64_t seed, std::uint64_t number,
                               std::int64_t context) const {
  Draws draw(seed, 1000 + number);
  const llama4::Config& config = loaded_->config();
  const std::int64_t vocabulary = config.text.vocabulary;
  Case one;
  Request& request = one.request;
  // A beginning that others share, and a rest of its own.
  Draws beginning(seed, static_cast<std::uint64_t>(draw.roll(1, 3)));
  auto& tokens = request.prompt.tokens;
  auto add = [&](Draws& from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      tokens.push_back(static_cast<std::int32_t>(from.roll(0, vocabulary - 1)));
  };
  add(beginning, draw.roll(0, context / 2));
  if (config.vision && draw.chance(40)) {
    Draws pixels(7, static_cast<std::uint64_t>(draw.roll(1, 3)));  // one of three pictures
    Picture picture{.tiles = pixels.roll(1, 2), .side = config.vision->image_size, .pixels = {}};
    std::vector<float> numbers;
    for (std::int64_t i = 0; i < picture.tiles * 3 * picture.side * picture.side; ++i)
      numbers.push_back(static_cast<float>(pixels.roll(-100, 100)) / 100.0f);
    picture.pixels = std::move(numbers);
    for (std::int64_t i = 0; i < picture.tiles * config.vision->tokens_per_tile(); ++i) {
      request.prompt.patches.push_back(std::ssize(tokens));
      tokens.push_back(config.image_token);
    }
    request.prompt.pictures.push_back(std::move(picture));
  }
  add(draw, draw.roll(1, context / 4));
  if (std::ssize(tokens) > context) {
    request.prompt.pictures.clear();
    request.prompt.patches.clear();
    tokens.resize(static_cast<std::size_t>(context));
  }

  GenerateOptions& options = request.options;
  options.max_tokens = draw.chance(5) ? 0 : draw.roll(1, 40);
  options.sampling.temperature = draw.chance(40) ? 0.0 : draw.chance(50) ? 0.7 : 1.5;
  options.sampling.seed = draw.roll(0, 1 << 20);
  if (draw.chance(20)) options.sampling.frequency_penalty = 0.5;
  if (draw.chance(20)) options.sampling.repetition_penalty = 1.3;
  if (draw.chance(20)) options.sampling.top_k = draw.roll(1, 30);
  if (draw.chance(30)) options.top_logprobs = draw.roll(0, 4);
  if (draw.chance(20)) options.min_tokens = draw.roll(1, 10);
  if (draw.chance(10)) options.ignore_eos = true;
  for (std::int64_t i = draw.roll(0, 6); i > 0; --i)
    options.stop_tokens.push_back(static_cast<std::int32_t>(draw.roll(0, vocabulary - 1)));
  for (std::int64_t i = draw.roll(0, 2); i > 0; --i)
    options.stop.emplace_back(1, static_cast<char>(draw.roll('A', 'z')));
  for (std::int64_t i = draw.roll(0, 2); i > 0; --i)
    options.logit_bias[static_cast<std::int32_t>(draw.roll(0, vocabulary - 1))] =
        static_cast<float>(draw.roll(-3, 3) * 40);
  if (draw.chance(35)) {
    const auto last = static_cast<std::int64_t>(grammars_.size()) - 1;
    options.grammar = grammars_[static_cast<std::size_t>(draw.roll(0, last))];
    // Bans, and stop tokens that a text needs, may leave nothing of a grammar: that is for other tests.
    options.logit_bias.clear();
    std::erase_if(options.stop_tokens, [](std::int32_t token) { return token < 256; });
  }
  request.tenant = std::string(1, static_cast<char>('a' + draw.roll(0, 1)));
  request.priority = static_cast<std::int32_t>(draw.chance(20) ? draw.roll(-1, 1) : 0);
  request.prompt_logprobs = draw.chance(10);
  if (draw.chance(20))  // something that may come: pieces of the prompt
    for (std::int64_t i = draw.roll(1, 20); i > 0; --i)
      request.prediction.push_back(
          tokens[static_cast<std::size_t>(draw.roll(0, std::ssize(tokens) - 1))]);
  one.comes = static_cast<std::int64_t>(number) / 4 + draw.roll(0, 30);
  if (draw.chance(10)) one.leaves = one.comes + draw.roll(0, 25);
  return one;
}

// Mostly none.   Shared with requests.
std::shared_ptr<const llama4::LoadedAdapters> Served::some_adapters(std::uint64_t seed,
                                                                    std::uint64_t number) const {
  Draws draw(seed, 1'000'000 + number);
  if (!draw.chance(30)) return nullptr;
  return adapted_[static_cast<std::size_t>(draw.roll(0, std::ssize(adapted_) - 1))].brought;
}

const llama4::Model& Served::model_for(const Request& request) const {
  for (const Adapted& each : adapted_)
    if (each.brought == request.adapters) return each.model->model();
  return loaded_->model();
}

Result<Answer> Served::alone(const Request& request, std::int64_t context,
                             std::vector<TokenEvent>& events) {
  Context ctx(cpu_kernels(), pool_);
  HERD_TRY(Session session,
           Session::create(model_for(request), ctx, {.context = context, .piece_rows = 37}));
  if (request.options.top_logprobs < 0)
    return generate(session, *tokenizer_, request.prompt, request.options);
  // With every logprob, by hand; and then as generate() does it.
  Writer writer(request.options, *tokenizer_, request.prompt.tokens);
  HERD_TRY(std::span<float> logits, session.prefill(request.prompt));
  while (!writer.finished()) {
    HERD_TRY(Drawn drawn, writer.draw(logits));
    const std::int32_t token = drawn.token;
    Writer::Written written = writer.write(std::move(drawn));
    if (written.belongs) events.push_back(std::move(written.event));
    if (writer.finished() || session.length() >= session.context()) break;
    HERD_TRY(logits, session.step(token));
  }
  return generate(session, *tokenizer_, request.prompt, request.options);
}

std::string Served::compare(const Request& request, std::int64_t context, bool given_up,
                            const Listener& listener) {
  const auto& heard = static_cast<const Recorder&>(listener);
  if (!heard.answer) return "no end";
  std::vector<TokenEvent> events;
  const Result<Answer> wanted = alone(request, context, events);
  if (!wanted) return "alone it fails: " + wanted.error().message;
  if (!*heard.answer) return "it fails: " + heard.answer->error().message;
  const Answer& found = **heard.answer;
  if (!heard.progress_ok || !heard.early) return "events in the wrong order";
  std::string said;
  for (const TokenEvent& event : heard.events) said += event.text;
  if (said + found.tail != found.text) return "its events do not say its text";
  const bool whole = found.finish_reason != FinishReason::cancelled;
  if (!whole && !given_up) return "cancelled by nobody";
  if (whole) {
    if (found.tokens != wanted->tokens || found.text != wanted->text) return "another answer";
    if (found.finish_reason != wanted->finish_reason || found.stop_string != wanted->stop_string ||
        found.stop_token != wanted->stop_token)
      return "another end";
    if (heard.events.size() != found.tokens.size()) return "another number of events";
  } else if (found.tokens.size() > wanted->tokens.size() ||
             !std::ranges::equal(found.tokens,
                                 std::span(wanted->tokens).first(found.tokens.size()))) {
    return "cancelled after another answer";
  }
  for (std::size_t i = 0; i < heard.events.size() && request.options.top_logprobs >= 0; ++i) {
    const TokenEvent &a = heard.events[i], &b = events[i];
    if (a.token != b.token || !same(a.logprob, b.logprob) || a.top.size() != b.top.size())
      return "another event";
    for (std::size_t j = 0; j < a.top.size(); ++j)
      if (a.top[j].token != b.top[j].token || !same(a.top[j].logprob, b.top[j].logprob))
        return "other alternatives";
  }
  if (whole && request.prompt_logprobs) return compare_prompt(request, context, heard.prompt);
  return "";
}

std::string Served::compare_prompt(const Request& request, std::int64_t context,
                                   std::span<const TokenEvent> found) {
  Context ctx(cpu_kernels(), pool_);
  auto session = Session::create(model_for(request), ctx, {.context = context});
  if (found.size() != request.prompt.tokens.size()) return "prompt logprobs are missing";
  std::string wrong;
  const auto ran = session->all_logits(
      request.prompt, [&](std::int64_t first, const Tensor& logits_nV) -> Result<void> {
        const auto vocabulary = static_cast<std::size_t>(logits_nV.shape[1]);
        for (std::int64_t row = 0; row < logits_nV.rows(); ++row) {
          const auto next = static_cast<std::size_t>(first + row + 1);
          if (next >= found.size()) continue;
          const Drawn known = logprobs_of(
              logits_nV.as<float>().subspan(static_cast<std::size_t>(row) * vocabulary, vocabulary),
              found[next].token, 0);
          if (!same(known.logprob, found[next].logprob)) wrong = "another prompt logprob";
        }
        return {};
      });
  return ran ? wrong : ran.error().message;
}

ServedResult Served::run(std::uint64_t seed, std::int64_t requests,
                         const PrefixStoreOptions* store) {
  Draws draw(seed, 1);
  EngineOptions options;
  options.context = draw.roll(40, 260);
  options.sequences = draw.roll(1, 9);
  options.step_tokens = draw.chance(50) ? draw.roll(1, 40) : 512;
  options.queue = requests;
  options.kv_tokens = draw.chance(60) ? 1 : options.context * draw.roll(1, 6);
  options.draft_tokens = draw.chance(70) ? draw.roll(1, 6) : 0;
  options.picture_cache_mib = draw.roll(0, 1);
  options.prefix_cache = !draw.chance(15);
  auto stepper =
      Stepper::create(loaded_->model(), *tokenizer_, pool_, options, DType::bf16, store).value();

  std::vector<Case> cases;
  for (std::int64_t i = 0; i < requests; ++i) {
    const auto number = static_cast<std::uint64_t>(i);
    cases.push_back(make_case(seed, number, options.context));
    cases.back().request.adapters = some_adapters(seed, number);
  }
  // Each shared between the stepper and this function.
  std::vector<std::shared_ptr<Recorder>> heard(cases.size());
  ServedResult result;
  bool more = true;
  for (std::int64_t step = 0; more || !stepper->idle(); ++step) {
    more = false;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      more = more || cases[i].comes > step;
      if (cases[i].comes == step) {
        heard[i] = std::make_shared<Recorder>();  // shared, as above
        stepper->add(i + 1, cases[i].request, stepper->check(cases[i].request).value(), heard[i],
                     Request::Clock::now());
      }
      if (cases[i].leaves == step) stepper->cancel(i + 1);
    }
    stepper->step(Request::Clock::now());
  }
  for (std::size_t i = 0; i < cases.size() && result.wrong.empty(); ++i) {
    const std::string wrong =
        compare(cases[i].request, options.context, cases[i].leaves >= 0, *heard[i]);
    if (!wrong.empty()) result.wrong = fmt::format("request {}: {}", i + 1, wrong);
    ++result.answers;
    if (cases[i].request.adapters) ++result.adapted;
    if (*heard[i]->answer) result.forced += (*heard[i]->answer)->forced_tokens;
    result.cancelled +=
        *heard[i]->answer && (*heard[i]->answer)->finish_reason == FinishReason::cancelled;
  }
  result.state = stepper->state();
  stepper->scheduler().cache().check();
  result.pages_lost = result.state.pages - result.state.pages_free - result.state.pages_cached +
                      result.state.local_pages - result.state.local_pages_free -
                      result.state.local_pages_cached;
  return result;
}

}  // namespace herd::engine
