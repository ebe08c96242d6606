// The chat page and what it is made of. Nothing on it comes from elsewhere, and the browser is told so.
#include <algorithm>

#include "server/endpoints.h"
#include "server/web_files.h"

namespace herd::server {
namespace {

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  return "image/svg+xml";
}

}  // namespace

void page(Service&, SharedExchange exchange) {
  constexpr std::string_view folder = "/web/";
  const std::string& path = exchange->request().path;
  const std::string_view name =
      path == "/" ? std::string_view("index.html") : std::string_view(path).substr(folder.size());
  const auto files = web_files();
  const auto found = std::ranges::find(files, name, &WebFile::name);
  if (found == files.end())
    return answer_with_error(exchange, {404, "not_found", "the page has no such file"},
                             Surface::openai);
  answer_with(
      exchange,
      {.status = 200,
       .headers = {{"content-type", std::string(type_of(name))},
                   {"content-security-policy",
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
                    "data:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
                    "frame-ancestors 'none'"},
                   {"x-content-type-options", "nosniff"},
                   {"x-frame-options", "DENY"},
                   {"referrer-policy", "no-referrer"},
                   {"cross-origin-opener-policy", "same-origin"},
                   {"cache-control", "no-cache"}},
       .body = std::string(found->content)});
}

}  // namespace herd::server
