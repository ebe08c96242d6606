// herd convert and the vision encoder: its format, the file it goes to, the file it comes from, and a model without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/testing/temporary_directory.h"
#include "checkpoint/store.h"
#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string cria = std::string(HERD_ROOT) + "/models/cria";

class ConvertVision : public testing::Test {
 protected:
  [[nodiscard]] std::string at(const char* name) const { return directory.path() / name; }

  // What the program says of it, which has to work.
  static std::string said(const std::vector<std::string>& words) {
    const Ran ran = run_herd(words);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran.err;
  }
  static void refused(const std::vector<std::string>& words, int status, const char* why) {
    const Ran ran = run_herd(words);
    EXPECT_EQ(ran.status, status) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(why));
  }
  // general.file_type of an encoder's file, as llama.cpp numbers formats.
  [[nodiscard]] std::int64_t file_type(const char* name) const {
    const auto store = checkpoint::Store::open(directory.path() / name).value();
    return store.gguf().front().integer("general.file_type").value().value();
  }

  TemporaryDirectory directory;
};

TEST_F(ConvertVision, EightBitsAreSmallerAndSeeAlike) {
  said({"convert", cria, at("a.gguf"), "--vision-out", at("mmproj-a.gguf")});
  // 6 matrices of each of 3 layers, 2 of the adapter, 1 behind it
  EXPECT_THAT(said({"convert", at("a.gguf"), at("b.gguf"), "--type", "keep", "--vision-out",
                    at("mmproj-b.gguf"), "--vision-type", "q8_0"}),
              HasSubstr("21 in q8_0"));
  EXPECT_EQ(fs::file_size(at("b.gguf")), fs::file_size(at("a.gguf")));
  EXPECT_LT(3 * fs::file_size(at("mmproj-b.gguf")), 2 * fs::file_size(at("mmproj-a.gguf")));
  said({"gen", "--task", "shapes", "--count", "4", "--pictures", at("seen")});
  const auto answer = [&](const char* mmproj, const fs::path& picture) {
    return run_herd({"generate", at("a.gguf"), "What colour is the shape?", "--image", picture,
                     "--mmproj", at(mmproj), "--temperature", "0", "--max-tokens", "12"})
        .out;
  };
  int pictures = 0, alike = 0;
  for (const auto& entry : fs::directory_iterator(at("seen"))) {
    if (entry.path().extension() != ".png") continue;
    ++pictures;
    const std::string wanted = answer("mmproj-a.gguf", entry.path());
    EXPECT_FALSE(wanted.empty());
    alike += answer("mmproj-b.gguf", entry.path()) == wanted ? 1 : 0;
  }
  EXPECT_GE(pictures, 4);
  EXPECT_GE(alike,
            pictures - 1);  // a close answer may turn, and on which processor it is close differs
}

TEST_F(ConvertVision, IsInTheFormatThatIsNamedOrLosesNothing) {
  struct Case {
    std::vector<std::string> flags;
    const char* says;
    std::int64_t file_type;
  };
  // With the text's: 61 in q4_0, 8 of narrow rows in f16, a head in q8_0, and 58 vectors in f32, patches among them.
  const Case cases[] = {{{"--type", "q4_0"}, "21 in bf16", 32},  // as cria has it
                        {{"--type", "f16"}, "91 tensors in f16", 1},
                        {{"--type", "q4_0", "--vision-type", "f16"}, "29 tensors in f16", 1},
                        {{"--type", "q4_0", "--vision-type", "f32"}, "79 in f32", 0},
                        {{"--type", "keep", "--vision-type", "q8_0"}, "21 in q8_0", 7}};
  int number = 0;
  for (const Case& each : cases) {
    const std::string model = at(fmt::format("{}.gguf", number).c_str()),
                      name = fmt::format("mmproj-{}.gguf", number++);
    std::vector<std::string> words{"quantize", cria, model, "--vision-out", at(name.c_str())};
    words.insert(words.end(), each.flags.begin(), each.flags.end());
    EXPECT_THAT(said(words), HasSubstr(each.says)) << number;
    EXPECT_EQ(file_type(name.c_str()), each.file_type) << number;
  }
  // What is in blocks already is kept in them, and goes into a packed store as it comes out of a file.
  EXPECT_THAT(said({"quantize", at("4.gguf"), at("5.gguf"), "--mmproj", at("mmproj-4.gguf"),
                    "--type", "q4_0", "--vision-out", at("mmproj-5.gguf")}),
              HasSubstr("22 in q8_0"));
  EXPECT_EQ(read_file(at("mmproj-5.gguf"), 1 << 24).value().substr(4096),
            read_file(at("mmproj-4.gguf"), 1 << 24).value().substr(4096));
  said({"convert", at("4.gguf"), at("of_file.herd"), "--mmproj", at("mmproj-4.gguf")});
  said({"convert", at("4.gguf"), at("named.herd"), "--mmproj", at("mmproj-3.gguf"), "--vision-type",
        "q8_0"});
  EXPECT_EQ(fs::file_size(at("of_file.herd")), fs::file_size(at("named.herd")));
  // Rows of 48 and 16 numbers are no whole blocks of 32.
  EXPECT_THAT(said({"quantize", test_model("vision"), at("v.gguf"), "--type", "q4_0",
                    "--vision-out", at("mmproj-v.gguf"), "--vision-type", "q8_0"}),
              HasSubstr("is f16: its rows of "));
}

