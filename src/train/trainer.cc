#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <numeric>
#include <set>

#include "base/hash.h"
#include "kernels/cpu/bfloat16_product.h"
#include "llama4/adapter.h"
#include "llama4/load.h"
#include "train/data.h"
#include "train/export.h"

namespace herd::train {
namespace {

constexpr std::size_t lengths_kept = 128;
constexpr double outlier_deviations = 8;  // beyond the mean of the latest gradients' lengths
constexpr std::int64_t bad_steps_max = 3;
constexpr std::uint64_t sample_bytes = 1 << 16, samples_per_file = 16;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Name, size and some bytes of a file.
std::string sampled_file(const fs::path& path) {
  const auto file = Mapping::open(path);
  if (!file) return {};
  const std::span bytes = file->bytes();
  std::string text = fmt::format("{} {} ", path.filename().string(), bytes.size());
  for (std::uint64_t i = 0; i < samples_per_file; ++i) {
    const std::span piece = bytes.subspan(i * bytes.size() / samples_per_file);
    const auto* begin = static_cast<const char*>(static_cast<const void*>(piece.data()));
    text.append(begin, std::min<std::size_t>(piece.size(), sample_bytes));
  }
  return text;
}

// Enough to tell one checkpoint from another, at any size.
std::string sampled(const fs::path& model) {
  if (fs::is_regular_file(model)) return sampled_file(model);
  std::set<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(model, error)) {
    const fs::path extension = entry.path().extension();
    if (extension == ".safetensors" || extension == ".pth") files.insert(entry.path());
  }
  std::string all;
  for (const fs::path& file : files) all += sampled_file(file);
  return all;
}

std::vector<const Example*> pointers(const std::vector<Example>& examples) {
  std::vector<const Example*> out;
  for (const Example& example : examples) out.push_back(&example);
  return out;
}

}  // namespace

Result<std::unique_ptr<Trainer>> Trainer::create(Recipe recipe, fs::path out, ThreadPool& pool,
                                                 std::span<const std::string> may_differ,
                                                 std::vector<std::string>& notes) {
  auto trainer = std::make_unique<Trainer>(std::move(recipe), std::move(out));
  HERD_TRY_VOID(trainer->prepare(pool, may_differ, notes));
  return trainer;
}

fs::path Trainer::model_directory() const { return recipe_.directory / recipe_.training.model; }

Result<void> Trainer::prepare(ThreadPool& pool, std::span<const std::string> may_differ,
                              std::vector<std::string>& notes) {
  HERD_TRY(const llama4::Config config, llama4::read_config(model_directory()));
  HERD_TRY(engine::Bundle bundle, engine::Bundle::open(model_directory(), config));
  bundle_ = std::make_unique<engine::Bundle>(std::move(bundle));
  if (bundle_->tokenizer.size() > config.text.vocabulary)
    return fail(Code::config_invalid, "the tokenizer has {} tokens, the model a vocabulary of {}",
                bundle_->tokenizer.size(), config.text.vocabulary);
  for (const Stage& stage : recipe_.stages)
    if (stage.length_max > config.text.context)
      return fail(Code::recipe_invalid,
                  "stage \"{}\": length_max is {}, but the model's context is {}", stage.name,
                  stage.length_max, config.text.context);
  HERD_TRY_VOID(check_data(*bundle_, recipe_, notes));
  HERD_TRY_VOID(make_learner(config, pool));
  if (recipe_.training.bfloat16 && !cpu::has_bfloat16_products())
    notes.push_back("this processor has no products of bfloat16: all is computed in float32");
  state_.made_of = made_of();
  HERD_TRY(std::optional<FoundSnapshot> found,
           load_snapshot(out_, learner_->parameters(), state_.made_of, may_differ));
  if (found) {
    recipe_has_changed_ = found->state.made_of["recipe"] != state_.made_of["recipe"];
    found->state.made_of = std::move(state_.made_of);
    state_ = std::move(found->state);
    optimizer_.set_steps(state_.updates);
    learner_->balance().set_counts(state_.loads);
    selection_bias_->set_values(state_.selection_bias);
    for (const std::string& reason : found->skipped) notes.push_back("skipped " + reason);
    damaged_ = std::move(found->damaged);
    notes.push_back(fmt::format("goes on from step {} ({})", state_.step, found->path.string()));
    return {};
  }
  if (recipe_.adapter) {
    initialize_adapters(learner_->parameters(), recipe_.training.seed);
  } else if (recipe_.training.start.empty()) {
    initialize(learner_->parameters(), config, recipe_.training.seed);
  } else {
    HERD_TRY(const std::unique_ptr<llama4::Loaded> loaded,
             llama4::load_to_learn(recipe_.directory / recipe_.training.start));
    copy_weights(loaded->model(), learner_->parameters());
  }
  return {};
}

