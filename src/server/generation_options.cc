#include "server/generation_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/limits.h"
#include "base/rng.h"
#include "text/utf8.h"

namespace herd::server {
namespace {

constexpr std::size_t openai_stop_max = 4;
constexpr std::int64_t seed_max = (1ll << 53) - 1;
constexpr double logprob_min = -9999.0;
constexpr std::int64_t tokens_max = 1ll << 40;

std::int64_t random_seed() {
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  static std::atomic<std::uint64_t> calls = 0;
  const auto words = philox(static_cast<std::uint64_t>(now), ++calls);
  return (static_cast<std::int64_t>(words[0]) << 20 | words[1] >> 12) & seed_max;
}

void read_logit_bias(Fields& fields, std::int64_t vocabulary, engine::GenerateOptions& options) {
  const json::object* bias = fields.object("logit_bias");
  if (bias == nullptr) return;
  if (bias->size() > limits::logit_bias_max)
    return fields.wrong("logit_bias", "out_of_range",
                        fmt::format("'logit_bias' names {} tokens, at most {}", bias->size(),
                                    limits::logit_bias_max));
  for (const auto& member : *bias) {
    const std::string_view key(member.key().data(), member.key().size());
    std::int32_t token = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error != std::errc() || end != key.data() + key.size() || token < 0 || token >= vocabulary)
      return fields.wrong(
          "logit_bias", "invalid_value",
          fmt::format("{} is no token id, wanted 0 to {}", shown(key), vocabulary - 1));
    const json::value& value = member.value();
    const double x = value.is_number() ? value.to_number<double>() : NAN;
    if (!(x >= -100 && x <= 100))
      return fields.wrong("logit_bias", "out_of_range",
                          fmt::format("the bias of token {} is {}, wanted -100 to 100", token,
                                      shown(json::serialize(value))));
    options.logit_bias[token] = static_cast<float>(x);
  }
}

// Where in a value the first text stands that holds U+FFFD.
std::string path_of_replacement(const json::value& value, const std::string& path) {
  if (value.is_string()) return text_of(value).contains("\xef\xbf\xbd") ? path : std::string();
  if (value.is_array())
    for (std::size_t i = 0; i < value.get_array().size(); ++i)
      if (auto found = path_of_replacement(value.get_array()[i], item_path(path, i));
          !found.empty())
        return found;
  if (value.is_object())
    for (const auto& member : value.get_object()) {
      const std::string key(member.key().data(), member.key().size());
      if (auto found = path_of_replacement(member.value(), path.empty() ? key : path + "." + key);
          !found.empty())
        return found;
    }
  return {};
}

}  // namespace

ApiResult<json::object> parse_body(std::string_view body) {
  if (const auto bad = text::first_invalid_utf8(body)) {
    std::string param;
    if (const auto mended = parse_json(text::replace_invalid_utf8(body)))
      param = path_of_replacement(*mended, "");
    return refuse(400, "invalid_utf8",
                  fmt::format("the body is not UTF-8: byte {} of {}", *bad, body.size()), param);
  }
  auto parsed = parse_json(body);
  if (!parsed) return std::unexpected(api_error(parsed.error()));
  if (!parsed->is_object())
    return refuse(400, "invalid_json",
                  fmt::format("the body is {}, wanted an object", kind_of(*parsed)));
  return std::move(parsed->get_object());
}

