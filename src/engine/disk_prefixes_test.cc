// Prefixes that outlive the engine: what a prompt left on disk is found again, by its tenant alone, and changes no
// answer.
#include "engine/disk_prefixes.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/bundle.h"
#include "engine/stepper.h"
#include "engine/testing/served.h"
#include "llama4/load.h"

namespace herd::engine {
namespace {

class Directory {
 public:
  Directory() {
    std::string name = testing::TempDir() + "prefixesXXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] std::vector<fs::path> files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(path_))
      if (entry.path().extension() == ".kv") files.push_back(entry.path());
    return files;
  }

 private:
  fs::path path_;
};

class Heard : public Listener {
 public:
  void token(const TokenEvent&) override {}
  void finished(Result<Answer> given) override { answer = std::move(given); }
  std::optional<Result<Answer>> answer;
};

class DiskPrefixesOnCria : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path path = fs::path(HERD_ROOT) / "models/cria";
    loaded = llama4::load(path).value();
    bundle.emplace(Bundle::open(path, loaded->config()).value());
    std::string text;
    while (bundle->raw_prompt(text).tokens.size() < 400) text += "The red fox has 7 cups. ";
    prompt = bundle->raw_prompt(text);
  }

  std::unique_ptr<Stepper> stepper(const PrefixStoreOptions& kept) {
    return Stepper::create(loaded->model(), bundle->tokenizer, pool,
                           {.context = 512, .sequences = 4, .kv_tokens = 2048}, DType::bf16, &kept)
        .value();
  }

  // The answer to the prompt from an engine that begins now and ends when all is on disk.
  Answer ask(const PrefixStoreOptions& kept, std::string_view tenant = "anna") {
    const auto fresh = stepper(kept);
    Answer answer = ask(*fresh, tenant);
    state = fresh->state();
    return answer;
  }
  Answer ask(Stepper& running, std::string_view tenant) {
    Request request;
    request.prompt = prompt;
    request.options.max_tokens = 8;
    request.tenant = tenant;
    const auto heard = std::make_shared<Heard>();  // shared with the stepper
    running.add(1, request, running.check(request).value(), heard, Request::Clock::now());
    while (!running.idle()) running.step(Request::Clock::now());
    running.scheduler().cache().check();
    const EngineState left = running.state();
    EXPECT_EQ(left.pages_free + left.pages_cached, left.pages) << "a page without an owner";
    return heard->answer->value();
  }

  ThreadPool pool{2};
  std::unique_ptr<llama4::Loaded> loaded;
  std::optional<Bundle> bundle;
  Prompt prompt;
  EngineState state;
  Directory directory;
  PrefixStoreOptions store{.directory = directory.path(), .bytes_max = 1 << 30, .identity = "one"};
};

TEST_F(DiskPrefixesOnCria, APromptIsReadOnceInTheLifeOfItsDirectory) {
  const Answer first = ask(store);
  EXPECT_EQ(first.reused_tokens, 0);
  // Three chunks of 128 are whole, two pages of 64 in each.
  EXPECT_EQ(directory.files().size(), 6u);
  const Answer second = ask(store);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.reused_tokens, 384);
  EXPECT_EQ(state.restored_tokens, 384u);
  EXPECT_EQ(state.disk.pages_written, 0u) << "it is there already";
  EXPECT_EQ(fs::status(directory.path()).permissions() & fs::perms::all, fs::perms::owner_all);
}

TEST_F(DiskPrefixesOnCria, TenantsModelsAndSecretsDoNotMeet) {
  const Answer first = ask(store, "anna");
  EXPECT_EQ(ask(store, "ben").reused_tokens, 0);
  PrefixStoreOptions other = store;
  other.identity = "two";
  EXPECT_EQ(ask(other, "anna").reused_tokens, 0);
  fs::remove(directory.path() / "secret");
  const Answer forgotten = ask(store, "anna");
  EXPECT_EQ(forgotten.reused_tokens, 0);
  EXPECT_EQ(forgotten.tokens, first.tokens);
}

