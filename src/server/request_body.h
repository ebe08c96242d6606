// What every endpoint that takes JSON reads first: the body, the model it is for, and what this server allows.
//
//   RequestBody body(service, http, RequestBody::Model::required);
//   Fields& fields = body.fields;
//   ...
//   fields.done();
//   if (body.problem) return body.problem.error();
#pragma once

#include "server/fields.h"
#include "server/http.h"
#include "server/service.h"

namespace herd::server {

struct RequestBody {
  enum class Model : std::uint8_t { required, optional };

  // What is wrong with it, down to the model's name, is in `problem`; then nothing of `fields` is there.
  RequestBody(const Service& service, const HttpRequest& http, Model wanted);
  RequestBody(const RequestBody&) = delete;
  RequestBody& operator=(const RequestBody&) = delete;

  std::string model;  // its name: the server's own where none is given
  json::object object;
  Problem problem;
  Fields fields;
};

}  // namespace herd::server
