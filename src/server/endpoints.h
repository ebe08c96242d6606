// The endpoints: one function each, in api_*.cc; the table that names them is in routes.cc. They are called on a worker
// thread and answer through the exchange, which is shared by its connection and the answers in the making.
#pragma once

#include <memory>

#include "server/api_error.h"
#include "server/http.h"
#include "server/service.h"

namespace herd::server {

using SharedExchange = std::shared_ptr<Exchange>;  // shared by its connection and its answers

void chat_completions(Service& service, SharedExchange exchange);
void completions(Service& service, SharedExchange exchange);
void embeddings(Service& service, SharedExchange exchange);
void messages(Service& service, SharedExchange exchange);
void count_tokens(Service& service, SharedExchange exchange);
void models(Service& service, SharedExchange exchange);
void model(Service& service, SharedExchange exchange);
void tokenize(Service& service, SharedExchange exchange);
void detokenize(Service& service, SharedExchange exchange);
void render(Service& service, SharedExchange exchange);
void health(Service& service, SharedExchange exchange);
void ready(Service& service, SharedExchange exchange);
void metrics(Service& service, SharedExchange exchange);
void version(Service& service, SharedExchange exchange);
void page(Service& service, SharedExchange exchange);
void not_offered(Service& service, SharedExchange exchange);

// From any thread.
void answer_with(const SharedExchange& exchange, HttpResponse response);
void answer_with_error(const SharedExchange& exchange, const ApiError& error, Surface surface);

}  // namespace herd::server
