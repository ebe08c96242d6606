// Importances: what is summed is what goes in; files come back, ours and llama.cpp's older form; experts with too few
// rows get the mean; files that are not of this kind are refused.
#include "llama4/importance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "checkpoint/gguf_writer.h"
#include "llama4/gguf_export.h"
#include "llama4/load.h"
#include "ops/matmul.h"

namespace herd::llama4 {
namespace {

using testing::HasSubstr;

constexpr const char* query = "blk.0.attn_q.weight";

class ImportanceTest : public testing::Test {
 protected:
  ImportanceTest()
      : directory(fs::path(testing::TempDir()) / fmt::format("herd_importance_{}", ::getpid())),
        loaded(load(fs::path(HERD_ROOT) / "tests/data/models/scout").value()) {
    fs::remove_all(directory);
    fs::create_directories(directory);
    for (GgufMatrices& tensor : gguf_matrices(loaded->model())) {
      if (experts.matrices.empty() && tensor.matrices.size() > 1) experts = tensor;
      tensors.push_back(std::move(tensor));
    }
  }
  ~ImportanceTest() override { fs::remove_all(directory); }

  // Every row of every tensor seen so often, with squares of 4.
  [[nodiscard]] Importance whole(double rows) const {
    Importance out{.tensors = {}, .texts = {"a.txt"}, .windows = 3, .window_tokens = 64};
    for (const GgufMatrices& tensor : tensors) {
      InputSums& sums = out.tensors[tensor.name];
      sums.counts.assign(tensor.matrices.size(), rows);
      sums.squares.assign(tensor.matrices.size() * static_cast<std::size_t>(tensor.matrices[0]->in),
                          4 * rows);
    }
    return out;
  }

