// /v1/embeddings over real sockets (spec/api.md E2). That the vectors are right is tests/embeddings_test.cc's business.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "server/data_url.h"
#include "server/testing/served.h"

namespace herd::server {
namespace {

constexpr std::string_view path = "/v1/embeddings";

const Served& served() {
  static const Served one;
  return one;
}

json::object asked(json::value input, json::object more = {}) {
  json::object body{{"model", "cria"}, {"input", std::move(input)}};
  for (const auto& [key, value] : more) body[key] = value;
  return body;
}

std::vector<float> vector_at(const json::value& body, const std::string& index) {
  std::vector<float> out;
  const json::value list = at(body, "data." + index + ".embedding");
  for (const json::value& x : list.as_array()) out.push_back(x.to_number<float>());
  return out;
}

double product(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

TEST(ApiEmbeddings, E2GivesUnitVectorsInTheOrderOfTheInput) {
  const json::value body = parsed(served().post(
      path,
      asked(json::array{"The fox is red.", "The fox is red!", "12 + 7 = 19", "The fox is red."})));
  EXPECT_EQ(text_at(body, "object"), "list");
  EXPECT_EQ(text_at(body, "model"), "cria");
  std::vector<std::vector<float>> vectors;
  for (const std::string i : {"0", "1", "2", "3"}) {
    EXPECT_EQ(text_at(body, "data." + i + ".object"), "embedding");
    EXPECT_EQ(text_at(body, "data." + i + ".index"), i);
    vectors.push_back(vector_at(body, i));
    EXPECT_EQ(vectors.back().size(), 192u);
    EXPECT_NEAR(product(vectors.back(), vectors.back()), 1, 1e-5);
  }
  EXPECT_EQ(vectors[0], vectors[3]);
  EXPECT_NE(vectors[0], vectors[1]);
  EXPECT_GT(product(vectors[0], vectors[1]), product(vectors[0], vectors[2]));
  EXPECT_GT(at(body, "usage.prompt_tokens").to_number<int>(), 12);
  EXPECT_EQ(at(body, "usage.prompt_tokens"), at(body, "usage.total_tokens"));
}

TEST(ApiEmbeddings, E2Base64HoldsTheSameNumbers) {
  const json::value plain = parsed(served().post(path, asked("Hello")));
  const json::value packed =
      parsed(served().post(path, asked("Hello", {{"encoding_format", "base64"}})));
  const auto bytes = decode_base64(text_at(packed, "data.0.embedding"), "embedding").value();
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  EXPECT_EQ(numbers, vector_at(plain, "0"));
}

TEST(ApiEmbeddings, TakesTokensDimensionsAndPooling) {
  const json::value whole = parsed(served().post(path, asked(json::array{1, 2, 3})));
  const json::value same =
      parsed(served().post(path, asked(json::array{json::array{1, 2, 3}, json::array{4}})));
  EXPECT_EQ(vector_at(whole, "0"), vector_at(same, "0"));
  const json::value few =
      parsed(served().post(path, asked(json::array{1, 2, 3}, {{"dimensions", 8}})));
  ASSERT_EQ(vector_at(few, "0").size(), 8u);
  EXPECT_NEAR(product(vector_at(few, "0"), vector_at(few, "0")), 1, 1e-5);
  const json::value last =
      parsed(served().post(path, asked(json::array{1, 2, 3}, {{"pooling", "last"}})));
  EXPECT_NE(vector_at(whole, "0"), vector_at(last, "0"));
}

// More than the queue holds: they wait for each other, and come back in order.
TEST(ApiEmbeddings, ManyTextsOfOneRequestDoNotFillTheQueue) {
  json::array texts;
  for (int i = 0; i < 400; ++i) texts.push_back(json::array{i % 7 + 1, i % 5 + 1});
  const Received got = served().post(path, asked(texts));
  ASSERT_EQ(got.status, 200) << got.body;
  const json::value body = parsed(got);
  ASSERT_EQ(at(body, "data").as_array().size(), 400u);
  EXPECT_EQ(vector_at(body, "0"), vector_at(body, "35"));
  EXPECT_NE(vector_at(body, "0"), vector_at(body, "1"));
}

TEST(ApiEmbeddings, NamesWhatIsWrong) {
  const auto refused = [](json::object body, std::string_view code, std::string_view words) {
    const Received got = served().post(path, std::move(body));
    EXPECT_EQ(got.status, 400) << got.body;
    EXPECT_EQ(text_at(parsed(got), "error.code"), code) << got.body;
    EXPECT_THAT(got.body, testing::HasSubstr(words));
  };
  refused({{"model", "cria"}}, "missing_required_parameter", "input");
  refused(asked(""), "invalid_value", "'input' is empty");
  refused(asked(json::array{"a", ""}), "invalid_value", "input[1]");
  refused(asked(json::array{1, -1}), "invalid_value", "input[1]");
  refused(asked(7), "invalid_type", "a text or token ids");
  refused(asked("a", {{"dimensions", 193}}), "out_of_range", "1 to 192");
  refused(asked("a", {{"encoding_format", "hex"}}), "unsupported_value", "base64");
  refused(asked(json::array(2049, "a")), "array_above_max_length", "2048");
  refused(asked("a", {{"input_type", "query"}}), "unknown_parameter", "input_type");
}

}  // namespace
}  // namespace herd::server
