#include "server/routes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/limits.h"
#include "base/log.h"
#include "server/cors.h"

namespace herd::server {
namespace {

constexpr std::uint64_t plain = limits::http_body_bytes_max;
constexpr std::uint64_t media = limits::http_media_body_bytes_max;
constexpr std::uint64_t guesses_max = 20;  // wrong keys of one address in a minute
constexpr std::size_t guessers_max = 10'000;

constexpr std::array table{
    Route{"POST", "/v1/chat/completions", Scope::infer, media, Surface::openai, chat_completions},
    Route{"POST", "/v1/completions", Scope::infer, plain, Surface::openai, completions},
    Route{"POST", "/v1/embeddings", Scope::infer, plain, Surface::openai, embeddings},
    Route{"GET", "/v1/models", Scope::infer, 0, Surface::openai, models},
    Route{"GET", "/v1/models/", Scope::infer, 0, Surface::openai, model},
    Route{"POST", "/v1/messages", Scope::infer, media, Surface::anthropic, messages},
    Route{"POST", "/v1/messages/count_tokens", Scope::infer, media, Surface::anthropic,
          count_tokens},
    Route{"POST", "/tokenize", Scope::infer, plain, Surface::openai, tokenize},
    Route{"POST", "/detokenize", Scope::infer, plain, Surface::openai, detokenize},
    Route{"POST", "/render", Scope::infer, media, Surface::openai, render},
    Route{"POST", "/apply-template", Scope::infer, media, Surface::openai, render},
    Route{"GET", "/health", Scope::none, 0, Surface::openai, health},
    Route{"GET", "/ready", Scope::none, 0, Surface::openai, ready},
    Route{"GET", "/version", Scope::none, 0, Surface::openai, version},
    Route{"GET", "/metrics", Scope::admin, 0, Surface::openai, metrics},
    Route{"GET", "/", Scope::none, 0, Surface::openai, page},
    Route{"GET", "/web/", Scope::none, 0, Surface::openai, page},
    Route{"POST", "/v1/responses", Scope::infer, 0, Surface::openai, not_offered},
    Route{"POST", "/v1/audio/", Scope::infer, 0, Surface::openai, not_offered},
    Route{"POST", "/v1/images/", Scope::infer, 0, Surface::openai, not_offered},
    Route{"GET", "/v1/realtime", Scope::infer, 0, Surface::openai, not_offered},
};

bool matches(const Route& route, std::string_view path) {
  if (route.path.size() > 1 && route.path.ends_with('/'))
    return path.starts_with(route.path) && path.size() > route.path.size();
  return path == route.path;
}

const Route* find_route(std::string_view method, std::string_view path, bool& path_known) {
  path_known = false;
  if (method == "HEAD") method = "GET";
  for (const Route& route : table) {
    if (!matches(route, path)) continue;
    if (route.method == method) return &route;
    path_known = true;
  }
  return nullptr;
}

Surface surface_of(std::string_view path) {
  return path.starts_with("/v1/messages") ? Surface::anthropic : Surface::openai;
}

// "localhost:8080" without its port.
std::string_view host_of(std::string_view header) {
  if (header.starts_with('[')) return header.substr(0, header.find(']') + 1);
  return header.substr(0, header.find(':'));
}

bool names_this_machine(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host.empty();
}

bool is_json(std::string_view type) {
  const std::string_view name = type.substr(0, type.find(';'));
  constexpr std::string_view wanted = "application/json";
  const std::size_t end = name.find_last_not_of(" \t") + 1;
  return std::ranges::equal(
      name.substr(0, end), wanted, {}, [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; },
      [](char c) { return static_cast<int>(c); });
}

}  // namespace

std::span<const Route> routes() { return table; }

std::optional<HttpResponse> Router::admit(HttpRequest& head, std::uint64_t& body_bytes_max) {
  ++service_.counters.requests;
  const Surface surface = surface_of(head.path);
  const auto answer = [&](const ApiError& error) {
    ++(error.status >= 500 ? service_.counters.errors_server : service_.counters.errors_client);
    return error_response(error, surface, head.id);
  };
  if (const auto origin = check_origin(head); !origin) return answer(origin.error());
  if (is_preflight(head)) return preflight_answer(head);
  bool path_known = false;
  const Route* route = find_route(head.method, head.path, path_known);
  if (route == nullptr) {
    // Who has no key learns nothing about what there is.
    if (const auto key = check_key(head, Scope::infer); !key) return answer(key.error());
    if (path_known)
      return answer({405, "method_not_allowed",
                     fmt::format("{} has no {}", shown(head.path), shown(head.method))});
    return answer({404, "not_found", fmt::format("there is nothing at {}", shown(head.path))});
  }
  if (const auto key = check_key(head, route->scope); !key) return answer(key.error());
  if (route->method == "POST" && route->body_bytes_max > 0) {
    const std::string* type = head.header("content-type");
    if (type == nullptr || !is_json(*type))
      return answer({415, "unsupported_media_type",
                     fmt::format("the body's Content-Type is {}, wanted application/json",
                                 type == nullptr ? "missing" : shown(*type))});
    if (const std::string* coding = head.header("content-encoding");
        coding != nullptr && *coding != "identity")
      return answer(
          {415, "unsupported_media_type",
           fmt::format("the body's Content-Encoding is {}, wanted none", shown(*coding))});
  }
  body_bytes_max = route->body_bytes_max == 0 ? plain : route->body_bytes_max;
  return std::nullopt;
}

ApiResult<> Router::check_origin(HttpRequest& head) const {
  const ServiceOptions& options = service_.options();
  const std::string* host = head.header("host");
  const std::string_view name = host == nullptr ? std::string_view() : host_of(*host);
  const bool listed = std::ranges::find(options.hosts, name) != options.hosts.end();
  // A page that made its own name point here (DNS rebinding) still sends that name.
  if (!listed && (options.loopback || !options.hosts.empty()) && !names_this_machine(name))
    return refuse(
        421, "wrong_host",
        fmt::format("this server is not called {}; --allow-host names it so", shown(name)));
  const std::string* origin = head.header("origin");
  if (origin != nullptr && std::ranges::find(options.origins, *origin) != options.origins.end()) {
    head.answer_headers = cors_headers(*origin);
    return {};
  }
  const std::string* site = head.header("sec-fetch-site");
  if (site != nullptr && *site != "same-origin" && *site != "none" && head.method != "GET" &&
      head.method != "HEAD")
    return refuse(403, "cross_site", "requests from other sites' pages are not taken");
  if (origin != nullptr && host != nullptr && *origin != "http://" + *host &&
      *origin != "https://" + *host)
    return refuse(403, "cross_site",
                  fmt::format("requests from pages of {} are not taken; --cors-origin names those "
                              "that are",
                              shown(*origin)));
  return {};
}

ApiResult<> Router::check_key(HttpRequest& head, Scope scope) {
  Keys* keys = service_.keys();
  if (scope == Scope::none || keys == nullptr || !keys->required()) return {};
  std::string_view key;
  if (const std::string* bearer = head.header("authorization")) {
    key = *bearer;
    if (key.starts_with("Bearer ") || key.starts_with("bearer ")) key.remove_prefix(7);
  } else if (const std::string* plain_key = head.header("x-api-key")) {
    key = *plain_key;
  }
  const Keys::Verdict verdict = keys->check(key, scope);
  if (verdict.expired) return refuse(401, "expired_api_key", "the API key has expired");
  if (!verdict.valid) {
    ++service_.counters.unauthorized;
    // A right key still enters: behind a proxy, guessers and users have one address.
    if (!key.empty() && is_guessing(head.peer))
      return std::unexpected(ApiError{429, "rate_limit_exceeded",
                                      "too many wrong API keys from this address", "", 60});
    return refuse(401, "invalid_api_key",
                  "a valid API key is needed: 'Authorization: Bearer hk_…' or 'x-api-key: hk_…'");
  }
  if (!verdict.may)
    return refuse(403, "insufficient_scope",
                  fmt::format("the API key has not the scope '{}'", name_of(scope)));
  head.key = verdict.id;
  return head.method == "POST" ? check_traffic(head, verdict.limits) : ApiResult<>();
}

ApiResult<> Router::check_traffic(HttpRequest& head, const KeyLimits& limits) {
  Traffic::Verdict verdict = traffic_.take(head.key, limits, std::chrono::steady_clock::now());
  head.ticket = std::move(verdict.ticket);
  if (limits.requests_per_minute > 0) {
    head.answer_headers.push_back(
        {"x-ratelimit-limit-requests", std::to_string(limits.requests_per_minute)});
    head.answer_headers.push_back(
        {"x-ratelimit-remaining-requests", std::to_string(verdict.remaining)});
    head.answer_headers.push_back(
        {"x-ratelimit-reset-requests", fmt::format("{:.0f}s", std::ceil(verdict.reset_s))});
  }
  if (verdict.admitted) return {};
  return std::unexpected(ApiError{
      429, "rate_limit_exceeded",
      verdict.too_many_at_once
          ? fmt::format("this key may ask {} at a time, and they are being answered",
                        limits.concurrent)
          : fmt::format("this key may ask {} times in a minute", limits.requests_per_minute),
      "", verdict.retry_after_s});
}

bool Router::is_guessing(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  const auto is_over = [&](const auto& each) {
    return now - each.second.since > std::chrono::minutes(1);
  };
  if (guesses_.size() >= guessers_max) std::erase_if(guesses_, is_over);
  if (guesses_.size() >= guessers_max && !guesses_.contains(peer)) return true;
  Guesses& guesses = guesses_.try_emplace(peer, Guesses{0, now}).first->second;
  if (now - guesses.since > std::chrono::minutes(1)) guesses = {0, now};
  return ++guesses.failed > guesses_max;
}

void Router::handle(SharedExchange exchange) {
  const HttpRequest& request = exchange->request();
  bool path_known = false;
  find_route(request.method, request.path, path_known)->run(service_, std::move(exchange));
}

HttpResponse Router::refusal(const HttpRequest& head, int status, std::string_view code,
                             std::string message) {
  ++(status >= 500 ? service_.counters.errors_server : service_.counters.errors_client);
  return error_response({status, std::string(code), std::move(message)}, surface_of(head.path),
                        head.id);
}

void answer_with(const SharedExchange& exchange, HttpResponse response) {
  exchange->post([exchange, response = std::move(response)] { exchange->respond(response); });
}

void answer_with_error(const SharedExchange& exchange, const ApiError& error, Surface surface) {
  answer_with(exchange, error_response(error, surface, exchange->request().id));
}

}  // namespace herd::server
