#include "server/request_body.h"

#include "server/generation_options.h"

namespace herd::server {
namespace {

constexpr std::size_t model_bytes_max = 256;

}  // namespace

RequestBody::RequestBody(const Service& service, const HttpRequest& http, Model model)
    : fields(object, "", problem) {
  problem.accept_unknown = service.options().accept_unknown;
  problem.pictures = &service.pictures();
  auto parsed = parse_body(http.body);
  if (!parsed) {
    problem.set(std::move(parsed).error());
    return;
  }
  object = std::move(*parsed);
  if (model == Model::required) fields.require("model");
  const auto name = fields.text("model", model_bytes_max);
  if (!name || problem) return;
  if (auto known = service.check_model(*name); !known) problem.set(std::move(known).error());
}

}  // namespace herd::server
