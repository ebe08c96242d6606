#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/inspect_report.h"
#include "cli/testing/run_herd.h"
#include "llama4/config_json.h"
#include "llama4/presets.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;

std::uint64_t number(const json::value& value) { return value.to_number<std::uint64_t>(); }

std::string string_of(const json::value& value) { return std::string(value.as_string().c_str()); }

TEST(Inspect, GuessesTheFamily) {
  EXPECT_EQ(family_of(llama4::preset("scout").text), "scout-like");
  EXPECT_EQ(family_of(llama4::preset("maverick").text), "maverick-like");
  llama4::TextConfig text = llama4::preset("scout", 4).text;
  text.is_moe = {false, false, false, false};
  EXPECT_EQ(family_of(text), "guard-like");
  text.is_moe = {true, false, true, false};
  EXPECT_EQ(family_of(text), "llama 4");
  for (const auto& [model, family] :
       {std::pair("scout", "scout-like"), {"maverick", "maverick-like"}, {"guard", "guard-like"}}) {
    const json::value found = document_of(run_herd({"inspect", test_model(model), "--json"}));
    EXPECT_EQ(string_of(found.at("family")), family);
  }
}

TEST(Inspect, SaysWhatTheFilesHold) {
  const Ran ran = run_herd({"inspect", test_model("scout"), "--json", "--tensors"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.err, "");
  const json::value found = document_of(ran);
  EXPECT_EQ(string_of(found.at("format")), "safetensors");
  EXPECT_EQ(number(found.at("text").at("layers")), 4u);
  EXPECT_EQ(number(found.at("text").at("width")), 64u);
  EXPECT_EQ(number(found.at("text").at("chunk")), 32u);
  EXPECT_EQ(string_of(found.at("layers").at(0).at("attention")), "local");
  EXPECT_EQ(string_of(found.at("layers").at(3).at("attention")), "global");
  EXPECT_EQ(string_of(found.at("layers").at(3).at("feed_forward")), "moe");
  EXPECT_EQ(number(found.at("vision").at("tokens_per_tile")), 1u);

  // The numbers in the files are the parameters that the configuration implies, all in bf16.
  const json::array& types = found.at("dtypes").as_array();
  ASSERT_EQ(types.size(), 1u);
  EXPECT_EQ(string_of(types[0].at("dtype")), "bf16");
  EXPECT_EQ(number(types[0].at("numbers")), number(found.at("parameters").at("total")));
  EXPECT_EQ(number(types[0].at("bytes")), 2 * number(types[0].at("numbers")));
  EXPECT_EQ(number(found.at("memory").at("weights")), number(types[0].at("bytes")));

  const json::array& tensors = found.at("tensors").as_array();
  EXPECT_EQ(tensors.size(), number(types[0].at("tensors")));
  std::uint64_t bytes = 0;
  std::set<std::string> files;
  for (const json::value& tensor : tensors) {
    bytes += number(tensor.at("bytes"));
    files.insert(string_of(tensor.at("file")));
    EXPECT_TRUE(fs::exists(fs::path(test_model("scout")) / string_of(tensor.at("file"))));
  }
  EXPECT_EQ(bytes, number(types[0].at("bytes")));
  EXPECT_EQ(files.size(), 3u);
}

// Spec 1.6: 48 KiB a token in the global layers, and 1.125 GiB at most in the local ones.
TEST(Inspect, ShowsThatLocalLayersStopAtOneChunk) {
  const TemporaryDirectory scratch;
  ASSERT_TRUE(write_file(scratch / "config.json",
                         std::string_view(json::serialize(
                             llama4::config_to_hugging_face(llama4::preset("scout")))))
                  .has_value());
  const Ran ran = run_herd({"inspect", scratch.path(), "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const json::value found = document_of(ran);
  EXPECT_EQ(string_of(found.at("format")), "none");
  EXPECT_THAT(string_of(found.at("notes").at(0)), HasSubstr("has no weights"));
  EXPECT_EQ(number(found.at("parameters").at("total")), 108'641'793'536u);
  const json::array& contexts = found.at("memory").at("contexts").as_array();
  const std::vector<std::uint64_t> lengths{8192, 65'536, 262'144, 1'048'576, 10'485'760};
  ASSERT_EQ(contexts.size(), lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    EXPECT_EQ(number(contexts[i].at("context")), lengths[i]);
    EXPECT_EQ(number(contexts[i].at("global")), lengths[i] * 49'152);
    EXPECT_EQ(number(contexts[i].at("local")), 1'207'959'552u);
    EXPECT_EQ(number(contexts[i].at("unchunked")), lengths[i] * 196'608);
  }
  const std::string text = run_herd({"inspect", scratch.path()}).out;
  EXPECT_THAT(text, HasSubstr("36 local in chunks of 8192, 12 global (3, 7, 11, 15"));
  EXPECT_THAT(text, HasSubstr("64k       3.0 GiB       1.1 GiB       4.1 GiB            12.0 GiB"));
}

TEST(Inspect, FindsNumbersThatAreNone) {
  const TemporaryDirectory scratch;
  const fs::path model = scratch / "model";
  fs::copy(test_model("fp8"), model);
  const Ran clean = run_herd({"inspect", model, "--scan", "--json"});
  EXPECT_EQ(clean.status, 0) << clean.err;
  const json::value before = document_of(clean);
  EXPECT_EQ(number(before.at("scan").at("nan")), 0u);
  std::uint64_t tensors = 0;
  for (const json::value& type : before.at("dtypes").as_array())
    tensors += number(type.at("tensors"));
  EXPECT_EQ(number(before.at("scan").at("tensors")), tensors);

  // One NaN among the FP8 numbers of an expert, one infinity in a bf16 matrix.
  const json::value list = document_of(run_herd({"inspect", model, "--tensors", "--json"}));
  std::string bytes = read_file(model / "model.safetensors", 1 << 20).value();
  for (const auto& [dtype, damage] :
       {std::pair<std::string, std::string>("f8_e4m3", "\x7f"), {"bf16", "\x80\x7f"}}) {
    for (const json::value& tensor : list.at("tensors").as_array()) {
      if (string_of(tensor.at("dtype")) != dtype) continue;
      const std::string name = "\"" + string_of(tensor.at("name")) + "\"";
      const std::size_t offsets = bytes.find("\"data_offsets\":[", bytes.find(name)) + 16;
      const std::size_t header =
          8 + static_cast<unsigned char>(bytes[0]) + 256u * static_cast<unsigned char>(bytes[1]);
      bytes.replace(header + std::stoul(bytes.substr(offsets)) + 2, damage.size(), damage);
      break;
    }
  }
  ASSERT_TRUE(write_file(model / "model.safetensors", std::string_view(bytes)).has_value());
  const Ran damaged = run_herd({"inspect", model, "--scan", "--json"});
  EXPECT_EQ(damaged.status, 65);
  EXPECT_THAT(damaged.err, HasSubstr("error[E1306]: model.safetensors: "));
  const json::value after = document_of(damaged);
  EXPECT_EQ(number(after.at("scan").at("nan")), 1u);
  EXPECT_EQ(number(after.at("scan").at("infinite")), 1u);
  EXPECT_EQ(after.at("scan").at("bad").as_array().size(), 2u);
  EXPECT_THAT(run_herd({"inspect", model, "--scan"}).out, HasSubstr("1 NaN, 0 infinite"));
}

// The report is shown, and the status says that the model would not load.
TEST(Inspect, ReportsWhatDoesNotFitTheConfiguration) {
  const TemporaryDirectory scratch;
  const fs::path model = scratch / "model";
  fs::copy(test_model("onelayer"), model);
  json::value config = read_json(model / "config.json").value();
  config.as_object()["intermediate_size"] = 4711;
  fs::remove(model / "config.json");
  ASSERT_TRUE(
      write_file(model / "config.json", std::string_view(json::serialize(config))).has_value());
  const Ran ran = run_herd({"inspect", model, "--json"});
  EXPECT_EQ(ran.status, 65);
  const json::value found = document_of(ran);
  EXPECT_EQ(string_of(found.at("problem").at("code")), "tensor_mismatch");
  EXPECT_THAT(ran.err, HasSubstr("4711"));
  EXPECT_GT(number(found.at("memory").at("weights")), 0u);
}

TEST(Inspect, LooksAtEveryReferenceModel) {
  int models = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(HERD_ROOT) / "tests/data/models")) {
    SCOPED_TRACE(entry.path());
    const Ran ran = run_herd({"inspect", entry.path(), "--json", "--tensors", "--scan"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_GT(document_of(ran).at("tensors").as_array().size(), 5u);
    ++models;
  }
  EXPECT_GE(models, 10);
}

}  // namespace
}  // namespace herd::cli
