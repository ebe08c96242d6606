#include "engine/prefix_store.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace herd::engine {
namespace {

constexpr std::uint64_t magic = 0x31'76'6b'64'72'65'68'0a;  // "\nherdkv1", little endian
constexpr std::size_t header_words = 5;                     // magic, name, count of keys, check
constexpr std::size_t queue_max = 16;                       // pages that wait to be written
constexpr std::uint64_t keys_max = 64;

// Of bytes that begin at a multiple of 8: mapped files and what was allocated.
std::span<const std::uint64_t> words_of(std::span<const std::byte> bytes) {
  const void* begin = bytes.data();
  return {static_cast<const std::uint64_t*>(begin), bytes.size() / 8};
}

std::uint64_t check_of(const HashKey& secret, const PrefixStore::Name& name,
                       std::span<const std::byte> body) {
  return keyed_hash({secret[0] ^ name[0], secret[1] ^ name[1]}, words_of(body));
}

std::string hexadecimal(const PrefixStore::Name& name) {
  return fmt::format("{:016x}{:016x}", name[0], name[1]);
}

// 32 hexadecimal digits, or nothing.
std::optional<PrefixStore::Name> name_from(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  PrefixStore::Name name{};
  for (std::size_t i = 0; i < 32; ++i) {
    const char c = text[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    name[i / 16] = name[i / 16] << 4 | static_cast<std::uint64_t>(digit);
  }
  return name;
}

Result<HashKey> secret_in(const fs::path& directory) {
  const fs::path path = directory / "secret";
  std::error_code error;
  if (!fs::exists(path, error)) {
    const HashKey fresh = random_hash_key();
    HERD_TRY_VOID(write_file(path, std::string_view(hexadecimal(fresh))));
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, error);
    return fresh;
  }
  HERD_TRY(const std::string text, read_file(path, 64));
  const auto secret = name_from(text);
  if (!secret)
    return fail(Code::bad_magic, "{}: {} bytes, wanted 32 hexadecimal digits", path.string(),
                text.size());
  return *secret;
}

// Half a file that somebody wrote and did not live to name (base/file.cc); other servers may be writing just now.
bool is_left_over(const fs::path& path) {
  constexpr std::chrono::hours old{1};
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  return path.stem().extension() == ".kv" && !error &&
         fs::file_time_type::clock::now() - time > old;
}

// Whether there is anything that is neither the secret nor a folder of pages, which two digits name.
bool holds_others(const fs::path& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const bool pages =
        name.size() == 2 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (name != "secret" && !pages) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<PrefixStore>> PrefixStore::open(const PrefixStoreOptions& options,
                                                       std::uint64_t page_bytes) {
  HERD_CHECK(page_bytes > 0 && page_bytes % 8 == 0, "pages of {} bytes", page_bytes);
  std::error_code error;
  if (holds_others(options.directory))
    return fail(Code::cannot_create,
                "{}: holds other files; wanted an empty directory, or one of prefixes",
                options.directory.string());
  error.clear();
  fs::create_directories(options.directory, error);
  if (!error) fs::permissions(options.directory, fs::perms::owner_all, error);
  if (error)
    return fail(Code::cannot_create, "{}: {}", options.directory.string(), error.message());
  HERD_TRY(const HashKey secret, secret_in(options.directory));
  auto store = std::make_unique<PrefixStore>(options, page_bytes, secret);
  store->scan();
  return store;
}

PrefixStore::PrefixStore(PrefixStoreOptions options, std::uint64_t page_bytes,
                         const HashKey& secret)
    : options_(std::move(options)), page_bytes_(page_bytes), secret_(secret) {
  worker_.emplace("prefix-writer", [this](std::stop_token stop) { write_queued(stop); });
}

PrefixStore::~PrefixStore() {
  flush();
  worker_->request_stop();
  {
    const std::lock_guard lock(mutex_);  // so that the thread is not between looking and waiting
  }
  changed_.notify_all();
  worker_.reset();
}

// What earlier runs left, the files used last by their times.
void PrefixStore::scan() {
  std::vector<std::pair<fs::file_time_type, Name>> found;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(options_.directory, error), end;
       !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (is_left_over(path)) fs::remove(path, error);
    const auto name = path.extension() == ".kv" ? name_from(path.stem().string()) : std::nullopt;
    std::error_code unknown;
    const auto size = fs::file_size(path, unknown);
    // Those of models with other pages are counted as if they were ours, and go like ours.
    if (name && !unknown && size > 0) found.emplace_back(fs::last_write_time(path, unknown), *name);
  }
  std::ranges::sort(found);
  for (const auto& [time, name] : found) use(name);
}

PrefixStore::Name PrefixStore::root(std::string_view tenant) const {
  const std::string text = fmt::format("{}\n{}\n{}", page_bytes_, options_.identity, tenant);
  const auto bytes = octets_of(text);
  return {keyed_hash(secret_, bytes), keyed_hash({secret_[1], secret_[0]}, bytes)};
}

PrefixStore::Name PrefixStore::child(const Name& parent,
                                     std::span<const std::uint64_t> keys) const {
  std::vector<std::uint64_t> words(parent.begin(), parent.end());
  words.insert(words.end(), keys.begin(), keys.end());
  return {keyed_hash(secret_, words), keyed_hash({secret_[1], secret_[0]}, words)};
}

fs::path PrefixStore::path_of(const Name& name) const {
  const std::string text = hexadecimal(name);
  return options_.directory / text.substr(0, 2) / (text + ".kv");
}

std::uint64_t PrefixStore::file_bytes() const {
  return page_bytes_ + 8 * (header_words + keys_max);
}

void PrefixStore::use(const Name& name) {
  const auto [entry, fresh] = files_.emplace(name, 0);
  if (!fresh) by_use_.erase({entry->second, name});
  entry->second = ++clock_;
  by_use_.insert({clock_, name});
}

void PrefixStore::remove(const Name& name) {
  const auto entry = files_.find(name);
  if (entry == files_.end()) return;
  by_use_.erase({entry->second, name});
  files_.erase(entry);
  {  // what is not written yet must not be written later
    std::unique_lock lock(mutex_);
    std::erase_if(queue_, [&](const Job& job) { return job.name == name; });
    changed_.wait(lock, [&] { return writing_ != name; });
  }
  std::error_code gone;
  fs::remove(path_of(name), gone);
}

bool PrefixStore::read(const Name& name, std::span<const std::uint64_t> keys,
                       std::span<std::byte> page) {
  HERD_CHECK(page.size() == page_bytes_ && keys.size() <= keys_max, "{} keys, {} bytes",
             keys.size(), page.size());
  if (!has(name)) return false;
  const fs::path path = path_of(name);
  auto file = Mapping::open(path);
  if (!file) {  // still waiting to be written?
    flush();
    file = Mapping::open(path);
  }
  if (!file) {  // taken away by somebody else
    remove(name);
    return false;
  }
  const auto bytes = file->bytes();
  const auto words = words_of(bytes);
  const std::size_t body = 8 * header_words;
  const bool ours = bytes.size() == body + keys.size_bytes() + page_bytes_ && words[0] == magic &&
                    words[1] == name[0] && words[2] == name[1] && words[3] == keys.size() &&
                    words[4] == check_of(secret_, name, bytes.subspan(body)) &&
                    std::ranges::equal(words.subspan(header_words, keys.size()), keys);
  if (!ours) {
    log(LogLevel::warn, "{}: damaged, {} bytes; removed, its text is read anew", path.string(),
        bytes.size());
    ++state_.pages_damaged;
    remove(name);
    return false;
  }
  std::memcpy(page.data(), bytes.data() + body + keys.size_bytes(), page.size());
  ++state_.pages_read;
  use(name);
  std::error_code unimportant;  // for the order of the next run alone
  fs::last_write_time(path, fs::file_time_type::clock::now(), unimportant);
  return true;
}

bool PrefixStore::write(const Name& name, std::span<const std::uint64_t> keys,
                        std::span<const std::byte> page, bool waits) {
  if (has(name)) {
    use(name);
    return true;
  }
  if (file_bytes() > options_.bytes_max) return true;  // there is no room for even one
  {
    std::unique_lock lock(mutex_);
    if (waits) changed_.wait(lock, [&] { return queue_.size() < queue_max; });
    if (queue_.size() >= queue_max) return false;
  }
  while ((files_.size() + 1) * file_bytes() > options_.bytes_max)
    remove(Name(by_use_.begin()->second));
  Job job{.name = name,
          .bytes = std::vector<std::byte>(8 * header_words + keys.size_bytes() + page.size())};
  std::byte* body = job.bytes.data() + 8 * header_words;
  std::memcpy(body, keys.data(), keys.size_bytes());
  std::memcpy(body + keys.size_bytes(), page.data(), page.size());
  const std::array<std::uint64_t, header_words> header{
      magic, name[0], name[1], keys.size(),
      check_of(secret_, name, std::span(job.bytes).subspan(8 * header_words))};
  std::memcpy(job.bytes.data(), header.data(), sizeof(header));
  use(name);
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(job));
  changed_.notify_all();
  return true;
}

void PrefixStore::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty() && !writing_; });
}

void PrefixStore::write_queued(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop.stop_requested() || !queue_.empty(); });
    if (queue_.empty()) return;
    const Job job = std::move(queue_.front());
    queue_.pop_front();
    writing_ = job.name;
    lock.unlock();
    const fs::path path = path_of(job.name);
    std::error_code exists;
    fs::create_directory(path.parent_path(), exists);
    const auto done = write_file(path, std::span(job.bytes));
    lock.lock();
    writing_.reset();
    if (done) {
      ++written_;
    } else if (failed_++ % 1000 == 0) {
      log(LogLevel::warn, "a prefix was not stored: {}", to_string(done.error()));
    }
    changed_.notify_all();
  }
}

PrefixStore::State PrefixStore::state() const {
  State state = state_;
  state.files = files_.size();
  state.bytes = files_.size() * file_bytes();
  const std::lock_guard lock(mutex_);
  state.pages_written = written_;
  state.pages_failed = failed_;
  return state;
}

}  // namespace herd::engine
