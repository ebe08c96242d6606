#include "server/metrics.h"

#include <fmt/format.h>

namespace herd::server {
namespace {

class Page {
 public:
  template <typename Number>
  void counter(std::string_view name, std::string_view sentence, Number value) {
    add(name, sentence, "counter", fmt::format("{}", value));
  }
  template <typename Number>
  void gauge(std::string_view name, std::string_view sentence, Number value) {
    add(name, sentence, "gauge", fmt::format("{}", value));
  }
  std::string take() { return std::move(text_); }

 private:
  void add(std::string_view name, std::string_view sentence, std::string_view kind,
           const std::string& value) {
    text_ += fmt::format("# HELP herd_{0} {1}\n# TYPE herd_{0} {2}\nherd_{0} {3}\n", name, sentence,
                         kind, value);
  }

  std::string text_;
};

void add_http(Page& page, const Service& service) {
  const Service::Counters& counters = service.counters;
  page.counter("http_requests_total", "requests", counters.requests.load());
  page.counter("http_client_errors_total", "requests refused before an answer began",
               counters.errors_client.load());
  page.counter("http_server_errors_total", "requests that failed here",
               counters.errors_server.load());
  page.counter("http_unauthorized_total", "requests without a valid key",
               counters.unauthorized.load());
  if (const HttpServer* http = service.http) {
    const HttpState state = http->state();
    page.gauge("http_connections", "open connections", state.connections);
    page.counter("http_connections_total", "connections", state.accepted);
    page.counter("http_connections_refused_total", "connections turned away", state.refused);
    page.counter("http_timeouts_total", "connections ended for being slow", state.timeouts);
    page.counter("http_malformed_total", "requests that were none", state.malformed);
    page.gauge("http_active", "requests without a complete answer", state.active);
    page.gauge("http_body_bytes", "bytes of bodies being read", state.body_bytes);
  }
}

}  // namespace

std::string metrics_text(const Service& service) {
  const engine::EngineState s = service.engine().state();
  Page page;
  page.gauge("requests_running", "answers being written", s.running);
  page.gauge("requests_waiting", "requests in the queue", s.waiting);
  page.counter("requests_submitted_total", "requests taken by the engine", s.submitted);
  page.counter("requests_finished_total", "answers written to their end", s.finished);
  page.counter("requests_cancelled_total", "answers given up", s.cancelled);
  page.counter("requests_failed_total", "answers that failed", s.failed);
  page.counter("requests_refused_total", "requests that found the queue full", s.refused);
  page.counter("preemptions_total", "answers that made room and were computed again",
               s.preemptions);
  page.counter("steps_total", "passes through the model", s.steps);
  page.counter("prompt_tokens_total", "tokens of prompts", s.prompt_tokens);
  page.counter("reused_tokens_total", "of these, found in the cache", s.reused_tokens);
  page.counter("restored_tokens_total", "tokens whose prefixes came from disk", s.restored_tokens);
  page.gauge("disk_prefix_bytes", "bytes of prefixes on disk", s.disk.bytes);
  page.counter("disk_prefix_pages_written_total", "pages of prefixes written to disk",
               s.disk.pages_written);
  page.counter("disk_prefix_pages_failed_total", "of these, that could not be written",
               s.disk.pages_failed);
  page.counter("disk_prefix_pages_damaged_total", "files of prefixes that were not what they say",
               s.disk.pages_damaged);
  page.counter("answer_tokens_total", "tokens of answers", s.answer_tokens);
  page.counter("drafted_tokens_total", "tokens guessed ahead", s.drafted_tokens);
  page.counter("accepted_tokens_total", "of these, right", s.accepted_tokens);
  page.counter("pictures_total", "pictures seen", s.pictures_seen);
  page.counter("pictures_reused_total", "of these, seen before", s.pictures_reused);
  page.gauge("pages", "pages of keys and values of global layers", s.pages);
  page.gauge("pages_free", "of these, free", s.pages_free);
  page.gauge("pages_cached", "of these, kept for prompts to come", s.pages_cached);
  page.gauge("local_pages", "the same of local layers", s.local_pages);
  page.gauge("local_pages_free", "of these, free", s.local_pages_free);
  page.gauge("local_pages_cached", "of these, kept for prompts to come", s.local_pages_cached);
  const engine::Grammars::State grammars = service.grammars().state();
  page.gauge("grammars", "grammars remembered for answers", grammars.grammars);
  page.gauge("grammar_bytes", "bytes of these and of their masks", grammars.bytes);
  page.counter("grammars_made_total", "grammars compiled", grammars.made);
  page.counter("grammars_found_total", "grammars that were there already", grammars.found);
  page.counter("grammars_refused_total", "schemas and grammars refused", grammars.refused);
  if (const Adapters* adapters = service.adapters()) {
    const Adapters::State state = adapters->state();
    page.gauge("adapters", "adapters in memory", state.loaded);
    page.gauge("adapter_bytes", "bytes of their numbers", state.bytes);
    page.counter("adapters_loaded_total", "adapters read from their files", state.loads);
    page.counter("adapters_failed_total", "files that were no adapters of this model",
                 state.failed);
    page.counter("adapters_forgotten_total", "adapters that made room for others", state.forgotten);
  }
  const auto age = std::chrono::steady_clock::now() - s.heartbeat;
  page.gauge("engine_heartbeat_age_seconds", "since the engine's thread was last seen",
             std::chrono::duration_cast<std::chrono::duration<double>>(age).count());
  add_http(page, service);
  return page.take();
}

}  // namespace herd::server
