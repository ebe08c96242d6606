#include "server/service.h"

#include <charconv>

#include "base/check.h"

namespace herd::server {

ApiResult<text::Prompt> Service::rendered(const ReadConversation& read) const {
  const auto renderer = text::ChatRenderer::create(bundle_.tokenizer, bundle_.chat_format);
  if (!renderer) return std::unexpected(api_error(renderer.error()));
  auto prompt = renderer->render(read.conversation);
  if (!prompt) return std::unexpected(api_error(prompt.error(), "messages"));
  return std::move(*prompt);
}

ApiResult<engine::Prompt> Service::chat_prompt(const ReadConversation& read,
                                               std::string_view said_already) const {
  // What cannot fit, however it is cut into tokens, is not cut: that would keep a worker for seconds.
  std::size_t bytes = 0;
  for (const text::Message& message : read.conversation.messages)
    for (const text::ContentPart& part : message.parts)
      if (part.kind == text::ContentPart::Kind::text) bytes += part.text.size();
  if (bytes / longest_token_ > static_cast<std::size_t>(context()))
    return refuse(400, "context_length_exceeded",
                  fmt::format("{} bytes of text are at least {} tokens > {}, the context of this "
                              "server",
                              bytes, bytes / longest_token_, context()),
                  "messages");
  HERD_TRY(const text::Prompt rendered_prompt, rendered(read));
  if (rendered_prompt.images.size() != read.images.size())
    return refuse(400, "unsupported_value",
                  "this model's chat format has no place for one of the pictures", "messages");
  engine::Prompt prompt;
  for (const text::Segment& segment : rendered_prompt.segments) {
    prompt.tokens.insert(prompt.tokens.end(), segment.ids.begin(), segment.ids.end());
    if (!segment.image) continue;
    // The reader wrote the picture's number where its source would stand.
    const std::string& number = rendered_prompt.images[static_cast<std::size_t>(*segment.image)];
    std::size_t index = 0;
    std::from_chars(number.data(), number.data() + number.size(), index);
    HERD_CHECK(index < read.images.size(), "picture {}", number);
    if (!bundle_.config.vision)
      return refuse(400, "unsupported_value", "this model reads text only, no pictures",
                    "messages");
    media::PreprocessOptions how = bundle_.pictures;
    if (read.low_detail[index]) how.tiles_max = 1;
    if (auto placed = bundle_.append_picture(prompt, media::preprocess(read.images[index], how));
        !placed)
      return std::unexpected(api_error(placed.error(), "messages"));
  }
  bundle_.tokenizer.append(said_already, text::SpecialTokens::as_text, prompt.tokens);
  return prompt;
}

ApiResult<std::int64_t> Service::answer_tokens(std::int64_t prompt_tokens,
                                               std::optional<std::int64_t> wanted,
                                               std::string_view param, std::string_view of) const {
  const std::int64_t room = context() - prompt_tokens;
  if (room >= wanted.value_or(1)) return wanted.value_or(room);
  const std::int64_t answer = wanted.value_or(1);
  return refuse(
      400, "context_length_exceeded",
      fmt::format("{} prompt + {} {} > {}, the context of this server; shorten by {} "
                  "tokens",
                  prompt_tokens, answer, wanted ? param : "answer", context(), answer - room),
      std::string(of));
}

ApiResult<> Service::check_model(std::string_view model) const {
  if (model == options_.model_id || (adapters_ != nullptr && adapters_->has(model))) return {};
  return refuse(404, "model_not_found",
                fmt::format("the model {} is not here; this server has '{}'{}", shown(model),
                            options_.model_id,
                            adapters_ == nullptr ? "" : " and the adapters that /v1/models lists"),
                "model");
}

ApiResult<AskedModel> Service::asked_model(std::string_view model, engine::Request& request) const {
  HERD_TRY_VOID(check_model(model));
  AskedModel asked{.id = std::string(model), .fingerprint = options_.fingerprint};
  if (model == options_.model_id) return asked;
  HERD_TRY(request.adapters, adapters_->get(asked.id));
  asked.fingerprint += fmt::format("-{:016x}", request.adapters->identity);
  return asked;
}

// Shared with their connections.
void Service::remember(const std::shared_ptr<Ending>& answers) {
  const std::lock_guard lock(mutex_);
  std::erase_if(live_, [](const auto& each) { return each.expired(); });
  live_.push_back(answers);
}

std::vector<std::shared_ptr<Ending>> Service::live_answers() {
  std::vector<std::shared_ptr<Ending>> out;  // shared with their connections
  const std::lock_guard lock(mutex_);
  for (const auto& each : live_)
    if (auto answers = each.lock()) out.push_back(std::move(answers));
  return out;
}

void Service::end_revoked() {
  if (keys_ == nullptr) return;
  for (const auto& answers : live_answers())
    if (!keys_->still_valid(answers->key()))
      answers->fail({401, "invalid_api_key", "the API key has been revoked or has expired"});
}

void Service::end_all() {
  for (const auto& answers : live_answers())
    answers->fail({.status = 503,
                   .code = "server_shutdown",
                   .message = "the server is ending",
                   .retry_after_s = 1});
}

}  // namespace herd::server