  fs::path directory;
  std::unique_ptr<Loaded> loaded;
  std::vector<GgufMatrices> tensors;
  GgufMatrices experts;  // the first tensor that holds several matrices
};

TEST_F(ImportanceTest, SumsTheSquaresOfWhatGoesIn) {
  ThreadPool pool(1);
  Context ctx(cpu_kernels(), pool);
  ImportanceCollector collector(loaded->model());
  ctx.watch_products = [&](const Tensor& x, std::span<const MatmulGroup> groups) {
    collector.saw(x, groups);
  };
  const Matrix& first = *experts.matrices[0];
  std::vector<Matrix> all;
  for (const Matrix* matrix : experts.matrices) all.push_back(*matrix);
  std::vector<std::int64_t> begin(all.size() + 1, 3);
  begin[0] = 0;
  begin[1] = 1;  // one row to expert 0, two to expert 1
  const Tensor x = ctx.empty({3, first.in});
  for (std::int64_t i = 0; i < 3 * first.in; ++i)
    x.as<float>()[static_cast<std::size_t>(i)] = static_cast<float>(i % 7) - 2;
  matmul_by_expert(ctx, x, all, {}, begin);
  matmul_by_expert(ctx, x, all, {}, begin);

  const auto sums = collector.take();
  ASSERT_EQ(sums.size(), 1u);
  const InputSums& found = sums.at(experts.name);
  EXPECT_EQ(found.counts[0], 2);
  EXPECT_EQ(found.counts[1], 4);
  EXPECT_EQ(found.counts[2], 0);
  const auto in = static_cast<std::size_t>(first.in);
  const auto square = [&](std::size_t i) { return std::pow(double{x.as<float>()[i]}, 2); };
  for (std::size_t i = 0; i < in; ++i) {
    ASSERT_EQ(found.squares[i], 2 * square(i));
    ASSERT_EQ(found.squares[in + i], 2 * (square(in + i) + square(2 * in + i)));
  }
}

TEST_F(ImportanceTest, FilesComeBack) {
  Importance wanted = whole(20);
  wanted.tensors.at(experts.name).counts[1] = 7;
  const fs::path path = directory / "i.gguf";
  ASSERT_TRUE(write_importance(wanted, path));
  const auto found = read_importance(path);
  ASSERT_TRUE(found) << to_string(found.error());
  EXPECT_EQ(found->texts, wanted.texts);
  EXPECT_EQ(found->windows, 3u);
  EXPECT_EQ(found->window_tokens, 64u);
  ASSERT_EQ(found->tensors.size(), wanted.tensors.size());
  for (const auto& [name, sums] : wanted.tensors) {
    EXPECT_EQ(found->tensors.at(name).squares, sums.squares) << name;
    EXPECT_EQ(found->tensors.at(name).counts, sums.counts) << name;
  }
  EXPECT_EQ(write_importance(wanted, path).error().code, Code::cannot_create);
}

TEST_F(ImportanceTest, ExpertsWithTooFewRowsGetTheMean) {
  Importance importance = whole(20);
  InputSums& sums = importance.tensors.at(experts.name);
  const std::size_t in = sums.squares.size() / sums.counts.size();
  sums.squares[0] = 20 * 40;  // expert 0 minds its first input
  sums.counts[1] = 2;         // expert 1 saw hardly anything, and that was odd
  for (std::size_t i = 0; i < in; ++i) sums.squares[in + i] = i == 1 ? 1000 : 0;
  const auto weights = ImportanceWeights::create(importance, loaded->model());
  ASSERT_TRUE(weights) << to_string(weights.error());
  const float *mine = weights->find(experts.name, 0), *few = weights->find(experts.name, 1);
  EXPECT_NEAR(mine[0] / mine[1], 10, 1e-4);
  EXPECT_GT(few[0], few[2]);
  EXPECT_LT(few[1] / few[2], 10);  // its own would be all
  ASSERT_EQ(weights->notes().size(), 1u);
  EXPECT_THAT(weights->notes()[0], HasSubstr(experts.name + ": 1 of"));
  EXPECT_THAT(weights->notes()[0], testing::EndsWith(": 1"));
}

TEST_F(ImportanceTest, WhatIsMissingIsNamedAndOtherWidthsAreRefused) {
  Importance importance = whole(20);
  importance.tensors.erase(query);
  const auto weights = ImportanceWeights::create(importance, loaded->model());
  ASSERT_TRUE(weights);
  ASSERT_EQ(weights->notes().size(), 1u);
  EXPECT_THAT(weights->notes()[0], HasSubstr(query));
  EXPECT_EQ(weights->find(query, 0), nullptr);

  // A model of more layers, as far as the file tells.
  importance = whole(20);
  importance.tensors["blk.99.attn_q.weight"] = importance.tensors.at(query);
  const auto other = ImportanceWeights::create(importance, loaded->model());
  ASSERT_TRUE(other);
  ASSERT_EQ(other->notes().size(), 1u);
  EXPECT_THAT(other->notes()[0], HasSubstr("1 of the importance matrix's"));

  importance = whole(20);
  importance.tensors.at(query).squares.pop_back();
  const auto refused = ImportanceWeights::create(importance, loaded->model());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::tensor_mismatch);
  EXPECT_THAT(refused.error().message, HasSubstr(query));
}

TEST_F(ImportanceTest, ReadsTheOlderForm) {
  std::string bytes;
  const auto put = [&](std::int32_t number) {
    bytes.append(static_cast<const char*>(static_cast<const void*>(&number)), sizeof number);
  };
  const std::size_t in = static_cast<std::size_t>(experts.matrices[0]->in);
  put(1);
  put(static_cast<std::int32_t>(experts.name.size()));
  bytes += experts.name;
  put(5);  // windows
  put(static_cast<std::int32_t>(in * experts.matrices.size()));
  for (std::size_t i = 0; i < in * experts.matrices.size(); ++i) {
    const float value = i < in ? 0 : i % in == 0 ? 20 : 10;  // expert 0 saw nothing
    bytes.append(static_cast<const char*>(static_cast<const void*>(&value)), sizeof value);
  }
  put(5);
  put(1);
  bytes += "t";
  write_file(directory / "i.dat", std::string_view(bytes)).value();
  const auto importance = read_importance(directory / "i.dat");
  ASSERT_TRUE(importance) << to_string(importance.error());
  const auto weights = ImportanceWeights::create(*importance, loaded->model());
  ASSERT_TRUE(weights) << to_string(weights.error());
  for (std::int64_t expert : {0, 1}) {
    const float* w = weights->find(experts.name, expert);
    ASSERT_NE(w, nullptr);
    EXPECT_NEAR(w[0] / w[1], 2, 1e-5);
  }
  for (std::size_t length = 0; length < bytes.size() - 10; length += 97) {
    write_file(directory / "cut.dat", std::string_view(bytes).substr(0, length)).value();
    EXPECT_FALSE(read_importance(directory / "cut.dat")) << length;
  }
}

TEST_F(ImportanceTest, RefusesWhatIsNoSuchFile) {
  const auto written = [&](const char* type, float square, const char* counts) {
    checkpoint::GgufKeys keys;
    keys.put("general.type", type);
    const std::vector<checkpoint::PlannedTensor> planned = {
        {std::string(query) + ".in_sum2", DType::f32, {1, 1}},
        {std::string(query) + counts, DType::f32, {1, 1}}};
    fs::remove(directory / "bad.gguf");
    auto file = checkpoint::GgufWriter::create(directory / "bad.gguf", keys, planned).value();
    for (const float number : {square, 1.0f})
      file.write(std::as_bytes(std::span(&number, 1))).value();
    file.finish().value();
    return read_importance(directory / "bad.gguf");
  };
  EXPECT_TRUE(written("imatrix", 1, ".counts"));
  EXPECT_EQ(written("model", 1, ".counts").error().code, Code::bad_header);
  EXPECT_EQ(written("imatrix", -1, ".counts").error().code, Code::bad_header);
  EXPECT_EQ(written("imatrix", NAN, ".counts").error().code, Code::bad_header);
  const auto lonely = written("imatrix", 1, ".others");
  EXPECT_EQ(lonely.error().code, Code::tensor_missing);
  EXPECT_THAT(lonely.error().message, HasSubstr("bad.gguf"));
}

}  // namespace
}  // namespace herd::llama4