std::vector<std::string> read_stop_strings(Fields& fields, std::string_view name,
                                           std::size_t items_max) {
  std::vector<std::string> out;
  const json::value* value = fields.any(name);
  if (value == nullptr) return out;
  const auto add = [&](const json::value& item, const std::string& path) {
    if (!item.is_string())
      fields.problem().set("invalid_type",
                           fmt::format("'{}' is {}, wanted a string", path, kind_of(item)), path);
    else if (text_of(item).empty() || text_of(item).size() > limits::stop_bytes_max)
      fields.problem().set("out_of_range",
                           fmt::format("'{}' has {} bytes, wanted 1 to {}", path,
                                       text_of(item).size(), limits::stop_bytes_max),
                           path);
    else
      out.emplace_back(text_of(item));
  };
  if (!value->is_array()) {
    add(*value, fields.path(name));
    return out;
  }
  const json::array& list = value->get_array();
  if (list.size() > items_max)
    fields.wrong(name, "array_above_max_length",
                 fmt::format("'{}' has {} items, at most {}", name, list.size(), items_max));
  for (std::size_t i = 0; i < list.size() && i < items_max; ++i)
    add(list[i], item_path(fields.path(name), i));
  return out;
}

engine::GenerateOptions read_generation(Fields& fields, const Service& service) {
  const engine::Bundle& bundle = service.bundle();
  engine::GenerateOptions options;
  options.sampling = bundle.sampling;
  options.stop_tokens = bundle.stop_tokens;
  engine::SamplingOptions& sampling = options.sampling;
  if (const auto x = fields.number("temperature", 0, 2)) sampling.temperature = *x;
  if (const auto x = fields.number("top_p", 0, 1)) sampling.top_p = *x;
  // -1 is how several servers write "all".
  if (const auto k = fields.integer("top_k", -1, 1 << 30))
    sampling.top_k = std::max<std::int64_t>(*k, 0);
  if (const auto x = fields.number("min_p", 0, 1)) sampling.min_p = *x;
  if (const auto x = fields.number("repetition_penalty", 0.01, 10))
    sampling.repetition_penalty = *x;
  if (const auto x = fields.number("frequency_penalty", -2, 2)) sampling.frequency_penalty = *x;
  if (const auto x = fields.number("presence_penalty", -2, 2)) sampling.presence_penalty = *x;
  const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX);
  sampling.seed = seed ? *seed & seed_max : random_seed();
  options.stop = read_stop_strings(fields, "stop", openai_stop_max);
  read_logit_bias(fields, bundle.tokenizer.size(), options);
  if (const auto n = fields.integer("min_tokens", 0, tokens_max)) options.min_tokens = *n;
  options.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  return options;
}

void refuse_foreign(Fields& fields) {
  fields.refuse("chat_template", "the model's own chat format is used");
  fields.refuse("chat_template_kwargs", "the chat format has no variables");
  fields.refuse("use_beam_search", "answers are sampled");
  fields.refuse("length_penalty", "it belongs to beam search");
  fields.refuse("prompt_logprobs", "use /v1/completions with echo and logprobs");
  fields.refuse("add_generation_prompt", "the prompt always ends where the assistant speaks");
  fields.refuse("continue_final_message", "use /v1/messages, which continues an assistant's text");
  fields.refuse("post_sampling_probs", "logprobs are the model's own, before sampling");
  fields.refuse("cache_prompt", "what prompts have in common is always kept");
}

engine::Request nth_request(const engine::Request& request, std::size_t index) {
  engine::Request out = request;
  if (index > 0) {
    // Neighbouring seeds of the caller must not share answers: what follows from a seed and a number is spread.
    const auto words = philox(static_cast<std::uint64_t>(request.options.sampling.seed), index, 1);
    out.options.sampling.seed =
        (static_cast<std::int64_t>(words[0]) << 20 | words[1] >> 12) & seed_max;
  }
  return out;
}

json::object token_json(const text::Tokenizer& tokenizer, std::int32_t token, double logprob) {
  const std::string_view bytes = tokenizer.bytes_of(token);
  json::array octets;
  for (const char c : bytes) octets.push_back(static_cast<unsigned char>(c));
  return {{"token", text::replace_invalid_utf8(bytes)},
          {"logprob", std::isfinite(logprob) ? std::max(logprob, logprob_min) : logprob_min},
          {"bytes", std::move(octets)}};
}

}  // namespace herd::server
