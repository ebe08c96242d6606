// herd bench: how fast a model reads and writes on this machine, beside what the machine itself can do.
//
// Tokens are drawn at random, the same in every repetition. A repetition that nobody counts comes first; it sees which
// experts the tokens choose, so the bytes that a test must read from memory are counted and not guessed. Operations are
// those of the weights; attention's own come on top and are left out.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "base/rng.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/machine.h"
#include "cli/machine_speed.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "engine/look.h"
#include "kernels/cpu/bfloat16_product.h"

namespace herd::cli {
namespace {

constexpr double measure_seconds = 0.25;  // each of memory and arithmetic

struct BenchOptions {
  std::vector<std::string> prompt = {"512"};
  std::int64_t answer = 64;
  std::vector<std::string> batch = {"1"};
  std::int64_t tiles = 0;
  std::int64_t repetitions = 5;
  bool json = false;

  static constexpr auto fields() {
    using O = BenchOptions;
    return option_list(
        option("prompt", &O::prompt, "tokens of a prompt to be read; several times for several"),
        option("answer", &O::answer, "tokens of an answer to be written; 0 for none",
               Range{0, 1 << 20}),
        option("batch", &O::batch, "answers written side by side; several times for several"),
        option("tiles", &O::tiles, "tiles of a picture to be looked at together; 0 for none",
               Range{0, 64}),
        option("repetitions", &O::repetitions, "of each test; their median is given",
               Range{1, 1000}),
        option("json", &O::json, "one JSON document instead of text"));
  }
};

Result<std::vector<std::int64_t>> numbers_of(const std::vector<std::string>& texts,
                                             std::string_view flag, std::int64_t least,
                                             std::int64_t most) {
  std::vector<std::int64_t> out;
  for (const std::string& text : texts) {
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed != std::errc() || end != text.data() + text.size() || number < least ||
        number > most)
      return fail(Code::out_of_range, "{} is {}, wanted {} to {}", flag, shown(text), least, most);
    if (number > 0) out.push_back(number);
  }
  return out;
}

// What the weights are: those that every row meets, the experts', of which a row meets some, and the vision encoder's.
class WeightSizes final : public nn::ParameterVisitor {
 public:
  struct Size {
    double bytes = 0, products = 0;  // multiplications of one row
    Size& operator+=(const Size& other) {
      bytes += other.bytes;
      products += other.products;
      return *this;
    }
  };

  explicit WeightSizes(llama4::Model& model) { model.parameters(*this); }

  Size every_row, wanted_row;           // wanted_row: the output matrix
  std::map<std::int64_t, Size> expert;  // one of each layer: mixes give layers different formats
  // Of a picture: met by patches, by those and the class vector, by vectors after the pixel shuffle.
  Size patches_alone, every_patch, every_vector;

  void matrix(std::string_view name, Matrix& matrix) override {
    if (name.starts_with("lm_head."))
      wanted_row += size_of(matrix);
    else if (name.starts_with("layers."))
      every_row += size_of(matrix);
    else if (name.starts_with("vision_model.vision_adapter.") ||
             name.starts_with("multi_modal_projector."))
      every_vector += size_of(matrix);
    else if (name.starts_with("vision_model.")) {
      const bool embeds = name.starts_with("vision_model.patch_embedding.");
      (embeds ? patches_alone : every_patch) += size_of(matrix);
    }
  }
  void vector(std::string_view, Tensor&) override {}
  void experts(std::string_view name, nn::ExpertMatrices& experts) override {
    std::int64_t layer = 0;  // "layers.3.feed_forward.experts"
    const std::string_view number = name.substr(name.find('.') + 1);
    std::from_chars(number.data(), number.data() + number.size(), layer);
    for (const auto* matrices : {&experts.gate, &experts.up, &experts.down})
      expert[layer] += size_of(matrices->front());
  }

