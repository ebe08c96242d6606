#include "server/api_error.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "text/utf8.h"

namespace herd::server {
namespace {

// The kind of error that each surface calls a status; statuses that are not here are the client's mistake below 500 and
// the server's above.
struct TypeRow {
  int status;
  std::string_view openai;
  std::string_view anthropic;
};
constexpr TypeRow type_rows[] = {
    {401, "authentication_error", "authentication_error"},
    {403, "permission_error", "permission_error"},
    {404, "not_found_error", "not_found_error"},
    {408, "invalid_request_error", "timeout_error"},
    {413, "invalid_request_error", "request_too_large"},
    {429, "rate_limit_error", "rate_limit_error"},
    {503, "server_error", "overloaded_error"},
    {529, "server_error", "overloaded_error"},
};
constexpr TypeRow of_client{400, "invalid_request_error", "invalid_request_error"};
constexpr TypeRow of_server{500, "server_error", "api_error"};

std::string_view type_of(int status, Surface surface) {
  const auto* row = std::ranges::find(type_rows, status, &TypeRow::status);
  const TypeRow& found = row != std::end(type_rows) ? *row : status >= 500 ? of_server : of_client;
  return surface == Surface::openai ? found.openai : found.anthropic;
}

int status_of(Code code) {
  switch (code) {
    case Code::image_too_large:
    case Code::image_empty:
    case Code::image_unsupported:
    case Code::image_corrupt:
    case Code::schema_too_complex:
    case Code::grammar_dead_end:
      return 422;
    case Code::queue_full:
      return 429;
    case Code::deadline_exceeded:
      return 408;
    case Code::shutting_down:
    case Code::memory_plan:
      return 503;
    case Code::conversation_invalid:
    case Code::context_length_exceeded:
    case Code::out_of_range:
    case Code::usage:
    case Code::invalid_json:
    case Code::invalid_schema:
    case Code::invalid_grammar:
    case Code::json_too_deep:
    case Code::invalid_utf8:
    case Code::too_many_images:
      return 400;
    default:
      return 500;
  }
}

}  // namespace

std::unexpected<ApiError> refuse(int status, std::string code, std::string message,
                                 std::string param) {
  return std::unexpected(ApiError{status, std::move(code), std::move(message), std::move(param)});
}

ApiError api_error(const Error& error, std::string param) {
  const int status = status_of(error.code);
  std::string message = error.message;
  // What went wrong inside is for the operator's log: it may name files and addresses.
  if (status == 500) message = "an error inside the server; its log says more";
  return {.status = status,
          .code = std::string(row_of(error.code).name),
          .message = std::move(message),
          .param = std::move(param),
          .retry_after_s = status == 503 || status == 429 ? 1.0 : 0.0};
}

json::object error_body(const ApiError& error, Surface surface, std::string_view request_id) {
  // Messages quote what was sent, cut off somewhere; what goes out is UTF-8 all the same.
  const std::string text = text::replace_invalid_utf8(error.message);
  if (surface == Surface::anthropic) {
    const std::string message =
        error.param.empty() ? text : fmt::format("{}: {}", error.param, text);
    return {{"type", "error"},
            {"error", {{"type", type_of(error.status, surface)}, {"message", message}}},
            {"request_id", request_id}};
  }
  json::object inner{{"message", text},
                     {"type", type_of(error.status, surface)},
                     {"param", nullptr},
                     {"code", error.code}};
  if (!error.param.empty()) inner["param"] = error.param;
  return {{"error", std::move(inner)}};
}

HttpResponse error_response(const ApiError& error, Surface surface, std::string_view request_id) {
  ApiError told = error;
  if (surface == Surface::anthropic && told.status == 503) told.status = 529;
  HttpResponse response = json_response(error_body(told, surface, request_id), told.status);
  if (error.retry_after_s > 0)
    response.headers.push_back(
        {"retry-after", fmt::format("{}", std::ceil(std::max(1.0, error.retry_after_s)))});
  // The same request would fail the same way: clients need not try again (T5).
  if (error.status == 500) response.headers.push_back({"x-should-retry", "false"});
  if (error.status == 401) response.headers.push_back({"www-authenticate", "Bearer"});
  return response;
}

HttpResponse json_response(const json::value& body, int status) {
  return {.status = status,
          .headers = {{"content-type", "application/json"}},
          .body = json::serialize(body)};
}

}  // namespace herd::server
