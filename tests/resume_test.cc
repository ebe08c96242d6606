// A training that is killed at random moments and taken up again ends with the same bits as one that was left alone, at
// any number of threads.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "base/rng.h"
#include "cli/testing/run_herd.h"
#include "llama4/config_json.h"
#include "llama4/load.h"
#include "train/trainer.h"

namespace herd {
namespace {

// A directory with cria's tokenizer, a model of two small layers (one of experts), and a recipe of `steps` steps that
// saves after each.
void write_training(const fs::path& directory, int steps) {
  const fs::path cria = fs::path(HERD_ROOT) / "models/cria";
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "preprocessor_config.json",
                           "chat_template.jinja"})
    if (fs::exists(cria / name)) fs::copy_file(cria / name, directory / name);
  llama4::Config config = llama4::read_config(cria).value();
  llama4::TextConfig& text = config.text;
  text.width = 32;
  text.layers = 2;
  text.heads = 2;
  text.key_value_heads = 1;
  text.head_size = 16;
  text.expert_width = 32;
  text.dense_width = 64;
  text.experts = 4;
  text.is_moe = {false, true};
  text.rotates = {true, false};
  text.chunk = 64;
  const std::string written = json::serialize(llama4::config_to_hugging_face(config));
  ASSERT_TRUE(write_file(directory / "config.json", std::string_view(written)));
  const std::string recipe = fmt::format(
      "checkpoint_minutes = 0\nheld_out_tokens = 0\npiece_tokens = 256\nseed = 3\n"
      "[balance]\nbias_rate = 0.01\n"
      "[[stage]]\ntokens = {}\nstep_tokens = 400\nwarmup_tokens = 1000\nrate_end = 0.1\n"
      "[[stage.source]]\ntasks = [\"story_questions\", \"shapes\"]\nitems_max = 3\n"
      "[[stage.source]]\nshare = 0.5\nworld = \"sft\"\n",
      steps * 500);
  ASSERT_TRUE(write_file(directory / "recipe.toml", std::string_view(recipe)));
}

pid_t spawn(const fs::path& directory, std::vector<std::string> words) {
  const std::string program = fs::read_symlink("/proc/self/exe").parent_path() / "herd";
  words.insert(words.begin(), program);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, (directory / "stderr").c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, program.c_str(), &files, nullptr, pointers.data(), environ), 0);
  ::posix_spawn_file_actions_destroy(&files);
  return child;
}

pid_t start(const fs::path& directory, const std::string& out, int threads) {
  return spawn(directory, {"train", directory / "recipe.toml", "--out", directory / out,
                           "--threads", std::to_string(threads)});
}

// Waits for a child that is to be left alone; true when it ended well.
bool ends_well(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The name of the newest thing in a folder of checkpoints, half-written ones included; empty when there is none.
std::string newest(const fs::path& checkpoints) {
  std::string name;
  std::error_code gone;  // the child writes and removes while we look
  for (fs::directory_iterator entry(checkpoints, gone), end; !gone && entry != end;
       entry.increment(gone))
    name = std::max(name, entry->path().filename().string());
  return name;
}

// Kills the child after it has begun `saves` more checkpoints and then `delay` longer. By what it does and not by the
// clock, so that a faster machine kills as often. False when the child ended well before that.
bool killed_after(pid_t child, const fs::path& checkpoints, int saves,
                  std::chrono::microseconds delay) {
  std::string seen = newest(checkpoints);
  int status = 0;
  for (int begun = 0; begun < saves;) {
    if (::waitpid(child, &status, WNOHANG) == child) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
      return false;
    }
    const std::string now = newest(checkpoints);
    if (now > seen) ++begun;
    seen = std::max(seen, now);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  std::this_thread::sleep_for(delay);
  ::kill(child, SIGKILL);
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status);
}

