// herd convert, quantize, perplexity and compare on the model that herd carries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_text.h"
#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;

const std::string cria = std::string(HERD_ROOT) + "/models/cria";

class Convert : public testing::Test {
 protected:
  Convert() : directory(fs::path(testing::TempDir()) / fmt::format("herd_convert_{}", ::getpid())) {
    fs::remove_all(directory);
    fs::create_directories(directory);
    // As cria was taught to write: of other text every model only guesses, and guesses diverge.
    write_file(directory / "text.txt",
               std::string_view(
                   "Pablo was in the tent. Alice was in the gym. Anna is in the yard. The soap was "
                   "in the yard. Then Alice went to the cinema. Alice hurried to the gym. She went "
                   "to the yard. Pablo hurried to the yard. Next, Alice grabbed the soap.\n"))
        .value();
  }
  ~Convert() override { fs::remove_all(directory); }

  [[nodiscard]] std::string at(const char* name) const { return (directory / name).string(); }

  static json::value tokens_of(const std::string& model) {
    const Ran ran = run_herd({"generate", model, "Say hello to my cat.", "--temperature", "0",
                              "--max-tokens", "24", "--json"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return document_of(ran).at("tokens");
  }

  fs::path directory;
};

TEST_F(Convert, ThereAndBackSaysTheSame) {
  ASSERT_EQ(run_herd({"convert", cria, at("cria.gguf"), "--vision-out", at("mmproj.gguf")}).status,
            0);
  const json::value wanted = tokens_of(cria);
  EXPECT_EQ(tokens_of(at("cria.gguf")), wanted);
  ASSERT_EQ(run_herd({"convert", at("cria.gguf"), at("again")}).status, 0);
  EXPECT_EQ(tokens_of(at("again")), wanted);

  const json::value found = document_of(run_herd({"inspect", at("cria.gguf"), "--json"}));
  EXPECT_EQ(found.at("format"), "gguf");
  EXPECT_EQ(found.at("text").at("chunk"), 128);
  EXPECT_EQ(found.at("vision"), document_of(run_herd({"inspect", cria, "--json"})).at("vision"));
}

TEST_F(Convert, FewerBitsDivergeAndAreMeasured) {
  ASSERT_EQ(run_herd({"quantize", cria, at("q8.gguf"), "--type", "q8_0"}).status, 0);
  ASSERT_EQ(run_herd({"quantize", cria, at("q4.gguf"), "--type", "q4_1"}).status, 0);
  EXPECT_LT(fs::file_size(at("q4.gguf")), fs::file_size(at("q8.gguf")));
  const auto compared = [&](const std::string& other) {
    const Ran ran = run_herd({"compare", cria, other, at("text.txt"), "--json"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return document_of(ran);
  };
  const json::value same = compared(cria), q8 = compared(at("q8.gguf")),
                    q4 = compared(at("q4.gguf"));
  const auto kl = [](const json::value& found) { return found.at("kld_mean").to_number<double>(); };
  EXPECT_EQ(kl(same), 0);
  EXPECT_EQ(same.at("top1_agreement").to_number<double>(), 1);
  EXPECT_GT(kl(q8), 0);
  EXPECT_LT(kl(q8), 0.01);
  EXPECT_GT(kl(q4), kl(q8));
  EXPECT_LT(kl(q4), 1);

  const json::value read =
      document_of(run_herd({"perplexity", at("q8.gguf"), at("text.txt"), "--json"}));
  EXPECT_NEAR(read.at("ppl").to_number<double>(), q8.at("ppl").to_number<double>(), 1e-6);
}

// Every text stands for itself: a window that the end of another began would be read with other eyes.
TEST_F(Convert, TextsOfJsonLinesAreReadOneByOne) {
  const char* first = "Pablo was in the tent. Alice was in the gym. Where is Pablo? In the tent.";
  const char* second = "Anna is in the yard. The soap was in the yard. Anna grabbed the soap.";
  const auto read = [&](const std::string& file, std::vector<std::string> more) {
    std::vector<std::string> words = {"perplexity", cria, file, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const json::value found = document_of(run_herd(words));
    return std::pair(found.at("nll").to_number<double>(), found.at("tokens").to_number<double>());
  };
  write_file(directory / "lines.jsonl",
             std::string_view(fmt::format(
                 "{{\"text\": \"{}\"}}\n\n{{\"text\": \"{}\", \"n\": 1}}\n", first, second)))
      .value();
  double sum = 0, tokens = 0;
  for (const char* text : {first, second}) {
    write_file(directory / "one.txt", std::string_view(text)).value();
    const auto [mean, count] = read(at("one.txt"), {});
    sum += mean * count;
    tokens += count;
    fs::remove(directory / "one.txt");
  }
  const auto [mean, count] = read(at("lines.jsonl"), {"--field", "text"});
  EXPECT_EQ(count, tokens);
  EXPECT_NEAR(mean, sum / tokens, 1e-9);
  const Ran wrong = run_herd({"perplexity", cria, at("lines.jsonl"), "--field", "n"});
  EXPECT_EQ(wrong.status, 65);
  EXPECT_THAT(wrong.err,
              HasSubstr("lines.jsonl, line 1: no such member, wanted an object with a text 'n'"));
}

TEST_F(Convert, APackedStoreIsReadyAtOnceSaysTheSameAndGoesBack) {
  ASSERT_EQ(run_herd({"quantize", cria, at("q4.gguf"), "--vision-out", at("mmproj.gguf")}).status,
            0);
  const json::value wanted = tokens_of(at("q4.gguf"));
  const Ran made = run_herd({"convert", at("q4.gguf"), at("q4.herd")});
  ASSERT_EQ(made.status, 0) << made.err;
  fs::remove(directory / "mmproj.gguf");
  EXPECT_EQ(tokens_of(at("q4.herd")), wanted);

  const json::value found = document_of(run_herd({"inspect", at("q4.herd"), "--json", "--scan"}));
  EXPECT_EQ(found.at("format"), "herd");
  EXPECT_EQ(found.at("vision"), document_of(run_herd({"inspect", cria, "--json"})).at("vision"));
  EXPECT_THAT(json_text(found.at("notes")), HasSubstr("made of 'q4 fp_"));
  EXPECT_THAT(run_herd({"doctor", at("q4.herd")}).out, HasSubstr("ready without packing"));
  EXPECT_THAT(run_herd({"doctor", at("q4.gguf")}).out, HasSubstr("packed at every start"));

  ASSERT_EQ(run_herd({"quantize", cria, at("direct"), "--to", "herd"}).status, 0);
  fs::rename(directory / "direct", directory / "direct.herd");
  EXPECT_EQ(tokens_of(at("direct.herd")), wanted);
  ASSERT_EQ(run_herd({"convert", at("q4.herd"), at("again.gguf")}).status, 0);
  EXPECT_EQ(tokens_of(at("again.gguf")), wanted);
  EXPECT_EQ(fs::file_size(at("again.gguf")), fs::file_size(at("q4.gguf")));

  const Ran shards = run_herd({"convert", cria, at("x.herd"), "--shard-mib", "1"});
  EXPECT_EQ(shards.status, 2);
  EXPECT_THAT(shards.err, HasSubstr("--shard-mib is for GGUF files"));
}

TEST_F(Convert, ExpertsInFp8AreReadBackAndDivergeLittle) {
  ASSERT_EQ(run_herd({"convert", cria, at("fp8"), "--type", "fp8"}).status, 0);
  const json::value config = json::parse(read_file(directory / "fp8/config.json", 1 << 20).value());
  EXPECT_EQ(config.at("quantization_config").at("quant_method"), "compressed-tensors");
  const Ran ran = run_herd({"compare", cria, at("fp8"), at("text.txt"), "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const double kl = document_of(ran).at("kld_mean").to_number<double>();
  EXPECT_GT(kl, 0);
  EXPECT_LT(kl, 0.01);
  EXPECT_LT(fs::file_size(directory / "fp8/model.safetensors"), 13'500'000u);
  // What was rounded once is not rounded again.
  ASSERT_EQ(run_herd({"convert", at("fp8"), at("again"), "--type", "f32"}).status, 0);
  const Ran same =
      run_herd({"compare", at("fp8"), at("again"), at("text.txt"), "--precision", "f32", "--json"});
  ASSERT_EQ(same.status, 0) << same.err;
  EXPECT_LT(document_of(same).at("kld_mean").to_number<double>(), 1e-9);
  EXPECT_EQ(run_herd({"convert", cria, at("x.gguf"), "--type", "fp8"}).status, 2);
}

// Whether errors that are weighed so make a model better depends on the text; that the weighed error shrinks is
// Weighed's to prove (quant/encode_test.cc).
TEST_F(Convert, ImportancesAreGatheredAndUsed) {
  const Ran ran = run_herd({"imatrix", cria, at("text.txt"), "--out", at("i.gguf"), "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json::value found = document_of(ran);
  EXPECT_GT(found.at("tokens").to_number<int>(), 20);
  EXPECT_EQ(found.at("experts").as_array().size(), 4u);
  EXPECT_GT(found.at("experts").as_array()[0].at("too_few").to_number<int>(), 0);

  const auto kl = [&](const char* file, std::vector<std::string> more) {
    std::vector<std::string> words = {"quantize", cria, at(file), "--type", "iq4_nl", "--pure"};
    words.insert(words.end(), more.begin(), more.end());
    const Ran made = run_herd(words);
    EXPECT_EQ(made.status, 0) << made.err;
    EXPECT_EQ(!more.empty(), made.err.contains("get the mean of the layer's")) << made.err;
    return document_of(run_herd({"compare", cria, at(file), at("text.txt"), "--json"}))
        .at("kld_mean")
        .to_number<double>();
  };
  const double with = kl("with.gguf", {"--imatrix", at("i.gguf")}),
               without = kl("without.gguf", {});
  EXPECT_LT(with, 2 * without);
  EXPECT_NE(with, without);  // of other bits
  EXPECT_EQ(run_herd({"quantize", cria, at("y.gguf"), "--imatrix", at("text.txt")}).status, 65);
}

TEST_F(Convert, SaysWhatItCannot) {
  write_file(directory / "full.gguf", std::string_view("x")).value();
  const Ran there = run_herd({"convert", cria, at("full.gguf")});
  EXPECT_NE(there.status, 0);
  EXPECT_THAT(there.err, HasSubstr("E1002"));
  EXPECT_EQ(read_file(directory / "full.gguf", 10).value(), "x");
  const Ran type = run_herd({"convert", cria, at("dir"), "--type", "q8_0"});
  EXPECT_EQ(type.status, 2);
  EXPECT_THAT(type.err, HasSubstr("bf16, f32, fp8 and int4"));
  EXPECT_EQ(run_herd({"quantize", cria, at("x.gguf"), "--type", "q9"}).status, 2);
  EXPECT_THAT(run_herd({"quantize", cria, at("x.gguf"), "--type", "Q4_K_M"}).err,
              HasSubstr("did you mean 'q4_k_m'?"));
  const Ran late = run_herd({"convert", cria, at("x.gguf"), "--vision-out", at("full.gguf")});
  EXPECT_THAT(late.err, HasSubstr("full.gguf: exists"));
  EXPECT_FALSE(fs::exists(directory / "x.gguf"));
  for (const char* flag : {"--imatrix", "--vision-out", "--shard-mib"}) {
    const Ran ran = run_herd({"convert", cria, at("dir"), flag, "7"});
    EXPECT_EQ(ran.status, 2) << flag;
    EXPECT_THAT(ran.err, HasSubstr(fmt::format("{} is for files", flag)));
  }
  for (const char* name : {"x.bin", "x.safetensors"}) {
    const Ran ending = run_herd({"convert", cria, at(name)});
    EXPECT_EQ(ending.status, 2) << name;
    EXPECT_THAT(ending.err, HasSubstr("names that end in .gguf or .herd are files"));
  }
  const Ran among = run_herd({"convert", cria, directory.string()});
  EXPECT_EQ(among.status, 73);
  EXPECT_THAT(among.err, HasSubstr("a directory with other files in it, as "));
  const Ran rounds_not =
      run_herd({"convert", cria, at("x.gguf"), "--type", "f16", "--imatrix", "i"});
  EXPECT_EQ(rounds_not.status, 2);
  EXPECT_THAT(rounds_not.err, HasSubstr("--imatrix would do nothing"));
  EXPECT_THAT(run_herd({"convert", cria, at("none/x.gguf")}).err,
              HasSubstr("there is no directory"));
  const Ran wide = run_herd({"quantize", cria, at("wide.gguf"), "--type", "q4_k"});
  EXPECT_EQ(wide.status, 0) << wide.err;
  EXPECT_THAT(wide.err, HasSubstr("have blocks of 32"));
  EXPECT_THAT(wide.err, HasSubstr("bits a weight"));
  EXPECT_THAT(run_herd({"quantize", at("wide.gguf"), at("again.gguf"), "--type", "q4_0"}).err,
              HasSubstr("the weights are in q8_0 already"));
  const Ran kept = run_herd({"convert", cria, at("x.herd"), "--pure"});
  EXPECT_EQ(kept.status, 2);
  EXPECT_THAT(kept.err, HasSubstr("--type keep rounds nothing"));
}

}  // namespace
}  // namespace herd::cli
