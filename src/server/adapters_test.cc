// Adapters that requests name: on models/cria with adapters of random numbers, over real sockets.
#include "server/adapters.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/testing/temporary_directory.h"
#include "engine/generate.h"
#include "llama4/testing/random_adapters.h"
#include "server/testing/served.h"

namespace herd::server {
namespace {

constexpr std::uint64_t plenty = 64ull << 20;

llama4::Model& model() { return Loaded::cria().model->model(); }

class AdaptersServed : public testing::Test {
 protected:
  // As new files that take the old ones' place, so that nobody reads half of them.
  void write(const std::string& name, std::uint64_t seed) {
    const TemporaryDirectory made;
    static const auto another = llama4::load(fs::path(HERD_ROOT) / "models/cria").value();
    llama4::write_random_adapters(another->model(),
                                  {.rank = 4, .alpha = 16, .targets = {"attention", "shared"}},
                                  seed, made.path());
    fs::create_directories(directory / name);
    for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
      fs::rename(made / file, directory / name / file);
  }
  // How a story goes on, greedily.
  [[nodiscard]] std::string answer(const Served& served, const std::string& name) const {
    const Received got =
        served.post("/v1/completions",
                    {{"model", name}, {"prompt", begun}, {"temperature", 0}, {"max_tokens", 24}});
    EXPECT_EQ(got.status, 200) << got.body;
    return text_at(parsed(got), "choices.0.text");
  }
  // The same by a model that was opened with these adapters.
  [[nodiscard]] std::string opened_with(const std::string& name) const {
    const auto own = llama4::load(fs::path(HERD_ROOT) / "models/cria").value();
    const auto adapters = llama4::load_adapters(own->model(), directory / name).value();
    Loaded& cria = Loaded::cria();
    Context ctx(cpu_kernels(), cria.pool);
    auto session = engine::Session::create(own->model(), ctx, {.context = 2048}).value();
    engine::GenerateOptions options;
    options.max_tokens = 24;
    options.sampling.temperature = 0;
    const text::Tokenizer& tokenizer = cria.bundle->tokenizer;
    return engine::generate(session, tokenizer, cria.bundle->raw_prompt(begun), options)
        .value()
        .text;
  }

