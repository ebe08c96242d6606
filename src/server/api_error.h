// What a client is told when its request cannot be answered, in the words of the surface it speaks: OpenAI's or
// Anthropic's (spec/api.md 2.1, 2.7).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "server/http.h"

namespace herd::server {

enum class Surface : std::uint8_t { openai, anthropic };

struct ApiError {
  int status = 400;
  std::string code;  // "context_length_exceeded"; OpenAI's names where it has one
  std::string message;
  std::string param = {};    // "messages[2].content[0].type"; empty for none
  double retry_after_s = 0;  // > 0: when trying again may help
};

template <typename T = void>
using ApiResult = std::expected<T, ApiError>;

[[nodiscard]] std::unexpected<ApiError> refuse(int status, std::string code, std::string message,
                                               std::string param = {});

// An error of a lower layer; `param` is the place of the request it is about.
ApiError api_error(const Error& error, std::string param = {});

// The "error" object of a body or of an event, and the whole answer.
json::object error_body(const ApiError& error, Surface surface, std::string_view request_id);
HttpResponse error_response(const ApiError& error, Surface surface, std::string_view request_id);

// A JSON answer.
HttpResponse json_response(const json::value& body, int status = 200);

}  // namespace herd::server
