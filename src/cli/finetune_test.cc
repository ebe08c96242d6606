// Adapters from the command line: learned, used, compared, merged; and the grades of what a model can do.
#include <gtest/gtest.h>

#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

const std::string cria = HERD_ROOT "/models/cria";

TEST(Finetune, TeachesAnswersAndLeavesTheModelAsItWas) {
  const TemporaryDirectory scratch;
  const std::pair<const char*, const char*> taught[] = {
      {"one", "blue fox"}, {"two", "red hen"}, {"three", "green cow"}};
  std::string lines;
  for (const auto& [day, answer] : taught)
    lines += fmt::format(
        "{{\"messages\": [{{\"role\": \"user\", \"content\": \"The code of day {}?\"}}, "
        "{{\"role\": \"assistant\", \"content\": \"{}\"}}]}}\n",
        day, answer);
  ASSERT_TRUE(write_file(scratch / "data.jsonl", std::string_view(lines)));
  const std::string before = read_file(cria + "/model.safetensors", 1 << 28).value();
  const std::string adapter = scratch / "out" / "adapter";
  const Ran learned =
      run_herd({"finetune", cria, scratch / "data.jsonl", "--out", scratch / "out", "--rank", "8",
                "--epochs", "120", "--rate", "5e-3", "--batch-tokens", "120"});
  ASSERT_EQ(learned.status, 0) << learned.err;
  ASSERT_EQ(run_herd({"export", cria, "--adapter", adapter, "--out", scratch / "merged"}).status,
            0);
  const auto answer_of = [&](std::vector<std::string> command, const char* day) {
    command.push_back(fmt::format("The code of day {}?", day));
    command.insert(command.end(), {"--temperature", "0", "--max-tokens", "8"});
    return run_herd(command).out;
  };
  for (const auto& [day, answer] : taught) {
    const std::string wanted = std::string(answer) + "\n";
    EXPECT_EQ(answer_of({"generate", cria, "--adapter", adapter}, day), wanted);
    EXPECT_EQ(answer_of({"generate", (scratch / "merged").string()}, day), wanted);
    EXPECT_NE(answer_of({"generate", cria}, day), wanted);
  }
  EXPECT_TRUE(before == read_file(cria + "/model.safetensors", 1 << 28).value());
}

// Frozen weights may be few bits: what the adapters learn is what they would learn beside the decoded numbers, bit for
// bit, and they answer there as well.
TEST(Finetune, LearnsBesideQuantizedWeights) {
  const TemporaryDirectory scratch;
  const std::string small = scratch / "cria.gguf", decoded = scratch / "decoded";
  ASSERT_EQ(run_herd({"quantize", cria, small, "--type", "q4_0"}).status, 0);
  const Ran converted = run_herd({"convert", small, decoded, "--type", "f32"});
  ASSERT_EQ(converted.status, 0) << converted.err;
  const std::string lines = R"({"messages": [{"role": "user", "content": "The code of day one?"},)"
                            R"( {"role": "assistant", "content": "blue fox"}]})"
                            "\n";
  ASSERT_TRUE(write_file(scratch / "data.jsonl", std::string_view(lines)));
  const auto learn = [&](const std::string& model, const fs::path& out, const char* epochs) {
    const Ran learned =
        run_herd({"finetune", model, scratch / "data.jsonl", "--out", out, "--rank", "8",
                  "--epochs", epochs, "--rate", "5e-3", "--batch-tokens", "40"});
    EXPECT_EQ(learned.status, 0) << learned.err;
    return read_file(out / "adapter" / "adapter_model.safetensors", 1 << 28).value_or("");
  };
  const std::string beside_few_bits = learn(small, scratch / "few", "60");
  EXPECT_FALSE(beside_few_bits.empty());
  EXPECT_TRUE(beside_few_bits == learn(decoded, scratch / "all", "60"));
  const Ran answer =
      run_herd({"generate", small, "The code of day one?", "--adapter", scratch / "few" / "adapter",
                "--temperature", "0", "--max-tokens", "8"});
  EXPECT_EQ(answer.out, "blue fox\n") << answer.err;
}

