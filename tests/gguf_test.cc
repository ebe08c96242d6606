// Models as GGUF files that the `gguf` package wrote (tools/reference/make_gguf.py), against the same weights as
// Hugging Face publishes them: the same configuration, the same bits of every logit. Split files, files of pictures.
#include "checkpoint/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "base/rng.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/store.h"
#include "engine/bundle.h"
#include "engine/model_files.h"
#include "engine/session.h"
#include "llama4/gguf.h"
#include "llama4/gguf_export.h"
#include "llama4/load.h"

namespace herd {
namespace {

fs::path root() { return HERD_ROOT; }

// Words and, where the model sees, a picture of noise in their midst.
engine::Prompt prompt_for(const llama4::Config& config) {
  engine::Prompt prompt;
  for (std::uint64_t i = 0; i < 70; ++i)
    prompt.tokens.push_back(static_cast<std::int32_t>(uniform(1, i) * 200));
  if (!config.vision) return prompt;
  const std::int64_t side = config.vision->image_size;
  std::vector<float> pixels;
  for (std::int64_t i = 0; i < 3 * side * side; ++i)
    pixels.push_back(static_cast<float>(2 * uniform(2, static_cast<std::uint64_t>(i)) - 1));
  prompt.pictures.push_back({.tiles = 1, .side = side, .pixels = std::move(pixels)});
  for (std::int64_t i = 0; i < config.vision->tokens_per_tile(); ++i) {
    prompt.patches.push_back(static_cast<std::int64_t>(prompt.tokens.size()));
    prompt.tokens.push_back(config.image_token);
  }
  prompt.tokens.push_back(7);
  return prompt;
}

std::vector<float> logits_of(const llama4::Loaded& loaded, const engine::Prompt& prompt) {
  ThreadPool pool(2);
  Context ctx(cpu_kernels(), pool);
  auto session = engine::Session::create(loaded.model(), ctx, {.context = 256}).value();
  std::vector<float> out;
  const auto taken = session.all_logits(prompt, [&](std::int64_t, const Tensor& logits) {
    const auto values = logits.as<float>();
    out.insert(out.end(), values.begin(), values.end());
    return Result<void>();
  });
  EXPECT_TRUE(taken) << to_string(taken.error());
  return out;
}

struct Model {
  std::string name, file;
};

class Gguf : public testing::TestWithParam<Model> {
 protected:
  fs::path file = root() / "tests/data/gguf" / GetParam().name / GetParam().file;
  fs::path original = root() / "tests/data/models" / GetParam().name;
};

TEST_P(Gguf, HasTheConfigurationOfTheOriginal) {
  const auto read = llama4::read_config(file);
  ASSERT_TRUE(read) << to_string(read.error());
  const llama4::Config wanted = llama4::read_config(original).value();
  const llama4::TextConfig &a = read->text, &b = wanted.text;
  EXPECT_EQ(a.vocabulary, b.vocabulary);
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.layers, b.layers);
  EXPECT_EQ(a.heads, b.heads);
  EXPECT_EQ(a.key_value_heads, b.key_value_heads);
  EXPECT_EQ(a.head_size, b.head_size);
  EXPECT_EQ(a.expert_width, b.expert_width);
  EXPECT_EQ(a.dense_width, b.dense_width);
  EXPECT_EQ(a.experts, b.experts);
  EXPECT_EQ(a.experts_per_token, b.experts_per_token);
  EXPECT_EQ(a.is_moe, b.is_moe);
  EXPECT_EQ(a.rotates, b.rotates);
  EXPECT_EQ(a.chunk, b.chunk);
  EXPECT_EQ(a.normalizes_qk, b.normalizes_qk);
  EXPECT_EQ(a.temperature_floor, b.temperature_floor);
  EXPECT_EQ(a.rope_theta, b.rope_theta);
  EXPECT_EQ(a.rope_scaling.has_value(), b.rope_scaling.has_value());
  EXPECT_EQ(a.context, b.context);
  EXPECT_FLOAT_EQ(static_cast<float>(a.norm_eps), static_cast<float>(b.norm_eps));
  EXPECT_EQ(read->image_token, wanted.image_token);
  EXPECT_EQ(read->bos_token, wanted.bos_token);
  EXPECT_EQ(read->pad_token, wanted.pad_token);
  ASSERT_TRUE(read->vision);
  EXPECT_EQ(read->vision->width, wanted.vision->width);
  EXPECT_EQ(read->vision->projector_output, wanted.vision->projector_output);
  EXPECT_EQ(read->vision->tokens_per_tile(), wanted.vision->tokens_per_tile());
}

TEST_P(Gguf, GivesTheBitsOfTheOriginal) {
  auto loaded = llama4::load(file);
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  const auto wanted = llama4::load(original).value();
  const engine::Prompt prompt = prompt_for(wanted->config());
  const std::vector<float> expected = logits_of(*wanted, prompt);
  const std::vector<float> got = logits_of(**loaded, prompt);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], expected[i]) << "logit " << i;
}

