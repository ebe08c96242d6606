// What every command promises (docs/cli.md), command by command from the table itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command.h"
#include "cli/testing/run_herd.h"
#include "llama4/config_json.h"
#include "llama4/presets.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Program, ListsItsCommands) {
  const Ran ran = run_herd({"--help"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.err, "");
  for (const Command& command : commands()) {
    EXPECT_THAT(ran.out, HasSubstr(fmt::format("  {} ", command.name)));
    EXPECT_THAT(ran.out, HasSubstr(command.sentence));
  }
}

TEST(Program, ExplainsEveryCommandWithAnExample) {
  ASSERT_GE(commands().size(), 5u);
  for (const Command& command : commands()) {
    SCOPED_TRACE(command.name);
    const Ran ran = run_herd({std::string(command.name), "--help"});
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.err, "");
    EXPECT_THAT(ran.out, HasSubstr(fmt::format("Usage: herd {}", command.name)));
    const std::size_t example = ran.out.find("\nExample:\n  ");
    ASSERT_NE(example, std::string::npos) << ran.out;
    EXPECT_THAT(ran.out.substr(example), HasSubstr(fmt::format("herd {} ", command.name)));
  }
}

TEST(Program, NamesTheNearestFlagOfEveryCommand) {
  constexpr std::string_view hint = "unknown flag '--hepl'\nhint: did you mean '--help'?";
  for (const Command& command : commands()) {
    // With as many words as the command takes: too few or too many are mistakes of their own.
    std::vector<std::string> line{std::string(command.name), "--hepl"};
    const char* word = command.name == "keys" ? "list" : "x";  // keys knows its first word
    bool named = false;
    for (int words = 0; words < 4 && !named; ++words, line.insert(line.begin() + 1, word)) {
      const Ran ran = run_herd(line);
      EXPECT_EQ(ran.status, 2) << command.name;
      EXPECT_EQ(ran.out, "") << command.name;
      named = ran.err.find(hint) != std::string::npos;
    }
    EXPECT_TRUE(named) << command.name;
  }
}

TEST(Program, NamesTheNearestCommand) {
  const Ran ran = run_herd({"inspct", "models/cria"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err,
            "herd: error[E2000]: unknown command 'inspct'\nhint: did you mean 'inspect'?\n");
  EXPECT_EQ(run_herd({"zzzzzzzz"}).status, 2);
  EXPECT_EQ(run_herd({}).status, 2);
}

// docs/cli.md quotes every command's --help.
TEST(Program, IsDocumented) {
  const auto document = read_file(fs::path(HERD_ROOT) / "docs/cli.md", 1 << 20);
  ASSERT_TRUE(document.has_value());
  std::vector<std::string> lines{"--help"};
  for (const Command& command : commands()) lines.push_back(fmt::format("{} --help", command.name));
  for (const std::string& line : lines) {
    const std::string begin = fmt::format("```console\n$ herd {}\n", line);
    const std::size_t at = document->find(begin);
    ASSERT_NE(at, std::string::npos) << "docs/cli.md has no block for herd " << line;
    const std::size_t end = document->find("```", at + begin.size());
    const std::string quoted = document->substr(at + begin.size(), end - at - begin.size());
    const std::size_t space = line.find(' ');
    const Ran ran = space == std::string::npos
                        ? run_herd({line})
                        : run_herd({line.substr(0, space), line.substr(space + 1)});
    std::string said = ran.out;
    while (said.ends_with('\n')) said.pop_back();
    EXPECT_EQ(quoted, said + "\n") << "run tools/make_cli_docs.py build/herd";
  }
}

TEST(Program, SaysItsVersion) {
  const Ran ran = run_herd({"--version"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.out, StartsWith("herd "));
}

std::vector<std::string> logits_with(const std::string& flag, const std::string& value) {
  const TemporaryDirectory scratch;
  return {"logits", "models/cria", "--tokens", "1", "--out", scratch / "x.npy", flag, value};
}

TEST(Program, RefusesValuesOutOfRangeWithStatusTwo) {
  for (const char* value : {"abc", "-1", "1000000000000", "1e3", "", "0x10", "1 "}) {
    const Ran ran = run_herd(logits_with("--ctx", value));
    EXPECT_EQ(ran.status, 2) << value;
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr("--ctx is '")) << value;
    EXPECT_THAT(ran.err, HasSubstr("wanted 0 to 1073741824")) << value;
  }
  EXPECT_THAT(run_herd(logits_with("--precision", "f23")).err, HasSubstr("did you mean 'f32'?"));
  EXPECT_EQ(run_herd(logits_with("--threads", "-2")).status, 2);
  EXPECT_EQ(run_herd({"logits"}).status, 2);  // no model
  EXPECT_EQ(run_herd({"synth", "x"}).status, 2);
  EXPECT_EQ(run_herd({"synth", "x", "--like", "behemoth"}).status, 2);
}

TEST(Program, TellsCausesApartByStatus) {
  const TemporaryDirectory scratch;
  // 66: what was named is not there.
  EXPECT_EQ(run_herd({"inspect", scratch / "nothing"}).status, 66);
  EXPECT_EQ(run_herd({"inspect", scratch.path()}).status, 66);
  EXPECT_EQ(run_herd({"preprocess", "models/cria", scratch / "no.png", "--out", "x"}).status, 66);

  // 65: it is there and not right.
  const fs::path broken = scratch / "broken";
  fs::create_directory(broken);
  fs::copy(fs::path(test_model("onelayer")) / "config.json", broken / "config.json");
  ASSERT_TRUE(write_file(broken / "model.safetensors", std::string_view("12345")).has_value());
  const Ran bad = run_herd({"inspect", broken, "--json"});
  EXPECT_EQ(bad.status, 65);
  EXPECT_EQ(bad.out, "");
  EXPECT_THAT(bad.err, StartsWith("herd: error[E1101]: model.safetensors: "));

  // 69: right, and more than the machine has; a thousand million tokens of Scout's are 50 TB.
  const fs::path scout = scratch / "scout";
  fs::create_directory(scout);
  ASSERT_TRUE(write_file(scout / "config.json",
                         std::string_view(json::serialize(
                             llama4::config_to_hugging_face(llama4::preset("scout")))))
                  .has_value());
  const Ran large = run_herd(
      {"logits", scout, "--tokens", "1", "--ctx", "1000000000", "--out", scratch / "x.npy"});
  EXPECT_EQ(large.status, 69);
  EXPECT_THAT(large.err, HasSubstr("keys and values"));
  EXPECT_THAT(large.err, HasSubstr("nothing was loaded"));

  // 73: the answer has no place.
  EXPECT_EQ(run_herd({"logits", test_model("onelayer"), "--tokens", "1", "--out",
                      scratch / "no/such/place.npy"})
                .status,
            73);
  EXPECT_EQ(run_herd({"synth", "--like", "cria", scratch / "no/such/place"}).status, 73);
}

// A reader that goes away ends the program with an error, not with a signal.
TEST(Program, SurvivesAClosedPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const std::string program = fs::read_symlink("/proc/self/exe").parent_path() / "herd";
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  const std::string model = fs::path(HERD_ROOT) / "models/cria";
  std::vector<std::string> words{program, "inspect", model, "--tensors"};
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  ASSERT_EQ(::posix_spawn(&child, program.c_str(), &files, nullptr, pointers.data(), environ), 0);
  ::posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 74);
}

}  // namespace
}  // namespace herd::cli