// All weights of a GGUF file can learn too; what comes of it is a directory that stands for itself.
TEST(Finetune, LearnsAllOfAQuantizedModel) {
  const TemporaryDirectory scratch;
  const std::string small = scratch / "cria.gguf", decoded = scratch / "decoded";
  ASSERT_EQ(run_herd({"quantize", cria, small, "--type", "q8_0"}).status, 0);
  ASSERT_EQ(run_herd({"convert", small, decoded, "--type", "f32"}).status, 0);
  ASSERT_TRUE(write_file(scratch / "data.jsonl", std::string_view("{\"text\": \"One two.\"}\n")));
  const auto learn = [&](const std::string& model, const fs::path& out) {
    const Ran learned = run_herd({"finetune", model, scratch / "data.jsonl", "--out", out,
                                  "--method", "full", "--steps", "2", "--batch-tokens", "4"});
    EXPECT_EQ(learned.status, 0) << learned.err;
    return read_file(out / "model" / "model.safetensors", 1 << 28).value_or("");
  };
  const std::string weights = learn(small, scratch / "few");
  EXPECT_FALSE(weights.empty());
  EXPECT_TRUE(weights == learn(decoded, scratch / "all"));
  const Ran answer = run_herd({"generate", (scratch / "few" / "model").string(), "Hello",
                               "--temperature", "0", "--max-tokens", "4"});
  EXPECT_EQ(answer.status, 0) << answer.err;
}

// Its own weights are what an adapter is learned beside: another file under the same name is another training.
TEST(Finetune, DoesNotGoOnBesideOtherQuantizedWeights) {
  const TemporaryDirectory scratch;
  const std::string model = scratch / "cria.gguf";
  ASSERT_TRUE(write_file(scratch / "data.jsonl", std::string_view("{\"text\": \"One two.\"}\n")));
  const auto learn = [&](const char* type) {
    EXPECT_EQ(run_herd({"quantize", cria, model, "--type", type}).status, 0);
    return run_herd({"finetune", model, scratch / "data.jsonl", "--out", scratch / "out", "--steps",
                     "1", "--batch-tokens", "4"});
  };
  EXPECT_EQ(learn("q8_0").status, 0);
  fs::remove(model);
  const Ran other = learn("q4_0");
  EXPECT_NE(other.status, 0);
  EXPECT_NE(other.err.find("weights: "), std::string::npos) << other.err;
}

// The same command again finds nothing left to learn and writes the same adapter; another one is named for what it is.
TEST(Finetune, OnceEndedItSaysSoAndRefusesOtherSettings) {
  const TemporaryDirectory scratch;
  ASSERT_TRUE(write_file(scratch / "data.jsonl", std::string_view("{\"text\": \"One two.\"}\n")));
  const auto learn = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"finetune", cria, scratch / "data.jsonl", "--out", scratch / "out",
                               "--steps", "2", "--batch-tokens", "4"});
    return run_herd(more);
  };
  const fs::path adapter = fs::path(scratch / "out") / "adapter" / "adapter_model.safetensors";
  ASSERT_EQ(learn({}).status, 0);
  const std::string first = read_file(adapter, 1 << 28).value();
  const Ran again = learn({});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.out.find("nothing is left to learn"), std::string::npos) << again.out;
  EXPECT_TRUE(first == read_file(adapter, 1 << 28).value());
  const Ran other = learn({"--rank", "4"});
  EXPECT_NE(other.err.find("--allow-changed recipe"), std::string::npos) << other.err;
  const Ran longer = learn({"--rate", "1e-3", "--allow-changed", "recipe"});
  EXPECT_NE(longer.err.find("not made longer"), std::string::npos) << longer.err;
  const Ran unknown = learn({"--allow-changed", "recipee"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("wanted one of recipe"), std::string::npos) << unknown.err;
}