// By what is multiplied most: in the mixed encoder one matrix of a block's six is in Q8_0, a third of its products.
TEST_F(ConvertVision, BenchSaysHowATileIsMultiplied) {
  const auto limit = [&](const std::string& model, const std::string& mmproj) {
    std::vector<std::string> words = {"bench",   model, "-p", "0", "-n",    "0",
                                      "--tiles", "16",  "-r", "1", "--json"};
    if (!mmproj.empty()) words.insert(words.end(), {"--mmproj", mmproj});
    const Ran ran = run_herd(words);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return std::string(document_of(ran).as_array().at(0).at("roofline").at("limit").as_string());
  };
  said({"convert", cria, at("whole.herd"), "--vision-type", "q8_0"});
  said({"convert", test_model("vision"), at("v.gguf"), "--vision-out", at("mmproj-v.gguf"),
        "--vision-type", "q8_0"});
  EXPECT_EQ(limit(at("whole.herd"), ""), "int8 products");
  EXPECT_EQ(limit(at("v.gguf"), at("mmproj-v.gguf")), "multiply-adds");
}

TEST_F(ConvertVision, TheEncoderNamedAsTheModelIsTakenAndSaid) {
  said({"convert", cria, at("b.gguf"), "--vision-out", at("mmproj-b.gguf")});
  said({"convert", cria, at("x.gguf"), "--vision-out", at("mmproj-a.gguf"), "--vision-type",
        "q8_0"});
  const std::string named = said({"convert", at("b.gguf"), at("b.herd")});
  EXPECT_THAT(named,
              HasSubstr("2 vision encoders lie beside the model; of these mmproj-b.gguf is taken"));
  EXPECT_THAT(named, Not(HasSubstr("q8_0")));
  EXPECT_THAT(said({"convert", at("x.gguf"), at("x.herd")}), HasSubstr("mmproj-a.gguf is taken"));
  EXPECT_THAT(run_herd({"inspect", at("b.gguf"), "--mmproj", at("mmproj-a.gguf")}).out,
              HasSubstr("21 tensors of q8_0"));
  // A damaged model is called damaged, whatever lies beside it.
  fs::resize_file(at("b.gguf"), fs::file_size(at("b.gguf")) / 2);
  const Ran damaged = run_herd({"inspect", at("b.gguf")});
  EXPECT_NE(damaged.status, 0);
  EXPECT_THAT(damaged.err, Not(HasSubstr("mmproj")));
}

TEST_F(ConvertVision, IsLeftOutOfAnyModelWhereTheUserWantsNone) {
  said({"convert", cria, at("whole.herd")});
  said({"convert", cria, at("text.herd"), "--mmproj", "none"});
  EXPECT_LT(fs::file_size(at("text.herd")), fs::file_size(at("whole.herd")));
  said({"convert", at("whole.herd"), at("text"), "--mmproj", "none"});
  for (const std::string& model : {at("text.herd"), at("text")})
    EXPECT_TRUE(document_of(run_herd({"inspect", model, "--json"})).at("vision").is_null())
        << model;
  said({"gen", "--task", "shapes", "--count", "1", "--pictures", at("seen")});
  std::string picture;
  for (const auto& entry : fs::directory_iterator(at("seen")))
    if (entry.path().extension() == ".png") picture = entry.path();
  for (const std::string& model : {cria, at("whole.herd"), test_model("meta")}) {
    const Ran blind =
        run_herd({"generate", model, "What?", "--image", picture, "--mmproj", "none"});
    EXPECT_NE(blind.status, 0) << model;
    EXPECT_THAT(blind.err, HasSubstr("picture")) << model;
  }
}

TEST_F(ConvertVision, SaysWhatItCannot) {
  said({"convert", cria, at("a.gguf"), "--vision-out", at("mmproj-a.gguf")});
  refused({"convert", cria, at("x.gguf"), "--vision-type", "q8_0"}, 2, "no --vision-out");
  const std::string blind = test_model("topk2");
  refused({"convert", blind, at("x.gguf"), "--vision-out", at("y.gguf"), "--vision-type", "q8_0"},
          2, "--vision-type is for vision encoders");
  refused({"convert", blind, at("x.gguf"), "--vision-out", at("y.gguf")}, 2, "has none");
  refused({"convert", at("a.gguf"), at("x.gguf"), "--mmproj", "none", "--vision-out", at("y.gguf")},
          2, "a file of its own: --mmproj FILE");
  refused({"convert", cria, at("dir"), "--vision-type", "q8_0"}, 2, "--vision-type is for files");
  refused({"convert", cria, at("x.gguf"), "--vision-out", at("x.gguf")}, 2,
          "is to be the model and");
  refused({"convert", cria, at("x.gguf"), "--vision-out", at("none/y.gguf")}, 73,
          "there is no directory");
  EXPECT_FALSE(fs::exists(at("x.gguf")));  // all of it before anything is written
  for (const std::string& within : {cria, at("a.herd")}) {
    if (within != cria) said({"convert", cria, within});
    refused({"generate", within, "x", "--mmproj", at("mmproj-a.gguf")}, 2,
            "has its vision encoder within");
  }
}

}  // namespace
}  // namespace herd::cli
