#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "checkpoint/safetensors.h"
#include "cli/testing/run_herd.h"
#include "tensor/tensor.h"

namespace herd::cli {
namespace {

using testing::HasSubstr;

// What is in an .npy file of float32, read by its format's rules and not by our writer's habits.
struct Npy {
  std::string header;
  std::vector<float> numbers;
};

Npy read_npy(const fs::path& path) {
  const auto file = read_file(path, 1ull << 30);
  EXPECT_TRUE(file.has_value());
  if (!file) return {};
  EXPECT_EQ(file->substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t length =
      static_cast<unsigned char>((*file)[8]) + 256u * static_cast<unsigned char>((*file)[9]);
  Npy npy{file->substr(10, length), {}};
  npy.numbers.resize((file->size() - 10 - length) / sizeof(float));
  std::memcpy(npy.numbers.data(), file->data() + 10 + length, npy.numbers.size() * sizeof(float));
  return npy;
}

// The numbers that the reference library computed, beside its model.
class Expected {
 public:
  explicit Expected(const std::string& model)
      : file_(checkpoint::Safetensors::open(fs::path(test_model(model)) / "expected.safetensors")) {
    EXPECT_TRUE(file_.has_value());
  }
  template <typename T>
  std::vector<T> numbers(const std::string& name) const {
    const auto* entry = file_->find(name);
    EXPECT_NE(entry, nullptr) << name;
    if (entry == nullptr) return {};
    std::vector<T> out(static_cast<std::size_t>(entry->shape.elements()));
    std::memcpy(out.data(), file_->bytes(*entry).data(), out.size() * sizeof(T));
    return out;
  }

 private:
  Result<checkpoint::Safetensors> file_;
};

std::string listed(const std::vector<std::int64_t>& ids) {
  std::string out;
  for (const std::int64_t id : ids) out += fmt::format("{}{}", out.empty() ? "" : ",", id);
  return out;
}

void expect_close(const std::vector<float>& found, const std::vector<float>& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  const auto [low, high] = std::ranges::minmax(wanted);
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], wanted[i], 1e-4 * static_cast<double>(high - low)) << i;
}

TEST(Logits, AreThoseOfTheReferenceLibrary) {
  const TemporaryDirectory scratch;
  const Expected expected("chunks");  // 45 tokens over chunks of 8, a vocabulary of 256
  const auto tokens = expected.numbers<std::int64_t>("case0.tokens");
  const Ran ran = run_herd({"logits", test_model("chunks"), "--tokens", listed(tokens),
                            "--precision", "f32", "--out", scratch / "x.npy", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(document_of(ran).at("shape"), (json::array{tokens.size(), 256}));
  const Npy npy = read_npy(scratch / "x.npy");
  EXPECT_THAT(npy.header, HasSubstr("'descr': '<f4', 'fortran_order': False, 'shape': (45,256,)"));
  expect_close(npy.numbers, expected.numbers<float>("case0.logits"));
}

TEST(Logits, SeePicturesWhereTokensLeavePlaces) {
  const TemporaryDirectory scratch;
  const Expected expected("vision");
  const fs::path model = test_model("vision");
  // Two pictures in one prompt.
  const auto tokens = expected.numbers<std::int64_t>("case2.tokens");
  std::vector<std::string> line{
      "logits", model,   "--tokens",        listed(tokens), "--precision",
      "f32",    "--out", scratch / "x.npy", "--image",      model / "case2.image0.png"};
  const Ran missing = run_herd(line);
  EXPECT_EQ(missing.status, 65);
  EXPECT_THAT(missing.err, HasSubstr("but --tokens has"));
  line.insert(line.end(), {"--image", model / "case2.image1.png"});
  const Ran ran = run_herd(line);
  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_close(read_npy(scratch / "x.npy").numbers, expected.numbers<float>("case2.logits"));
}

TEST(Logits, TakeTextAsItsTokens) {
  const TemporaryDirectory scratch;
  const Ran text = run_herd({"logits", "models/cria", "--prompt", "Hello <|eot|>", "--out",
                             scratch / "text.npy", "--json"});
  ASSERT_EQ(text.status, 0) << text.err;
  const Ran ids = run_herd({"tokenize", "models/cria"}, "Hello <|eot|>");
  ASSERT_EQ(ids.status, 0) << ids.err;
  std::vector<std::int64_t> tokens{2016};  // begin-of-text
  const json::value list = document_of(ids);
  for (const json::value& id : list.as_array()) tokens.push_back(id.to_number<std::int64_t>());
  EXPECT_EQ(document_of(text).at("shape").at(0), tokens.size());
  ASSERT_EQ(
      run_herd({"logits", "models/cria", "--tokens", listed(tokens), "--out", scratch / "ids.npy"})
          .status,
      0);
  EXPECT_EQ(read_npy(scratch / "text.npy").numbers, read_npy(scratch / "ids.npy").numbers);
}

// With --chat the prompt is what `herd render` makes of the same message, pictures and all.
TEST(Logits, TakeAMessageInTheChatFormat) {
  const TemporaryDirectory scratch;
  const std::string picture = fs::path(test_model("vision")) / "case0.image0.png";
  for (const std::vector<std::string>& pictures : {std::vector<std::string>{}, {picture}}) {
    std::vector<std::string> line{"logits", "models/cria", "--prompt", " Hello <|eot|>",
                                  "--chat", "--json",      "--out",    scratch / "chat.npy"};
    json::array content;
    for (const std::string& path : pictures) {
      line.insert(line.end(), {"--image", path});
      content.push_back(json::object{{"type", "image"}, {"image", path}});
    }
    content.push_back(json::object{{"type", "text"}, {"text", " Hello <|eot|>"}});
    const Ran ran = run_herd(line);
    ASSERT_EQ(ran.status, 0) << ran.err;

    const json::value messages = json::array{json::object{{"role", "user"}, {"content", content}}};
    ASSERT_TRUE(write_file(scratch / "messages.json", std::string_view(json::serialize(messages))));
    const Ran rendered = run_herd({"render", "models/cria", scratch / "messages.json", "--json"});
    ASSERT_EQ(rendered.status, 0) << rendered.err;
    std::vector<std::int64_t> tokens;
    constexpr std::int64_t image = 2045, image_start = 2035, patch = 2047, image_end = 2036;
    const json::value ids = document_of(rendered);
    for (const json::value& id : ids.at("ids").as_array()) {
      if (id != image) {
        tokens.push_back(id.to_number<std::int64_t>());
        continue;
      }
      // The picture is one tile: <|image_start|><|image|>, a vector for each of its 16 places, <|image_end|>.
      tokens.insert(tokens.end(), {image_start, image});
      tokens.insert(tokens.end(), 16, patch);
      tokens.push_back(image_end);
    }
    std::vector<std::string> by_id{"logits",       "models/cria", "--tokens",
                                   listed(tokens), "--out",       scratch / "ids.npy"};
    for (const std::string& path : pictures) by_id.insert(by_id.end(), {"--image", path});
    const Ran again = run_herd(by_id);
    ASSERT_EQ(again.status, 0) << again.err;
    EXPECT_EQ(document_of(ran).at("shape").at(0), tokens.size());
    EXPECT_EQ(read_npy(scratch / "chat.npy").numbers, read_npy(scratch / "ids.npy").numbers);
  }
  const Ran no_prompt =
      run_herd({"logits", "models/cria", "--tokens", "1", "--chat", "--out", scratch / "x.npy"});
  EXPECT_EQ(no_prompt.status, 2);
  EXPECT_THAT(no_prompt.err, HasSubstr("--chat without --prompt"));
}

// Pictures before the text of --prompt are those before the same ids.
TEST(Logits, SeePicturesInFrontOfText) {
  const TemporaryDirectory scratch;
  const std::string picture = fs::path(test_model("vision")) / "case0.image0.png";
  const Ran text = run_herd({"logits", "models/cria", "--prompt", "Hi", "--image", picture, "--out",
                             scratch / "text.npy", "--json"});
  ASSERT_EQ(text.status, 0) << text.err;
  const Ran ids = run_herd({"tokenize", "models/cria"}, "Hi");
  std::string tokens = "2016,2035,2045";
  for (int i = 0; i < 16; ++i) tokens += ",2047";
  tokens += ",2036";
  const json::value list = document_of(ids);
  for (const json::value& id : list.as_array())
    tokens += fmt::format(",{}", id.to_number<std::int64_t>());
  const Ran by_id = run_herd({"logits", "models/cria", "--tokens", tokens, "--image", picture,
                              "--out", scratch / "ids.npy"});
  ASSERT_EQ(by_id.status, 0) << by_id.err;
  const auto seen = read_npy(scratch / "text.npy").numbers;
  EXPECT_EQ(seen, read_npy(scratch / "ids.npy").numbers);
  const Ran blind =
      run_herd({"logits", "models/cria", "--tokens", tokens, "--out", scratch / "blind.npy"});
  ASSERT_EQ(blind.status, 0) << blind.err;
  EXPECT_NE(seen, read_npy(scratch / "blind.npy").numbers);
}

TEST(Logits, RefuseWhatIsNoPrompt) {
  const TemporaryDirectory scratch;
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> line{"logits", "models/cria", "--out", scratch / "x.npy"};
    line.insert(line.end(), more.begin(), more.end());
    return run_herd(line);
  };
  EXPECT_EQ(with({}).status, 2);
  EXPECT_EQ(with({"--tokens", "1", "--prompt", "x"}).status, 2);
  for (const char* list : {"", "1,", ",1", "1,,2", "1, 2", "-1", "one", "4294967296"}) {
    const Ran ran = with({"--tokens", list});
    EXPECT_EQ(ran.status, 2) << list;
    EXPECT_THAT(ran.err, HasSubstr("is no token id")) << list;
  }
  const Ran beyond = with({"--tokens", "5,2048"});
  EXPECT_EQ(beyond.status, 2);
  EXPECT_THAT(beyond.err, HasSubstr("token 2048 at position 1 is not in the vocabulary of 2048"));
  const Ran full = with({"--tokens", "1,2,3", "--ctx", "2"});
  EXPECT_EQ(full.status, 65);
  EXPECT_THAT(full.err, HasSubstr("shorten it by 1 tokens"));
  EXPECT_FALSE(fs::exists(scratch / "x.npy"));
  EXPECT_TRUE(fs::is_empty(scratch.path()));  // nothing unfinished either
}

}  // namespace
}  // namespace herd::cli
