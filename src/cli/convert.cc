// herd convert, herd quantize: a model between Hugging Face directories, GGUF files and packed stores, in other number
// formats.
#include "base/json_text.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "engine/model_files.h"
#include "llama4/gguf_export.h"
#include "llama4/importance.h"
#include "server/fingerprint.h"
#include "train/export.h"

namespace herd::cli {
namespace {

constexpr std::string_view targets[] = {"auto", "gguf", "herd", "hf"};
constexpr std::string_view store_extension = ".herd", gguf_extension = ".gguf";

// Besides the mixes: every matrix in the format that it has, and that where blocks are only moved, else bf16.
// Directories alone have fp8.
constexpr std::string_view keep = "keep", automatic = "auto", fp8 = "fp8", int4 = "int4";
constexpr std::array<std::string_view, 5> vision_type_names = {automatic, "f32", "f16", "bf16",
                                                               "q8_0"};
constexpr auto type_names = [] {
  std::array<std::string_view, llama4::mix_table.size() + 3> out{automatic, keep, fp8};
  for (std::size_t i = 0; i < llama4::mix_table.size(); ++i) out[i + 3] = llama4::mix_table[i].name;
  return out;
}();

struct ConvertOptions {
  std::string source, destination;
  std::string to = "auto";
  std::string type = "auto";
  bool pure = false;
  std::optional<std::string> imatrix = {};
  std::string mmproj;
  std::string vision_out;
  std::string vision_type = std::string(automatic);
  std::int64_t shard_mib = 0;
  std::int64_t threads = 0;

