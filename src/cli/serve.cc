// herd serve: one model for many clients over HTTP.
#include <csignal>
#include <ctime>
#include <thread>

#include "base/log.h"
#include "cli/command.h"
#include "cli/data_directory.h"
#include "cli/flags.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "engine/bundle.h"
#include "engine/engine.h"
#include "server/cors.h"
#include "server/fingerprint.h"
#include "server/http.h"
#include "server/keys.h"
#include "server/routes.h"
#include "server/service.h"

namespace herd::cli {
namespace {

struct Options {
  std::string host = "127.0.0.1";
  std::int64_t port = 8080;
  std::string name;
  std::string data;
  std::string api_key_file;
  bool insecure_no_auth = false;
  std::vector<std::string> allow_host;
  std::vector<std::string> cors_origin;
  std::vector<std::string> allow_media_host;
  std::string tls_cert;
  std::string tls_key;
  bool accept_unknown = false;
  std::int64_t max_batch = engine::EngineOptions{}.sequences;
  std::int64_t queue = engine::EngineOptions{}.queue;
  std::int64_t step_tokens = engine::EngineOptions{}.step_tokens;
  std::int64_t kv_tokens = 0;
  std::int64_t draft_tokens = engine::EngineOptions{}.draft_tokens;
  bool prefix_cache = true;
  std::string prefix_dir;
  std::int64_t prefix_disk_gib = 32;
  std::string adapters;
  std::int64_t adapters_mib = 1024;
  std::int64_t io_threads = 1;
  std::int64_t worker_threads = 2;
  std::int64_t drain_seconds = 30;

