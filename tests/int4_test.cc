// Meta's int4 of a whole model: made on the way into a directory and into a packed store, read back from both, and
// refused where it has no place. That its codes and scales are Meta's own is quant/encode_test.cc's to prove, that
// others' files are read rightly tests/golden_test.cc's (model int4).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/thread_pool.h"
#include "engine/session.h"
#include "llama4/gguf_export.h"
#include "llama4/load.h"
#include "llama4/presets.h"
#include "llama4/random_model.h"
#include "quant/encode.h"
#include "train/export.h"

namespace herd {
namespace {

using checkpoint::GgufKind;
using testing::HasSubstr;

// Every matrix by name, as it is in memory.
struct Matrices final : nn::ParameterVisitor {
  explicit Matrices(llama4::Model& model) { model.parameters(*this); }
  std::map<std::string, const Matrix*> all;

  void matrix(std::string_view name, Matrix& matrix) override { all.emplace(name, &matrix); }
  void vector(std::string_view, Tensor&) override {}
  void experts(std::string_view name, nn::ExpertMatrices& experts) override {
    for (const auto& [matrices, kind] :
         {std::pair{&experts.gate, "gate"}, {&experts.up, "up"}, {&experts.down, "down"}})
      for (std::size_t e = 0; e < matrices->size(); ++e)
        matrix(fmt::format("{}.{}.{}_proj.weight", name, e, kind), (*matrices)[e]);
  }
};

std::vector<std::byte> int4_of(const Matrix& matrix) {
  std::vector<std::byte> out(
      static_cast<std::size_t>(bytes_of(DType::int4, matrix.out * matrix.in)));
  llama4::rows_as_blocks(matrix, 0, matrix.out, DType::int4, nullptr, out.data());
  return out;
}

bool is_expert(std::string_view name) {
  return name.contains(".experts.") || name.contains(".shared_expert.");
}

std::vector<float> logits_of(const llama4::Loaded& loaded) {
  ThreadPool pool(2);
  Context ctx(cpu_kernels(), pool);
  auto session = engine::Session::create(loaded.model(), ctx, {.context = 64, .piece_rows = 16});
  engine::Prompt prompt;
  for (std::int32_t i = 0; i < 21; ++i) prompt.tokens.push_back(i * 37 % 250);
  std::vector<float> out;
  EXPECT_TRUE(session->all_logits(prompt, [&](std::int64_t, const Tensor& piece) {
    out.insert(out.end(), piece.as<float>().begin(), piece.as<float>().end());
    return Result<void>{};
  }));
  return out;
}

class Int4 : public testing::Test {
 protected:
  Int4() : directory(fs::path(testing::TempDir()) / fmt::format("herd_int4_{}", ::getpid())) {
    fs::remove_all(directory);
    fs::create_directories(directory);
  }
  ~Int4() override { fs::remove_all(directory); }

  // Dense layers and layers of experts in turn, as cria; of widths that are whole groups, the experts' not whole blocks
  // of 256.
  fs::path model(std::int64_t width, std::int64_t expert_width) {
    llama4::Config config = llama4::preset("cria", 2);
    config.vision.reset();
    config.text.vocabulary = 256;
    config.text.width = config.text.dense_width = width;
    config.text.expert_width = expert_width;
    config.text.experts = 3;
    config.bos_token = config.pad_token = 1;
    config.stop_tokens = {2};
    fs::path out = directory / fmt::format("model{}", width);
    fs::create_directories(out);
    ThreadPool pool(2);
    const auto done =
        llama4::write_random_model({.config = config, .dtype = DType::bf16, .seed = 1}, out, pool);
    EXPECT_TRUE(done) << to_string(done.error());
    return out;
  }

  static std::unique_ptr<llama4::Loaded> open(const fs::path& path) {
    auto loaded = llama4::load(path);
    EXPECT_TRUE(loaded) << to_string(loaded.error());
    return loaded ? std::move(*loaded) : nullptr;
  }

  // A directory in int4.
  fs::path exported(const fs::path& from, const char* name) {
    const auto loaded = open(from);
    const auto done = train::export_model(loaded->model(), DType::int4, from, directory / name);
    EXPECT_TRUE(done) << to_string(done.error());
    return directory / name;
  }

  Result<std::vector<llama4::GgufNote>> write(const fs::path& from, const char* name,
                                              const char* mix, GgufKind kind) {
    const auto loaded = open(from);
    ThreadPool pool(2);
    return llama4::write_gguf(
        loaded->model(), directory / name,
        {.mix = llama4::find_mix(mix), .kind = kind, .name = "x", .words = {}, .projector = {}},
        pool);
  }

