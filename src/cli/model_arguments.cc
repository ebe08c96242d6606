#include "cli/model_arguments.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/check.h"
#include "base/log.h"
#include "base/progress.h"
#include "kernels/kv_block.h"
#include "llama4/census.h"

namespace herd::cli {
namespace {

// Enough for long conversations and small beside any model's weights; --ctx asks for more.
constexpr std::int64_t context_default = 32'768;

std::uint64_t weight_bytes_of(const fs::path& directory, const fs::path& projector) {
  std::uint64_t bytes = 0;
  if (fs::is_regular_file(directory)) {
    const auto store = llama4::open_store(directory, projector);
    if (!store) return 0;  // the loader's to name
    for (const Mapping& file : store->files()) bytes += file.bytes().size();
    return bytes;
  }
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path extension = entry.path().extension();
    if (extension == ".safetensors" || extension == ".pth") bytes += entry.file_size();
  }
  return bytes;
}

// What the keys and values are kept in: the weights' own precision, except on request. Fails with usage.
Result<DType> kv_dtype_of(const ModelArguments& arguments, const llama4::Config& config) {
  const bool wide = arguments.precision == "f32";
  if (arguments.kv_type == "auto")
    return wide || config.torch_dtype == "float32" ? DType::f32 : DType::bf16;
  const auto* row = std::ranges::find(dtype_table, arguments.kv_type, &DTypeRow::name);
  HERD_CHECK(row != dtype_table.end(), "no type {}", arguments.kv_type);
  if (wide && row->type != DType::f32)
    return fail(Code::usage, "--precision f32 keeps keys and values in f32, --kv-type says {}",
                row->name);
  if (!can_keep_kv(row->type, config.text.head_size))
    return fail(Code::usage,
                "--kv-type {} takes heads in groups of {} numbers, this model's are of {}",
                row->name, kv_group, config.text.head_size);
  return row->type;
}

}  // namespace

engine::SessionOptions Opened::session_options() const {
  return {.context = context, .kv_dtype = kv_dtype};
}

Result<fs::path> find_model(const std::string& model) {
  if (fs::is_directory(model)) return fs::path(model);
  if (fs::is_regular_file(model) && (model.ends_with(".gguf") || model.ends_with(".herd")))
    return fs::path(model);
  std::string places;
  // A bare name is a model that came with herd: beside the program's source or where it was installed.
  if (is_plain_file_name(model)) {
    std::error_code ignored;
    const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
    for (const fs::path& base : {fs::path("models"), program.parent_path() / "../models",
                                 program.parent_path() / "../share/herd/models"}) {
      const fs::path path = (base / model).lexically_normal();
      if (fs::is_directory(path)) return path;
      places += fmt::format("{}{}", places.empty() ? "" : ", ", path.string());
    }
  }
  if (fs::is_regular_file(model))
    return fail_with_hint(Code::missing_input,
                          fmt::format("{}: its name ends in neither .gguf nor .herd", shown(model)),
                          "a GGUF file is known by its name: rename it or link to it");
  return fail_with_hint(
      Code::missing_input,
      fmt::format("{}: no such model directory, .gguf or .herd file{}", shown(model),
                  places.empty() ? "" : fmt::format(", and none at {}", places)),
      "give a directory with config.json and *.safetensors (or params.json and "
      "consolidated.*.pth), a .gguf or .herd file, "
      "or cria, the model that herd carries");
}

Result<Opened> open_model(const ModelArguments& arguments, std::int64_t context_wanted) {
  const auto start = std::chrono::steady_clock::now();
  Opened opened;
  HERD_TRY(opened.directory, find_model(arguments.model));
  HERD_TRY(const llama4::Config config, llama4::read_config(opened.directory, arguments.mmproj));
  HERD_TRY(opened.kv_dtype, kv_dtype_of(arguments, config));

  const std::uint64_t weights = weight_bytes_of(opened.directory, arguments.mmproj);
  const MemoryLimits limits = memory_limits();
  const std::int64_t rows = engine::SessionOptions{}.piece_rows;
  const std::int64_t trained = std::max<std::int64_t>(config.text.context, 1);
  if (arguments.ctx > 0) {
    opened.context = arguments.ctx;
  } else {
    opened.context = std::min(trained, context_wanted > 0 ? context_wanted : context_default);
    const std::int64_t fitting = llama4::largest_context(config, weights, opened.context, rows,
                                                         opened.kv_dtype, limits.available);
    // A command that needs so many tokens is refused with arithmetic below; others take what there is.
    if (fitting > 0 && context_wanted == 0) opened.context = fitting;
  }
  if (opened.context > trained)
    log(LogLevel::warn, "context of {} tokens is beyond the {} that the model was made for",
        opened.context, trained);
  if (!arguments.allow_paging)
    HERD_TRY_VOID(llama4::check_fits(
        config, llama4::plan_memory(config, weights, opened.context, rows, opened.kv_dtype), rows,
        opened.kv_dtype, limits));

  Progress progress("loading", weights);
  std::uint64_t before = 0;
  HERD_TRY(opened.loaded, llama4::load(
                              opened.directory,
                              [&](std::string_view, std::uint64_t done, std::uint64_t) {
                                progress.add(done - before);
                                before = done;
                              },
                              arguments.mmproj));
  if (arguments.adapter) {
    const fs::path adapter = *arguments.adapter;
    if (!fs::exists(adapter / "adapter_config.json") &&
        fs::exists(adapter / "adapter/adapter_config.json"))
      return fail_with_hint(
          Code::missing_input,
          fmt::format("--adapter {}: no adapter_config.json in it", shown(*arguments.adapter)),
          fmt::format("--adapter {}", (adapter / "adapter").string()));
    HERD_TRY(opened.adapters, llama4::load_adapters(opened.loaded->model(), *arguments.adapter));
  }
  for (const std::string& note : config.notes) log(LogLevel::info, "{}", note);
  opened.pool = std::make_unique<ThreadPool>(static_cast<int>(arguments.threads));
  opened.loaded->pack({opened.pool.get()});
  opened.ctx = std::make_unique<Context>(cpu_kernels(), *opened.pool);
  opened.load_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return opened;
}

}  // namespace herd::cli