INSTANTIATE_TEST_SUITE_P(Files, Gguf,
                         testing::Values(Model{"scout", "scout-00001-of-00004.gguf"},
                                         Model{"maverick", "maverick-00001-of-00003.gguf"},
                                         Model{"guard", "guard.gguf"},
                                         Model{"vision", "vision-00001-of-00002.gguf"}),
                         [](const auto& one) { return one.param.name; });

TEST(GgufFile, AnyShardStandsForAllAndAMissingOneIsNamed) {
  const fs::path scout = root() / "tests/data/gguf/scout";
  EXPECT_TRUE(llama4::load(scout / "scout-00003-of-00004.gguf"));
  const fs::path copy =
      fs::path(testing::TempDir()) / fmt::format("herd_gguf_split_{}", ::getpid());
  fs::remove_all(copy);
  fs::copy(scout, copy);
  fs::remove(copy / "scout-00003-of-00004.gguf");
  const auto missing = llama4::load(copy / "scout-00001-of-00004.gguf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::shard_invalid);
  EXPECT_NE(missing.error().message.find("scout-00003-of-00004.gguf"), std::string::npos);
  fs::create_directory(copy / "scout-00003-of-00004.gguf");  // no file either
  EXPECT_EQ(llama4::load(copy / "scout-00001-of-00004.gguf").error().code, Code::shard_invalid);
  fs::remove_all(copy);
}

TEST(GgufFile, WithoutItsProjectorAModelSeesNothing) {
  const fs::path file = root() / "tests/data/gguf/guard/guard.gguf";
  EXPECT_TRUE(llama4::read_config(file).value().vision);
  EXPECT_FALSE(llama4::read_config(file, "none").value().vision);
  const auto loaded = llama4::load(file, {}, "none");
  ASSERT_TRUE(loaded) << to_string(loaded.error());
}

TEST(GgufFile, TokenizerIsThatOfTheJson) {
  const auto words = engine::open_tokenizer(root() / "tests/data/gguf/words.gguf");
  ASSERT_TRUE(words) << to_string(words.error());
  const auto json = engine::open_tokenizer(root() / "models/cria").value();
  ASSERT_EQ(words->size(), json.size());
  for (std::int32_t id = 0; id < json.size(); ++id) {
    ASSERT_EQ(words->bytes_of(id), json.bytes_of(id)) << id;
    ASSERT_EQ(words->is_special(id), json.is_special(id)) << id;
  }
  for (const char* text : {"The quick brown fox, aged 1234, jumps.\n\n  I'll say: \"non!\"", " ",
                           "naïve größe 漢字 🙂 <|eot|>", "x = 17*3;\n\treturn x"})
    for (const auto specials : {text::SpecialTokens::as_text, text::SpecialTokens::parse})
      EXPECT_EQ(words->encode(text, specials), json.encode(text, specials)) << text;
}

// ------------------------------------------------------------------------------------------------ files of our own

struct Written : testing::Test {
  Written()
      : directory(fs::path(testing::TempDir()) / fmt::format("herd_gguf_written_{}", ::getpid())) {
    fs::remove_all(directory);
    fs::create_directories(directory);
  }
  ~Written() override { fs::remove_all(directory); }

  // The model of tests/data/models as a GGUF file of a mix.
  fs::path write(const std::string& name, std::string_view mix, std::uint64_t shard_bytes = 0) {
    auto loaded = llama4::load(root() / "tests/data/models" / name).value();
    const fs::path out = directory / (name + ".gguf");
    ThreadPool pool(2);
    const auto written = llama4::write_gguf(loaded->model(), out,
                                            {.mix = llama4::find_mix(mix),
                                             .shard_bytes = shard_bytes,
                                             .name = name,
                                             .words = {},
                                             .projector = directory / "mmproj.gguf"},
                                            pool);
    EXPECT_TRUE(written) << to_string(written.error());
    return out;
  }

  fs::path directory;
};

TEST_F(Written, SixteenBitsGiveTheBitsOfTheOriginal) {
  for (const auto& [name, mix] :
       {std::pair{"scout", "bf16"}, {"maverick", "f16"}, {"guard", "bf16"}, {"vision", "bf16"}}) {
    SCOPED_TRACE(name);
    const fs::path file = write(name, mix);
    auto loaded = llama4::load(file);
    ASSERT_TRUE(loaded) << to_string(loaded.error());
    const auto original = llama4::load(root() / "tests/data/models" / name).value();
    const engine::Prompt prompt = prompt_for(original->config());
    EXPECT_EQ(logits_of(**loaded, prompt), logits_of(*original, prompt));
    fs::remove(file);
    fs::remove(directory / "mmproj.gguf");
  }
}

TEST_F(Written, OfSeveralVisionEncodersTheFirstThatFitsIsTakenAndSaid) {
  // Another model's comes before all by name.
  fs::remove(write("scout", "bf16"));
  fs::rename(directory / "mmproj.gguf", directory / "mmproj-a.gguf");
  const fs::path file = write("vision", "bf16");
  EXPECT_TRUE(llama4::read_config(file).value().notes.empty());
  EXPECT_TRUE(llama4::read_config(file).value().vision);
  fs::copy_file(directory / "mmproj.gguf", directory / "mmproj-z.gguf");
  const auto config = llama4::read_config(file);
  ASSERT_TRUE(config) << to_string(config.error());
  ASSERT_EQ(config->notes.size(), 1u);
  EXPECT_THAT(config->notes[0], testing::HasSubstr("2 vision encoders lie beside the model"));
  EXPECT_THAT(config->notes[0], testing::HasSubstr("mmproj-z.gguf"));
  EXPECT_TRUE(llama4::read_config(file, directory / "mmproj.gguf").value().notes.empty());
  EXPECT_TRUE(llama4::read_config(file, "none").value().notes.empty());
}

TEST_F(Written, ShardsAreOneModel) {
  write("scout", "f32", 60'000);
  fs::path first;
  int shards = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("scout-")) ++shards;
    if (name.starts_with("scout-00001-of-")) first = entry.path();
  }
  ASSERT_GT(shards, 4);
  EXPECT_FALSE(fs::exists(directory / "scout.gguf"));
  // llama.cpp refuses keys of other types than its own tools write.
  const auto store = checkpoint::Store::open(first).value();
  using checkpoint::GgufType;
  EXPECT_EQ(store.gguf().front().find("split.no")->type, GgufType::u16);
  EXPECT_EQ(store.gguf().front().find("split.count")->type, GgufType::u16);
  EXPECT_EQ(store.gguf().front().find("split.tensors.count")->type, GgufType::i32);
  auto loaded = llama4::load(first);
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  const auto original = llama4::load(root() / "tests/data/models/scout").value();
  const engine::Prompt prompt = prompt_for(original->config());
  EXPECT_EQ(logits_of(**loaded, prompt), logits_of(*original, prompt));
}