 private:
  static Size size_of(const Matrix& matrix) {
    return {static_cast<double>(bytes_of(matrix.dtype, matrix.out * matrix.in)),
            static_cast<double>(matrix.out * matrix.in)};
  }
};

// What weights are multiplied as.
enum class Arithmetic : std::uint8_t { float32, bfloat16, int8 };
constexpr std::string_view arithmetic_names[] = {"multiply-adds", "bfloat16 products",
                                                 "int8 products"};

Arithmetic arithmetic_of(DType weights) {
  return is_quantized(weights) ? Arithmetic::int8 : Arithmetic::float32;
}

// Passes through the model, and what they take to read and to multiply.
class Passes {
 public:
  explicit Passes(Opened& opened)
      : ctx_(*opened.ctx),
        model_(opened.loaded->model()),
        kv_dtype_(opened.kv_dtype),
        sizes_(opened.loaded->model()) {}

  // One pass; every sequence's last row is wanted where `draws`.
  void run(std::span<nn::KvCache> caches, std::span<const std::int32_t> tokens, bool draws) {
    ctx_.arena.reset();
    nn::CachedBatch batch;
    const std::size_t each = tokens.size() / caches.size();
    for (std::size_t i = 0; i < caches.size(); ++i) {
      batch.add(caches[i], tokens.subspan(i * each, each));
      if (draws) batch.want_last();
    }
    model_.forward(ctx_, batch);
    if (!counting_) return;
    work_ += sizes_.every_row.bytes;
    products_ += sizes_.every_row.products * static_cast<double>(tokens.size());
    if (!draws) return;
    work_ += sizes_.wanted_row.bytes;
    products_ += sizes_.wanted_row.products * static_cast<double>(caches.size());
  }

  // Tiles of noise through the vision encoder and the projector.
  void see(const Tensor& pixels_BCSS, const llama4::VisionConfig& vision) {
    ctx_.arena.reset();
    engine::look_at(model_, ctx_, pixels_BCSS, kv_dtype_);
    if (!counting_) return;
    const auto tiles = static_cast<double>(pixels_BCSS.shape[0]);
    const std::int64_t side = vision.patches_per_side();
    work_ += sizes_.patches_alone.bytes + sizes_.every_patch.bytes + sizes_.every_vector.bytes;
    products_ +=
        tiles * (sizes_.patches_alone.products * static_cast<double>(side * side) +
                 sizes_.every_patch.products * static_cast<double>(side * side + 1) +
                 sizes_.every_vector.products * static_cast<double>(vision.tokens_per_tile()));
  }

  // How most was multiplied when tiles were counted.
  [[nodiscard]] Arithmetic saw_in() const {
    return static_cast<Arithmetic>(std::ranges::max_element(seen_in_) - seen_in_.begin());
  }

  // What `test` reads and multiplies.
  template <class Test>
  std::pair<double, double> count(Test test) {
    work_ = products_ = 0;
    counting_ = true;
    ctx_.watch = [&](std::string_view place, std::int64_t layer, const Tensor& x) {
      if (place != "experts") return;
      const auto chosen = x.as<std::int32_t>();
      const std::set<std::int32_t> different(chosen.begin(), chosen.end());
      const WeightSizes::Size& expert = sizes_.expert.at(layer);
      work_ += expert.bytes * static_cast<double>(different.size());
      products_ += expert.products * static_cast<double>(chosen.size());
    };
    seen_in_ = {};
    ctx_.watch_products = [&](const Tensor&, std::span<const MatmulGroup> groups) {
      const bool rounds = ctx_.lane.bfloat16 && cpu::has_bfloat16_products();
      for (const MatmulGroup& group : groups) {
        const Matrix& weight = group.weight;
        const Arithmetic arithmetic = rounds && cpu::can_multiply_bfloat16(group)
                                          ? Arithmetic::bfloat16
                                          : arithmetic_of(weight.dtype);
        seen_in_[static_cast<std::size_t>(arithmetic)] +=
            static_cast<double>(weight.out) * static_cast<double>(weight.in) *
            static_cast<double>(group.row_end - group.row_begin);
      }
    };
    test();
    ctx_.watch = nullptr;
    ctx_.watch_products = nullptr;
    counting_ = false;
    return {work_, 2 * products_};
  }