TEST_F(DiskPrefixesOnCria, ADamagedFileIsRemovedAndReadAnew) {
  const Answer first = ask(store);
  for (const fs::path& file : directory.files()) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(-1, std::ios::end);
    stream.put('\x55');
  }
  const Answer second = ask(store);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.reused_tokens, 0);
  EXPECT_EQ(state.disk.pages_damaged, 1u) << "the first: nothing can follow it";
  // Each run finds the next damaged page and mends it.
  int runs = 0;
  while (ask(store).reused_tokens < 384 && runs < 6) ++runs;
  EXPECT_EQ(runs, 5);
}

TEST_F(DiskPrefixesOnCria, GrowsNoFurtherThanItMay) {
  ask(store);
  const std::uint64_t all = fs::file_size(directory.files().front());
  Directory small;
  store.directory = small.path();
  store.bytes_max = 4 * all;
  ask(store);
  EXPECT_EQ(small.files().size(), 4u);
  EXPECT_EQ(state.disk.bytes, 4 * all);
  store.bytes_max = all - 1;
  ask(store);
  EXPECT_LE(small.files().size(), 4u);
}

TEST_F(DiskPrefixesOnCria, WhatCannotBeWrittenOrReadIsNoReasonToFail) {
  const Answer first = ask(store);
  const auto running = stepper(store);
  for (const auto& entry : fs::directory_iterator(directory.path())) fs::remove_all(entry.path());
  const Answer second = ask(*running, "anna");
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.reused_tokens, 0);

  ASSERT_TRUE(write_file(directory.path() / "secret", std::string_view("no secret")));
  const auto refused = PrefixStore::open(store, 64);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::bad_magic);
}

TEST_F(DiskPrefixesOnCria, ARequestThatIsGivenUpWhileItsPrefixIsReadLeavesNothingBehind) {
  ask(store);
  const auto running = stepper(store);
  Request request;
  request.prompt = prompt;
  request.tenant = "anna";
  request.options.max_tokens = 8;
  const auto heard = std::make_shared<Heard>();  // shared with the stepper
  running->add(7, request, running->check(request).value(), heard, Request::Clock::now());
  EXPECT_EQ(running->state().waiting, 1);
  running->cancel(7);
  EXPECT_TRUE(running->idle());
  EXPECT_EQ(heard->answer->value().finish_reason, FinishReason::cancelled);
  running->step(Request::Clock::now());
  EXPECT_EQ(running->state().pages, running->state().pages_free);
}

// Random load on engines one after the other, all on one directory.
TEST(DiskPrefixes, NoAnswerChangesWhateverTheDiskHolds) {
  Served served(HERD_ROOT, "cria");
  const Directory directory;
  std::uint64_t restored = 0;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const PrefixStoreOptions store{
        .directory = directory.path(), .bytes_max = 4 << 20, .identity = "one"};
    const ServedResult result = served.run(seed / 2, 20, &store);
    EXPECT_EQ(result.wrong, "") << "run " << seed;
    EXPECT_EQ(result.pages_lost, 0) << "run " << seed;
    restored += result.state.restored_tokens;
  }
  EXPECT_GT(restored, 100u);
}

// Somebody's files are not ours to close to others.
TEST(PrefixDirectory, IsEmptyOrOnesOwn) {
  const Directory directory;
  const auto opened = [&] {
    return PrefixStore::open({.directory = directory.path(), .bytes_max = 1 << 20, .identity = "x"},
                             4096)
        .has_value();
  };
  EXPECT_TRUE(opened());
  EXPECT_TRUE(opened());
  const auto others = fs::perms::group_all | fs::perms::others_all;
  EXPECT_EQ(fs::status(directory.path() / "secret").permissions() & others, fs::perms::none);
  fs::remove(directory.path() / "secret");
  ASSERT_TRUE(write_file(directory.path() / "notes.txt", std::string_view("mine")));
  fs::permissions(directory.path(), fs::perms::owner_all | fs::perms::others_read);
  EXPECT_FALSE(opened());
  EXPECT_NE(fs::status(directory.path()).permissions() & fs::perms::others_read, fs::perms::none);
}

}  // namespace
}  // namespace herd::engine