// Hugging Face's names and fused experts have no place in a GGUF file, and in blocks no row of theirs can be halved.
TEST_F(Written, FusedExpertsInBlocksAreRefused) {
  const auto original = checkpoint::Store::open(write("scout", "f32")).value();
  const llama4::TextConfig text = llama4::read_config(directory / "scout.gguf").value().text;
  std::vector<checkpoint::PlannedTensor> planned;
  std::vector<std::vector<std::byte>> data;
  for (const checkpoint::StoredTensor& tensor : original.tensors()) {
    if (tensor.name.starts_with("blk.0.ffn_") && tensor.name.find("_exps.") != std::string::npos)
      continue;
    planned.push_back({tensor.name, tensor.dtype, tensor.shape});
    data.emplace_back(tensor.data, tensor.data + tensor.bytes);
  }
  const Shape both{text.experts, text.width, 2 * text.expert_width};
  const Shape down{text.experts, text.expert_width, text.width};
  for (const auto& [name, shape] : {std::pair{"gate_up_proj", both}, {"down_proj", down}}) {
    planned.push_back({fmt::format("layers.0.feed_forward.experts.{}", name), DType::q8_0, shape});
    data.emplace_back(checkpoint::gguf_bytes_of(planned.back()), std::byte{1});
  }
  checkpoint::GgufKeys keys;
  for (const checkpoint::GgufEntry& entry : original.gguf().front().entries)
    if (entry.key != "general.alignment") keys.copy(entry);
  const fs::path file = directory / "fused.gguf";
  {
    auto writer = checkpoint::GgufWriter::create(file, keys, planned).value();
    for (const auto& bytes : data) ASSERT_TRUE(writer.write(bytes));
    ASSERT_TRUE(writer.finish());
  }
  const auto loaded = llama4::load(file);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::tensor_mismatch);
  EXPECT_NE(loaded.error().message.find("fused experts in q8_0"), std::string::npos)
      << loaded.error().message;
}

