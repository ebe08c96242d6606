// Adapters that requests name as their model. A directory holds one directory for each, as PEFT saves them; new ones
// may be put there, and old ones replaced, while the server runs. Each is loaded when it is first asked for, kept while
// there is room, and forgotten when others need the room and no answer uses it.
//
//   DIR/<name>/adapter_config.json
//   DIR/<name>/adapter_model.safetensors
//
// From any thread. Whoever asks for one that is being loaded waits for it, and so does who asks for another meanwhile;
// requests for the model itself do not.
#pragma once

#include <array>
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
  // `model` must outlive it. `bytes_max` of numbers in memory, all adapters together.
  Adapters(llama4::Model& model, fs::path directory, std::uint64_t bytes_max)
      : model_(model), directory_(std::move(directory)), bytes_max_(bytes_max) {}

  struct Listed {
    std::string name;
    std::int64_t created = 0;  // seconds since 1970, of its file
  };
  // Those that are there now, by name.
  [[nodiscard]] std::vector<Listed> list() const;
  [[nodiscard]] bool has(std::string_view name) const;

  // The adapter of this name, as its files are now; has() has been asked. Fails with adapter_invalid (500), where the
  // log says what is wrong with the files, and adapter_memory (503) while answers use all the room.
  [[nodiscard]] ApiResult<SharedAdapters> get(const std::string& name);

  struct State {
    std::uint64_t loaded = 0, bytes = 0;                 // now
    std::uint64_t loads = 0, failed = 0, forgotten = 0;  // since the start
  };
  [[nodiscard]] State state() const;

 private:
  using Stamp = std::array<std::int64_t, 4>;  // times and sizes of both files
  struct Entry {
    Stamp stamp{};
    SharedAdapters adapters;  // null where the files are not usable
    std::uint64_t last_use = 0;
  };

  [[nodiscard]] Stamp stamp_of(const std::string& name) const;
  [[nodiscard]] Result<SharedAdapters> load(const std::string& name, std::uint64_t file_bytes);
  [[nodiscard]] bool make_room(std::uint64_t bytes, const std::string& keep);
  [[nodiscard]] std::uint64_t bytes() const;

  llama4::Model& model_;
  fs::path directory_;
  std::uint64_t bytes_max_;

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  std::uint64_t clock_ = 0;
  State counts_;
};

}  // namespace herd::server