  static constexpr auto fields() {
    using O = ConvertOptions;
    return option_list(
        option("source", &O::source,
               "a checkpoint directory, a .gguf or .herd file, or the name cria"),
        option("destination", &O::destination, "the .gguf or .herd file or the directory to write"),
        option(
            "to", &O::to,
            "what to write: gguf, herd (a packed store, which is ready at once), hf; auto: by the "
            "destination's end",
            Choices{targets}),
        option("type", &O::type,
               "number formats, by role of the tensor (docs/gguf.md); keep: those that are there; "
               "auto: keep to and from packed stores, else bf16",
               Choices{type_names}),
        option("pure", &O::pure, "one format for all matrices, the one that --type gives experts"),
        option("imatrix", &O::imatrix,
               "what herd imatrix (or llama.cpp's tool) wrote: which inputs count for how much"),
        option("mmproj", &O::mmproj, "the source's vision encoder, as for other commands"),
        option("vision_out", &O::vision_out,
               "where the vision encoder goes (GGUF keeps it apart); left out when not given"),
        option("vision_type", &O::vision_type,
               "number format of the vision encoder; auto: what it has if that is quantized, else "
               "16 bits; f32 and keep as --type says",
               Choices{vision_type_names}),
        option("shard_mib", &O::shard_mib, "largest GGUF shard in MiB of tensors; 0: one file",
               Range{0, 1 << 30}),
        option("threads", &O::threads, "compute threads; 0 for all CPUs", Range{0, 1024}));
  }
};

std::string name_of(const fs::path& model) {
  const fs::path whole = fs::absolute(model / "x").parent_path().lexically_normal();
  return (fs::is_regular_file(model) ? whole.stem() : whole.filename()).string();
}

// What to write, settled.
enum class Target : std::uint8_t { gguf, packed_store, directory };

Target target_of(const ConvertOptions& options) {
  const std::string_view to = options.to, name = options.destination;
  if (to == "gguf" || (to == "auto" && name.ends_with(gguf_extension))) return Target::gguf;
  if (to == "herd" || (to == "auto" && name.ends_with(store_extension)))
    return Target::packed_store;
  return Target::directory;
}

// Nobody who writes "model.bin" means a directory.
Result<void> expect_name_of_directory(const fs::path& destination) {
  constexpr std::string_view endings_of_files[] = {".bin", ".ggml", ".pt", ".pth", ".safetensors"};
  const std::string ending = destination.extension().string();
  if (fs::is_directory(destination) || std::ranges::count(endings_of_files, ending) == 0) return {};
  return fail_with_hint(
      Code::usage,
      fmt::format("{}: a file whose name ends in {} is not written", destination.string(), ending),
      "names that end in .gguf or .herd are files; --to hf makes a directory of any name");
}

void warn_of(const std::vector<std::string>& notes, std::string_view what) {
  constexpr std::size_t shown_max = 3;
  for (std::size_t i = 0; i < std::min(notes.size(), shown_max); ++i)
    log(LogLevel::warn, "{}", notes[i]);
  if (notes.size() > shown_max)
    log(LogLevel::warn, "... and {} {} more", notes.size() - shown_max, what);
}

// Tensors that fell back; where a format was named, and its blocks are wide, others have narrower ones.
void warn_of_tensors(const std::vector<llama4::GgufNote>& notes, bool names_format) {
  std::vector<std::string> texts;
  for (const llama4::GgufNote& note : notes) texts.push_back(note.text);
  warn_of(texts, "tensors");
  const auto wants_wide_blocks = [](const llama4::GgufNote& note) {
    return row_of(note.wanted).block > 32;
  };
  if (names_format && std::ranges::any_of(notes, wants_wide_blocks))
    log(LogLevel::warn,
        "q4_0, q4_1, q5_0, q5_1, q8_0 and iq4_nl have blocks of 32, which fit more widths");
}

// "cria.gguf: 54 tensors in q8_0, 8 in f16, 31 in f32; 8.6 bits a weight"
std::string summary_of(std::string_view file, const std::map<DType, llama4::GgufShare>& shares) {
  std::vector<std::pair<DType, llama4::GgufShare>> by_size(shares.begin(), shares.end());
  std::ranges::sort(by_size, std::ranges::greater(),
                    [](const auto& one) { return one.second.bytes; });
  std::string text;
  double numbers = 0, bytes = 0;
  for (const auto& [type, share] : by_size) {
    text += fmt::format("{}{}{} in {}", text.empty() ? "" : ", ", share.tensors,
                        text.empty() ? " tensors" : "", row_of(type).name);
    numbers += share.numbers;
    bytes += static_cast<double>(share.bytes);
  }
  return fmt::format("{}: {}; {:.2f} bits a weight", file, text, 8 * bytes / numbers);
}

// None: every matrix in the format that it has.
Result<std::optional<llama4::MixRow>> mix_of(const ConvertOptions& options) {
  const llama4::MixRow* named = llama4::find_mix(options.type);
  if (named != nullptr && options.imatrix && !is_quantized(named->experts))
    return fail(Code::usage, "--type {} has no blocks to round to, so --imatrix would do nothing",
                options.type);
  if (named != nullptr) return options.pure ? llama4::pure(*named) : *named;
  if (options.pure || options.imatrix)
    return fail_with_hint(Code::usage,
                          fmt::format("--type keep rounds nothing, so {} would do nothing",
                                      options.pure ? "--pure" : "--imatrix"),
                          "--type names a format to round to, as q4_k_m");
  return std::nullopt;
}

// Before an hour of writing, not after it.
Result<void> check_vision(const ConvertOptions& options, const fs::path& source, bool has_vision,
                          bool packs) {
  const fs::path out = options.vision_out;
  const bool names_type = options.vision_type != automatic;
  if (out.empty() && !names_type) return {};
  if (!has_vision)
    return fail_with_hint(
        Code::usage,
        fmt::format("{} is for vision encoders; {} has none",
                    names_type ? "--vision-type" : "--vision-out", source.string()),
        fs::is_regular_file(source) ? "that of a GGUF file is a file of its own: --mmproj FILE"
                                    : "");
  if (out.empty() && !packs)
    return fail_with_hint(Code::usage,
                          "--vision-type is given, but no --vision-out to write that file",
                          "--vision-out mmproj-NAME.gguf");
  if (out.empty()) return {};
  if (out == fs::path(options.destination))
    return fail(Code::usage, "{} is to be the model and, by --vision-out, its vision encoder",
                out.string());
  if (fs::exists(out)) return fail(Code::cannot_create, "{}: exists", out.string());
  if (out.has_parent_path() && !fs::is_directory(out.parent_path()))
    return fail(Code::cannot_create, "{}: there is no directory {}", out.string(),
                out.parent_path().string());
  return {};
}

Result<void> to_file(const fs::path& source, llama4::Loaded& loaded, const ConvertOptions& options,
                     Target target) {
  const bool packs = target == Target::packed_store;
  if (packs && (options.shard_mib > 0 || !options.vision_out.empty()))
    return fail(Code::usage,
                "a packed store is one file, with the vision encoder in it; {} is for "
                "GGUF files",
                options.shard_mib > 0 ? "--shard-mib" : "--vision-out");
  if (options.type == fp8)
    return fail(Code::usage, "--type fp8 is written to directories only; {} is a file",
                options.destination);
  HERD_TRY_VOID(check_vision(options, source, loaded.config().vision.has_value(), packs));
  const bool has_words =
      fs::is_regular_file(source)
          ? loaded.store().gguf().front().find("tokenizer.ggml.tokens") != nullptr
          : fs::exists(source / "tokenizer.json") || fs::exists(source / "tokenizer.model");
  HERD_TRY(const std::optional<llama4::MixRow> mix, mix_of(options));
  llama4::GgufExport out{
      .mix = mix ? &*mix : nullptr,
      .kind = packs ? checkpoint::GgufKind::packed_store : checkpoint::GgufKind::gguf,
      .shard_bytes = static_cast<std::uint64_t>(options.shard_mib) << 20,
      .name = name_of(source),
      .words = {},
      .projector = options.vision_out};
  if (options.vision_type != automatic)
    out.vision_type = llama4::find_mix(options.vision_type)->attention;  // of one format
  if (packs) {
    const fs::path parts[] = {source};
    out.source = fmt::format("{} {}", name_of(source), server::fingerprint(parts, "", ""));
  }
  if (has_words) {
    HERD_TRY(out.words, engine::word_keys(source, loaded.config()));
  } else {
    log(LogLevel::warn, "{} has no tokenizer: the file gets none", source.string());
  }
  if (loaded.config().vision && options.vision_out.empty() && !packs)
    log(LogLevel::warn, "the vision encoder is left out; --vision-out FILE writes it");
  std::optional<llama4::ImportanceWeights> weights;
  if (options.imatrix) {
    HERD_TRY(const llama4::Importance importance, llama4::read_importance(*options.imatrix));
    auto made = llama4::ImportanceWeights::create(importance, loaded.model());
    if (!made) return fail(made.error().code, "{}: {}", *options.imatrix, made.error().message);
    weights = *std::move(made);
    warn_of(weights->notes(), "notes");
    out.importance = [&](std::string_view name, std::int64_t matrix) {
      return weights->find(name, matrix);
    };
  }
  if (mix && is_quantized(mix->experts) && is_quantized(loaded.weight_type()))
    log(LogLevel::warn, "the weights are in {} already: what that rounded stays rounded",
        row_of(loaded.weight_type()).name);
  Progress progress("writing", llama4::gguf_bytes(loaded.model(), out));
  out.progress = [&](std::uint64_t bytes) { progress.add(bytes); };
  ThreadPool pool(static_cast<int>(options.threads));
  HERD_TRY(const auto notes, llama4::write_gguf(loaded.model(), options.destination, out, pool));
  warn_of_tensors(notes, mix.has_value());
  log(LogLevel::info, "{}",
      summary_of(options.shard_mib > 0 ? fmt::format("shards of {}", options.destination)
                                       : options.destination,
                 llama4::gguf_shares(loaded.model(), out)));
  if (!options.destination.ends_with(packs ? store_extension : gguf_extension))
    log(LogLevel::warn, "{} is known as a model once its name ends in {}", options.destination,
        packs ? store_extension : gguf_extension);
  return {};
}

Result<void> to_hugging_face(const fs::path& source, llama4::Loaded& loaded,
                             const ConvertOptions& options) {
  for (const auto& [given, flag] : {std::pair{options.imatrix.has_value(), "--imatrix"},
                                    {!options.vision_out.empty(), "--vision-out"},
                                    {options.vision_type != automatic, "--vision-type"},
                                    {options.shard_mib > 0, "--shard-mib"}})
    if (given)
      return fail(Code::usage, "{} is for files; {} is to be a directory", flag,
                  options.destination);
  if (options.type != "bf16" && options.type != "f32" && options.type != fp8 &&
      options.type != int4)
    return fail_with_hint(
        Code::usage,
        fmt::format("{}: --type {} is not written to directories; bf16, f32, fp8 and int4 are",
                    options.destination, options.type),
        "a destination whose name ends in .gguf or .herd is a file");
  if (options.pure)
    return fail(Code::usage, "--pure is for files; in a directory experts alone are in {}",
                options.type);
  const DType type = options.type == "f32"  ? DType::f32
                     : options.type == fp8  ? DType::f8_e4m3
                     : options.type == int4 ? DType::int4
                                            : DType::bf16;
  const fs::path out = options.destination;
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return fail(Code::cannot_create, "{}: {}", out.string(), error.message());
  if (fs::exists(out / "config.json"))
    return fail(Code::cannot_create, "{}: has a model already", out.string());
  for (const auto& entry : fs::directory_iterator(out, error))
    if (entry.path().extension() != ".part")  // of a conversion that was ended from outside
      return fail(Code::cannot_create, "{}: is a directory with other files in it, as {}",
                  out.string(), entry.path().filename().string());
  Result<void> written = train::export_model(loaded.model(), type, source, out);
  if (!written) fs::remove(out, error);  // where nothing came of it; a directory with files stays
  if (written)
    log(LogLevel::info, "{}: {}, {:.1f} MiB", out.string(), options.type,
        static_cast<double>(fs::file_size(out / "model.safetensors", error)) / (1 << 20));
  return written;
}

Result<int> run(Arguments arguments, std::string_view command, std::string_view sentence,
                std::string_view example, std::string_view type) {
  ConvertOptions options;
  options.type = type;
  Flags flags(command, sentence, example);
  flags.add(options, {{"source"}, {"destination"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  HERD_TRY(const fs::path source, find_model(options.source));
  HERD_TRY(const std::unique_ptr<llama4::Loaded> loaded, llama4::load(source, {}, options.mmproj));
  for (const std::string& note : loaded->config().notes) log(LogLevel::info, "{}", note);
  const Target target = target_of(options);
  if (options.to == "auto" && target == Target::directory)
    HERD_TRY_VOID(expect_name_of_directory(options.destination));
  const bool moves_blocks =
      target == Target::packed_store ||
      (target == Target::gguf && loaded->store().format() == checkpoint::Format::packed);
  if (options.type == automatic) options.type = moves_blocks ? keep : "bf16";
  HERD_TRY_VOID(target == Target::directory ? to_hugging_face(source, *loaded, options)
                                            : to_file(source, *loaded, options, target));
  return 0;
}

}  // namespace

Result<int> convert(Arguments arguments) {
  return run(arguments, "convert",
             "a model between Hugging Face's directories, GGUF files and packed stores",
             "herd convert cria cria.gguf --type q8_0", "auto");
}

Result<int> quantize(Arguments arguments) {
  return run(arguments, "quantize", "a model as a GGUF file or a packed store of fewer bits",
             "herd quantize cria cria.gguf --type q4_k_m", "q4_k_m");
}

}  // namespace herd::cli
