#include "cli/training_run.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "base/file_lock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "cli/dashboard.h"
#include "train/alarms.h"
#include "train/curves.h"
#include "train/event_file.h"
#include "train/report.h"
#include "train/trainer.h"

namespace herd::cli {
namespace {

std::string duration_text(double seconds) {
  const auto minutes = static_cast<std::int64_t>(seconds / 60);
  if (minutes < 1) return fmt::format("{:.0f} s", seconds);
  if (minutes < 60) return fmt::format("{} min", minutes);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

// Speed and loss over the last lines, smoothed, so that the end can be told.
class Printer {
 public:
  Printer(const train::Trainer& trainer, std::int64_t every)
      : total_(trainer.recipe().tokens()), every_(every) {}

  void print(const train::StepReport& report) {
    const double speed = static_cast<double>(report.step_tokens) / report.seconds;
    speed_ = speed_ == 0 ? speed : 0.9 * speed_ + 0.1 * speed;
    loss_ = loss_ == 0 ? report.loss : 0.9 * loss_ + 0.1 * report.loss;
    if (report.skipped)
      fmt::print("step {}: skipped, its gradient of {:.3g} is far from the latest ones\n",
                 report.step, report.gradient);
    if (report.step % every_ == 0 || report.held_out) {
      const double left = std::max(0.0, total_ - static_cast<double>(report.tokens)) / speed_;
      fmt::print(
          "{} step {} · {:.2f} M of {:.2f} M tokens · loss {:.3f}{} · {:.0f} tokens/s · "
          "load {:.1f}{} · {} left\n",
          report.stage, report.step, static_cast<double>(report.tokens) / 1e6, total_ / 1e6, loss_,
          report.held_out ? fmt::format(" (unseen {:.3f})", *report.held_out) : "", speed_,
          report.worst_load,
          report.unused_experts > 0 ? fmt::format(", {} experts unused", report.unused_experts)
                                    : "",
          duration_text(left));
      std::fflush(stdout);
    }
  }

 private:
  double total_;
  std::int64_t every_;
  double speed_ = 0, loss_ = 0;
};

// What learns and what memory that takes, before anything runs.
void print_size(const train::Trainer& trainer, int threads) {
  const std::int64_t count = trainer.learner().parameters().count();
  fmt::print("{:.2f} M parameters{}, {} for weights, gradients and moments · {} threads\n",
             static_cast<double>(count) / 1e6,
             trainer.recipe().adapter ? " of adapters beside the model's frozen ones" : "",
             human_bytes(static_cast<std::uint64_t>(count) * 4 * sizeof(float)), threads);
  std::fflush(stdout);
}

// On the terminal, and in a file that the report repeats.
Result<void> note_alarm(const fs::path& path, const std::string& alarm) {
  fmt::print(stderr, "alarm: {}\n", alarm);
  std::ofstream file(path, std::ios::app);
  file << alarm << '\n';
  file.flush();
  if (!file) return fail(Code::io_failed, "{}: cannot be written", path.string());
  return {};
}

// The directories that have to be made for `path`, itself first: a training that cannot begin leaves none behind.
std::vector<fs::path> missing_of(fs::path path) {
  std::vector<fs::path> missing;
  for (path = fs::absolute(path).lexically_normal(); !fs::exists(path) && path.has_relative_path();
       path = path.parent_path())
    missing.push_back(path);
  return missing;
}

Result<void> check_allowed(std::span<const std::string> words) {
  for (const std::string& word : words)
    if (std::ranges::find(train::things_of_training, word) == train::things_of_training.end())
      return fail_with_hint(
          Code::usage, fmt::format("--allow-changed {}: no such thing", shown(word)),
          fmt::format("wanted one of {}", fmt::join(train::things_of_training, ", ")));
  return {};
}

}  // namespace

Result<int> run_training(train::Recipe recipe, const RunOptions& options) {
  HERD_TRY_VOID(check_allowed(options.allow_changed));
  const fs::path out = options.out;
  std::error_code error;
  const std::vector<fs::path> made = missing_of(out);
  fs::create_directories(out, error);
  if (error) return fail(Code::cannot_create, "{}: {}", out.string(), error.message());
  HERD_TRY(const FileLock lock, FileLock::take(out / "lock", std::chrono::milliseconds(0),
                                               "another training writes to this directory"));
  ThreadPool pool(static_cast<int>(options.threads));
  std::vector<std::string> notes;
  auto created = train::Trainer::create(std::move(recipe), out, pool, options.allow_changed, notes);
  if (!created) {
    if (!made.empty()) fs::remove(out / "lock", error);
    for (const fs::path& each : made) fs::remove(each, error);  // where it is empty
    return std::unexpected(std::move(created).error());
  }
  const std::unique_ptr<train::Trainer> trainer = std::move(*created);
  for (const std::string& note : notes) fmt::print(stderr, "note: {}\n", note);
  if (trainer->has_ended() && trainer->recipe_has_changed())
    return fail_with_hint(
        Code::resume_mismatch,
        fmt::format("{}: this training has ended, and a stage that has ended is not made longer",
                    out.string()),
        "add a stage behind the last one, or begin another training with this model as start");
  print_size(*trainer, pool.threads());
  HERD_TRY(auto curves, train::Curves::open(out / "curves.csv", trainer->state().step));
  HERD_TRY(auto events, train::EventFile::open(out, trainer->state().step));
  std::unique_ptr<Dashboard> dashboard;
  if (options.dashboard) {
    HERD_TRY(dashboard, Dashboard::start(static_cast<std::uint16_t>(options.dashboard_port),
                                         out / "curves.csv", trainer->recipe().tokens()));
    fmt::print("curves: http://127.0.0.1:{}/\n", dashboard->port());
    std::fflush(stdout);
  }
  if (trainer->has_ended())
    fmt::print("nothing is left to learn: the training ended at step {}\n", trainer->state().step);
  Printer printer(*trainer, options.print_steps);
  train::Alarms alarms;
  Result<void> written;
  const Interrupt interrupt(Interrupt::Hears::ctrl_c_and_termination);
  HERD_TRY_VOID(trainer->run(
      [&](const train::StepReport& report) {
        printer.print(report);
        for (const std::string& alarm : alarms.see(report))
          if (auto noted = note_alarm(out / "alarms.txt", alarm); !noted)
            written = std::move(noted);
        if (dashboard) dashboard->add(report);
        if (auto added = curves.add(report); !added) written = std::move(added);
        if (auto added = events.add(report); !added) written = std::move(added);
      },
      interrupt.token()));
  if (!written) return std::unexpected(written.error());
  if (interrupt.requested()) {
    fmt::print("stopped at step {} after {}; the same command goes on from there\n",
               trainer->state().step, duration_text(trainer->state().seconds));
    return 0;
  }
  const fs::path result = out / (trainer->recipe().adapter ? "adapter" : "model");
  HERD_TRY_VOID(trainer->write(options.type == "f32" ? DType::f32 : DType::bf16, result));
  HERD_TRY_VOID(train::write_report(*trainer, out / "curves.csv", result / "REPORT.md"));
  fmt::print("{} tokens in {}; the {} is in {}\n", trainer->state().tokens,
             duration_text(trainer->state().seconds),
             trainer->recipe().adapter ? "adapter" : "model", result.string());
  return 0;
}

}  // namespace herd::cli
