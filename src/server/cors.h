// Pages of other origins that the operator lets ask this server (the Fetch standard's CORS protocol). Nobody is let in
// unless named; keys go in headers, so cookies and the like are never allowed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http.h"

namespace herd::server {

// Whether `origin` is what a browser sends, "https://app.example" or "http://localhost:3000": scheme, host in lower
// case and a port that is not the scheme's own. Fails with usage.
Result<void> check_cors_origin(std::string_view origin);

bool is_preflight(const HttpRequest& head);

// What every answer to a page of this origin carries.
std::vector<Header> cors_headers(std::string_view origin);

// The answer to a preflight from it.
HttpResponse preflight_answer(const HttpRequest& head);

}  // namespace herd::server
