// herd synth: a checkpoint directory of true shape and random weights, for measuring speed and for breaking things.
// It is written beside its place and moved there when it is whole.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "base/json_text.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "llama4/census.h"
#include "llama4/presets.h"
#include "llama4/random_model.h"
#include "media/preprocess.h"
#include "text/filler_tokenizer.h"
#include "text/llama4_tokens.h"

namespace herd::cli {
namespace {

constexpr std::string_view types[] = {"bf16", "f16", "f32"};

struct SynthOptions {
  std::string out;
  std::optional<std::string> like = {};
  std::int64_t layers = 0;
  std::string type = "bf16";
  std::uint64_t seed = 0;
  bool vision = true;
  std::int64_t threads = 0;
  bool json = false;

  static constexpr auto fields() {
    using O = SynthOptions;
    return option_list(
        option("out", &O::out, "the directory to make; must not exist, or be empty"),
        option("like", &O::like, "whose shape", Choices{llama4::preset_names}),
        option("layers", &O::layers, "text layers; 0 for as many as the model has", Range{0, 4096}),
        option("type", &O::type, "of the weights", Choices{types}),
        option("seed", &O::seed, "of the random numbers; the same seed gives the same files",
               any_number),
        option("vision", &O::vision, "write the vision encoder too"),
        option("threads", &O::threads, "that make numbers; 0 for all CPUs", Range{0, 1024}),
        option("json", &O::json, "one JSON document instead of text"));
  }
};

// A directory beside its later place, removed with everything in it unless it was put there.
class Unfinished {
 public:
  static Result<Unfinished> create(const fs::path& place) {
    std::string name = place.string() + ".part-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
      return fail(Code::cannot_create, "{}: {}", place.string(), std::strerror(errno));
    return Unfinished(place, name);
  }
  Unfinished(Unfinished&& other) noexcept
      : place_(std::move(other.place_)), path_(std::exchange(other.path_, {})) {}
  Unfinished& operator=(Unfinished&&) = delete;
  Unfinished(const Unfinished&) = delete;
  ~Unfinished() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

  Result<void> put_in_place() {
    // mkdtemp made it private; a result is meant to be read like any other directory the user makes.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::chmod(path_.c_str(), 0777 & ~mask) != 0 || ::rename(path_.c_str(), place_.c_str()) != 0)
      return fail(Code::cannot_create, "{}: {}", place_.string(), std::strerror(errno));
    path_.clear();
    return {};
  }

