// API keys: who may ask what. A key is "hk_", a public id, "_" and 256 random bits; the file keeps the id and the
// SHA-256 of the secret, which is enough for a secret that cannot be guessed.
//
// The file belongs to its owner alone (mode 0600) and is replaced as a whole, so that a server sees a change at once:
// it looks at most every 200 ms.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace herd::server {

enum class Scope : std::uint8_t { none, infer, admin };
std::string_view name_of(Scope scope);

// What one key may ask for; 0 for as much as it likes.
struct KeyLimits {
  std::int64_t requests_per_minute = 0;
  std::int64_t concurrent = 0;  // requests being answered at the same time
};

struct KeyRow {
  std::string id;
  std::string name;  // what its owner calls it
  std::string hash;  // SHA-256 of the secret, hexadecimal
  std::vector<std::string> scopes;
  std::int64_t created = 0;  // seconds since 1970, as all here
  std::int64_t expires = 0;  // 0: never
  std::int64_t revoked = 0;  // 0: not
  KeyLimits limits = {};
};

class Keys {
  struct Ours {};  // only open() makes them

 public:
  Keys(Ours, fs::path path) : path_(std::move(path)) {}

  // Reads the file; one that is not there holds no keys. Fails with refused where others may read or write it, with
  // io_failed, invalid_json or bad_header (the entry named) where it is no file of keys.
  static Result<std::unique_ptr<Keys>> open(const fs::path& path);

  // Makes a key and gives it whole: it cannot be had again. Fails with out_of_range for a scope that is not known or
  // one key too many, with locked while another process writes.
  Result<std::string> add(std::string name, std::vector<std::string> scopes, std::int64_t expires,
                          KeyLimits limits = {});
  // Fails with missing_input when no key has this id.
  Result<void> revoke(std::string_view id);
  [[nodiscard]] std::vector<KeyRow> list();

  // Whether anybody ever made a key: then every request needs one, also after the last was revoked.
  [[nodiscard]] bool required();

  struct Verdict {
    bool valid = false;
    bool expired = false;  // was valid once
    bool may = false;      // has the scope
    std::string id = {};   // where valid
    KeyLimits limits = {};
  };
  // Takes the same time for a wrong secret and for an id that nobody has.
  [[nodiscard]] Verdict check(std::string_view key, Scope wanted);
  [[nodiscard]] bool still_valid(std::string_view id);

 private:
  struct Stamp {
    std::uint64_t inode = 0, size = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  Result<void> read();
  Result<void> write(const std::vector<KeyRow>& rows);
  void refresh();
  [[nodiscard]] const KeyRow* row_of_id(std::string_view id) const;

  fs::path path_;
  std::mutex mutex_;
  std::vector<KeyRow> rows_;
  Stamp stamp_;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace herd::server