Result<void> Trainer::make_learner(const llama4::Config& config, ThreadPool& pool) {
  const LearnerOptions options{.balance = recipe_.balance,
                               .recompute = recipe_.training.recompute,
                               .bfloat16 = recipe_.training.bfloat16};
  if (recipe_.adapter) {
    HERD_TRY(auto base, llama4::load_to_learn(recipe_.directory / recipe_.training.start));
    HERD_TRY_VOID(llama4::shape_adapters(base->model(), *recipe_.adapter));
    learner_ = std::make_unique<Learner>(std::move(base), pool, options);
  } else {
    learner_ = std::make_unique<Learner>(config, pool, options);
  }
  selection_bias_.emplace(SelectionBiasOptions{.rate = recipe_.balance.bias_rate,
                                               .anneal = recipe_.balance.bias_anneal},
                          learner_->model());
  return {};
}

double Trainer::done() const {
  if (has_ended()) return 1;
  return std::min(1.0, static_cast<double>(state_.tokens) / recipe_.tokens());
}

Result<void> Trainer::write(DType dtype, const fs::path& out) {
  llama4::Model& model = learner_->model();
  selection_bias_->apply(done());
  if (const double left = selection_bias_->largest(); left > 0)
    return fail_with_hint(
        Code::refused,
        fmt::format("the bias of the choice of experts is still up to {:.4f}: no other program "
                    "would choose as this model does, {:.0f} % through its training",
                    left, 100 * done()),
        "train to the end, where it is zero");
  if (recipe_.adapter)
    return llama4::save_adapters(model, *recipe_.adapter, recipe_.training.start, out);
  return export_model(model, dtype, model_directory(), out);
}

// What must not change under a training, unless somebody says so: checksums by name.
std::map<std::string, std::string> Trainer::made_of() const {
  const auto sum = [](std::string_view text) { return fmt::format("{:016x}", fnv1a(text)); };
  std::map<std::string, std::string> out{{"recipe", sum(recipe_.text)}};
  for (const char* name : model_files_of_training)
    if (const auto text = read_file(model_directory() / name, 1 << 28)) out[name] = sum(*text);
  if (std::string data = checksum_of_data(recipe_); !data.empty()) out["data"] = std::move(data);
  if (recipe_.adapter) out["weights"] = sum(sampled(recipe_.directory / recipe_.training.start));
  return out;
}

Result<void> Trainer::run(const Report& report, std::stop_token stop) {
  set_aside(damaged_);
  const auto stages = static_cast<std::int64_t>(recipe_.stages.size());
  while (state_.stage < stages && !stop.stop_requested()) {
    const Stage& stage = recipe_.stages[static_cast<std::size_t>(state_.stage)];
    HERD_TRY_VOID(run_stage(stage, report, stop));
    if (stop.stop_requested()) break;
    ++state_.stage;
    state_.stage_tokens = 0;
    state_.next_example = 0;
  }
  return save_snapshot(out_, learner_->parameters(), state_);
}

Result<void> Trainer::run_stage(const Stage& stage, const Report& report, std::stop_token stop) {
  HERD_TRY(const StageData data, open_data(*bundle_, recipe_, stage));
  double saved = now();
  while (static_cast<double>(state_.stage_tokens) < stage.tokens && !stop.stop_requested()) {
    HERD_TRY(StepReport done, one_step(stage, *data.train));
    const bool reports = recipe_.training.held_out_tokens > 0 && data.held_out &&
                         state_.step % recipe_.training.report_steps == 0;
    if (reports) {
      HERD_TRY(done.held_out, held_out_loss(stage, *data.held_out));
    }
    if (report) report(done);
    if (now() - saved < 60 * recipe_.training.checkpoint_minutes) continue;
    HERD_TRY_VOID(save_snapshot(out_, learner_->parameters(), state_));
    saved = now();
  }
  return {};
}

