// What the endpoints that write answers have in common: how a token is chosen, and when an answer ends.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/fields.h"
#include "server/service.h"

namespace herd::server {

// The sampling of OpenAI's surface and the extras that other servers taught clients to send (top_k, min_p,
// repetition_penalty, min_tokens, ignore_eos): temperature 0 to 2, top_p, penalties -2 to 2, seed, stop (a string or up
// to 4), logit_bias by token id. What is absent is as the model's makers recommend; without a seed, answers differ.
engine::GenerateOptions read_generation(Fields& fields, const Service& service);

// Members of other servers' requests that ask for something herd does not do yet, each refused by its name.
void refuse_foreign(Fields& fields);

// The request for answer number `index` of one question: the same, from another point of the random stream.
engine::Request nth_request(const engine::Request& request, std::size_t index);

// Strings of a list, each of 1 to limits::stop_bytes_max bytes.
std::vector<std::string> read_stop_strings(Fields& fields, std::string_view name,
                                           std::size_t items_max);

// The body of a request as JSON. Fails with invalid_utf8 (the path of the text that is not), invalid_json or
// json_too_deep.
ApiResult<json::object> parse_body(std::string_view body);

// A token as OpenAI's surface lists it: text, logarithm of its probability (at least -9999) and bytes.
json::object token_json(const text::Tokenizer& tokenizer, std::int32_t token, double logprob);

}  // namespace herd::server
