#include "server/adapters.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "base/result.h"

namespace herd::server {
namespace {

constexpr const char* config_name = "adapter_config.json";
constexpr const char* numbers_name = "adapter_model.safetensors";

std::unexpected<ApiError> invalid(const std::string& name) {
  return refuse(500, "adapter_invalid",
                fmt::format("the adapter '{}' cannot be used; the server's log says why", name),
                "model");
}

std::unexpected<ApiError> come_again(std::string code, std::string message) {
  return std::unexpected(
      ApiError{503, std::move(code), std::move(message), "model", /*retry_after_s=*/1});
}

}  // namespace

std::vector<Adapters::Listed> Adapters::list() const {
  std::vector<Listed> out;
  std::error_code error;
  for (fs::directory_iterator each(options_.directory, error), end; !error && each != end;
       each.increment(error)) {
    const std::string name = each->path().filename().string();
    if (has(name)) out.push_back({name, modified_seconds(each->path() / config_name)});
  }
  std::ranges::sort(out, {}, &Listed::name);
  return out;
}

bool Adapters::has(std::string_view name) const {
  std::error_code ignored;
  return is_plain_file_name(name) && !name.starts_with('.') &&
         fs::is_regular_file(options_.directory / name / config_name, ignored);
}

ApiResult<SharedAdapters> Adapters::get(const std::string& name) {
  std::unique_lock lock(mutex_);
  Entry& entry = entries_[name];
  entry.last_use = ++clock_;
  if (entry.stamp == stamp_of(name)) {
    if (entry.adapters) return entry.adapters;
    if (entry.invalid) return invalid(name);  // not read again until it is another
  }
  if (waiting_ >= options_.waiting_max)
    return come_again("adapter_loading", fmt::format("adapters are being loaded, '{}' is not yet "
                                                     "among them",
                                                     name));
  ++waiting_;
  loaded_.wait(lock, [this] { return !loading_; });
  loading_ = true;
  ApiResult<SharedAdapters> adapters = load(name, lock);
  loading_ = false;
  --waiting_;
  loaded_.notify_one();
  return adapters;
}

ApiResult<SharedAdapters> Adapters::load(const std::string& name,
                                         std::unique_lock<std::mutex>& lock) {
  Entry& entry = entries_[name];
  const Stamp stamp = stamp_of(name);
  if (entry.stamp != stamp) {
    retire(entry);
    entry.stamp = stamp;
    entry.invalid = false;
    entry.bytes = 0;
  }
  if (entry.adapters) return entry.adapters;  // whom it waited for has loaded it
  const auto no_room = [&] {
    return come_again(
        "adapter_memory",
        fmt::format("answers in progress use the memory for adapters, and '{}' needs {} MiB", name,
                    (entry.bytes + (1 << 20) - 1) >> 20));
  };
  if (entry.bytes > 0 && !make_room(entry.bytes)) return no_room();
  Result<SharedAdapters> adapters = read(name, entry, lock);
  reserved_ = 0;
  if (!adapters) {
    if (adapters.error().code == Code::memory_plan) return no_room();
    ++counts_.failed;
    log(LogLevel::error, "adapter {}: {}", shown(name), to_string(adapters.error()));
    // What the system would not give may be there next time.
    entry.invalid =
        adapters.error().code != Code::io_failed && adapters.error().code != Code::missing_input;
    return invalid(name);
  }
  ++counts_.loads;
  log(LogLevel::info, "adapter {}: loaded, {:.1f} MiB", shown(name),
      static_cast<double>((*adapters)->bytes()) / (1 << 20));
  entry.adapters = std::move(*adapters);
  return entry.adapters;
}

// The lock is let go while files are read. Fails with memory_plan while answers use the room.
Result<SharedAdapters> Adapters::read(const std::string& name, Entry& entry,
                                      std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  auto files = llama4::AdapterFiles::read(options_.directory / name, options_.bytes_max);
  lock.lock();
  if (!files) return std::unexpected(std::move(files).error());
  entry.bytes = files->bytes();
  if (entry.bytes > options_.bytes_max)
    return fail(Code::out_of_range,
                "{} bytes as float32, and all adapters may have {} (--adapters-mib)", entry.bytes,
                options_.bytes_max);
  if (!make_room(entry.bytes)) return fail(Code::memory_plan, "no room");
  reserved_ = entry.bytes;
  lock.unlock();
  auto loaded = files->load(model_);
  lock.lock();
  if (!loaded) return std::unexpected(std::move(loaded).error());
  if ((*loaded)->adapts_vision)
    return fail(Code::config_invalid,
                "it adapts the vision encoder, which all requests share; start the server with "
                "--adapter, or merge it with herd export");
  return SharedAdapters(std::move(*loaded));
}

Adapters::Stamp Adapters::stamp_of(const std::string& name) const {
  Stamp stamp{};
  std::size_t next = 0;
  for (const char* file : {config_name, numbers_name}) {
    struct stat found{};
    if (::stat((options_.directory / name / file).c_str(), &found) != 0) found.st_size = -1;
    for (const std::int64_t part :
         {static_cast<std::int64_t>(found.st_dev), static_cast<std::int64_t>(found.st_ino),
          std::int64_t{found.st_size}, std::int64_t{found.st_ctim.tv_sec},
          std::int64_t{found.st_ctim.tv_nsec}})
      stamp[next++] = part;
  }
  return stamp;
}

// Files that are others now: answers that use the old numbers keep them, and they count until then.
void Adapters::retire(Entry& entry) {
  std::erase_if(retired_, [](const auto& each) { return each.expired(); });
  if (entry.adapters) retired_.push_back(entry.adapters);
  entry.adapters.reset();
}

// Forgets what no answer uses, the one used least recently first, until so many bytes are free; nothing where that
// would not be enough.
bool Adapters::make_room(std::uint64_t wanted) {
  const auto is_idle = [](const Entry& entry) {
    return entry.adapters && entry.adapters.use_count() == 1;
  };
  std::uint64_t used = reserved_, idle = 0;
  for (const auto& [name, entry] : entries_)
    if (entry.adapters) (is_idle(entry) ? idle : used) += entry.adapters->bytes();
  for (const auto& each : retired_)
    if (const auto adapters = each.lock()) used += adapters->bytes();
  if (used + wanted > options_.bytes_max) return false;
  while (used + idle + wanted > options_.bytes_max) {
    auto oldest = entries_.end();
    for (auto each = entries_.begin(); each != entries_.end(); ++each)
      if (is_idle(each->second) &&
          (oldest == entries_.end() || each->second.last_use < oldest->second.last_use))
        oldest = each;
    if (oldest == entries_.end()) return false;  // one has begun to be used
    log(LogLevel::info, "adapter {}: forgotten, others need its room", shown(oldest->first));
    idle -= oldest->second.adapters->bytes();
    oldest->second.adapters.reset();
    ++counts_.forgotten;
  }
  return true;
}

Adapters::State Adapters::state() const {
  const std::lock_guard lock(mutex_);
  State state = counts_;
  for (const auto& [name, entry] : entries_) {
    if (!entry.adapters) continue;
    ++state.loaded;
    state.bytes += entry.adapters->bytes();
  }
  return state;
}

}  // namespace herd::server