 private:
  Unfinished(fs::path place, fs::path path) : place_(std::move(place)), path_(std::move(path)) {}
  fs::path place_, path_;
};

Result<void> check_place(const fs::path& place) {
  std::error_code error;
  if (!fs::exists(place, error)) return {};
  if (fs::is_directory(place, error) && fs::is_empty(place, error)) return {};
  return fail_with_hint(
      Code::cannot_create,
      fmt::format("{}: is there already, and herd synth overwrites nothing", place.string()),
      "give a new name, or remove it first");
}

// Everything but the weights is small; the vocabulary is the largest of it.
constexpr std::uint64_t other_files_bytes = 16 << 20;

Result<void> check_space(const fs::path& place, std::uint64_t weights) {
  std::error_code error;
  const fs::path parent = place.has_parent_path() ? place.parent_path() : fs::path(".");
  const fs::space_info space = fs::space(parent, error);
  if (error) return fail(Code::cannot_create, "{}: {}", parent.string(), error.message());
  const std::uint64_t needed = weights + other_files_bytes;
  if (needed <= space.available) return {};
  return fail_with_hint(
      Code::cannot_create,
      fmt::format("{}: does not fit the disk; nothing was written\n"
                  "  weights      {:>12}\n"
                  "  other files  {:>12}\n"
                  "  free there   {:>12}\n"
                  "  missing      {:>12}",
                  place.string(), human_bytes(weights), human_bytes(other_files_bytes),
                  human_bytes(space.available), human_bytes(needed - space.available)),
      "--layers N makes fewer layers of the same shape");
}

// Llama 4's special tokens; a vocabulary too small for the long runs of reserved ones has only those around the named
// ones, as models/cria does.
std::vector<std::string> special_tokens(const llama4::Config& config) {
  std::vector<std::string> names = text::llama4_special_tokens();
  const std::int64_t room = config.text.vocabulary - config.bos_token;
  if (room >= static_cast<std::int64_t>(names.size())) return names;
  return text::llama4_short_special_tokens();
}

json::object preprocessor_json(const llama4::VisionConfig& vision) {
  const media::PreprocessOptions standard;
  const json::array half{0.5, 0.5, 0.5};
  return {{"do_convert_rgb", true},
          {"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", half},
          {"image_processor_type", "Llama4ImageProcessor"},
          {"image_std", half},
          {"max_patches", standard.tiles_max},
          {"resample", 2},  // bilinear
          {"rescale_factor", 1.0 / 255},
          {"resize_to_max_canvas", standard.resize_to_max_canvas},
          {"size", json::object{{"height", vision.image_size}, {"width", vision.image_size}}}};
}

Result<void> write_json(const fs::path& path, const json::value& value) {
  return write_file(path, std::string_view(json_text(value) + "\n"));
}

// The tag "untrained" is what tells every reader of the directory, herd included, that answers will be noise.
std::string card(const SynthOptions& options) {
  return fmt::format(
      "---\ntags: [llama4, untrained]\n---\n\n# Random weights in the shape of {}\n\n"
      "**This model knows nothing.** Its weights are random numbers, for measuring speed and for "
      "tests.\n"
      "Made by `herd synth --like {} --layers {} --type {} --seed {}{}`; the same bytes every "
      "time.\n",
      *options.like, *options.like, options.layers, options.type, options.seed,
      options.vision ? "" : " --no-vision");
}

// What the reference library wants beside the weights.
Result<void> write_companions(const llama4::Config& config, const fs::path& directory) {
  const std::vector<std::string> specials = special_tokens(config);
  HERD_TRY_VOID(
      write_file(directory / "tokenizer.json",
                 std::string_view(text::filler_tokenizer_json(config.text.vocabulary, specials))));
  json::object roles{{"bos_token", "<|begin_of_text|>"},
                     {"eos_token", "<|eot|>"},
                     {"pad_token", "<|finetune_right_pad|>"}};
  HERD_TRY_VOID(write_json(directory / "special_tokens_map.json", roles));
  roles["tokenizer_class"] = "PreTrainedTokenizerFast";
  roles["model_max_length"] = config.text.context;
  roles["clean_up_tokenization_spaces"] = false;
  if (config.vision) roles["processor_class"] = "Llama4Processor";
  HERD_TRY_VOID(write_json(directory / "tokenizer_config.json", roles));
  if (!config.vision) return {};
  HERD_TRY_VOID(
      write_json(directory / "preprocessor_config.json", preprocessor_json(*config.vision)));
  return write_json(directory / "processor_config.json",
                    json::object{{"processor_class", "Llama4Processor"},
                                 {"patch_size", config.vision->patch_size},
                                 {"pixel_shuffle_ratio", config.vision->pixel_shuffle_ratio}});
}

DType dtype_named(std::string_view name) {
  return std::ranges::find(dtype_table, name, &DTypeRow::name)->type;
}

Result<void> report(const SynthOptions& options, const llama4::RandomModel& model,
                    const fs::path& place, double seconds) {
  const std::uint64_t bytes = model.weight_bytes();
  const std::uint64_t parameters = llama4::take_census(model.config).total;
  if (options.json)
    return print_json(json::object{{"directory", place.string()},
                                   {"parameters", parameters},
                                   {"dtype", options.type},
                                   {"bytes", bytes},
                                   {"seed", options.seed},
                                   {"seconds", std::round(seconds * 1000) / 1000}});
  return print(fmt::format("{}: {} random parameters, {} of {}, in {:.1f} s\n", place.string(),
                           grouped(parameters), human_bytes(bytes), options.type, seconds));
}

}  // namespace

Result<int> synth(Arguments arguments) {
  SynthOptions options;
  Flags flags("synth",
              "Makes a checkpoint of true shape and random weights, as Hugging Face publishes one",
              "herd synth --like scout --layers 2 --seed 1 /tmp/scout2");
  flags.add(options, {{"out"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (!options.like)
    return fail_with_hint(Code::usage, "herd synth: --like is missing",
                          "--like scout, --like maverick or --like cria");

  const auto start = std::chrono::steady_clock::now();
  llama4::RandomModel model{.config = llama4::preset(*options.like, options.layers),
                            .dtype = dtype_named(options.type),
                            .seed = options.seed};
  if (!options.vision) model.config.vision.reset();
  fs::path place = fs::path(options.out).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();  // "models/x/"
  HERD_TRY_VOID(check_place(place));
  HERD_TRY_VOID(check_space(place, model.weight_bytes()));
  HERD_TRY(Unfinished unfinished, Unfinished::create(place));
  ThreadPool pool(static_cast<int>(options.threads));
  {
    Progress progress("writing", model.weight_bytes());
    HERD_TRY_VOID(llama4::write_random_model(model, unfinished.path(), pool,
                                             [&](std::uint64_t bytes) { progress.add(bytes); }));
  }
  HERD_TRY_VOID(write_companions(model.config, unfinished.path()));
  HERD_TRY_VOID(write_file(unfinished.path() / "README.md", std::string_view(card(options))));
  HERD_TRY_VOID(unfinished.put_in_place());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  HERD_TRY_VOID(report(options, model, place, seconds.count()));
  return 0;
}

}  // namespace herd::cli
