#include "server/adapters.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/result.h"

namespace herd::server {
namespace {

constexpr const char* config_name = "adapter_config.json";
constexpr const char* numbers_name = "adapter_model.safetensors";

std::int64_t seconds_of(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count();
}

}  // namespace

std::vector<Adapters::Listed> Adapters::list() const {
  std::vector<Listed> out;
  std::error_code error;
  for (fs::directory_iterator each(directory_, error), end; !error && each != end;
       each.increment(error)) {
    const std::string name = each->path().filename().string();
    if (has(name)) out.push_back({name, seconds_of(each->path() / config_name)});
  }
  std::ranges::sort(out, {}, &Listed::name);
  return out;
}

bool Adapters::has(std::string_view name) const {
  std::error_code ignored;
  return is_plain_file_name(name) && fs::is_regular_file(directory_ / name / config_name, ignored);
}

ApiResult<SharedAdapters> Adapters::get(const std::string& name) {
  const auto invalid = [&] {
    return refuse(500, "adapter_invalid",
                  fmt::format("the adapter '{}' cannot be used; the server's log says why", name),
                  "model");
  };
  const std::lock_guard lock(mutex_);
  const Stamp stamp = stamp_of(name);
  Entry& entry = entries_[name];
  entry.last_use = ++clock_;
  if (entry.stamp == stamp) {  // what could not be used is not read again until it is another
    if (!entry.adapters) return invalid();
    return entry.adapters;
  }
  entry.adapters.reset();  // answers that use the old numbers keep them
  entry.stamp = stamp;
  const auto file_bytes = static_cast<std::uint64_t>(stamp.back());
  auto loaded = load(name, file_bytes);
  if (!loaded) {
    ++counts_.failed;
    log(LogLevel::error, "adapter {}: {}", shown(name), to_string(loaded.error()));
    return invalid();
  }
  if (!make_room((*loaded)->bytes(), name)) {
    entries_.erase(name);
    ApiError error{503, "adapter_memory",
                   fmt::format("answers in progress use all memory for adapters, and '{}' needs "
                               "{} MiB",
                               name, ((*loaded)->bytes() >> 20) + 1),
                   "model", 1};
    return std::unexpected(std::move(error));
  }
  ++counts_.loads;
  log(LogLevel::info, "adapter {}: loaded, {:.1f} MiB", shown(name),
      static_cast<double>((*loaded)->bytes()) / (1 << 20));
  return entries_[name].adapters = std::move(*loaded);
}

Adapters::Stamp Adapters::stamp_of(const std::string& name) const {
  Stamp stamp{};
  std::size_t next = 0;
  for (const char* file : {config_name, numbers_name}) {
    std::error_code error;
    const fs::path path = directory_ / name / file;
    const auto time = fs::last_write_time(path, error);
    stamp[next++] = error ? -1 : time.time_since_epoch().count();
    const auto size = fs::file_size(path, error);
    stamp[next++] = error ? -1 : static_cast<std::int64_t>(size);
  }
  return stamp;
}

Result<SharedAdapters> Adapters::load(const std::string& name, std::uint64_t file_bytes) {
  // Before anything of the file is read: its numbers take at least as much as they do in the file, unless that is of
  // float64, which no adapter is.
  if (file_bytes != static_cast<std::uint64_t>(-1) && file_bytes > bytes_max_)
    return fail(Code::out_of_range, "{} bytes, and all adapters may have {}", file_bytes,
                bytes_max_);
  HERD_TRY(std::unique_ptr<llama4::LoadedAdapters> read,
           llama4::read_adapters(model_, directory_ / name));
  if (read->adapts_vision)
    return fail(Code::config_invalid,
                "it adapts the vision encoder, which all requests share; start the server with "
                "--adapter, or merge it with herd export");
  if (read->bytes() > bytes_max_)
    return fail(Code::out_of_range, "{} bytes as float32, and all adapters may have {}",
                read->bytes(), bytes_max_);
  return SharedAdapters(std::move(read));
}

// Forgets what no answer uses, the one used least recently first, until so many bytes are free.
bool Adapters::make_room(std::uint64_t wanted, const std::string& keep) {
  while (bytes() + wanted > bytes_max_) {
    auto oldest = entries_.end();
    for (auto each = entries_.begin(); each != entries_.end(); ++each) {
      const Entry& entry = each->second;
      const bool idle = entry.adapters && entry.adapters.use_count() == 1;
      if (each->first == keep || !idle) continue;
      if (oldest == entries_.end() || entry.last_use < oldest->second.last_use) oldest = each;
    }
    if (oldest == entries_.end()) return false;
    log(LogLevel::info, "adapter {}: forgotten, others need its room", shown(oldest->first));
    entries_.erase(oldest);
    ++counts_.forgotten;
  }
  return true;
}

std::uint64_t Adapters::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, entry] : entries_)
    if (entry.adapters) sum += entry.adapters->bytes();
  return sum;
}

Adapters::State Adapters::state() const {
  const std::lock_guard lock(mutex_);
  State state = counts_;
  state.bytes = bytes();
  state.loaded = static_cast<std::uint64_t>(std::ranges::count_if(
      entries_, [](const auto& each) { return each.second.adapters != nullptr; }));
  return state;
}

}  // namespace herd::server
