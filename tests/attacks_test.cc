// Hostile files, each with the answer it must get: tests/attacks/expect.json names them, tools/make_attacks.py
// makes both. They are read in a child process that may use only so much memory more than it had, so that a file
// which promises terabytes fails here and not on a user's machine.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/store.h"
#include "checkpoint/torch_file.h"
#include "llama4/config.h"
#include "llama4/gguf.h"
#include "llama4/load.h"

namespace herd {
namespace {

constexpr std::uint64_t memory_more = 256ull << 20;

fs::path attacks() { return fs::path(HERD_ROOT) / "tests" / "attacks"; }

struct Expectation {
  std::string kind;
  std::string path;
  std::string code;  // "ok", or the number users see
  std::vector<std::string> contains;
  std::string hint;
};

std::string text_of(const json::value& value) {
  return {value.as_string().data(), value.as_string().size()};
}

std::vector<Expectation> expectations() {
  const auto root = read_json((attacks() / "expect.json").string());
  if (!root) throw std::runtime_error(to_string(root.error()));
  std::vector<Expectation> out;
  for (const json::value& entry : root->as_array()) {
    Expectation one{
        text_of(entry.at("kind")), text_of(entry.at("path")), text_of(entry.at("code")), {}, {}};
    for (const json::value& word : entry.at("contains").as_array())
      one.contains.push_back(text_of(word));
    if (const json::value* hint = find(entry, "hint")) one.hint = text_of(*hint);
    out.push_back(std::move(one));
  }
  return out;
}

// Reads `path` as a file of `kind`; the error, or nothing when it was accepted.
std::optional<Error> read_as(const std::string& kind, const fs::path& path) {
  const auto error_of = [](auto&& result) {
    return result ? std::nullopt : std::optional<Error>(std::move(result).error());
  };
  if (kind == "safetensors") return error_of(checkpoint::Safetensors::open(path));
  if (kind == "store") return error_of(checkpoint::Store::open(path));
  if (kind == "gguf") {
    auto store = checkpoint::Store::open(path);
    if (!store) return std::move(store).error();
    // A file in order need not be a model: names are taken apart and matrices bound, within the same memory.
    llama4::tensors_of_gguf(*store);
    [[maybe_unused]] const auto loaded = llama4::load(path, {}, "none");
    return std::nullopt;
  }
  if (kind == "gguf_config") return error_of(llama4::read_config(path, "none"));
  if (kind == "torch") {
    const auto mapping = Mapping::open(path);
    return mapping ? error_of(checkpoint::parse_torch_file(mapping->bytes()))
                   : std::optional<Error>(mapping.error());
  }
  const auto value = read_json(path.string());
  if (!value) return value.error();
  if (kind == "config") return error_of(llama4::config_from_hugging_face(*value));
  if (kind == "params") return error_of(llama4::config_from_meta(*value));
  throw std::runtime_error("unknown kind " + kind);
}

// What is wrong with the answer; empty when nothing is.
std::string complaint(const Expectation& wanted, const std::optional<Error>& error) {
  const std::string found = error ? std::string(row_of(error->code).number) : "ok";
  const std::string said = error ? to_string(*error) : "accepted";
  if (found != wanted.code)
    return fmt::format("{}: wanted {}, got: {}\n", wanted.path, wanted.code, said);
  if (!error) return {};
  for (const std::string& word : wanted.contains)
    if (error->message.find(word) == std::string::npos)
      return fmt::format("{}: does not say \"{}\": {}\n", wanted.path, word, said);
  if (error->hint.find(wanted.hint) == std::string::npos)
    return fmt::format("{}: does not hint \"{}\": {}\n", wanted.path, wanted.hint, said);
  return {};
}

std::uint64_t address_space_in_use() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Address and thread sanitizers map terabytes for their own books, so a limit on addresses means nothing to them.
bool under_sanitizer() { return address_space_in_use() > (1ull << 40); }

// Runs `work` in a child that may not grow by more than `memory_more`, and returns what it wrote.
template <typename Work>
std::string in_child(Work&& work, int& status) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) throw std::runtime_error("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    const rlimit limit{address_space_in_use() + memory_more, RLIM_INFINITY};
    if (!under_sanitizer()) ::setrlimit(RLIMIT_AS, &limit);
    const std::string said = work();
    std::size_t done = 0;
    while (done < said.size()) {
      const ssize_t put = ::write(pipe[1], said.data() + done, said.size() - done);
      if (put <= 0) ::_exit(3);
      done += static_cast<std::size_t>(put);
    }
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 4096> piece{};
  for (ssize_t got = 0; (got = ::read(pipe[0], piece.data(), piece.size())) > 0;)
    said.append(piece.data(), static_cast<std::size_t>(got));
  ::close(pipe[0]);
  ::waitpid(child, &status, 0);
  return said;
}

TEST(Attacks, EveryFileGetsItsAnswerWithinBoundedMemory) {
  const std::vector<Expectation> all = expectations();
  ASSERT_GE(all.size(), 200u);
  int status = -1;
  const std::string said = in_child(
      [&] {
        std::string complaints;
        for (const Expectation& one : all)
          complaints += complaint(one, read_as(one.kind, attacks() / one.path));
        return complaints;
      },
      status);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child ended with " << status;
  EXPECT_EQ(said, "");
}

// The bound itself: a child that takes what a hostile header promises must die, or the test above proves nothing.
TEST(Attacks, TheMemoryBoundHolds) {
  if (under_sanitizer()) GTEST_SKIP() << "sanitizers reserve address space of their own";
  int status = 0;
  const std::string said = in_child(
      [] {
        try {
          const std::vector<char> promised(2 * memory_more, 1);
          return std::string(1, promised.back());
        } catch (const std::bad_alloc&) {
          return std::string("refused");
        }
      },
      status);
  EXPECT_EQ(said, "refused");
}

TEST(Attacks, NoFileIsWithoutExpectation) {
  std::vector<std::string> known;
  for (const Expectation& one : expectations()) known.push_back(one.path);
  for (const auto& entry : fs::recursive_directory_iterator(attacks())) {
    if (!entry.is_regular_file()) continue;
    const std::string path = fs::relative(entry.path(), attacks()).string();
    for (const char* folder : {"safetensors/", "index/", "config/", "params/", "pickle/"}) {
      if (!path.starts_with(folder)) continue;
      const bool listed = std::ranges::any_of(known, [&](const std::string& name) {
        return path == name || path.starts_with(name + "/");
      });
      EXPECT_TRUE(listed) << path;
    }
  }
}

// F03, and the header limit at limit and limit + 1. Sparse: 100 MB of zeros take no disk.
TEST(Attacks, HeaderOf100000001BytesIsRefusedUnread) {
  const fs::path path = fs::temp_directory_path() / fmt::format("herd_attack_{}", ::getpid());
  constexpr std::uint64_t limit = limits::safetensors_header_bytes_max;
  for (const std::uint64_t length : {limit - 1, limit, limit + 1}) {
    {
      std::ofstream file(path, std::ios::binary);
      file << herd::text_of(std::as_bytes(std::span(&length, 1))) << '{';
    }
    fs::resize_file(path, sizeof length + length);
    const auto opened = checkpoint::Safetensors::open(path);
    ASSERT_FALSE(opened.has_value());
    const bool above = length > limit;
    EXPECT_EQ(opened.error().code, above ? Code::header_too_large : Code::bad_header) << length;
    if (above) {
      EXPECT_NE(opened.error().message.find("100000001"), std::string::npos);
      EXPECT_NE(opened.error().message.find("limit 100000000"), std::string::npos);
    }
  }
  fs::remove(path);
}

}  // namespace
}  // namespace herd