// Kills what `start` starts `kills` times, between its first breath and a few checkpoints on, then lets it end.
template <typename Start>
int kill_often(int kills, const fs::path& checkpoints, Start&& start) {
  int killed = 0;
  for (std::uint64_t run = 0; killed < kills; ++run) {
    const std::chrono::microseconds delay(static_cast<int>(20'000 * uniform(5, run)));
    if (!killed_after(start(1 + static_cast<int>(run % 3)), checkpoints, static_cast<int>(run % 3),
                      delay))
      return killed;
    ++killed;
  }
  EXPECT_TRUE(ends_well(start(2)));
  return killed;
}

class Resume : public ::testing::TestWithParam<int> {};

TEST_P(Resume, KilledTrainingsEndWithTheSameBits) {
  const int kills = GetParam();
  const cli::TemporaryDirectory directory;
  write_training(directory.path(), 12 + 2 * kills);
  ASSERT_TRUE(ends_well(start(directory.path(), "whole", 1)));
  const int killed = kill_often(kills, directory / "killed" / "checkpoints", [&](int threads) {
    return start(directory.path(), "killed", threads);
  });
  EXPECT_EQ(killed, kills) << "the training was over before it could be killed often";
  const auto bytes = [&](const char* out) {
    return read_file(directory / out / "model" / "model.safetensors", 1 << 30).value();
  };
  EXPECT_TRUE(bytes("whole") == bytes("killed")) << "after " << killed << " kills";
  RecordProperty("kills", killed);
}

INSTANTIATE_TEST_SUITE_P(Quick, Resume, ::testing::Values(8));
INSTANTIATE_TEST_SUITE_P(Slow, Resume, ::testing::Values(200));

// The same for adapters beside a model that stays as it is.
TEST(Resume, AKilledFinetuningEndsWithTheSameBits) {
  const cli::TemporaryDirectory directory;
  std::string lines;
  for (int i = 0; i < 12; ++i)
    lines += fmt::format(R"({{"messages": [{{"role": "user", "content": "{}?"}}, )"
                         R"({{"role": "assistant", "content": "{}!"}}]}})"
                         "\n",
                         i, 2 * i);
  ASSERT_TRUE(write_file(directory / "data.jsonl", std::string_view(lines)));
  const auto finetune = [&](const char* out, int threads) {
    return spawn(directory.path(),
                 {"finetune", HERD_ROOT "/models/cria", directory / "data.jsonl", "--out",
                  directory / out, "--rank", "2", "--steps", "25", "--batch-tokens", "60",
                  "--checkpoint-minutes", "0", "--threads", std::to_string(threads)});
  };
  ASSERT_TRUE(ends_well(finetune("whole", 2)));
  const int killed = kill_often(6, directory / "killed" / "checkpoints",
                                [&](int threads) { return finetune("killed", threads); });
  EXPECT_EQ(killed, 6) << "the training was over before it could be killed often";
  const auto bytes = [&](const char* out) {
    return read_file(directory / out / "adapter" / "adapter_model.safetensors", 1 << 30).value();
  };
  EXPECT_TRUE(bytes("whole") == bytes("killed")) << "after " << killed << " kills";
}

// What a machine that goes down sends: the training saves and ends well. Nobody else writes there meanwhile.
TEST(Resume, SigtermSavesAndOneTrainingWritesAtATime) {
  const cli::TemporaryDirectory directory;
  write_training(directory.path(), 100'000);
  const pid_t child = start(directory.path(), "out", 1);
  const fs::path checkpoints = directory / "out" / "checkpoints";
  for (int i = 0; i < 6000 && newest(checkpoints).empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const cli::Ran second =
      cli::run_herd({"train", directory / "recipe.toml", "--out", directory / "out"});
  EXPECT_EQ(second.status, 75);
  EXPECT_NE(second.err.find("another training writes to this directory"), std::string::npos)
      << second.err;
  ::kill(child, SIGTERM);
  EXPECT_TRUE(ends_well(child));
  EXPECT_TRUE(fs::exists(checkpoints / newest(checkpoints) / "state.json"));
}

// A choice of experts that a file cannot hold is not written; at the end there is none any more (the other tests here
// write their models).
TEST(Resume, AModelIsWrittenWithoutItsSelectionBias) {
  const cli::TemporaryDirectory directory;
  write_training(directory.path(), 100'000);
  const pid_t child = start(directory.path(), "out", 1);
  const fs::path checkpoints = directory / "out" / "checkpoints";
  for (int i = 0; i < 6000 && newest(checkpoints) < "step-00000003"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(child, SIGTERM);
  EXPECT_TRUE(ends_well(child));
  const cli::Ran refused = cli::run_herd({"export", directory / "recipe.toml", "--training",
                                          directory / "out", "--out", directory / "model"});
  EXPECT_EQ(refused.status, 77);
  EXPECT_NE(refused.err.find("the bias of the choice of experts is still up to 0.0"),
            std::string::npos)
      << refused.err;
  EXPECT_FALSE(fs::exists(directory / "model" / "model.safetensors"));
}

TEST(Resume, ADamagedCheckpointIsSkippedAndNamed) {
  const cli::TemporaryDirectory directory;
  write_training(directory.path(), 4);
  const std::vector<std::string> command{"train", directory / "recipe.toml", "--out",
                                         directory / "out"};
  ASSERT_EQ(cli::run_herd(command).status, 0);
  std::vector<fs::path> steps;
  for (const auto& entry : fs::directory_iterator(directory / "out" / "checkpoints"))
    steps.push_back(entry.path());
  std::ranges::sort(steps);
  ASSERT_EQ(steps.size(), 2u);
  std::string rows = read_file(steps[1] / "rows.safetensors", 1 << 30).value();
  rows.back() = static_cast<char>(rows.back() ^ 1);
  ASSERT_TRUE(write_file(steps[1] / "rows.safetensors", std::string_view(rows)));
  const cli::Ran again = cli::run_herd(command);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("skipped " + steps[1].string()), std::string::npos) << again.err;

  // A digit of the state itself: still a state, but not what was written.
  steps.clear();
  for (const auto& entry : fs::directory_iterator(directory / "out" / "checkpoints"))
    steps.push_back(entry.path());
  std::ranges::sort(steps);
  std::string state = read_file(steps.back() / "state.json", 1 << 20).value();
  const std::size_t at = state.find("\"skipped\":0");
  ASSERT_NE(at, std::string::npos);
  state[at + 10] = '1';
  ASSERT_TRUE(write_file(steps.back() / "state.json", std::string_view(state)));
  const cli::Ran third = cli::run_herd(command);
  EXPECT_EQ(third.status, 0) << third.err;
  EXPECT_NE(third.err.find("the checksum of state.json is not"), std::string::npos) << third.err;

  for (const fs::path& step : steps) fs::remove(step / "state.json");
  const cli::Ran none = cli::run_herd(command);
  EXPECT_EQ(none.status, 65);
  EXPECT_NE(none.err.find("E3006"), std::string::npos) << none.err;
}

TEST(Resume, ThreeStepsThatAreNoNumbersEndTheTraining) {
  const cli::TemporaryDirectory directory;
  write_training(directory.path(), 9);
  ThreadPool pool(2);
  std::vector<std::string> notes;
  const auto trainer = train::Trainer::create(train::read_recipe(directory / "recipe.toml").value(),
                                              directory / "out", pool, {}, notes)
                           .value();
  std::int64_t steps = 0;
  const auto run = trainer->run(
      [&](const train::StepReport& report) {
        ++steps;
        EXPECT_EQ(report.skipped, report.step > 2);
        if (report.step == 2)  // from here on nothing is a number
          std::ranges::fill(trainer->learner().parameters().weights(),
                            std::numeric_limits<float>::quiet_NaN());
      },
      {});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, Code::training_diverged);
  EXPECT_EQ(steps, 4) << "two good ones, two bad ones, and the third ends it";
  EXPECT_NE(run.error().message.find("3 steps in a row"), std::string::npos) << run.error().message;
}

TEST(Resume, ALengthBeyondTheModelsContextIsRefused) {
  const cli::TemporaryDirectory directory;
  write_training(directory.path(), 2);
  const std::string recipe = read_file(directory / "recipe.toml", 1 << 20).value();
  const std::size_t at = recipe.find("step_tokens");
  ASSERT_TRUE(write_file(directory / "recipe.toml",
                         recipe.substr(0, at) + "length_max = 9999999\n" + recipe.substr(at)));
  const cli::Ran refused =
      cli::run_herd({"train", directory / "recipe.toml", "--out", directory / "out"});
  EXPECT_EQ(refused.status, 65);
  EXPECT_NE(refused.err.find("length_max is 9999999, but the model's context is"),
            std::string::npos)
      << refused.err;
}

TEST(Resume, AnotherRecipeIsRefusedUnlessAllowed) {
  const cli::TemporaryDirectory directory;
  write_training(directory.path(), 2);
  std::vector<std::string> command{"train", directory / "recipe.toml", "--out", directory / "out"};
  ASSERT_EQ(cli::run_herd(command).status, 0);
  const std::string recipe = read_file(directory / "recipe.toml", 1 << 20).value();
  ASSERT_TRUE(write_file(directory / "recipe.toml", std::string_view("# more\n" + recipe)));
  const cli::Ran refused = cli::run_herd(command);
  EXPECT_EQ(refused.status, 65);
  EXPECT_NE(refused.err.find("--allow-changed recipe"), std::string::npos) << refused.err;
  command.insert(command.end(), {"--allow-changed", "recipe"});
  // It has ended: only another stage goes on.
  const cli::Ran ended = cli::run_herd(command);
  EXPECT_EQ(ended.status, 65);
  EXPECT_NE(ended.err.find("not made longer"), std::string::npos) << ended.err;
  const std::string longer = recipe +
                             "[[stage]]\ntokens = 500\nstep_tokens = 400\n"
                             "tasks = [\"recall\"]\nitems_max = 3\n";
  ASSERT_TRUE(write_file(directory / "recipe.toml", std::string_view(longer)));
  const cli::Ran more = cli::run_herd(command);
  EXPECT_EQ(more.status, 0) << more.err;
  EXPECT_EQ(more.out.find("nothing is left"), std::string::npos) << more.out;
}

}  // namespace
}  // namespace herd