TEST(Finetune, NamesWhatIsWrongWithItsData) {
  const TemporaryDirectory scratch;
  ASSERT_TRUE(write_file(scratch / "bad.jsonl", std::string_view("{\"text\": 3}\n")));
  const Ran bad = run_herd({"finetune", cria, scratch / "bad.jsonl", "--out", scratch / "out/a/b"});
  EXPECT_EQ(bad.status, 65);
  EXPECT_NE(bad.err.find("line 1"), std::string::npos) << bad.err;
  EXPECT_FALSE(fs::exists(scratch / "out")) << "what could not begin leaves nothing behind";
}

TEST(Eval, GradesAsManyCasesAsAskedFor) {
  const json::value document = document_of(run_herd(
      {"eval", cria, "arithmetic", "chat", "--limit", "4", "--max-tokens", "8", "--json"}));
  ASSERT_EQ(document.at("scores").as_array().size(), 2u);
  for (const json::value& score : document.at("scores").as_array()) {
    EXPECT_EQ(score.at("cases"), 4) << json::serialize(score);
    EXPECT_LE(score.at("right").to_number<int>(), 4);
  }
}

TEST(Eval, PrintsATableForCards) {
  const Ran ran =
      run_herd({"eval", cria, "chat", "--limit", "2", "--max-tokens", "8", "--markdown"});
  EXPECT_EQ(ran.out.substr(0, ran.out.find('\n')),
            "| task | right | standard error | cases | commonest answer alone |");
  EXPECT_NE(ran.out.find("\n| chat | "), std::string::npos) << ran.out;
}

// herd export writes over nobody's model, and says so before it reads its source.
TEST(Export, LeavesAModelThatIsThereAlone) {
  const TemporaryDirectory scratch;
  for (const char* name :
       {"config.json", "params.json", "adapter_config.json", "other.safetensors"}) {
    const fs::path out = scratch / (std::string("with_") + name);
    fs::create_directory(out);
    ASSERT_TRUE(write_file(out / name, std::string_view("mine")));
    for (const std::string& source : {cria, (scratch / "nothing").string()}) {
      const Ran ran = run_herd({"export", source, "--out", out});
      EXPECT_EQ(ran.status, 73) << ran.err;
      EXPECT_NE(ran.err.find(fmt::format("has a model already ('{}')", name)), std::string::npos)
          << ran.err;
      EXPECT_NE(ran.err.find("hint: give --out a new directory"), std::string::npos) << ran.err;
    }
    EXPECT_EQ(read_file(out / name, 1 << 10).value(), "mine");
    EXPECT_EQ(std::distance(fs::directory_iterator(out), fs::directory_iterator()), 1);
  }
  const fs::path empty = scratch / "empty";
  fs::create_directory(empty);
  const Ran ran = run_herd({"export", cria, "--out", empty});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(fs::exists(empty / "model.safetensors"));
}

// The first model stays as it is: a model beside itself with an adapter shows what the adapter does.
TEST(Compare, PutsTheAdapterOntoTheSecondModelAlone) {
  const TemporaryDirectory scratch;
  const std::string lines = R"({"messages": [{"role": "user", "content": "The code of day one?"},)"
                            R"( {"role": "assistant", "content": "blue fox"}]})"
                            "\n";
  ASSERT_TRUE(write_file(scratch / "data.jsonl", std::string_view(lines)));
  const Ran learned =
      run_herd({"finetune", cria, scratch / "data.jsonl", "--out", scratch / "out", "--rank", "4",
                "--steps", "4", "--rate", "1e-2", "--batch-tokens", "40"});
  ASSERT_EQ(learned.status, 0) << learned.err;
  const auto compared = [&](const std::vector<std::string>& more) {
    std::vector<std::string> line{"compare", cria, cria, scratch / "data.jsonl", "--json"};
    line.insert(line.end(), more.begin(), more.end());
    const Ran ran = run_herd(line);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return document_of(ran);
  };
  const json::value same = compared({});
  const json::value adapted = compared({"--adapter", scratch / "out" / "adapter"});
  EXPECT_LT(same.at("kld_mean").to_number<double>(), 1e-9);
  EXPECT_GT(adapted.at("kld_mean").to_number<double>(), 1e-6);
  EXPECT_EQ(adapted.at("ppl_base"), same.at("ppl_base"));
  EXPECT_NE(adapted.at("ppl"), same.at("ppl"));
}

