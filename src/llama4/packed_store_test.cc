// Packed stores: the numbers, the kernels' bits and the configuration of the files that they are made of, nothing left
// to pack, the files' own blocks on the way back, and no broken store that does more harm than an error.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/rng.h"
#include "checkpoint/gguf.h"
#include "llama4/gguf_export.h"
#include "llama4/importance.h"
#include "llama4/load.h"
#include "llama4/presets.h"
#include "llama4/random_model.h"
#include "tensor/packed_layout.h"

namespace herd::llama4 {
namespace {

using checkpoint::GgufKind;

fs::path models() { return fs::path(HERD_ROOT) / "tests/data/models"; }

// Every parameter as float32, in the order of the visitor.
struct Numbers final : nn::ParameterVisitor {
  explicit Numbers(Model& model) { model.parameters(*this); }
  std::vector<float> all;
  std::int64_t packed = 0, rows = 0;  // matrices of quantized formats

  void matrix(std::string_view, Matrix& matrix) override {
    if (is_quantized(matrix.dtype)) ++(matrix.layout == Layout::packed ? packed : rows);
    const std::size_t before = all.size();
    all.resize(before + static_cast<std::size_t>(matrix.out * matrix.in));
    rows_as_floats(matrix, 0, matrix.out, all.data() + before);
  }
  void vector(std::string_view, Tensor& vector) override {
    const auto values = vector.as<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  void experts(std::string_view name, nn::ExpertMatrices& experts) override {
    for (auto* matrices : {&experts.gate, &experts.up, &experts.down})
      for (Matrix& one : *matrices) matrix(name, one);
  }
};

// Logits of a text that is read in one piece, then two tokens more, one at a time.
std::vector<float> logits_of(const Loaded& loaded, Context::WatchProducts watch = {}) {
  ThreadPool pool(2);
  Context ctx(cpu_kernels(), pool);
  ctx.watch_products = std::move(watch);
  auto cache = nn::KvCache::create(loaded.model().kv_shape(DType::bf16), 64).value();
  std::vector<std::int32_t> tokens;
  for (std::uint64_t i = 0; i < 12; ++i)
    tokens.push_back(static_cast<std::int32_t>(uniform(1, i) * 200));
  std::vector<float> out;
  for (const auto& [begin, count] : {std::pair{0u, 10u}, {10u, 1u}, {11u, 1u}}) {
    ctx.arena.reset();
    nn::CachedBatch batch;
    batch.add(cache, std::span(tokens).subspan(begin, count));
    batch.want_all();
    const Tensor logits = loaded.model().forward(ctx, batch);
    const auto values = logits.as<float>();
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

std::string bytes_of_file(const fs::path& path) { return read_file(path, 1ull << 30).value(); }

class PackedStore : public testing::Test {
 protected:
  PackedStore()
      : directory(fs::path(testing::TempDir()) / fmt::format("herd_store_{}", ::getpid())) {
    fs::remove_all(directory);
    fs::create_directories(directory);
  }
  ~PackedStore() override { fs::remove_all(directory); }

  std::unique_ptr<Loaded> open(const fs::path& path) {
    auto loaded = load(path);
    EXPECT_TRUE(loaded) << to_string(loaded.error());
    return loaded ? std::move(*loaded) : nullptr;
  }

  // A model written as a file; `mix` empty: in the formats that it has.
  fs::path write(const fs::path& source, std::string_view file, std::string_view mix,
                 GgufKind kind) {
    const auto loaded = open(source);
    const fs::path out = directory / file;
    ThreadPool pool(2);
    std::uint64_t wrote = 0;
    GgufExport options{
        .mix = find_mix(mix), .kind = kind, .name = "x", .words = {}, .projector = {}};
    if (kind == GgufKind::gguf) options.projector = directory / fmt::format("mmproj-{}", file);
    options.progress = [&](std::uint64_t bytes) { wrote += bytes; };
    const auto written = write_gguf(loaded->model(), out, options, pool);
    EXPECT_TRUE(written) << to_string(written.error());
    EXPECT_GT(wrote, 0u);
    EXPECT_LE(wrote, gguf_bytes(loaded->model(), options));
    return out;
  }

  // Widths of whole blocks of 256 numbers, and few of them.
  fs::path wide_model(bool tied) {
    Config config = preset("cria", 2);
    config.vision.reset();
    config.text.vocabulary = 272;
    config.text.width = config.text.dense_width = config.text.expert_width = 256;
    config.text.experts = 3;
    config.text.ties_embeddings = tied;
    config.bos_token = config.pad_token = 1;
    config.stop_tokens = {2};
    const fs::path out = directory / (tied ? "tied" : "wide");
    fs::create_directories(out);
    ThreadPool pool(2);
    const auto done =
        write_random_model({.config = config, .dtype = DType::bf16, .seed = 1}, out, pool);
    EXPECT_TRUE(done) << to_string(done.error());
    return out;
  }

  fs::path directory;
};

// What to advise depends on it: narrower blocks help a text in Q4_K, and not an encoder in Q8_0.
TEST_F(PackedStore, NotesSayWhatATensorWasToBe) {
  const auto loaded = open(models() / "vision");
  ThreadPool pool(2);
  const auto notes = write_gguf(loaded->model(), directory / "a.herd",
                                {.mix = find_mix("q4_k"),
                                 .kind = GgufKind::packed_store,
                                 .name = "x",
                                 .words = {},
                                 .projector = {},
                                 .vision_type = DType::q8_0},
                                pool);
  ASSERT_TRUE(notes) << to_string(notes.error());
  int of_text = 0, of_vision = 0;
  for (const GgufNote& note : *notes) {
    const bool is_text = note.text.starts_with("blk.") || note.text.starts_with("token_embd.") ||
                         note.text.starts_with("output.");
    ++(is_text ? of_text : of_vision);
    EXPECT_EQ(row_of(note.wanted).block, is_text ? 256u : 32u) << note.text;
  }
  EXPECT_GT(of_text, 0);
  EXPECT_GT(of_vision, 0);
}

TEST_F(PackedStore, HasTheNumbersAndTheBitsOfItsFileWithNothingLeftToPack) {
  std::int64_t packed = 0;
  for (const char* name : {"scout", "maverick", "guard", "vision"})
    for (const char* mix : {"q8_0", "q4_1", "bf16"}) {
      SCOPED_TRACE(fmt::format("{} {}", name, mix));
      const fs::path file = write(models() / name, "a.gguf", mix, GgufKind::gguf);
      const auto from = load(file, {}, directory / "mmproj-a.gguf").value();
      ThreadPool pool(2);
      {
        // Made of the file and its vision encoder together, which the test of one file above cannot do.
        const auto written = write_gguf(from->model(), directory / "a.herd",
                                        {.mix = nullptr,
                                         .kind = GgufKind::packed_store,
                                         .name = "x",
                                         .words = {},
                                         .projector = {}},
                                        pool);
        ASSERT_TRUE(written) << to_string(written.error());
        EXPECT_TRUE(written->empty());
      }
      const auto store = open(directory / "a.herd");
      ASSERT_TRUE(store);
      EXPECT_EQ(store->store().format(), checkpoint::Format::packed);
      EXPECT_EQ(store->config().vision.has_value(), from->config().vision.has_value());
      EXPECT_EQ(store->weight_type(), from->weight_type());
      EXPECT_EQ(Numbers(store->model()).all, Numbers(from->model()).all);
      store->pack({&pool});
      EXPECT_EQ(store->packed_bytes(), 0);
      from->pack({&pool});
      EXPECT_EQ(from->packed_bytes() > 0, Numbers(from->model()).packed > 0);
      packed += Numbers(from->model()).packed;
      EXPECT_EQ(Numbers(store->model()).packed, Numbers(from->model()).packed);
      EXPECT_EQ(logits_of(*store), logits_of(*from));
      for (const char* old : {"a.gguf", "mmproj-a.gguf", "a.herd"}) fs::remove(directory / old);
    }
  EXPECT_GT(packed, 100);  // of small models some rows are no whole blocks
}

TEST_F(PackedStore, GivesBackTheBlocksOfItsFileAndCanBeQuantizedIntoDirectly) {
  const fs::path model = wide_model(false);
  for (const char* name : {"f16", "q4_k_m", "iq4_xs", "mxfp4"}) {
    SCOPED_TRACE(name);
    const MixRow& mix = *find_mix(name);
    const fs::path file = write(model, "a.gguf", mix.name, GgufKind::gguf);
    const fs::path store = write(file, "a.herd", "", GgufKind::packed_store);
    const fs::path back = write(store, "b.gguf", "", GgufKind::gguf);
    const auto a = open(file), b = open(back);
    ASSERT_EQ(a->store().tensors().size(), b->store().tensors().size());
    for (std::size_t i = 0; i < a->store().tensors().size(); ++i) {
      const checkpoint::StoredTensor &x = a->store().tensors()[i], &y = b->store().tensors()[i];
      ASSERT_EQ(x.name, y.name);
      EXPECT_EQ(x.dtype, y.dtype) << x.name;
      EXPECT_EQ(x.shape, y.shape) << x.name;
      ASSERT_EQ(x.bytes, y.bytes) << x.name;
      EXPECT_EQ(std::memcmp(x.data, y.data, x.bytes), 0) << x.name;
    }
    // Tensors that a mix left alone keep what they are; the same blocks, whether of the file or of the model itself.
    const fs::path direct = write(model, "c.herd", mix.name, GgufKind::packed_store);
    const auto c = open(direct), d = open(store);
    EXPECT_EQ(Numbers(c->model()).all, Numbers(d->model()).all);
    EXPECT_EQ(Numbers(c->model()).packed, Numbers(d->model()).packed);
    for (const char* old :
         {"a.gguf", "mmproj-a.gguf", "a.herd", "b.gguf", "mmproj-b.gguf", "c.herd"})
      fs::remove(directory / old);
  }
}

TEST_F(PackedStore, LaysMatricesAndExpertsOnPages) {
  const auto store = open(write(wide_model(false), "a.herd", "q4_k_m", GgufKind::packed_store));
  std::int64_t packed = 0;
  for (const checkpoint::StoredTensor& tensor : store->store().tensors()) {
    const auto at =
        static_cast<std::uint64_t>(tensor.data - store->store().files()[0].bytes().data());
    EXPECT_EQ(at % packed_page, 0u) << tensor.name;
    EXPECT_EQ(tensor.packed, is_quantized(tensor.dtype) && tensor.name != "token_embd.weight")
        << tensor.name;
    if (!tensor.packed) continue;
    ++packed;
    const auto matrices =
        static_cast<std::uint64_t>(tensor.shape.rank() == 3 ? tensor.shape[0] : 1);
    EXPECT_EQ(tensor.bytes % (matrices * packed_page), 0u) << tensor.name;
  }
  EXPECT_GT(packed, 10);
}

TEST_F(PackedStore, KeepsATiedOutputMatrixPackedAndTied) {
  // The random model's output matrix is its own; as a GGUF file of a tied model it has none.
  const fs::path model = write(wide_model(true), "model.gguf", "bf16", GgufKind::gguf);
  ThreadPool pool(2);
  const fs::path file = write(model, "a.gguf", "q4_k", GgufKind::gguf);
  const fs::path kept = write(file, "a.herd", "", GgufKind::packed_store);
  const auto a = open(file), b = open(kept);
  const auto c = open(write(model, "c.herd", "q4_k", GgufKind::packed_store));
  const auto d = open(write(kept, "d.gguf", "", GgufKind::gguf));
  for (const Loaded* one : {a.get(), b.get(), c.get(), d.get()}) {
    EXPECT_TRUE(one->config().text.ties_embeddings);
    EXPECT_EQ(one->store().find("output.weight") != nullptr,
              one->store().format() == checkpoint::Format::packed);
  }
  a->pack({&pool});
  d->pack({&pool});
  EXPECT_EQ(Numbers(c->model()).all, Numbers(b->model()).all);
  const std::vector<float> wanted = logits_of(*a);
  EXPECT_EQ(logits_of(*b), wanted);
  EXPECT_EQ(logits_of(*c), wanted);
  EXPECT_EQ(logits_of(*d), wanted);
  // What goes into it counts for the embedding, which is the tensor that a file has.
  for (Loaded* one : {a.get(), c.get()}) {
    ImportanceCollector collector(one->model());
    logits_of(*one, [&](const Tensor& x, std::span<const MatmulGroup> groups) {
      collector.saw(x, groups);
    });
    EXPECT_TRUE(collector.take().contains("token_embd.weight"));
  }
}

// Whole pages need nothing behind them: not the last tensor of a file, and not one before another.
TEST_F(PackedStore, EndsWhereItsLastMatrixFillsItsPages) {
  for (const char* format : {"q8_0", "q4_0"}) {
    const fs::path file = write(models() / "onelayer", fmt::format("{}.herd", format), format,
                                GgufKind::packed_store);
    const auto loaded = open(file);
    ASSERT_TRUE(loaded);
    bool whole = false;
    for (const checkpoint::StoredTensor& tensor : loaded->store().tensors())
      whole |= tensor.packed && tensor.bytes % packed_page == 0;
    EXPECT_TRUE(whole) << format;
    EXPECT_EQ(Numbers(loaded->model()).all.size(),
              Numbers(open(models() / "onelayer")->model()).all.size());
  }
}

TEST_F(PackedStore, IsNotLearnedFrom) {
  const fs::path store = write(models() / "scout", "a.herd", "q8_0", GgufKind::packed_store);
  const auto refused = load_to_learn(store);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::usage);
  EXPECT_TRUE(load_to_learn(models() / "scout"));
}

// The file with some bytes replaced, at the place of `before` (which must be there once).
std::string replaced(std::string bytes, std::string_view before, std::string_view after) {
  const std::size_t at = bytes.find(before);
  EXPECT_NE(at, std::string::npos);
  return bytes.replace(at, after.size(), after);
}

template <class T>
std::string pod(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

TEST_F(PackedStore, OfAnotherLayoutOrKindIsRefusedByName) {
  const std::string good =
      bytes_of_file(write(wide_model(false), "a.herd", "q8_0", GgufKind::packed_store));
  const auto code_of = [&](const std::string& bytes) {
    const fs::path path = directory / "bad.herd";
    EXPECT_TRUE(herd::write_file(path, bytes));
    const auto loaded = load(path);
    EXPECT_FALSE(loaded);
    return loaded ? Code::usage : loaded.error().code;
  };
  const std::string layout = std::string(checkpoint::packed_layout_key) + pod(4u);
  EXPECT_EQ(code_of(replaced(good, layout + pod(packed_layout_version),
                             layout + pod(packed_layout_version + 1))),
            Code::gguf_version);
  EXPECT_EQ(code_of(replaced(good, checkpoint::packed_layout_key, "herd.packed.leyout")),
            Code::gguf_key);
  EXPECT_EQ(code_of(replaced(good, "HERD" + pod(1u), "HERD" + pod(2u))), Code::gguf_version);
  EXPECT_EQ(code_of(replaced(good, "general.alignment" + pod(4u) + pod(4096u),
                             "general.alignment" + pod(4u) + pod(32u))),
            Code::gguf_alignment);
  EXPECT_EQ(code_of(replaced(good, "general.alignment", "general.olignment")),
            Code::gguf_alignment);
  // As a GGUF file it would be read, and every weight of it wrong, but for the types that GGUF does not have.
  EXPECT_EQ(code_of(replaced(good, "HERD" + pod(1u), "GGUF" + pod(3u))), Code::unknown_dtype);
  // The embedding table is read by rows: packed it would be noise.
  const std::string embedding =
      "token_embd.weight" + pod(2u) + pod<std::uint64_t>(256) + pod<std::uint64_t>(272);
  EXPECT_EQ(
      code_of(replaced(good, embedding + pod(8u), embedding + pod(8u | checkpoint::packed_type))),
      Code::tensor_mismatch);
  const std::string norm = "output_norm.weight" + pod(1u) + pod<std::uint64_t>(256);
  EXPECT_EQ(code_of(replaced(good, norm + pod(0u), norm + pod(checkpoint::packed_type))),
            Code::unknown_dtype);
}

// Bytes all over the header changed in turn, and the file cut anywhere: an error or a model, never a crash.
TEST_F(PackedStore, BrokenAnywhereIsAnErrorOrAModel) {
  const std::string good =
      bytes_of_file(write(models() / "guard", "a.herd", "q8_0", GgufKind::packed_store));
  const std::size_t header = static_cast<std::size_t>(
      checkpoint::parse_gguf(std::as_bytes(std::span(good))).value().data_begin);
  const fs::path path = directory / "bad.herd";
  std::int64_t refused = 0, tried = 0;
  const auto try_bytes = [&](const std::string& bytes) {
    {
      std::ofstream file(path, std::ios::binary | std::ios::trunc);
      file << bytes;
    }
    const auto loaded = load(path);
    ++tried;
    if (loaded) return;
    ++refused;
    EXPECT_FALSE(loaded.error().message.empty());
  };
  for (std::size_t i = 0; i < header; i += 1 + static_cast<std::size_t>(uniform(6, i) * 12)) {
    std::string bytes = good;
    const auto random = static_cast<unsigned>(uniform(5, i) * 255) + 1;
    bytes[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ random);
    try_bytes(bytes);
  }
  for (std::size_t size = 0; size < good.size(); size += 1 + good.size() / 97) {
    const std::int64_t before = refused;
    try_bytes(good.substr(0, size));
    EXPECT_GT(refused, before) << "cut to " << size;
  }
  EXPECT_GT(refused, tried / 4);
}

}  // namespace
}  // namespace herd::llama4