Result<StepReport> Trainer::one_step(const Stage& stage, const Source& source) {
  const double begin = now();
  HERD_TRY(const Step step, pack(source, state_.next_example,
                                 {.step_tokens = stage.step_tokens,
                                  .piece_tokens = recipe_.training.piece_tokens,
                                  .length_max = stage.length_max}));
  learner_->balance().begin_step();
  selection_bias_->apply(done());
  LossSum sum;
  for (const std::vector<Example>& piece : step.pieces) {
    std::int64_t tokens = 0;
    for (const Example& example : piece)
      tokens += static_cast<std::int64_t>(example.prompt.tokens.size());
    const double share = static_cast<double>(tokens) / static_cast<double>(step.tokens);
    sum += learner_->learn(pointers(piece), 1.0 / step.weight, share);
  }
  Context& ctx = learner_->context();
  const Parameters& parameters = learner_->parameters();
  const double length = Optimizer::gradient_length(ctx, parameters);
  const double height = stage.height(static_cast<double>(state_.stage_tokens));
  StepReport report{.stage = stage.name, .loss = sum.mean(), .gradient = length};
  report.skipped = !std::isfinite(sum.loss) || !std::isfinite(length) || is_outlier(length);
  if (report.skipped) {
    std::ranges::fill(parameters.gradients(), 0.0f);
    ++state_.skipped;
    ++state_.bad_in_a_row;
  } else {
    optimizer_.step(ctx, parameters, height, length);
    state_.bad_in_a_row = 0;
  }
  if (state_.bad_in_a_row >= bad_steps_max && !std::isfinite(sum.loss + length))
    return fail(Code::training_diverged,
                "{} steps in a row gave losses or gradients that are no numbers, the last with "
                "examples {} to {}; the latest checkpoint is as it was before",
                state_.bad_in_a_row, state_.next_example, step.next - 1);
  state_.next_example = step.next;
  state_.stage_tokens += step.tokens;
  state_.tokens += step.tokens;
  state_.updates = optimizer_.steps();
  report.step = ++state_.step;
  report.tokens = state_.tokens;
  report.step_tokens = step.tokens;
  report.rate = height * optimizer_.options().rate;
  for (const auto& [layer, load] : learner_->balance().loads()) {
    report.worst_load = std::max(report.worst_load, load.max_over_mean());
    report.unused_experts += load.unused();
    report.loads[layer] = load.count;
  }
  state_.loads = report.loads;
  selection_bias_->learn(report.loads);
  state_.selection_bias = selection_bias_->values();
  report.seconds = now() - begin;
  state_.seconds += report.seconds;
  return report;
}

// A gradient far longer than the latest ones comes from a broken batch more often than from something to learn.
bool Trainer::is_outlier(double length) {
  if (!std::isfinite(length)) return true;
  const auto count = static_cast<double>(state_.lengths.size());
  const double mean =
      std::accumulate(state_.lengths.begin(), state_.lengths.end(), 0.0) / std::max(1.0, count);
  double variance = 0;
  for (const double l : state_.lengths) variance += (l - mean) * (l - mean) / count;
  const bool outlier = state_.lengths.size() == lengths_kept &&
                       state_.bad_in_a_row < bad_steps_max &&
                       length > mean + outlier_deviations * std::sqrt(variance) + 1.0;
  if (outlier) return true;
  state_.lengths.push_back(length);
  if (state_.lengths.size() > lengths_kept) state_.lengths.pop_front();
  return false;
}

Result<double> Trainer::held_out_loss(const Stage& stage, const Source& source) {
  HERD_TRY(const Step step, pack(source, 0,
                                 {.step_tokens = recipe_.training.held_out_tokens,
                                  .piece_tokens = recipe_.training.piece_tokens,
                                  .length_max = stage.length_max}));
  LossSum sum;
  for (const std::vector<Example>& piece : step.pieces) sum += learner_->measure(pointers(piece));
  return sum.mean();
}

}  // namespace herd::train