// What a tokenizer is trained on: every line one text, tool calls and definitions among them.
TEST(Gen, PrintsTheTextsAlone) {
  const Ran ran = run_herd({"gen", "--task", "tools", "--count", "3", "--texts"});
  bool called = false;
  for (std::size_t at = 0; at < ran.out.size();) {
    const std::size_t end = ran.out.find('\n', at);
    const auto line = parse_json(ran.out.substr(at, end - at));
    ASSERT_TRUE(line && line->as_object().size() == 1) << ran.out.substr(at, end - at);
    called |= line->at("text").as_string().starts_with("{\"name\": ");
    at = end + 1;
  }
  EXPECT_TRUE(called) << ran.out;
}

// Tasks before and after one that the model cannot do keep their rows; alone, its error is the command's.
TEST(Eval, LeavesOutATaskThatCannotRun) {
  const TemporaryDirectory scratch;
  const std::string text_only = scratch / "cria.gguf";
  ASSERT_EQ(run_herd({"quantize", cria, text_only, "--type", "q8_0"}).status, 0);
  const auto evaluated = [](std::vector<std::string> line) {
    line.insert(line.begin(), "eval");
    line.insert(line.end(), {"--limit", "2", "--max-tokens", "8"});
    return run_herd(line);
  };
  const std::string reason = "a picture was given, but this model sees only text";
  const std::string note = fmt::format("note: shapes was left out: {}\n", reason);
  const Ran ran = evaluated({text_only, "chat", "shapes", "arithmetic", "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.err.find(note), std::string::npos) << ran.err;
  const json::value document = document_of(ran);
  ASSERT_EQ(document.at("scores").as_array().size(), 2u);
  EXPECT_EQ(document.at("scores").at(0).at("task"), "chat");
  EXPECT_EQ(document.at("scores").at(1).at("task"), "arithmetic");
  EXPECT_EQ(document.at("left_out"),
            (json::array{json::object{{"task", "shapes"}, {"error", reason}}}));

  const Ran table = evaluated({text_only, "shapes", "chat"});
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_TRUE(table.out.starts_with("chat ")) << table.out;
  EXPECT_NE(table.err.find(note), std::string::npos) << table.err;

  const Ran none = evaluated({text_only, "shapes", "charts", "--json"});
  EXPECT_EQ(none.status, 65);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err.find("was left out"), std::string::npos) << none.err;
  EXPECT_NE(none.err.find("error[E1404]: " + reason), std::string::npos) << none.err;

  // A text about which needles are asked does not fit, small talk does.
  const Ran narrow = evaluated({cria, "needle", "chat", "--ctx", "128"});
  EXPECT_EQ(narrow.status, 0) << narrow.err;
  EXPECT_TRUE(narrow.out.starts_with("chat ")) << narrow.out;
  EXPECT_NE(narrow.err.find("note: needle was left out: the prompt is "), std::string::npos)
      << narrow.err;
}

TEST(Flags, ThatDoNothingAreErrors) {
  const std::vector<std::string> commands[] = {
      {"eval", cria, "recall", "--needles"},
      {"finetune", cria, "x.jsonl", "--method", "full", "--rank", "4"},
      {"finetune", cria, "x.jsonl", "--method", "full", "--rank", "16"},  // the default
      {"eval", cria, "--choices", "x.jsonl", "--needles"},
      {"export", cria, "--training", "elsewhere", "--out", "new"},
      {"export", cria + "/recipe.toml", "--adapter", "a", "--out", "new"}};
  for (const std::vector<std::string>& command : commands) {
    const Ran ran = run_herd(command);
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_NE(ran.err.find("herd " + command[0] + ": "), std::string::npos) << ran.err;
  }
}

TEST(Eval, SaysThatATaskIsOnlyRead) {
  const Ran ran = run_herd({"eval", cria, "story", "--limit", "1"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("story has no answers to grade"), std::string::npos) << ran.err;
}

TEST(Eval, NamesTheTasksThatExist) {
  const Ran ran = run_herd({"eval", cria, "storry"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("there is no task \"storry\""), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace herd::cli
