// Adapters from the command line: learned, used, merged; and the grades of what a model can do.
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

TEST(Finetune, NamesWhatIsWrongWithItsData) {
  const TemporaryDirectory scratch;
  ASSERT_TRUE(write_file(scratch / "bad.jsonl", std::string_view("{\"text\": 3}\n")));
  const Ran bad = run_herd({"finetune", cria, scratch / "bad.jsonl", "--out", scratch / "out"});
  EXPECT_EQ(bad.status, 65);
  EXPECT_NE(bad.err.find("line 1"), std::string::npos) << bad.err;
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

TEST(Eval, NamesTheTasksThatExist) {
  const Ran ran = run_herd({"eval", cria, "storry"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_NE(ran.err.find("there is no task \"storry\""), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace herd::cli
