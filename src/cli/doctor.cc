// herd doctor: what stands between this machine and a fast model. Takes about one second, most of it measuring.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "base/limits_table.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "cli/command.h"
#include "cli/disk_speed.h"
#include "cli/flags.h"
#include "cli/machine.h"
#include "cli/machine_speed.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/quantized_product.h"
#include "tensor/packed_layout.h"

namespace herd::cli {
namespace {

struct DoctorOptions {
  std::optional<std::string> model = {};
  std::int64_t threads = 0;
  bool json = false;

  static constexpr auto fields() {
    using O = DoctorOptions;
    return option_list(
        option("model", &O::model, "whose disk is measured; without it, the current directory's"),
        option("threads", &O::threads, "that measure; 0 for all CPUs", Range{0, 1024}),
        option("json", &O::json, "one JSON document instead of text"));
  }
};

constexpr double measure_seconds = 0.25;  // each of memory, arithmetic and disk

struct Findings {
  Processor processor;
  int threads = 0;
  MemoryLimits memory;
  double memory_gbps = 0;
  double fma_gflops = 0, bfloat16_gflops = 0;
  std::string model;  // how its weights come into memory; empty: none was named
  fs::path directory;
  Result<DiskSpeed> disk;
  std::vector<std::string> gpus;
  std::uint64_t open_files = 0;  // ulimit -n
};

// Only of files: directories are read as they lie, or hold what is packed at every start.
std::string how_loaded(const fs::path& model) {
  std::error_code ignored;
  if (!fs::is_regular_file(model, ignored)) return "a directory, used as its files have it";
  const auto store = checkpoint::Store::open(model);
  if (!store) return store.error().message;
  if (store->format() == checkpoint::Format::packed)
    return fmt::format("a packed store of layout {}: mapped, ready without packing",
                       packed_layout_version);
  const bool packs = std::ranges::any_of(store->tensors(), [](const checkpoint::StoredTensor& one) {
    return packed_block_bytes(one.dtype) > 0;
  });
  return packs ? "a GGUF file whose weights are packed at every start; herd convert MODEL.gguf "
                 "MODEL.herd does it once"
               : "a GGUF file, used as it lies";
}

Result<Findings> examine(const DoctorOptions& options) {
  fs::path directory = ".";
  std::string model;
  if (options.model) {
    HERD_TRY(directory, find_model(*options.model));
    model = how_loaded(directory);
    if (!fs::is_directory(directory)) directory = fs::absolute(directory).parent_path();
  }
  ThreadPool pool(static_cast<int>(options.threads));
  Findings found{.processor = processor(),
                 .threads = pool.threads(),
                 .memory = memory_limits(),
                 .model = std::move(model),
                 .directory = directory,
                 .disk = measure_disk(directory, measure_seconds),
                 .gpus = graphics_processors()};
  found.memory_gbps =
      read_gbps(found.processor.last_level_cache, found.memory, pool, measure_seconds);
  found.fma_gflops = fma_gflops(pool, measure_seconds);
  found.bfloat16_gflops = bfloat16_gflops(pool, measure_seconds);
  if (rlimit files{}; ::getrlimit(RLIMIT_NOFILE, &files) == 0) found.open_files = files.rlim_cur;
  return found;
}

std::string_view how_read(const DiskSpeed& disk) {
  if (disk.direct) return "past the system's cache";
  return disk.cached
             ? "from the system's cache, which would not forget it: memory's speed, not the "
               "disk's"
             : "after the system's cache forgot it";
}

double rounded(double value) { return std::round(value * 100) / 100; }

json::object to_json(const Findings& found) {
  const Processor& cpu = found.processor;
  json::object disk{{"directory", found.directory.string()}};
  if (found.disk) {
    disk["file"] = found.disk->file;
    disk["bytes"] = found.disk->bytes;
    disk["read_gbps"] = rounded(found.disk->gbps);
    disk["direct"] = found.disk->direct;
    disk["cached"] = found.disk->cached;
  } else {
    disk["error"] = found.disk.error().message;
  }
  json::array sets;
  for (const std::string_view name : cpu::instruction_sets()) sets.emplace_back(name);
  json::array quantized;
  for (const std::string_view name : cpu::quantized_kernel_names()) quantized.emplace_back(name);
  json::object parts, limits;
  for (const auto& [name, version] : versions()) parts[name] = version;
  for (const LimitRow& row : limit_rows()) limits[row.name] = row.value;
  return {
      {"cpu", json::object{{"model", cpu.model},
                           {"present", cpu.present},
                           {"usable", cpu.usable},
                           {"last_level_cache", cpu.last_level_cache},
                           {"features", json::array(cpu.features.begin(), cpu.features.end())}}},
      {"kernels", json::object{{"chosen", cpu::chosen_instruction_set()},
                               {"possible", std::move(sets)},
                               {"quantized", cpu::chosen_quantized_kernels().name},
                               {"quantized_possible", std::move(quantized)},
                               {"threads", found.threads},
                               {"f32_gflops", rounded(found.fma_gflops)},
                               {"bf16_gflops", rounded(found.bfloat16_gflops)}}},
      {"memory", json::object{{"physical", found.memory.physical},
                              {"available", found.memory.available},
                              {"bound_by", found.memory.bound_by},
                              {"read_gbps", rounded(found.memory_gbps)}}},
      {"model", found.model.empty() ? json::value(nullptr) : json::value(found.model)},
      {"disk", std::move(disk)},
      {"gpu", json::object{{"devices", json::array(found.gpus.begin(), found.gpus.end())},
                           {"used", false}}},
      {"versions", std::move(parts)},
      {"open_files_max", found.open_files},
      {"limits", std::move(limits)}};
}

std::string joined(const auto& words) {
  std::string out;
  for (const auto& word : words) out += fmt::format("{}{}", out.empty() ? "" : " ", word);
  return out.empty() ? "none" : out;
}

std::string to_text(const Findings& found) {
  const Processor& cpu = found.processor;
  std::string out;
  const auto line = [&](std::string_view name, const std::string& text) {
    out += fmt::format("{:<10} {}\n", name, text);
  };
  line("processor", fmt::format("{}, {} of {} CPUs usable, last cache {}", cpu.model, cpu.usable,
                                cpu.present, human_bytes(cpu.last_level_cache)));
  line("features", joined(cpu.features));
  line("kernels",
       fmt::format("{} (possible: {}), quantized: {} (HERD_KERNELS may name {}), {} threads",
                   cpu::chosen_instruction_set(), joined(cpu::instruction_sets()),
                   cpu::chosen_quantized_kernels().name, joined(cpu::quantized_kernel_names()),
                   found.threads));
  line("arithmetic", fmt::format("{:.0f} GFLOP/s of float32 multiply-adds, {}", found.fma_gflops,
                                 found.bfloat16_gflops > 0
                                     ? fmt::format("{:.0f} of bfloat16's (training, pictures)",
                                                   found.bfloat16_gflops)
                                     : "no instruction for bfloat16's"));
  line("memory",
       fmt::format("{} of {} available (bound by: {}), read at {:.1f} GB/s",
                   human_bytes(found.memory.available), human_bytes(found.memory.physical),
                   found.memory.bound_by, found.memory_gbps));
  if (!found.model.empty()) line("model", found.model);
  line("disk", found.disk ? fmt::format("{:.2f} GB/s, {} of {} in {} read {}", found.disk->gbps,
                                        human_bytes(found.disk->bytes), found.disk->file,
                                        found.directory.string(), how_read(*found.disk))
                          : fmt::format("not measured: {}", found.disk.error().message));
  line("gpu", found.gpus.empty() ? "none"
                                 : fmt::format("{} {}, not used by this version", found.gpus.size(),
                                               found.gpus[0]));
  line("open files", fmt::format("at most {}", found.open_files));
  std::string parts;
  for (const auto& [name, version] : versions())
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", name, version);
  line("versions", parts);
  out += "\nlimits of what comes from outside\n";
  for (const LimitRow& row : limit_rows())
    out += fmt::format("  {:<28} {:>13}  {}\n", row.name, grouped(row.value), row.sentence);
  return out;
}

}  // namespace

Result<int> doctor(Arguments arguments) {
  DoctorOptions options;
  Flags flags("doctor",
              "What this machine can do: kernels chosen, memory, arithmetic and disk measured, "
              "limits, versions",
              "herd doctor models/cria");
  flags.add(options, {{"model", false}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  HERD_TRY(const Findings found, examine(options));
  HERD_TRY_VOID(options.json ? print_json(to_json(found)) : print(to_text(found)));
  return 0;
}

}  // namespace herd::cli
