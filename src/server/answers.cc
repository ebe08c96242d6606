#include "server/answers.h"

#include "base/log.h"
#include "server/service.h"

namespace herd::server {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds progress_every{1};

}  // namespace

// Hears the engine on the engine's thread and says it on the strand.
class Answers::Forward final : public engine::Listener {
 public:
  // The answers are shared by the listeners of all of them.
  Forward(std::shared_ptr<Answers> answers, std::size_t index)
      : answers_(std::move(answers)), index_(index) {}

  void progress(std::int64_t done, std::int64_t total) override {
    const auto now = Clock::now();
    if (now - told_ < progress_every) return;
    told_ = now;
    say([done, total](Answers& answers, std::size_t index) {
      answers.sink_->progress(index, done, total);
    });
  }
  void prompt_logprobs(std::span<const engine::TokenEvent> events) override {
    say([events = std::vector(events.begin(), events.end())](Answers& answers, std::size_t index) {
      answers.sink_->prompt_logprobs(index, events);
    });
  }
  void token(const engine::TokenEvent& event) override {
    say([event](Answers& answers, std::size_t index) { answers.sink_->token(index, event); });
  }
  void finished(Result<engine::Answer> answer) override {
    answers_->exchange_->post(
        [answers = answers_, index = index_, answer = std::move(answer)]() mutable {
          answers->finished(index, std::move(answer));
        });
  }

 private:
  template <typename Say>
  void say(Say what) {
    answers_->exchange_->post([answers = answers_, index = index_, what = std::move(what)] {
      answers->begin();
      if (!answers->over_) what(*answers, index);
    });
  }

  std::shared_ptr<Answers> answers_;  // shared by all their listeners
  std::size_t index_;
  Clock::time_point told_ = Clock::now();
};

// The exchange is shared with its connection.
void Answers::start(Service& service, std::shared_ptr<Exchange> exchange,
                    std::vector<engine::Request> requests, std::unique_ptr<AnswerSink> sink) {
  // Shared by the engine's listeners and by what is posted.
  const auto answers = std::make_shared<Answers>(Ours{}, service, exchange, std::move(sink));
  answers->open_ = requests.size();
  exchange->drop_body();  // it has been read, and answers may take long
  // Weak: the answers keep themselves alive by their listeners, as long as the engine knows them.
  answers->sink_->stop = [weak = answers->weak_from_this()](std::size_t index) {
    if (const auto self = weak.lock()) self->stop(index);
  };
  service.remember(answers);
  exchange->post([answers] {
    answers->exchange_->on_gone([answers] {
      answers->over_ = true;
      answers->cancel();
    });
  });
  std::vector<std::shared_ptr<engine::Listener>> listeners;  // shared with the engine
  for (std::size_t i = 0; i < requests.size(); ++i)
    listeners.push_back(std::make_shared<Forward>(answers, i));
  bool cancelled = false;
  {
    // What the engine says at once finds the numbers when it wants to stop one.
    const std::lock_guard lock(answers->mutex_);
    auto ids = service.engine().submit(std::move(requests), std::move(listeners));
    if (!ids) {
      ApiError error = api_error(ids.error());
      if (ids.error().code == Code::queue_full)
        error.retry_after_s = service.engine().state().retry_after_s;
      return exchange->post([answers, error] { answers->failed(error); });
    }
    answers->ids_ = std::move(*ids);
    cancelled = answers->cancelled_;
  }
  if (cancelled) answers->cancel();
  exchange->post([answers] { answers->begin(); });
}

void Answers::begin() {
  if (begun_ || over_) return;
  begun_ = true;
  sink_->begin();
}

void Answers::fail(ApiError error) {
  exchange_->post([self = shared_from_this(), error = std::move(error)] { self->failed(error); });
}

void Answers::cancel() {
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    ids = ids_;
  }
  for (const std::uint64_t id : ids) service_.engine().cancel(id);
}

void Answers::stop(std::size_t index) {
  const std::lock_guard lock(mutex_);
  if (index < ids_.size()) service_.engine().cancel(ids_[index]);
}

void Answers::finished(std::size_t index, Result<engine::Answer> answer) {
  if (over_) return;
  if (!answer) {
    ApiError error = api_error(answer.error());
    if (error.status >= 500)
      log(LogLevel::warn, "{}: {}", exchange_->request().id, to_string(answer.error()));
    if (answer.error().code == Code::shutting_down) error.code = "server_shutdown";
    return failed(error);
  }
  begin();
  sink_->finished(index, std::move(*answer));
  if (--open_ == 0) {
    over_ = true;
    sink_->all_finished();
  }
}

void Answers::failed(const ApiError& error) {
  if (over_) return;
  over_ = true;
  cancel();
  sink_->failed(error);
}

}  // namespace herd::server