// A tensor of no bytes may promise 2^40 experts.
TEST_F(Written, ExpertsOfNoBytesTakeNoMemory) {
  const fs::path file = directory / "none.gguf";
  {
    auto writer = checkpoint::GgufWriter::create(
                      file, {},
                      std::vector<checkpoint::PlannedTensor>{
                          {"blk.7.ffn_gate_exps.weight", DType::f32, {1ll << 40, 1, 0}}})
                      .value();
    ASSERT_TRUE(writer.write({}));
    ASSERT_TRUE(writer.finish());
  }
  const auto store = checkpoint::Store::open(file);
  ASSERT_TRUE(store) << to_string(store.error());
  EXPECT_EQ(llama4::tensors_of_gguf(*store).size(), 1u);
}

TEST_F(Written, FewerBitsLoseLittleAndTheFewerTheMore) {
  const auto original = llama4::load(root() / "models/cria").value();
  engine::Prompt prompt;
  for (std::uint64_t i = 0; i < 60; ++i)
    prompt.tokens.push_back(static_cast<std::int32_t>(uniform(3, i) * 2000));
  const std::vector<float> wanted = logits_of(*original, prompt);
  double before = 0;
  for (const char* mix : {"q8_0", "q5_1", "q4_1"}) {
    const fs::path file = directory / fmt::format("cria-{}.gguf", mix);
    ThreadPool pool(2);
    ASSERT_TRUE(llama4::write_gguf(
        original->model(), file,
        {.mix = llama4::find_mix(mix), .name = "cria", .words = {}, .projector = {}}, pool));
    const auto loaded = llama4::load(file);
    ASSERT_TRUE(loaded) << to_string(loaded.error());
    const std::vector<float> got = logits_of(**loaded, prompt);
    ASSERT_EQ(got.size(), wanted.size());
    double error = 0, size = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      error += std::pow(double{got[i]} - double{wanted[i]}, 2);
      size += std::pow(double{wanted[i]}, 2);
    }
    const double relative = std::sqrt(error / size);
    EXPECT_GT(relative, before) << mix;
    EXPECT_LT(relative, 0.3) << mix;
    before = relative;
  }
}

