#include "server/request_body.h"

#include "server/generation_options.h"

namespace herd::server {
namespace {

constexpr std::size_t model_bytes_max = 256;

}  // namespace

RequestBody::RequestBody(const Service& service, const HttpRequest& http, Model wanted)
    : fields(object, "", problem) {
  problem.accept_unknown = service.options().accept_unknown;
  problem.pictures = &service.pictures();
  auto parsed = parse_body(http.body);
  if (!parsed) {
    problem.set(std::move(parsed).error());
    return;
  }
  object = std::move(*parsed);
  if (wanted == Model::required) fields.require("model");
  const auto name = fields.text("model", model_bytes_max);
  if (problem) return;
  model = name.value_or(service.options().model_id);
  if (auto known = service.check_model(model); !known) problem.set(std::move(known).error());
}

}  // namespace herd::server