  static constexpr auto fields() {
    using O = Options;
    return option_list(
        option("host", &O::host, "the address to listen on; 127.0.0.1 is this machine alone"),
        option("port", &O::port, "0 for any free one", Range{0, 65'535}),
        option("name", &O::name, "what clients call the model; its directory's name if not given"),
        option("data", &O::data, "the server's directory; $XDG_DATA_HOME/herd if not given"),
        option("api_key_file", &O::api_key_file,
               "the file that `herd keys` writes; keys.json in the data directory if not given"),
        option("insecure_no_auth", &O::insecure_no_auth,
               "let everybody in who reaches the address, without keys"),
        option("allow_host", &O::allow_host, "a name that clients may call this server by"),
        option("cors_origin", &O::cors_origin,
               "an origin whose pages may ask, such as https://app.example"),
        option("allow_media_host", &O::allow_media_host,
               "a host, such as images.example.org, that pictures may be fetched from by https"),
        option("tls_cert", &O::tls_cert,
               "serve HTTPS: the certificate and its chain, a file in PEM; SIGHUP reads it again"),
        option("tls_key", &O::tls_key, "its private key, a file in PEM of mode 0600"),
        option("accept_unknown", &O::accept_unknown,
               "ignore members of requests that nobody knows, instead of refusing them"),
        option("max_batch", &O::max_batch, "answers written at the same time", Range{1, 4096}),
        option("queue", &O::queue, "requests that may wait", Range{0, 1 << 20}),
        option("step_tokens", &O::step_tokens, "tokens of one pass through the model",
               Range{1, 1 << 20}),
        option("kv_tokens", &O::kv_tokens,
               "tokens whose keys and values are kept; 0 for as many as fit", Range{0, 1ll << 40}),
        option("draft_tokens", &O::draft_tokens, "tokens guessed from what repeats; 0 for none",
               Range{0, 64}),
        option("prefix_cache", &O::prefix_cache, "keep what prompts have in common"),
        option("prefix_dir", &O::prefix_dir,
               "keep it in this directory too, across restarts; it then holds what prompts said"),
        option("prefix_disk_gib", &O::prefix_disk_gib,
               "how large that directory may grow; what was not used longest goes",
               Range{1, 1 << 20}),
        option(
            "adapters", &O::adapters,
            "a directory of directories of adapters (PEFT): requests name one as their model, and "
            "it is loaded then"),
        option("adapters_mib", &O::adapters_mib,
               "memory for their numbers; those that were not used longest go first",
               Range{1, 1 << 20}),
        option("io_threads", &O::io_threads, "threads for sockets", Range{1, 64}),
        option("worker_threads", &O::worker_threads, "threads that read requests", Range{1, 64}),
        option("drain_seconds", &O::drain_seconds,
               "how long answers may still take after the signal to end", Range{0, 86'400}));
  }
};

bool is_loopback(const std::string& host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1";
}

// The signals that end the server, taken out of every thread that is started later; main waits for them.
class EndSignals {
 public:
  EndSignals() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGTERM);
    ::sigaddset(&set_, SIGINT);
    ::sigaddset(&set_, SIGHUP);  // read the certificate again
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  ~EndSignals() { let_through(); }

  // The next one, or 0 after this time.
  [[nodiscard]] int wait(std::chrono::milliseconds time) const {
    const timespec limit{.tv_sec = time.count() / 1000, .tv_nsec = time.count() % 1000 * 1'000'000};
    return std::max(::sigtimedwait(&set_, nullptr, &limit), 0);
  }
  // From now on one more ends the program at once.
  void let_through() const { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

Result<std::unique_ptr<server::Keys>> open_keys(const Options& options) {
  if (options.insecure_no_auth) {
    log(LogLevel::warn, "no keys: everybody who reaches {} may ask", options.host);
    return nullptr;
  }
  const fs::path path = key_file(options.api_key_file, options.data);
  if (!options.api_key_file.empty() && !fs::exists(path))
    return fail_with_hint(Code::missing_input,
                          fmt::format("{}: no such file of keys", path.string()),
                          fmt::format("herd keys add NAME --api-key-file {}", path.string()));
  HERD_TRY(std::unique_ptr<server::Keys> keys, server::Keys::open(path));
  if (!is_loopback(options.host) && !keys->required())
    return fail_with_hint(
        Code::refused,
        fmt::format("refusing to listen on {} without keys: everybody who reaches it could ask",
                    options.host),
        "add one with `herd keys add NAME`, or pass --insecure-no-auth");
  return keys;
}

// Serves until a signal, then lets what has begun come to its end.
Result<void> run(const Options& options, server::Service& service, const EndSignals& signals) {
  server::Router router(service);
  HERD_TRY(const std::unique_ptr<server::HttpServer> http,
           server::HttpServer::start({.host = options.host,
                                      .port = static_cast<std::uint16_t>(options.port),
                                      .tls_certificate = options.tls_cert,
                                      .tls_key = options.tls_key,
                                      .io_threads = static_cast<int>(options.io_threads),
                                      .worker_threads = static_cast<int>(options.worker_threads)},
                                     router));
  service.http = http.get();
  const bool six = options.host.contains(':');
  HERD_TRY_VOID(print(fmt::format("listening on {}://{}{}{}:{}\n",
                                  options.tls_cert.empty() ? "http" : "https", six ? "[" : "",
                                  options.host, six ? "]" : "", http->port())));
  std::fflush(stdout);
  int signal = 0;
  while ((signal = signals.wait(std::chrono::milliseconds(250))) == 0 || signal == SIGHUP) {
    service.end_revoked();
    if (signal != SIGHUP || options.tls_cert.empty()) continue;
    const Result<void> reloaded = http->reload_tls();
    log(reloaded ? LogLevel::info : LogLevel::error, "SIGHUP: {}",
        reloaded ? "the certificate has been read again" : to_string(reloaded.error()));
  }
  signals.let_through();
  log(LogLevel::info, "ending: {} answers are being written, {} s for them",
      service.engine().state().running, options.drain_seconds);
  const bool done = service.engine().drain(std::chrono::seconds(options.drain_seconds));
  if (!done) log(LogLevel::warn, "ending: the rest is cut off");
  service.end_all();
  http->drain(std::chrono::seconds(3));
  service.http = nullptr;
  // Nothing may still speak to connections when they go.
  service.engine().drain(std::chrono::seconds(5));
  return {};
}

// Before anything is loaded.
Result<void> check_adapters(const Options& options, bool adapter) {
  if (options.adapters.empty()) return {};
  if (adapter)
    return fail(Code::usage,
                "herd serve: --adapter is of all requests and --adapters of those that "
                "name one; give either");
  const fs::path directory = options.adapters;
  if (fs::exists(directory / "adapter_config.json"))
    return fail_with_hint(Code::usage,
                          fmt::format("--adapters {}: this is an adapter", shown(options.adapters)),
                          "give the directory that it lies in, or --adapter for all requests");
  if (fs::is_directory(directory)) return {};
  return fail_with_hint(Code::missing_input,
                        fmt::format("--adapters {}: no such directory", shown(options.adapters)),
                        "it holds a directory for each adapter; --adapter takes a single one, for "
                        "all requests");
}

// Null where requests may name none.
std::unique_ptr<server::Adapters> find_adapters(const Options& options, llama4::Model& model,
                                                const std::string& model_id) {
  if (options.adapters.empty()) return nullptr;
  auto adapters = std::make_unique<server::Adapters>(
      model,
      server::Adapters::Options{
          .directory = options.adapters,
          .bytes_max = static_cast<std::uint64_t>(options.adapters_mib) << 20,
          // One worker at least stays free.
          .waiting_max = static_cast<int>(std::max<std::int64_t>(1, options.worker_threads - 1))});
  log(LogLevel::info, "{} adapters in {}", adapters->list().size(), options.adapters);
  if (adapters->has(model_id))
    log(LogLevel::warn, "the adapter '{}' has the model's own name: nobody can ask for it",
        model_id);
  return adapters;
}

engine::EngineOptions engine_options(const Options& options, std::int64_t context) {
  return {.context = context,
          .sequences = options.max_batch,
          .step_tokens = options.step_tokens,
          .queue = options.queue,
          .kv_tokens = options.kv_tokens,
          .draft_tokens = options.draft_tokens,
          .prefix_cache = options.prefix_cache};
}

}  // namespace

Result<int> serve(Arguments arguments) {
  ModelArguments model;
  Options options;
  Flags flags("serve", "a model for many clients, over HTTP: OpenAI's and Anthropic's APIs, a page",
              "herd serve cria --port 8080");
  flags.add(model, {{"model", false}});
  flags.add(options);
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) {
    HERD_TRY_VOID(print(*help));
    return 0;
  }
  if (model.model.empty())
    return fail_with_hint(Code::usage, "herd serve needs a model",
                          "herd serve cria\n      herd serve /path/to/model --port 8080\n      "
                          "herd serve cria --host 0.0.0.0   (after `herd keys add NAME`)");
  if (options.tls_cert.empty() != options.tls_key.empty())
    return fail(Code::usage, "--tls-cert and --tls-key belong together: give both, or none");
  for (const std::string& host : options.allow_media_host)
    HERD_TRY_VOID(server::check_media_host(host));
  for (const std::string& origin : options.cors_origin)
    HERD_TRY_VOID(server::check_cors_origin(origin));
  HERD_TRY_VOID(check_adapters(options, model.adapter.has_value()));
  const EndSignals signals;  // before any thread is there
  HERD_TRY(const std::unique_ptr<server::Keys> keys, open_keys(options));
  HERD_TRY(const Opened opened, open_model(model));
  HERD_TRY(const engine::Bundle bundle,
           engine::Bundle::open(opened.directory, opened.loaded->config()));
  const std::vector<fs::path> parts{
      opened.directory, model.adapter.value_or(""),
      model.mmproj.empty() || model.mmproj == "none" ? fs::path() : fs::path(model.mmproj)};
  const std::string build =
      fmt::format("{} mmproj {} keys and values {}", HERD_VERSION HERD_COMPILER,
                  model.mmproj == "none" ? 0 : 1, row_of(opened.kv_dtype).name);
  const std::string fingerprint = server::fingerprint(parts, build, "cpu");
  const engine::PrefixStoreOptions store{
      .directory = options.prefix_dir,
      .bytes_max = static_cast<std::uint64_t>(options.prefix_disk_gib) << 30,
      .identity = server::disk_identity(parts, build, "cpu")};
  HERD_TRY(const std::unique_ptr<engine::Engine> engine,
           engine::Engine::create(opened.loaded->model(), bundle.tokenizer, *opened.pool,
                                  engine_options(options, opened.context), opened.kv_dtype,
                                  options.prefix_dir.empty() ? nullptr : &store));
  const bool is_file = fs::is_regular_file(opened.directory);
  const fs::path whole = fs::absolute(opened.directory / "x").parent_path().lexically_normal();
  const std::string directory_name = (is_file ? whole.stem() : whole.filename()).string();
  std::vector<std::string> hosts = options.allow_host;
  if (is_loopback(options.host)) hosts.push_back(options.host);  // 127.0.0.2 is itself, too
  const std::string model_id = options.name.empty() ? directory_name : options.name;
  const std::unique_ptr<server::Adapters> adapters =
      find_adapters(options, opened.loaded->model(), model_id);
  server::Service service(
      bundle, *engine, keys.get(),
      {.model_id = model_id,
       .created = modified_seconds(is_file ? opened.directory : opened.directory / "config.json"),
       .fingerprint = fingerprint,
       .version = HERD_VERSION,
       .accept_unknown = options.accept_unknown,
       .loopback = is_loopback(options.host),
       .hosts = std::move(hosts),
       // One worker at least stays free of what other hosts do.
       .pictures = {.hosts = options.allow_media_host,
                    .at_once =
                        static_cast<int>(std::max<std::int64_t>(1, options.worker_threads - 1))},
       .origins = options.cors_origin},
      adapters.get());
  HERD_TRY_VOID(run(options, service, signals));
  return 0;
}

}  // namespace herd::cli