// Laid out for the processor a model answers as it does decoded, but for the rounding of what its weights multiply.
TEST_F(Written, PackedWeightsAnswerAsDecodedOnes) {
  const fs::path file = write("scout", "q8_0");
  const auto decoded = llama4::load(file).value(), packed = llama4::load(file).value();
  ThreadPool pool(2);
  packed->pack({&pool});
  struct Layouts : nn::ParameterVisitor {
    std::int64_t packed = 0, other = 0;
    void count(std::string_view name, const Matrix& matrix) {
      if (matrix.dtype != DType::q8_0 || name.starts_with("embed_tokens.")) return;
      ++(matrix.layout == Layout::packed ? packed : other);
    }
    void matrix(std::string_view name, Matrix& matrix) override { count(name, matrix); }
    void vector(std::string_view, Tensor&) override {}
    void experts(std::string_view name, nn::ExpertMatrices& experts) override {
      for (auto* matrices : {&experts.gate, &experts.up, &experts.down})
        for (const Matrix& matrix : *matrices) count(name, matrix);
    }
  } layouts;
  packed->model().parameters(layouts);
  EXPECT_GT(layouts.packed, 4 * 3 * 4);  // all experts at least
  EXPECT_EQ(layouts.other, 0);

  // Of each row; where rounding tips a router's choice a row is another, so the middle one is looked at.
  const engine::Prompt prompt = prompt_for(decoded->config());
  const std::vector<float> wanted = logits_of(*decoded, prompt), got = logits_of(*packed, prompt);
  ASSERT_EQ(got.size(), wanted.size());
  std::vector<double> errors;
  const auto width = static_cast<std::size_t>(decoded->config().text.vocabulary);
  for (std::size_t row = 0; row < got.size(); row += width) {
    double error = 0, size = 0;
    for (std::size_t i = row; i < row + width; ++i) {
      error += std::pow(double{got[i]} - double{wanted[i]}, 2);
      size += std::pow(double{wanted[i]}, 2);
    }
    errors.push_back(std::sqrt(error / size));
  }
  std::ranges::sort(errors);
  EXPECT_GT(errors.front(), 0);
  // Each of some 16 products in a row rounds its inputs by half a percent.
  EXPECT_LT(errors[errors.size() / 2], 0.05)
      << fmt::format("{:.4f} .. {:.4f}", errors.front(), errors.back());
}

TEST_F(Written, NothingIsOverwritten) {
  const fs::path file = write("guard", "bf16");
  auto loaded = llama4::load(root() / "tests/data/models/guard").value();
  ThreadPool pool(1);
  const auto again = llama4::write_gguf(loaded->model(), file,
                                        {.name = "guard", .words = {}, .projector = {}}, pool);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::cannot_create);
}

TEST_F(Written, AnotherModelsVisionEncoderIsLeftAlone) {
  fs::remove(write("vision", "bf16"));
  auto scout = llama4::load(root() / "tests/data/models/scout").value();
  ThreadPool pool(1);
  const fs::path file = directory / "scout.gguf";
  ASSERT_TRUE(llama4::write_gguf(scout->model(), file,
                                 {.name = "scout", .words = {}, .projector = {}}, pool));
  const auto config = llama4::read_config(file);
  ASSERT_TRUE(config) << to_string(config.error());
  EXPECT_FALSE(config->vision);
  EXPECT_TRUE(llama4::load(file));
  // Asked for by name it is an error that says why.
  EXPECT_EQ(llama4::load(file, {}, directory / "mmproj.gguf").error().code, Code::tensor_mismatch);
}

TEST_F(Written, WordsAreThoseOfTheJson) {
  const fs::path cria = root() / "models/cria";
  const llama4::Config config = llama4::read_config(cria).value();
  const auto keys = engine::word_keys(cria, config);
  ASSERT_TRUE(keys) << to_string(keys.error());
  const fs::path file = directory / "words.gguf";
  ASSERT_TRUE(checkpoint::GgufWriter::create(file, *keys, {}).value().finish());
  const auto json = engine::open_tokenizer(cria).value();
  const auto words = engine::open_tokenizer(file);
  ASSERT_TRUE(words) << to_string(words.error());
  // ... and of the tokenizer.json that is made of them again.
  ASSERT_TRUE(engine::write_word_files(file, directory));
  const auto back = engine::open_tokenizer(directory);
  ASSERT_TRUE(back) << to_string(back.error());
  for (const char* text : {"The quick brown fox, aged 1234, jumps.\n\n  I'll say: \"non!\"",
                           "naïve größe 漢字 🙂 <|eot|>", "x = 17*3;\n\treturn x"})
    for (const auto specials : {text::SpecialTokens::as_text, text::SpecialTokens::parse}) {
      EXPECT_EQ(words->encode(text, specials), json.encode(text, specials)) << text;
      EXPECT_EQ(back->encode(text, specials), json.encode(text, specials)) << text;
    }
  EXPECT_EQ(engine::open_chat_format(file)->version, engine::open_chat_format(cria)->version);
  EXPECT_EQ(engine::open_chat_format(directory)->version, engine::open_chat_format(cria)->version);
}

}  // namespace
}  // namespace herd
