#include "server/cors.h"

#include <algorithm>

namespace herd::server {
namespace {

constexpr std::size_t asked_headers_bytes_max = 1024;

bool is_token_list(std::string_view text) {
  return text.size() <= asked_headers_bytes_max && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == ',' || c == ' ';
         });
}

}  // namespace

Result<void> check_cors_origin(std::string_view origin) {
  const auto wrong = [&](std::string_view why) {
    return fail(Code::usage,
                "--cors-origin: {} {}; wanted an origin as browsers send it, such as "
                "https://app.example or http://localhost:3000",
                shown(origin), why);
  };
  if (origin == "*") return wrong("would let every page in");
  const std::size_t scheme = origin.find("://");
  const std::string_view name = origin.substr(0, std::min(scheme, origin.size()));
  if (name != "https" && name != "http") return wrong("has no scheme http or https");
  const std::string_view rest = origin.substr(scheme + 3);
  if (rest.empty() ||
      rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != std::string_view::npos)
    return wrong("is no host in lower case with or without a port");
  if (rest.ends_with(name == "https" ? ":443" : ":80")) return wrong("names its scheme's own port");
  return {};
}

bool is_preflight(const HttpRequest& head) {
  return head.method == "OPTIONS" && head.header("origin") != nullptr &&
         head.header("access-control-request-method") != nullptr;
}

std::vector<Header> cors_headers(std::string_view origin) {
  return {{"access-control-allow-origin", std::string(origin)},
          {"vary", "Origin"},
          {"access-control-expose-headers",
           "x-request-id, request-id, retry-after, x-should-retry, x-herd-reused, x-herd-ignored, "
           "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
           "x-ratelimit-reset-requests"}};
}

HttpResponse preflight_answer(const HttpRequest& head) {
  HttpResponse response{.status = 204,
                        .headers = {{"access-control-allow-methods", "GET, POST"},
                                    {"access-control-max-age", "600"}}};
  // The official clients send a dozen headers of their own and new ones now and then; what they mean here is nothing.
  const std::string* asked = head.header("access-control-request-headers");
  if (asked != nullptr && is_token_list(*asked))
    response.headers.push_back({"access-control-allow-headers", *asked});
  return response;
}

}  // namespace herd::server
