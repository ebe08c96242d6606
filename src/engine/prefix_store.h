// Keys and values of prompts on disk, so that what was read once need not be read again after a restart. One file holds
// one page of the global layers (64 positions) and is named by what it holds: a hash of the model's identity, the
// tenant and everything up to its end, under a secret that never leaves the directory. Local layers are not stored: at
// a multiple of their chunk nobody needs them.
//
//   DIR/secret              32 hexadecimal digits
//   DIR/3f/3f04….kv         magic, name, check, the 64 keys, the page; numbers as this machine keeps them
//
// Least recently used files go when there are too many. A file that is damaged, or not ours, is removed and said so.
// Calls come from one thread; files are written by another.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/keyed_hash.h"
#include "base/worker.h"

namespace herd::engine {

struct PrefixStoreOptions {
  fs::path directory;
  std::uint64_t bytes_max = 0;
  std::string identity;  // of weights, build and kernels: other ones' pages are never found
};

class PrefixStore {
 public:
  using Name = std::array<std::uint64_t, 2>;

  // Makes the directory, for the owner's eyes alone, or takes up what is in it. `page_bytes` of one page, a multiple
  // of 8. Fails with cannot_create, io_failed; bad_magic where the secret is no secret.
  static Result<std::unique_ptr<PrefixStore>> open(const PrefixStoreOptions& options,
                                                   std::uint64_t page_bytes);
  PrefixStore(PrefixStoreOptions options, std::uint64_t page_bytes, const HashKey& secret);
  PrefixStore(const PrefixStore&) = delete;
  PrefixStore& operator=(const PrefixStore&) = delete;
  ~PrefixStore();  // what is queued is written

  // For hashes that must be the same after a restart.
  [[nodiscard]] const HashKey& secret() const { return secret_; }

  [[nodiscard]] Name root(std::string_view tenant) const;
  // The page after `parent` that holds these keys.
  [[nodiscard]] Name child(const Name& parent, std::span<const std::uint64_t> keys) const;
  [[nodiscard]] bool has(const Name& name) const { return files_.contains(name); }

  // Fills `page` from the file, which is then the one used last. False where it is not there, or not what it says.
  bool read(const Name& name, std::span<const std::uint64_t> keys, std::span<std::byte> page);

  // Queues a page for writing: false when the queue is full, unless `waits`. Known ones are only used anew.
  bool write(const Name& name, std::span<const std::uint64_t> keys, std::span<const std::byte> page,
             bool waits);
  // Waits until all that was queued is in its file, or could not be put there.
  void flush();

  struct State {
    std::uint64_t files = 0, bytes = 0;  // now
    std::uint64_t pages_read = 0, pages_written = 0, pages_damaged = 0, pages_failed = 0;
  };
  [[nodiscard]] State state() const;

 private:
  struct Job {
    Name name;
    std::vector<std::byte> bytes;
  };

  [[nodiscard]] fs::path path_of(const Name& name) const;
  [[nodiscard]] std::uint64_t file_bytes() const;
  void use(const Name& name);
  void remove(const Name& name);
  void scan();
  void write_queued(std::stop_token stop);

  PrefixStoreOptions options_;
  std::uint64_t page_bytes_;
  HashKey secret_;
  std::map<Name, std::uint64_t> files_;              // when each was last used
  std::set<std::pair<std::uint64_t, Name>> by_use_;  // the same, the oldest first
  std::uint64_t clock_ = 0;
  State state_;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<Job> queue_;
  std::uint64_t written_ = 0, failed_ = 0;
  std::optional<Name> writing_;
  std::optional<Worker> worker_;  // last: it uses all of the above
};

}  // namespace herd::engine
