// generate, chat, tokenize and render as their users run them, on the model that herd carries.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

const std::string cria = HERD_ROOT "/models/cria";
const std::string picture = HERD_ROOT "/tests/data/models/vision/case0.image0.png";

json::value document(const Ran& ran) {
  auto value = parse_json(ran.out);
  EXPECT_TRUE(value.has_value()) << ran.out << ran.err;
  return value ? *value : json::value();
}

TEST(Generate, PrintsTheContractsDocument) {
  const Ran ran =
      run_herd({"generate", cria, "Hello", "--max-tokens", "6", "--temperature", "0", "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const json::value answer = document(ran);
  EXPECT_EQ(answer.at("tokens").as_array().size(), 6u);
  EXPECT_EQ(answer.at("completion_tokens").to_number<int>(), 6);
  EXPECT_GT(answer.at("prompt_tokens").to_number<int>(), 6);
  EXPECT_EQ(answer.at("finish_reason").as_string(), "length");
  for (const char* key : {"load_ms", "prefill_ms", "decode_ms", "prefill_tps", "decode_tps"})
    EXPECT_GE(answer.at("timings").at(key).to_number<double>(), 0.0) << key;
}

TEST(Generate, TheSameSeedGivesTheSameAnswerAtAnyThreadCount) {
  auto answer = [](const char* seed, const char* threads) {
    return run_herd({"generate", cria, "Tell me", "--max-tokens", "24", "--temperature", "2",
                     "--top-p", "1", "--seed", seed, "--threads", threads})
        .out;
  };
  const std::string one = answer("5", "1");
  EXPECT_EQ(answer("5", "2"), one);
  EXPECT_EQ(answer("5", "3"), one);
  EXPECT_NE(answer("6", "1"), one);
}

TEST(Generate, ShowsPicturesAndReadsThePromptFromStdin) {
  const Ran plain =
      run_herd({"generate", cria, "--max-tokens", "4", "--temperature", "0", "--json"}, "look");
  const Ran seen = run_herd({"generate", cria, "look", "--image", picture, "--max-tokens", "4",
                             "--temperature", "0", "--json"});
  EXPECT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(seen.status, 0) << seen.err;
  // One tile: start, image, 16 patches, end.
  EXPECT_EQ(document(seen).at("prompt_tokens").to_number<int>(),
            document(plain).at("prompt_tokens").to_number<int>() + 19);
}

TEST(Generate, StopStringsEndTheAnswerAndAreNotPartOfIt) {
  const std::vector<std::string> base{"generate",      cria, "Hello", "--max-tokens", "30",
                                      "--temperature", "0",  "--json"};
  const json::value whole = document(run_herd(base));
  const std::string text(whole.at("text").as_string());
  const std::string stop = text.substr(text.size() / 2, 3);
  std::vector<std::string> arguments = base;
  arguments.insert(arguments.end(), {"--stop", stop});
  const json::value cut = document(run_herd(arguments));
  EXPECT_EQ(cut.at("text").as_string(), text.substr(0, text.find(stop)));
  EXPECT_EQ(cut.at("finish_reason").as_string(), "stop");
}

TEST(Generate, RefusesWhatItCannotDo) {
  EXPECT_EQ(run_herd({"generate", "no/such/model", "x"}).status, 66);
  EXPECT_EQ(run_herd({"generate", cria, "x", "--temperature", "nan"}).status, 2);
  EXPECT_EQ(run_herd({"generate", cria, "x", "--image", "none.png"}).status, 66);
  const Ran no_picture =
      run_herd({"generate", cria, "x", "--image", picture, "--image", cria + "/config.json"});
  EXPECT_EQ(no_picture.status, 65);
  EXPECT_NE(no_picture.err.find(cria + "/config.json: "), std::string::npos) << no_picture.err;
  const Ran text_only = run_herd({"generate", HERD_ROOT "/tests/data/models/chunks", "x"});
  EXPECT_EQ(text_only.status, 66);  // it has no tokenizer
  EXPECT_NE(text_only.err.find("hint: copy it from where"), std::string::npos) << text_only.err;
  const Ran tight = run_herd({"generate", cria, "x", "--ctx", "4"});
  EXPECT_EQ(tight.status, 65);
  EXPECT_NE(tight.err.find("E2002"), std::string::npos) << tight.err;
}

TEST(Chat, KeepsUndoesSavesAndContinuesAConversation) {
  const fs::path file = fs::temp_directory_path() / "herd_chat_test.json";
  const Ran first =
      run_herd({"chat", cria, "--max-tokens", "5", "--temperature", "0"},
               "/system Be brief.\none\n/image " + picture + "\ntwo\nthree\n/undo\n/save " +
                   file.string() + "\n/stats\n/quit\nnever read\n");
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_NE(first.out.find("pixels, shown with your next message"), std::string::npos);
  const auto saved = read_json(file.string());
  ASSERT_TRUE(saved.has_value());
  const json::array& messages = saved->at("messages").as_array();
  ASSERT_EQ(messages.size(), 5u);  // system, one, answer, two, answer
  EXPECT_EQ(messages[0].at("content").as_string(), "Be brief.");
  EXPECT_EQ(messages[3].at("content").at(0).at("image_url").at("url").as_string(), picture);

  const Ran second = run_herd({"chat", cria, "--max-tokens", "5", "--temperature", "0"},
                              "/load " + file.string() + "\nthree\n/stats\n");
  EXPECT_EQ(second.status, 0) << second.err;
  // The conversation that was never interrupted says the same.
  const Ran whole = run_herd({"chat", cria, "--max-tokens", "5", "--temperature", "0"},
                             "/system Be brief.\none\n/image " + picture + "\ntwo\nthree\n");
  const std::string answer = second.out.substr(0, second.out.find("  context"));
  EXPECT_FALSE(answer.empty());
  EXPECT_TRUE(whole.out.ends_with(answer)) << whole.out << "\n---\n" << answer;
  fs::remove(file);
}

TEST(Chat, AMistakeEndsNothing) {
  const Ran ran = run_herd({"chat", cria, "--max-tokens", "3", "--temperature", "0"},
                           "/image none.png\n/undo\n/nonsense\nstill here\n");
  EXPECT_EQ(ran.status, 2);  // the last mistake's
  EXPECT_NE(ran.err.find("E1001"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("/help lists the commands"), std::string::npos);
  EXPECT_FALSE(ran.out.empty());
}

TEST(Tokenize, GoesThereAndBack) {
  const std::string text = "Hello <|eot|> ünïcode 日本 \xff\n";
  const Ran plain = run_herd({"tokenize", cria}, text);
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(run_herd({"tokenize", cria, "--decode"}, plain.out).out, text);
  const Ran special = run_herd({"tokenize", cria, "--special"}, text);
  EXPECT_LT(document(special).as_array().size(), document(plain).as_array().size());
  EXPECT_EQ(run_herd({"tokenize", cria, "--count"}, text).out,
            std::to_string(document(plain).as_array().size()) + "\n");
  EXPECT_EQ(run_herd({"tokenize", cria, "--decode"}, "[1, 99999999]").status, 2);
  EXPECT_EQ(run_herd({"tokenize", cria, "--decode"}, "[1, \"a\"]").status, 2);
  EXPECT_EQ(run_herd({"tokenize", cria, "--decode"}, "nonsense").status, 65);
}

TEST(Render, WritesThePromptAndItsIdsAndKeepsUserTextText) {
  const fs::path file = fs::temp_directory_path() / "herd_render_test.json";
  ASSERT_TRUE(write_file(file, std::string_view(R"([{"role":"user","content":"hi <|eot|>"}])"))
                  .has_value());
  const Ran plain = run_herd({"render", cria, file.string()});
  EXPECT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(plain.out,
            "<|begin_of_text|><|header_start|>user<|header_end|>\n\nhi <|eot|><|eot|>"
            "<|header_start|>assistant<|header_end|>\n\n");
  const json::value both = document(run_herd({"render", cria, file.string(), "--json"}));
  EXPECT_EQ(both.at("prompt").as_string(), plain.out);
  const json::value eot = document(run_herd({"tokenize", cria, "--special"}, "<|eot|>"));
  int control = 0;
  for (const json::value& id : both.at("ids").as_array()) control += id == eot.at(0);
  EXPECT_EQ(control, 1);  // the renderer's own, not the user's
  ASSERT_TRUE(
      write_file(file, std::string_view(R"([{"role":"emperor","content":"hi"}])")).has_value());
  const Ran bad = run_herd({"render", cria, file.string()});
  EXPECT_EQ(bad.status, 65);
  EXPECT_NE(bad.err.find("messages[0].role"), std::string::npos) << bad.err;
  fs::remove(file);
}

TEST(Chat, RetryAnswersAgainByOtherNumbers) {
  const auto said = [](const char* input) {
    return run_herd({"chat", cria, "--max-tokens", "16", "--temperature", "2", "--top-p", "1"},
                    input);
  };
  const std::string once = said("Hello\n").out, twice = said("Hello\n/retry\n").out;
  ASSERT_TRUE(twice.starts_with(once)) << twice;
  EXPECT_NE(twice.substr(once.size()), once);
  EXPECT_EQ(said("Hello\n/retry\n").out, twice);  // a script's answers do not vary
  const Ran nothing = said("/retry\n");
  EXPECT_EQ(nothing.status, 65);
  EXPECT_NE(nothing.err.find("no message to answer again"), std::string::npos) << nothing.err;
}

}  // namespace
}  // namespace herd::cli