  static constexpr const char* begun = "Once upon a time";
  TemporaryDirectory directory;
};

TEST_F(AdaptersServed, AnswerWhoNamesThemAndNobodyElse) {
  write("one", 1);
  write("two", 2);
  Adapters adapters(model(), {directory.path(), plenty});
  const Served served({.context = 2048}, nullptr, {}, {}, &adapters);
  const Served plain;
  const std::string own = answer(plain, "cria");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(answer(served, "cria"), own);
    EXPECT_EQ(answer(served, "one"), opened_with("one"));
    EXPECT_EQ(answer(served, "two"), opened_with("two"));
  }
  EXPECT_NE(answer(served, "one"), own);
  EXPECT_NE(answer(served, "one"), answer(served, "two"));
  EXPECT_EQ(adapters.state().loads, 2u);
  EXPECT_EQ(plain.post("/v1/chat/completions", chat({{"model", "one"}})).status, 404);
}

TEST_F(AdaptersServed, AreNamedByEverySurface) {
  write("one", 1);
  Adapters adapters(model(), {directory.path(), plenty});
  const Served served({.context = 2048}, nullptr, {}, {}, &adapters);
  const auto list = list_at(parsed(served.ask("GET", "/v1/models")), "data");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(text_at(list[0], "id"), "cria");
  EXPECT_EQ(text_at(list[1], "id"), "one");
  EXPECT_EQ(text_at(list[1], "parent"), "cria");
  EXPECT_EQ(text_at(parsed(served.ask("GET", "/v1/models/one")), "id"), "one");
  EXPECT_EQ(served.ask("GET", "/v1/models/two").status, 404);

  const json::value said = parsed(served.post("/v1/chat/completions", chat({{"model", "one"}})));
  EXPECT_EQ(text_at(said, "model"), "one");
  EXPECT_TRUE(text_at(said, "system_fingerprint").starts_with("fp_test-"));
  const auto events = events_of(
      served.post("/v1/chat/completions", chat({{"model", "one"}, {"stream", true}})).body);
  EXPECT_EQ(text_at(events.front().value(), "model"), "one");
  const json::object messages = chat({{"model", "one"}});
  EXPECT_EQ(text_at(parsed(served.post("/v1/messages", messages)), "model"), "one");
  const json::object plain{{"model", "one"}, {"prompt", "Once"}, {"temperature", 0}};
  EXPECT_EQ(text_at(parsed(served.post("/v1/completions", plain)), "model"), "one");
  json::array vectors;
  for (const char* name : {"cria", "one"}) {
    const json::object text{{"model", name}, {"input", "Once"}};
    const json::value got = parsed(served.post("/v1/embeddings", text));
    EXPECT_EQ(text_at(got, "model"), name);
    vectors.push_back(at(got, "data.0.embedding"));
  }
  EXPECT_NE(vectors[0], vectors[1]);
}

// Files that came, changed and went while the server ran; answers in progress keep what they began with.
TEST_F(AdaptersServed, AreWhatTheirFilesAre) {
  Adapters adapters(model(), {directory.path(), plenty});
  const Served served({.context = 2048}, nullptr, {}, {}, &adapters);
  EXPECT_EQ(served.post("/v1/chat/completions", chat({{"model", "one"}})).status, 404);
  write("one", 1);
  const std::string first = answer(served, "one");
  EXPECT_EQ(first, opened_with("one"));
  const SharedAdapters held = adapters.get("one").value();
  write("one", 2);
  const std::string second = answer(served, "one");
  EXPECT_EQ(second, opened_with("one"));
  EXPECT_NE(second, first);
  EXPECT_NE(adapters.get("one").value()->identity, held->identity);
  fs::remove_all(directory / "one");
  EXPECT_EQ(served.post("/v1/chat/completions", chat({{"model", "one"}})).status, 404);
}

TEST_F(AdaptersServed, ThatAreBrokenDisturbNobody) {
  write("good", 1);
  write("cut", 1);
  fs::resize_file(directory / "cut/adapter_model.safetensors", 5000);
  write("dora", 1);
  std::string config = read_file(directory / "dora/adapter_config.json", 1 << 20).value();
  config.insert(1, "\"use_dora\": true,");
  fs::remove(directory / "dora/adapter_config.json");
  ASSERT_TRUE(write_file(directory / "dora/adapter_config.json", std::string_view(config)));
  fs::create_directories(directory / "scout");
  for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
    fs::copy_file(fs::path(HERD_ROOT) / "tests/data/adapters/scout" / file,
                  directory / "scout" / file);
  Adapters adapters(model(), {directory.path(), plenty});
  const Served served({.context = 2048}, nullptr, {}, {}, &adapters);
  const std::string good = answer(served, "good");
  for (const char* name : {"cut", "dora", "scout", "cut"}) {
    const Received got = served.post("/v1/chat/completions", chat({{"model", name}}));
    EXPECT_EQ(got.status, 500) << name;
    EXPECT_EQ(text_at(parsed(got), "error.code"), "adapter_invalid") << got.body;
    EXPECT_FALSE(got.body.contains(directory.path().string())) << got.body;
    EXPECT_EQ(answer(served, "good"), good);
  }
  EXPECT_EQ(adapters.state().failed, 3u) << "a broken file is not read again until it is another";
  write("cut", 3);
  EXPECT_EQ(answer(served, "cut"), opened_with("cut"));
  for (const char* name : {"../good", "good/..", ".", "", "good/adapter_config.json"})
    EXPECT_EQ(served.post("/v1/chat/completions", chat({{"model", name}})).status, 404) << name;
}

// As nobody should do it: written over in place, cut short while it is read, with an old file's time.
TEST_F(AdaptersServed, SurviveFilesThatChangeUnderThem) {
  write("one", 1);
  const fs::path file = directory / "one/adapter_model.safetensors";
  const std::string whole = read_file(file, 1 << 28).value();
  Adapters adapters(model(), {directory.path(), plenty});
  std::atomic<bool> ends = false;
  std::thread writer([&] {
    while (!ends) {
      fs::resize_file(file, 5000);
      std::ofstream(file, std::ios::binary) << whole;
    }
  });
  for (int i = 0; i < 100; ++i) {
    const auto found = adapters.get("one");
    EXPECT_TRUE(found || found.error().code == "adapter_invalid") << found.error().message;
  }
  ends = true;
  writer.join();
  const std::uint64_t first = adapters.get("one").value()->identity;

  const auto time = fs::last_write_time(file);
  write("one", 2);
  fs::last_write_time(file, time);
  EXPECT_NE(adapters.get("one").value()->identity, first);
}

// The numbers of replaced files count while somebody uses them.
TEST_F(AdaptersServed, CountWhatAnswersStillUse) {
  write("one", 1);
  const std::uint64_t bytes = llama4::read_adapters(model(), directory / "one").value()->bytes();
  Adapters adapters(model(), {directory.path(), 2 * bytes});
  std::vector<SharedAdapters> used;  // shared, as by answers
  for (const std::uint64_t seed : {2u, 3u}) {
    used.push_back(adapters.get("one").value());
    write("one", seed);
  }
  const auto third = adapters.get("one");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, "adapter_memory");
  used.clear();
  EXPECT_TRUE(adapters.get("one"));
}