 private:
  Context& ctx_;
  const llama4::Model& model_;
  DType kv_dtype_;
  WeightSizes sizes_;
  bool counting_ = false;
  double work_ = 0, products_ = 0;
  std::array<double, std::size(arithmetic_names)> seen_in_{};  // products of each Arithmetic
};

struct Machine {
  double read_gbps = 0, fma_gflops = 0, bfloat16_gflops = 0, int8_gops = 0;

  static Machine measure(ThreadPool& pool) {
    return {.read_gbps = cli::read_gbps(processor().last_level_cache, memory_limits(), pool,
                                        measure_seconds),
            .fma_gflops = cli::fma_gflops(pool, measure_seconds),
            .bfloat16_gflops = cli::bfloat16_gflops(pool, measure_seconds),
            .int8_gops = cli::int8_gops(pool, measure_seconds)};
  }
  static Machine between(const Machine& a, const Machine& b) {
    return {(a.read_gbps + b.read_gbps) / 2, (a.fma_gflops + b.fma_gflops) / 2,
            (a.bfloat16_gflops + b.bfloat16_gflops) / 2, (a.int8_gops + b.int8_gops) / 2};
  }
  // In 10^9 operations a second.
  [[nodiscard]] double limit_of(Arithmetic arithmetic) const {
    return arithmetic == Arithmetic::int8       ? int8_gops
           : arithmetic == Arithmetic::bfloat16 ? bfloat16_gflops
                                                : fma_gflops;
  }
};

struct Row {
  std::string test;
  std::int64_t batch = 1;
  double tps = 0, tps_min = 0, tps_max = 0, gbps = 0, gops = 0;
  Arithmetic arithmetic = Arithmetic::float32;
  Machine machine;  // around the test: a shared machine changes by a third within a minute
};

class Bench {
 public:
  Bench(Opened& opened, std::int64_t repetitions)
      : opened_(opened),
        passes_(opened),
        repetitions_(repetitions),
        vocabulary_(opened.loaded->config().text.vocabulary),
        chunk_(opened.loaded->config().text.chunk),
        arithmetic_(arithmetic_of(opened.loaded->weight_type())),
        machine_(Machine::measure(*opened.pool)) {}

  // A prompt, in pieces as sessions read it.
  Result<Row> reads(std::int64_t tokens) {
    HERD_TRY(std::vector<nn::KvCache> caches, caches_of(1, tokens));
    const std::vector<std::int32_t> prompt = draw(tokens);
    return measured(fmt::format("pp{}", tokens), 1, static_cast<double>(tokens), arithmetic_,
                    caches, [&] {
                      const std::int64_t most = engine::SessionOptions{}.piece_rows;
                      for (std::int64_t at = 0, end = 0; at < tokens; at = end) {
                        end = std::min(tokens, at + most);
                        if (chunk_ > 0) end = std::min(end, (at / chunk_ + 1) * chunk_);
                        passes_.run(caches,
                                    std::span(prompt).subspan(static_cast<std::size_t>(at),
                                                              static_cast<std::size_t>(end - at)),
                                    end == tokens);
                      }
                    });
  }

  // Answers side by side, a token of each in every pass.
  Result<Row> writes(std::int64_t tokens, std::int64_t batch) {
    HERD_TRY(std::vector<nn::KvCache> caches, caches_of(batch, tokens));
    const std::vector<std::int32_t> drawn = draw(tokens * batch);
    return measured(fmt::format("tg{}", tokens), batch, static_cast<double>(tokens * batch),
                    arithmetic_, caches, [&] {
                      for (std::int64_t i = 0; i < tokens; ++i)
                        passes_.run(caches,
                                    std::span(drawn).subspan(static_cast<std::size_t>(i * batch),
                                                             static_cast<std::size_t>(batch)),
                                    true);
                    });
  }

