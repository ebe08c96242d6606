#include "server/keys.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/bytes.h"
#include "base/file_lock.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/random_id.h"

namespace herd::server {
namespace {

constexpr std::uint64_t file_bytes_max = 8 << 20;
constexpr std::chrono::milliseconds look_every{200};
constexpr std::array<std::string_view, 3> scope_names{"none", "infer", "admin"};

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(octets_of(text).data(), text.size(), digest.data());
  std::string out;
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

std::int64_t now() { return std::time(nullptr); }

std::int64_t number_of(const json::value& row, std::string_view name) {
  const json::value* value = find(row, name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

std::string text_of(const json::value& row, std::string_view name) {
  const json::value* value = find(row, name);
  return value != nullptr && value->is_string()
             ? std::string(value->get_string().data(), value->get_string().size())
             : std::string();
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What another process may be changing at the same time.
Result<FileLock> lock_of(const fs::path& keys) {
  return FileLock::take(keys.string() + ".lock", std::chrono::seconds(2),
                        "another process is changing the keys");
}

}  // namespace

std::string_view name_of(Scope scope) { return scope_names[static_cast<std::size_t>(scope)]; }

Result<std::unique_ptr<Keys>> Keys::open(const fs::path& path) {
  auto keys = std::make_unique<Keys>(Ours{}, path);
  HERD_TRY_VOID(keys->read());
  return keys;
}

Result<void> Keys::read() {
  struct stat found{};
  if (::stat(path_.c_str(), &found) != 0) {
    rows_.clear();
    stamp_ = {};
    return {};
  }
  if ((found.st_mode & 077) != 0)
    return fail_with_hint(
        Code::refused,
        fmt::format("{}: others may read or write this file of keys", path_.string()),
        fmt::format("chmod 600 {}", path_.string()));
  HERD_TRY(const std::string text, read_file(path_, file_bytes_max));
  auto parsed = parse_json(text);
  if (!parsed) return std::unexpected(std::move(parsed).error().in(path_.string()));
  const json::value* list = find(*parsed, "keys");
  if (list == nullptr || !list->is_array())
    return fail(Code::bad_header, "{}: has no list of keys", path_.string());
  std::vector<KeyRow> rows;
  for (const json::value& entry : list->get_array()) {
    KeyRow row{.id = text_of(entry, "id"),
               .name = text_of(entry, "name"),
               .hash = text_of(entry, "sha256"),
               .scopes = {},
               .created = number_of(entry, "created"),
               .expires = number_of(entry, "expires"),
               .revoked = number_of(entry, "revoked"),
               .limits = {.requests_per_minute = number_of(entry, "requests_per_minute"),
                          .concurrent = number_of(entry, "concurrent")}};
    if (const json::value* scopes = find(entry, "scopes"); scopes != nullptr && scopes->is_array())
      for (const json::value& scope : scopes->get_array())
        if (scope.is_string()) row.scopes.emplace_back(scope.get_string().c_str());
    if (!is_hex(row.id, 8) || !is_hex(row.hash, 64))
      return fail(Code::bad_header, "{}: keys[{}] has no proper id and sha256", path_.string(),
                  rows.size());
    rows.push_back(std::move(row));
  }
  rows_ = std::move(rows);
  stamp_ = {found.st_ino, static_cast<std::uint64_t>(found.st_size), found.st_mtim.tv_sec,
            found.st_mtim.tv_nsec};
  return {};
}

Result<void> Keys::write(const std::vector<KeyRow>& rows) {
  json::array list;
  for (const KeyRow& row : rows)
    list.push_back({{"id", row.id},
                    {"name", row.name},
                    {"sha256", row.hash},
                    {"scopes", json::value_from(row.scopes)},
                    {"created", row.created},
                    {"expires", row.expires},
                    {"revoked", row.revoked},
                    {"requests_per_minute", row.limits.requests_per_minute},
                    {"concurrent", row.limits.concurrent}});
  std::error_code error;
  fs::create_directories(path_.parent_path(), error);
  const mode_t before = ::umask(077);
  const Result<void> written = write_file(path_, json_text(json::object{{"keys", list}}) + "\n");
  ::umask(before);
  if (!written) return written;
  return read();
}

void Keys::refresh() {
  const auto time = std::chrono::steady_clock::now();
  if (time - looked_ < look_every) return;
  looked_ = time;
  struct stat found{};
  Stamp stamp;
  if (::stat(path_.c_str(), &found) == 0)
    stamp = {found.st_ino, static_cast<std::uint64_t>(found.st_size), found.st_mtim.tv_sec,
             found.st_mtim.tv_nsec};
  if (stamp == stamp_) return;
  // A file that went away or bad must not open the door: what was known stays.
  if (stamp == Stamp{}) return;
  if (const auto again = read(); !again)
    log(LogLevel::error, "keys are as before: {}", to_string(again.error()));
}

const KeyRow* Keys::row_of_id(std::string_view id) const {
  const auto found = std::ranges::find(rows_, id, &KeyRow::id);
  return found == rows_.end() ? nullptr : &*found;
}

Result<std::string> Keys::add(std::string name, std::vector<std::string> scopes,
                              std::int64_t expires, KeyLimits key_limits) {
  const std::lock_guard lock(mutex_);
  for (const std::string& scope : scopes)
    if (scope == "none" || std::ranges::find(scope_names, scope) == scope_names.end())
      return fail(Code::out_of_range, "--scope: {} is not known, wanted infer or admin",
                  shown(scope));
  std::error_code ignored;
  fs::create_directories(path_.parent_path(), ignored);
  HERD_TRY(const FileLock file_lock, lock_of(path_));
  HERD_TRY_VOID(read());
  if (rows_.size() >= limits::api_keys_max)
    return fail(Code::out_of_range, "{} keys are the limit", limits::api_keys_max);
  std::string id;
  do id = random_id("", 4);
  while (row_of_id(id) != nullptr);
  const std::string secret = random_id("", 32);
  std::vector<KeyRow> rows = rows_;
  rows.push_back({.id = id,
                  .name = std::move(name),
                  .hash = sha256_hex(secret),
                  .scopes = std::move(scopes),
                  .created = now(),
                  .expires = expires,
                  .revoked = 0,
                  .limits = key_limits});
  HERD_TRY_VOID(write(rows));
  return fmt::format("hk_{}_{}", id, secret);
}

Result<void> Keys::revoke(std::string_view id) {
  const std::lock_guard lock(mutex_);
  if (!fs::exists(path_)) return fail(Code::missing_input, "{}: there are no keys", path_.string());
  HERD_TRY(const FileLock file_lock, lock_of(path_));
  HERD_TRY_VOID(read());
  std::vector<KeyRow> rows = rows_;
  const auto found = std::ranges::find(rows, id, &KeyRow::id);
  if (found == rows.end())
    return fail_with_hint(Code::missing_input, fmt::format("no key has the id {}", shown(id)),
                          "herd keys list shows them");
  if (found->revoked == 0) found->revoked = now();
  return write(rows);
}

std::vector<KeyRow> Keys::list() {
  const std::lock_guard lock(mutex_);
  refresh();
  return rows_;
}

bool Keys::required() {
  const std::lock_guard lock(mutex_);
  refresh();
  return !rows_.empty();
}

Keys::Verdict Keys::check(std::string_view key, Scope wanted) {
  const std::lock_guard lock(mutex_);
  refresh();
  // "hk_", 8 digits of id, "_", 64 digits of secret.
  const bool formed = key.size() == 76 && key.starts_with("hk_") && key[11] == '_';
  const KeyRow* row = formed ? row_of_id(key.substr(3, 8)) : nullptr;
  static const std::string nobody(64, '0');
  const std::string hash = sha256_hex(formed ? key.substr(12) : key.substr(0, 64));
  const std::string& expected = row == nullptr ? nobody : row->hash;
  const bool equal = ::CRYPTO_memcmp(hash.data(), expected.data(), hash.size()) == 0;
  if (!equal || row == nullptr || row->revoked != 0) return {};
  if (row->expires != 0 && now() >= row->expires) return {.expired = true};
  const bool may = wanted == Scope::none ||
                   std::ranges::find(row->scopes, name_of(wanted)) != row->scopes.end() ||
                   std::ranges::find(row->scopes, name_of(Scope::admin)) != row->scopes.end();
  return {.valid = true, .expired = false, .may = may, .id = row->id, .limits = row->limits};
}

bool Keys::still_valid(std::string_view id) {
  const std::lock_guard lock(mutex_);
  refresh();
  if (id.empty()) return rows_.empty();  // it came in when no keys were needed
  const KeyRow* row = row_of_id(id);
  return row != nullptr && row->revoked == 0 && (row->expires == 0 || now() < row->expires);
}

}  // namespace herd::server
