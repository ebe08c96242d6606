// herd inspect: what a checkpoint is, from its configuration and its files' headers. The numbers themselves are read
// only when a scan is asked for.
#include <algorithm>
#include <map>

#include "base/progress.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/inspect_report.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "kernels/packed.h"
#include "tensor/packed_layout.h"

namespace herd::cli {
namespace {

struct InspectOptions {
  std::string model;
  std::string mmproj;
  bool tensors = false;
  bool scan = false;
  std::int64_t threads = 0;
  bool json = false;

  static constexpr auto fields() {
    using O = InspectOptions;
    return option_list(
        option("model", &O::model,
               "a checkpoint directory, a .gguf or .herd file, or the name cria"),
        option("mmproj", &O::mmproj, "the vision encoder, as for other commands"),
        option("tensors", &O::tensors, "list every tensor: name, type, shape, file"),
        option("scan", &O::scan,
               "read every weight and count NaN and infinity; fails if there are any"),
        option("threads", &O::threads, "that scan; 0 for all CPUs", Range{0, 1024}),
        option("json", &O::json, "one JSON document instead of text"));
  }
};

// The usual lengths up to the model's maximum, and that.
std::vector<CacheRow> cache_rows(const llama4::Config& config, DType kv_dtype) {
  const nn::KvShape all = llama4::Model(config).kv_shape(kv_dtype);
  nn::KvShape global = all, local = all, unchunked = all;
  std::erase_if(global.chunk, [](std::int64_t chunk) { return chunk > 0; });
  std::erase(local.chunk, 0);
  std::ranges::fill(unchunked.chunk, 0);
  std::vector<std::int64_t> lengths;
  for (const std::int64_t length : {8192, 65'536, 262'144, 1'048'576, 10'485'760})
    if (length < config.text.context) lengths.push_back(length);
  lengths.push_back(config.text.context);
  std::vector<CacheRow> rows;
  for (const std::int64_t length : lengths)
    rows.push_back({length, global.bytes(length), local.bytes(length), unchunked.bytes(length)});
  return rows;
}

std::string file_of(const checkpoint::Store& store, const checkpoint::StoredTensor& tensor) {
  for (const Mapping& file : store.files()) {
    const auto bytes = file.bytes();
    if (tensor.data >= bytes.data() && tensor.data < bytes.data() + bytes.size())
      return file.path().filename().string();
  }
  // Put in order in memory: the file is that of its shard.
  return store.files()[tensor.shard].path().filename().string();
}

std::string_view name_of(checkpoint::Format format) {
  switch (format) {
    case checkpoint::Format::safetensors:
      return "safetensors";
    case checkpoint::Format::meta:
      return "meta";
    case checkpoint::Format::gguf:
      return "gguf";
    case checkpoint::Format::packed:
      return "herd";
  }
  return "";
}

void list_tensors(const checkpoint::Store& store, Inspection& found) {
  std::map<DType, TypeTotal> totals;
  for (const checkpoint::StoredTensor& tensor : store.tensors()) {
    TypeTotal& total = totals.try_emplace(tensor.dtype, TypeTotal{tensor.dtype}).first->second;
    ++total.tensors;
    total.numbers += static_cast<std::uint64_t>(tensor.shape.elements());
    total.bytes += tensor.bytes;
    found.tensors.push_back({.name = tensor.name,
                             .dtype = tensor.dtype,
                             .shape = tensor.shape,
                             .bytes = tensor.bytes,
                             .file = file_of(store, tensor)});
  }
  for (const auto& [dtype, total] : totals) found.types.push_back(total);
  std::ranges::sort(found.types, std::ranges::greater(), &TypeTotal::bytes);
  found.weight_bytes = store.bytes();
  found.notes.insert(found.notes.end(), store.notes().begin(), store.notes().end());
}

// The blocks put back as files have them, a few outputs of each matrix at a time.
checkpoint::NonFinite scan_packed(const checkpoint::StoredTensor& tensor, ThreadPool& pool) {
  constexpr std::int64_t rows_at_once = 64;
  const int rank = tensor.shape.rank();
  const std::int64_t matrices = rank == 3 ? tensor.shape[0] : 1, out = tensor.shape[rank - 2];
  const std::int64_t in = tensor.shape[rank - 1], row_bytes = bytes_of(tensor.dtype, in);
  std::vector<std::byte> rows(static_cast<std::size_t>(rows_at_once * row_bytes));
  checkpoint::NonFinite sum;
  for (std::int64_t m = 0; m < matrices; ++m) {
    const std::byte* data = tensor.data + static_cast<std::int64_t>(tensor.bytes) / matrices * m;
    const Matrix matrix = packed_matrix(tensor.dtype, out, in, data);
    for (std::int64_t begin = 0; begin < out; begin += rows_at_once) {
      const std::int64_t end = std::min(out, begin + rows_at_once);
      unpack(matrix, begin, end, rows.data());
      const auto bytes = static_cast<std::size_t>((end - begin) * row_bytes);
      const auto found =
          checkpoint::count_non_finite(std::span(rows).first(bytes), tensor.dtype, pool);
      sum.nan += found.nan;
      sum.infinite += found.infinite;
    }
  }
  return sum;
}

void scan(const checkpoint::Store& store, int threads, Inspection& found) {
  ThreadPool pool(threads);
  Progress progress("scanning", store.bytes());
  for (std::size_t i = 0; i < found.tensors.size(); ++i) {
    const checkpoint::StoredTensor& tensor = store.tensors()[i];
    found.tensors[i].scanned =
        tensor.packed
            ? scan_packed(tensor, pool)
            : checkpoint::count_non_finite({tensor.data, tensor.bytes}, tensor.dtype, pool,
                                           [&](std::uint64_t bytes) { progress.add(bytes); });
    if (tensor.packed) progress.add(tensor.bytes);
  }
}

// What a packed store was made of, and that nothing needs packing.
void note_store(const checkpoint::Store& store, Inspection& found) {
  if (store.format() != checkpoint::Format::packed) return;
  const auto source = store.gguf().front().text("herd.packed.source");
  found.notes.push_back(fmt::format(
      "a packed store of layout {}, ready without packing{}", packed_layout_version,
      source && *source ? fmt::format("; made of {}", shown(**source)) : std::string()));
}

// Whether every tensor of the model is there in its shape, and no other: the loader's own answer. Meta's pieces would
// have to be merged in memory for that.
std::optional<Error> why_not_loadable(checkpoint::Store store, const llama4::Config& config) {
  if (store.format() == checkpoint::Format::meta) return std::nullopt;
  auto tensors = llama4::canonical_tensors(store, config);
  if (!tensors) return std::move(tensors).error();
  llama4::Loaded loaded(std::move(store), *std::move(tensors), config);
  if (auto bound = loaded.bind(); !bound) return std::move(bound).error();
  return std::nullopt;
}

Result<Inspection> look_at(const fs::path& directory, const InspectOptions& options) {
  Inspection found;
  found.path = directory.string();
  HERD_TRY(found.config, llama4::read_config(directory, options.mmproj));
  found.census = llama4::take_census(found.config);
  found.kv_dtype = found.config.torch_dtype == "float32" ? DType::f32 : DType::bf16;
  found.caches = cache_rows(found.config, found.kv_dtype);
  found.notes = found.config.notes;
  auto store = llama4::open_store(directory, options.mmproj);
  if (!store && store.error().code == Code::missing_input) {
    found.format = "none";
    found.weight_bytes = found.census.total * row_of(DType::bf16).bytes;
    found.notes.push_back(store.error().message + "; shown is the configuration alone");
    return found;
  }
  if (!store) return std::unexpected(std::move(store).error());
  found.format = name_of(store->format());
  list_tensors(*store, found);
  note_store(*store, found);
  if (options.scan) scan(*store, static_cast<int>(options.threads), found);
  found.problem = why_not_loadable(*std::move(store), found.config);
  if (found.problem) found.notes.push_back("this model does not load: " + found.problem->message);
  return found;
}

// What a program that reads the exit status should know: the model does not load, or has numbers that are none.
Result<int> verdict(const Inspection& found) {
  if (found.problem) return std::unexpected(*found.problem);
  for (const TensorRow& row : found.tensors)
    if (row.scanned && (row.scanned->nan > 0 || row.scanned->infinite > 0))
      return fail(Code::weights_not_finite, "{}: {} has {} NaN and {} infinite numbers", row.file,
                  row.name, row.scanned->nan, row.scanned->infinite);
  return 0;
}

}  // namespace

Result<int> inspect(Arguments arguments) {
  InspectOptions options;
  Flags flags("inspect", "What a checkpoint is: shape, parameters, types, memory, tensors",
              "herd inspect models/cria --tensors");
  flags.add(options, {{"model"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  HERD_TRY(const fs::path directory, find_model(options.model));
  HERD_TRY(const Inspection found, look_at(directory, options));
  HERD_TRY_VOID(options.json ? print_json(inspection_json(found, options.tensors))
                             : print(inspection_text(found, options.tensors)));
  return verdict(found);
}

}  // namespace herd::cli