  // Tiles together; the vectors that come of them are the tokens.
  Row looks(std::int64_t tiles, const llama4::VisionConfig& vision) {
    const std::int64_t side = vision.image_size;
    std::vector<float> noise(static_cast<std::size_t>(tiles * vision.channels * side * side));
    for (std::size_t i = 0; i < noise.size(); ++i)
      noise[i] = static_cast<float>(uniform(2, i)) * 2 - 1;
    const Tensor pixels{noise.data(), DType::f32, {tiles, vision.channels, side, side}};
    std::vector<nn::KvCache> none;
    Row row = measured(fmt::format("img{}", tiles), 1,
                       static_cast<double>(tiles * vision.tokens_per_tile()), arithmetic_, none,
                       [&] { passes_.see(pixels, vision); });
    row.arithmetic = passes_.saw_in();
    return row;
  }

 private:
  Result<std::vector<nn::KvCache>> caches_of(std::int64_t count, std::int64_t tokens) {
    std::vector<nn::KvCache> caches;
    const nn::KvShape shape = opened_.loaded->model().kv_shape(opened_.kv_dtype);
    for (std::int64_t i = 0; i < count; ++i) {
      HERD_TRY(nn::KvCache cache, nn::KvCache::create(shape, tokens));
      caches.push_back(std::move(cache));
    }
    return caches;
  }

  [[nodiscard]] std::vector<std::int32_t> draw(std::int64_t count) const {
    std::vector<std::int32_t> tokens;
    // Special tokens come last in the vocabulary and mean pictures there.
    const auto plain = static_cast<double>(std::max<std::int64_t>(1, vocabulary_ * 15 / 16));
    for (std::int64_t i = 0; i < count; ++i)
      tokens.push_back(
          static_cast<std::int32_t>(uniform(1, static_cast<std::uint64_t>(i)) * plain));
    return tokens;
  }

  template <class Test>
  Row measured(std::string name, std::int64_t batch, double tokens, Arithmetic arithmetic,
               std::vector<nn::KvCache>& caches, Test test) {
    const auto [bytes, operations] = passes_.count(test);
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < repetitions_; ++i) {
      for (nn::KvCache& cache : caches) cache.set_length(0);
      const auto start = std::chrono::steady_clock::now();
      test();
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    const Machine before = std::exchange(machine_, Machine::measure(*opened_.pool));
    std::ranges::sort(seconds);
    const double median = (seconds[seconds.size() / 2] + seconds[(seconds.size() - 1) / 2]) / 2;
    return {.test = std::move(name),
            .batch = batch,
            .tps = tokens / median,
            .tps_min = tokens / seconds.back(),
            .tps_max = tokens / seconds.front(),
            .gbps = bytes / 1e9 / median,
            .gops = operations / 1e9 / median,
            .arithmetic = arithmetic,
            .machine = Machine::between(before, machine_)};
  }

