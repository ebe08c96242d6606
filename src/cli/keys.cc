// herd keys: who may ask the server.
#include "server/keys.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "cli/command.h"
#include "cli/data_directory.h"
#include "cli/flags.h"
#include "cli/output.h"

namespace herd::cli {
namespace {

struct Options {
  std::string action;
  std::string subject;
  std::vector<std::string> scope;
  std::string expires;
  std::int64_t requests_per_minute = 0;
  std::int64_t concurrent = 0;
  std::string data;
  std::string api_key_file;
  bool json = false;

  static constexpr std::string_view actions[] = {"add", "list", "revoke"};
  static constexpr auto fields() {
    using O = Options;
    return option_list(
        option("action", &O::action, "what to do", Choices{actions}),
        option("subject", &O::subject, "add: a name for the key; revoke: the key's id"),
        option("scope", &O::scope,
               "add: what it may do: infer, or admin for metrics too; infer if not given"),
        option("expires", &O::expires, "add: how long it is valid, such as 90d, 12h or 30m"),
        option("requests_per_minute", &O::requests_per_minute,
               "add: how many questions it may ask in a minute; 0 for any number",
               Range{0, 1'000'000}),
        option("concurrent", &O::concurrent,
               "add: how many of them at the same time; 0 for any number", Range{0, 1'000'000}),
        option("data", &O::data, "the server's directory; $XDG_DATA_HOME/herd if not given"),
        option("api_key_file", &O::api_key_file, "the file of keys; keys.json there if not given"),
        option("json", &O::json, "one JSON document on stdout"));
  }
};

std::string date_of(std::int64_t seconds) {
  if (seconds == 0) return "never";
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32] = "";
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

// "90d" to the moment it ends.
Result<std::int64_t> end_of(const std::string& said) {
  if (said.empty()) return 0;
  std::int64_t count = 0;
  const char* end = said.data() + said.size();
  const auto [at, error] = std::from_chars(said.data(), end, count);
  constexpr std::int64_t most = 100'000;
  const std::int64_t unit = at + 1 != end ? 0
                            : *at == 'd'  ? 86'400
                            : *at == 'h'  ? 3'600
                            : *at == 'm'  ? 60
                            : *at == 's'  ? 1
                                          : 0;
  if (error != std::errc() || unit == 0 || count < 1 || count > most)
    return fail(Code::out_of_range,
                "--expires: found {}, wanted a number of days, hours, minutes or seconds such as "
                "90d, 12h, 30m or 45s",
                shown(said));
  return std::time(nullptr) + count * unit;
}

json::object row_json(const server::KeyRow& row) {
  return {{"id", row.id},
          {"name", row.name},
          {"scopes", json::value_from(row.scopes)},
          {"created", row.created},
          {"expires", row.expires},
          {"revoked", row.revoked},
          {"requests_per_minute", row.limits.requests_per_minute},
          {"concurrent", row.limits.concurrent}};
}

Result<void> add(server::Keys& keys, const Options& options) {
  HERD_TRY(const std::int64_t expires, end_of(options.expires));
  std::vector<std::string> scopes = options.scope;
  if (scopes.empty()) scopes = {"infer"};
  HERD_TRY(const std::string key, keys.add(options.subject, scopes, expires,
                                           {options.requests_per_minute, options.concurrent}));
  if (options.json) return print_json(json::object{{"key", key}, {"id", key.substr(3, 8)}});
  HERD_TRY_VOID(print(key + "\n"));
  fmt::print(stderr, "herd: this is the only time that the key is shown; its id is {}\n",
             key.substr(3, 8));
  return {};
}

Result<void> list(server::Keys& keys, const Options& options) {
  if (options.json) {
    json::array rows;
    for (const server::KeyRow& row : keys.list()) rows.push_back(row_json(row));
    return print_json(rows);
  }
  for (const server::KeyRow& row : keys.list()) {
    const std::string state =
        row.revoked != 0
            ? "revoked " + date_of(row.revoked)
            : (row.expires != 0 && row.expires <= std::time(nullptr) ? "expired " : "until ") +
                  date_of(row.expires);
    const server::KeyLimits& limits = row.limits;
    HERD_TRY_VOID(print(fmt::format(
        "{}  {:<24} {:<12} made {}, {}{}{}\n", row.id, shown(row.name),
        fmt::format("{}", fmt::join(row.scopes, ",")), date_of(row.created), state,
        limits.requests_per_minute > 0 ? fmt::format(", {} a minute", limits.requests_per_minute)
                                       : "",
        limits.concurrent > 0 ? fmt::format(", {} at a time", limits.concurrent) : "")));
  }
  return {};
}

}  // namespace

Result<int> keys(Arguments arguments) {
  Options options;
  Flags flags("keys", "who may ask the server: add, list or revoke keys",
              "herd keys add \"laptop of Ada\" --expires 90d");
  flags.add(options, {{"action"}, {"subject", false}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) {
    HERD_TRY_VOID(print(*help));
    return 0;
  }
  const fs::path path = key_file(options.api_key_file, options.data);
  HERD_TRY(const std::unique_ptr<server::Keys> keys, server::Keys::open(path));
  if (options.action == "list") {
    HERD_TRY_VOID(list(*keys, options));
    return 0;
  }
  if (options.subject.empty())
    return fail(Code::usage, "herd keys {} needs {}", options.action,
                options.action == "add" ? "a name for the key" : "the id of a key");
  if (options.action == "add") {
    HERD_TRY_VOID(add(*keys, options));
  } else {
    HERD_TRY_VOID(keys->revoke(options.subject));
  }
  return 0;
}

}  // namespace herd::cli