// What such an adapter makes of a text is no vector, and no answer either.
TEST_F(AdaptersServed, WhoseNumbersOverflowAreErrorsOfTheirRequestsAlone) {
  write("one", 1);
  const fs::path path = directory / "one/adapter_config.json";
  std::string config = read_file(path, 1 << 20).value();
  const std::size_t at = config.find("\"lora_alpha\":");
  ASSERT_NE(at, std::string::npos) << config;
  config.replace(at, config.find(',', at) - at, "\"lora_alpha\":1e38");
  ASSERT_TRUE(write_file(path, std::string_view(config)));
  Adapters adapters(model(), {directory.path(), plenty});
  const Served served({.context = 2048}, nullptr, {}, {}, &adapters);
  const std::string own = answer(served, "cria");
  const Received vector =
      served.post("/v1/embeddings", json::object{{"model", "one"}, {"input", "Once"}});
  EXPECT_EQ(vector.status, 500) << vector.body;
  EXPECT_EQ(text_at(parsed(vector), "error.code"), "numeric_error");
  const Received said = served.post("/v1/chat/completions", chat({{"model", "one"}}));
  EXPECT_EQ(text_at(parsed(said), "error.code"), "numeric_error") << said.body;
  EXPECT_EQ(answer(served, "cria"), own);
}

TEST_F(AdaptersServed, OfAnotherRankThanTheyAreSaidToBeAreRefused) {
  write("one", 1);
  const fs::path path = directory / "one/adapter_config.json";
  std::string config = read_file(path, 1 << 20).value();
  const std::size_t at = config.find("\"r\":");
  ASSERT_NE(at, std::string::npos) << config;
  config.replace(config.find('4', at), 1, "8");
  ASSERT_TRUE(write_file(path, std::string_view(config)));
  const auto read = llama4::read_adapters(model(), directory / "one");
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().message.contains("says r is 8")) << read.error().message;
}

TEST_F(AdaptersServed, StayWithinTheirMemory) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) write(fmt::format("a{}", seed), seed);
  const std::uint64_t one = llama4::read_adapters(model(), directory / "a1").value()->bytes();
  Adapters two(model(), {directory.path(), 2 * one});
  const SharedAdapters held = two.get("a1").value();  // shared, as an answer would
  EXPECT_TRUE(two.get("a2"));
  EXPECT_TRUE(two.get("a3")) << "a2 makes room, which nobody uses";
  EXPECT_EQ(two.state().forgotten, 1u);
  EXPECT_EQ(two.state().bytes, 2 * one);
  const SharedAdapters third = two.get("a3").value();
  const auto refused = two.get("a2");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 503);
  EXPECT_EQ(refused.error().code, "adapter_memory");
  EXPECT_GT(refused.error().retry_after_s, 0.0);
  EXPECT_EQ(two.get("a1").value(), held);

  Adapters little(model(), {directory.path(), one / 2});
  EXPECT_EQ(little.get("a1").error().code, "adapter_invalid");
}

}  // namespace
}  // namespace herd::server