  Opened& opened_;
  Passes passes_;
  std::int64_t repetitions_, vocabulary_, chunk_;
  Arithmetic arithmetic_;  // of text
  Machine machine_;        // as it was measured last
};

// To six significant digits. Not to decimals: a small model, or one pass that the system interrupted, reads hundredths
// of a GB/s, and whoever computes with such a number needs its digits, too.
double rounded(double value) {
  const std::string text = fmt::format("{:.6g}", value);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Of the limit that is nearer, and which one it is.
std::pair<double, std::string_view> fraction_of(const Row& row) {
  const double reading = row.gbps / row.machine.read_gbps;
  const double computing = row.gops / row.machine.limit_of(row.arithmetic);
  if (reading >= computing) return {reading, "reading memory"};
  return {computing, arithmetic_names[static_cast<std::size_t>(row.arithmetic)]};
}

json::array to_json(std::span<const Row> rows) {
  json::array out;
  for (const Row& row : rows) {
    const auto [fraction, limit] = fraction_of(row);
    out.push_back({{"test", row.test},
                   {"batch", row.batch},
                   {"tps", rounded(row.tps)},
                   {"tps_min", rounded(row.tps_min)},
                   {"tps_max", rounded(row.tps_max)},
                   {"gbps", rounded(row.gbps)},
                   {"gops", rounded(row.gops)},
                   {"roofline",
                    {{"read_gbps", rounded(row.machine.read_gbps)},
                     {"int8_gops", rounded(row.machine.int8_gops)},
                     {"fma_gflops", rounded(row.machine.fma_gflops)},
                     {"bfloat16_gflops", rounded(row.machine.bfloat16_gflops)},
                     {"limit", limit},
                     {"fraction", rounded(fraction)}}}});
  }
  return out;
}

std::string to_text(std::span<const Row> rows) {
  std::string out =
      fmt::format("{:<10}{:>6}{:>12}{:>22}{:>9}{:>9}  {:<24}{}\n", "test", "batch", "tokens/s",
                  "slowest .. fastest", "GB/s", "Gop/s", "of the machine's", "which then did");
  for (const Row& row : rows) {
    const auto [fraction, limit] = fraction_of(row);
    out += fmt::format(
        "{:<10}{:>6}{:>12.2f}{:>22}{:>9.2f}{:>9.1f}  {:<24}{:.1f} GB/s, {:.0f} Gop/s\n", row.test,
        row.batch, row.tps, fmt::format("{:.2f} .. {:.2f}", row.tps_min, row.tps_max), row.gbps,
        row.gops, fmt::format("{:.2f} {}", fraction, limit), row.machine.read_gbps,
        row.machine.limit_of(row.arithmetic));
  }
  return out;
}

}  // namespace

Result<int> bench(Arguments arguments) {
  ModelArguments model;
  BenchOptions options;
  Flags flags("bench", "how fast a model reads prompts and writes answers here",
              "herd bench models/cria -p 512 -n 64 -b 1 -b 8");
  flags.add(model, {{"model"}}, {{"threads", 't'}});
  flags.add(options, {}, {{"prompt", 'p'}, {"answer", 'n'}, {"batch", 'b'}, {"repetitions", 'r'}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  HERD_TRY(const std::vector<std::int64_t> prompts, numbers_of(options.prompt, "-p", 0, 1 << 20));
  HERD_TRY(const std::vector<std::int64_t> batches, numbers_of(options.batch, "-b", 1, 1024));
  std::int64_t longest = options.answer;
  for (const std::int64_t tokens : prompts) longest = std::max(longest, tokens);
  HERD_TRY(Opened opened, open_model(model, longest));
  if (longest > opened.context)
    return fail(Code::context_length_exceeded, "{} tokens in a context of {}", longest,
                opened.context);
  if (options.tiles > 0 && !opened.loaded->config().vision)
    return fail(Code::image_unsupported, "--tiles is {}, and {} has no vision encoder",
                options.tiles, shown(model.model));
  Bench bench(opened, options.repetitions);
  std::vector<Row> rows;
  for (const std::int64_t tokens : prompts) {
    HERD_TRY(Row row, bench.reads(tokens));
    rows.push_back(std::move(row));
  }
  for (const std::int64_t batch : batches) {
    if (options.answer == 0) break;
    HERD_TRY(Row row, bench.writes(options.answer, batch));
    rows.push_back(std::move(row));
  }
  if (options.tiles > 0)
    rows.push_back(bench.looks(options.tiles, *opened.loaded->config().vision));
  HERD_TRY_VOID(options.json ? print_json(to_json(rows)) : print(to_text(rows)));
  return 0;
}

}  // namespace herd::cli