  fs::path directory;
};

TEST_F(Int4, ADirectoryHasAllExpertsInMetasBlocksAndAllElseAsItWas) {
  const fs::path from = model(256, 128);
  const auto original = open(from), read = open(exported(from, "int4"));
  Matrices before(original->model()), after(read->model());
  ASSERT_EQ(before.all.size(), after.all.size());
  int experts = 0;
  for (const auto& [name, matrix] : after.all) {
    SCOPED_TRACE(name);
    const Matrix& was = *before.all.at(name);
    EXPECT_EQ(matrix->dtype, is_expert(name) ? DType::int4 : DType::bf16);
    experts += is_expert(name);
    if (is_expert(name)) {
      EXPECT_EQ(int4_of(*matrix), int4_of(was));
      continue;
    }
    std::vector<float> a(static_cast<std::size_t>(was.out * was.in)), b(a.size());
    llama4::rows_as_floats(was, 0, was.out, a.data());
    llama4::rows_as_floats(*matrix, 0, was.out, b.data());
    EXPECT_EQ(a, b);
  }
  EXPECT_EQ(experts, (3 + 1) * 3);  // one layer of experts
  EXPECT_EQ(read->weight_type(), DType::bf16);
}

// The largest number of a group is 8 of its scale or, where it is positive, 7: rounding that again would shrink it.
TEST_F(Int4, IsNotRoundedTwice) {
  const fs::path once = exported(model(256, 128), "once"), twice = exported(once, "twice");
  EXPECT_EQ(read_file(once / "model.safetensors", 1 << 30).value(),
            read_file(twice / "model.safetensors", 1 << 30).value());
  ASSERT_TRUE(write(once, "a.herd", "int4", GgufKind::packed_store));
  const fs::path back = exported(directory / "a.herd", "back");
  EXPECT_EQ(read_file(once / "model.safetensors", 1 << 30).value(),
            read_file(back / "model.safetensors", 1 << 30).value());
}

TEST_F(Int4, AStoreHasTheBitsOfTheDirectoryWhateverItIsMadeOf) {
  const fs::path from = model(256, 128), hugging_face = exported(from, "int4");
  const auto made = write(from, "a.herd", "int4", GgufKind::packed_store);
  ASSERT_TRUE(made) << to_string(made.error());
  EXPECT_TRUE(made->empty()) << made->front().text;
  ASSERT_TRUE(write(hugging_face, "b.herd", "", GgufKind::packed_store));
  const auto a = open(directory / "a.herd"), b = open(directory / "b.herd"),
             read = open(hugging_face);
  for (const auto& [name, matrix] : Matrices(a->model()).all)
    EXPECT_EQ(matrix->layout == Layout::packed, is_expert(name)) << name;
  ThreadPool pool(2);
  read->pack({&pool});
  EXPECT_GT(read->packed_bytes(), 0);
  const std::vector<float> wanted = logits_of(*read);
  EXPECT_EQ(logits_of(*a), wanted);
  EXPECT_EQ(logits_of(*b), wanted);
  EXPECT_NE(logits_of(*open(from)), wanted);
}

TEST_F(Int4, HasNoPlaceInGgufFiles) {
  const fs::path from = model(256, 128);
  const auto asked = write(from, "x.gguf", "int4", GgufKind::gguf);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, Code::usage);
  EXPECT_THAT(asked.error().message, HasSubstr("int4, which GGUF files do not have"));
  EXPECT_THAT(asked.error().hint, HasSubstr("--type q4_0"));
  const auto kept = write(exported(from, "int4"), "x.gguf", "", GgufKind::gguf);
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().message, HasSubstr(".weight is of int4"));
  EXPECT_FALSE(fs::exists(directory / "x.gguf"));
  EXPECT_TRUE(write(directory / "int4", "y.gguf", "q4_0", GgufKind::gguf));
}

TEST_F(Int4, NeedsWholeGroups) {
  const fs::path from = model(192, 208);
  const auto loaded = open(from);
  const auto done = train::export_model(loaded->model(), DType::int4, from, directory / "no");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::usage);
  EXPECT_THAT(done.error().message, HasSubstr("rows of 192 and 208 numbers are not whole groups"));
  // A store takes other formats instead, and says so.
  const auto notes = write(from, "a.herd", "int4", GgufKind::packed_store);
  ASSERT_TRUE(notes);
  ASSERT_FALSE(notes->empty());
  EXPECT_THAT(notes->front().text, HasSubstr("not whole blocks of int4"));
}

}  // namespace
}  // namespace herd
