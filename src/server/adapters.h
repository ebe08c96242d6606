// Adapters that requests name as their model. A directory holds one directory for each, as PEFT saves them; new ones
// may be put there, and old ones replaced, while the server runs. Each is loaded when it is first asked for, kept while
// there is room, and forgotten when others need the room and no answer uses it.
//
//   DIR/<name>/adapter_config.json
//   DIR/<name>/adapter_model.safetensors
//
// From any thread. Loading takes its time on the thread that asks, and others that want an adapter which is not there
// yet wait for it; so many at most that a thread is left for everything else (`waiting_max`), the rest is told to come
// again.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "llama4/adapter.h"
#include "server/api_error.h"

namespace herd::server {

using SharedAdapters =
    std::shared_ptr<const llama4::LoadedAdapters>;  // shared by this and the answers that use it

class Adapters {
 public:
  struct Options {
    fs::path directory = {};
    std::uint64_t bytes_max = 0;  // of numbers in memory, all adapters together
    int waiting_max = 1;          // threads that load or wait for it
  };
  // `model` must outlive it.
  Adapters(llama4::Model& model, Options options) : model_(model), options_(std::move(options)) {}

  struct Listed {
    std::string name;
    std::int64_t created = 0;  // seconds since 1970, of its file
  };
  // Those that are there now, by name.
  [[nodiscard]] std::vector<Listed> list() const;
  [[nodiscard]] bool has(std::string_view name) const;

  // The adapter of this name, as its files are now; has() has been asked. Fails with adapter_invalid (500), where the
  // log says what is wrong with the files; with adapter_loading (503) while enough threads wait, and with
  // adapter_memory (503) while answers use the room it needs.
  [[nodiscard]] ApiResult<SharedAdapters> get(const std::string& name);

  struct State {
    std::uint64_t loaded = 0, bytes = 0;                 // now
    std::uint64_t loads = 0, failed = 0, forgotten = 0;  // since the start
  };
  [[nodiscard]] State state() const;

 private:
  // Device, number, size and time of the last change of both files: what is renamed, or given an old file's time, is
  // another file.
  using Stamp = std::array<std::int64_t, 10>;
  struct Entry {
    Stamp stamp{};
    SharedAdapters adapters;  // null where they are not here
    bool invalid = false;     // the files with this stamp are
    std::uint64_t bytes = 0;  // that they need, once that is known
    std::uint64_t last_use = 0;
  };

  [[nodiscard]] Stamp stamp_of(const std::string& name) const;
  [[nodiscard]] ApiResult<SharedAdapters> load(const std::string& name,
                                               std::unique_lock<std::mutex>& lock);
  [[nodiscard]] Result<SharedAdapters> read(const std::string& name, Entry& entry,
                                            std::unique_lock<std::mutex>& lock);
  [[nodiscard]] bool make_room(std::uint64_t wanted);
  void retire(Entry& entry);

  llama4::Model& model_;
  Options options_;

  mutable std::mutex mutex_;  // never held while files are read
  std::condition_variable loaded_;
  std::map<std::string, Entry> entries_;
  std::vector<std::weak_ptr<const llama4::LoadedAdapters>> retired_;  // answers may still use them
  bool loading_ = false;
  int waiting_ = 0;
  std::uint64_t reserved_ = 0;  // bytes, of what is being loaded
  std::uint64_t clock_ = 0;
  State counts_;
};

}  // namespace herd::server
