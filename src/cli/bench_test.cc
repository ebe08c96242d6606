#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/testing/run_herd.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;

double number(const json::value& row, std::string_view name) {
  return row.at(name).to_number<double>();
}

TEST(Bench, GivesTheContractsRows) {
  const Ran ran = run_herd({"bench", test_model("scout"), "-p", "40", "-p", "9", "-n", "6", "-b",
                            "1", "-b", "3", "-r", "3", "-t", "1", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json::value rows = document_of(ran);
  ASSERT_TRUE(rows.is_array());
  std::vector<std::string> tests;
  for (const json::value& row : rows.as_array()) {
    tests.push_back(
        fmt::format("{}x{}", row.at("test").as_string().c_str(), row.at("batch").to_number<int>()));
    EXPECT_LE(number(row, "tps_min"), number(row, "tps"));
    EXPECT_LE(number(row, "tps"), number(row, "tps_max"));
    EXPECT_GT(number(row, "gbps"), 0);
    const json::value& limits = row.at("roofline");
    const double reading = number(row, "gbps") / number(limits, "read_gbps");
    const double computing = number(row, "gops") / number(limits, "fma_gflops");
    EXPECT_NEAR(number(limits, "fraction"), std::max(reading, computing), 2e-3);
    EXPECT_GT(number(limits, "int8_gops"), 0);
  }
  EXPECT_THAT(tests, testing::ElementsAre("pp40x1", "pp9x1", "tg6x1", "tg6x3"));
}

// Bytes and operations, against a sum by hand: a dense model of two layers reads everything once a pass.
TEST(Bench, CountsWhatAPassReadsAndMultiplies) {
  const std::string guard = test_model("guard");
  const json::value shape = document_of(run_herd({"inspect", guard, "--json"}));
  const json::value& text = shape.at("text");
  const auto of = [&](const char* name) { return number(text, name); };
  const double d = of("width"), h = of("heads") * of("head_size"),
               kv = of("key_value_heads") * of("head_size");
  const double per_layer = 2 * d * h + 2 * d * kv + 3 * d * of("dense_width");
  const double layers = of("layers") * per_layer, head = d * of("vocabulary");
  const Ran ran = run_herd({"bench", guard, "-p", "10", "-n", "0", "-r", "1", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json::value row = document_of(ran).as_array().at(0);
  const double seconds = 10 / number(row, "tps");
  EXPECT_NEAR(number(row, "gops") * seconds * 1e9 / (2 * (10 * layers + head)), 1, 0.02);
  EXPECT_NEAR(number(row, "gbps") * seconds * 1e9 / (2 * (layers + head)), 1, 0.02);  // bfloat16
}

// One token reads one expert of each layer that has them, whatever another layer's experts are made of.
TEST(Bench, CountsTheExpertsThatATokenReads) {
  const std::string scout = test_model("scout");
  const json::value shape = document_of(run_herd({"inspect", scout, "--json"}));
  const json::value& text = shape.at("text");
  const auto of = [&](const char* name) { return number(text, name); };
  const double d = of("width"), h = of("heads") * of("head_size"),
               kv = of("key_value_heads") * of("head_size"), inner = of("expert_width");
  ASSERT_EQ(of("experts_per_token"), 1);
  double read = d * of("vocabulary");
  for (const json::value& layer : shape.at("layers").as_array()) {
    read += 2 * d * h + 2 * d * kv;
    const bool routes = layer.at("feed_forward").as_string() == "moe";
    // A shared expert, a chosen one and the router; or a dense one.
    read += routes ? 2 * 3 * d * inner + d * of("experts") : 3 * d * of("dense_width");
  }
  const Ran ran = run_herd({"bench", scout, "-p", "0", "-n", "1", "-r", "1", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json::value row = document_of(ran).as_array().at(0);
  EXPECT_NEAR(number(row, "gbps") / number(row, "tps") * 1e9 / (2 * read), 1, 0.02);
}

// The same for a tile: the embedding meets every patch, the encoder's layers the class vector as well, the adapter and
// the projector every vector that is left.
TEST(Bench, CountsWhatATileMultiplies) {
  const std::string scout = test_model("scout");
  std::ifstream file(scout + "/config.json");
  const json::value config = json::parse(file);
  const auto of = [&](const char* name) { return number(config.at("vision_config"), name); };
  const double w = of("hidden_size"), inner = of("intermediate_size"), patch = of("patch_size"),
               side = of("image_size") / patch, patches = side * side;
  const double embedding = 3 * patch * patch * w;
  const double encoder = of("num_hidden_layers") * (4 * w * w + 2 * w * inner);
  const double after = 4 * w * of("projector_input_dim") +
                       of("projector_input_dim") * of("projector_output_dim") +
                       of("projector_output_dim") * number(config.at("text_config"), "hidden_size");
  const Ran ran =
      run_herd({"bench", scout, "-p", "0", "-n", "0", "--tiles", "2", "-r", "1", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json::value row = document_of(ran).as_array().at(0);
  EXPECT_EQ(row.at("test").as_string(), "img2");
  const double seconds = 2 * patches / 4 / number(row, "tps");
  EXPECT_NEAR(number(row, "gops") * seconds * 1e9 /
                  (2 * 2 * (embedding * patches + encoder * (patches + 1) + after * patches / 4)),
              1, 0.02);
}

TEST(Bench, NamesWhatIsWrong) {
  const auto status = [](std::vector<std::string> more, std::string_view says) {
    more.insert(more.begin(), {"bench", test_model("scout")});
    const Ran ran = run_herd(more);
    EXPECT_THAT(ran.err, HasSubstr(std::string(says)));
    return ran.status;
  };
  EXPECT_EQ(status({"-p", "x"}, "-p is 'x', wanted 0 to"), 2);
  EXPECT_EQ(status({"-b", "4000"}, "-b is '4000', wanted 1 to 1024"), 2);
  EXPECT_EQ(status({"-b", "0"}, "-b is '0', wanted 1 to 1024"), 2);
  EXPECT_EQ(status({"--tiles", "65"}, "--tiles"), 2);
  EXPECT_EQ(status({"-p", "512", "--ctx", "64"}, "512 tokens in a context of 64"), 65);
  const Ran blind = run_herd({"bench", test_model("topk2"), "--tiles", "1"});
  EXPECT_EQ(blind.status, 65);
  EXPECT_THAT(blind.err, HasSubstr("--tiles is 1"));
}

}  // namespace
}  // namespace herd::cli
