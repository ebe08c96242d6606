// Between the engine and a connection: the answers to one request, from their submission to their end. What the engine
// says on its own thread arrives on the connection's strand; who leaves cancels, and who is cancelled is told.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "server/api_error.h"
#include "server/http.h"
#include "server/service.h"

namespace herd::server {

// Writes the answers in the form of one endpoint. All calls come on the exchange's strand, one at a time.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;

  // All have been submitted: a stream may begin.
  virtual void begin() {}
  virtual void progress(std::size_t /*index*/, std::int64_t /*done*/, std::int64_t /*total*/) {}
  virtual void prompt_logprobs(std::size_t /*index*/, std::vector<engine::TokenEvent> /*events*/) {}
  virtual void token(std::size_t index, const engine::TokenEvent& event) = 0;
  virtual void finished(std::size_t index, engine::Answer answer) = 0;
  virtual void all_finished() = 0;
  // Instead of all that would have followed.
  virtual void failed(const ApiError& error) = 0;

  // Ends one answer early; its finished() still comes. Set before the first call.
  std::function<void(std::size_t index)> stop;
};

class Answers : public Ending, public std::enable_shared_from_this<Answers> {
 public:
  // Submits all requests, or none where one is refused: then the sink hears failed(). From a worker thread.
  // The answers are shared by the engine's listeners; the exchange by them and its connection.
  static void start(Service& service, std::shared_ptr<Exchange> exchange,
                    std::vector<engine::Request> requests, std::unique_ptr<AnswerSink> sink);

  // Ends all of them with this error. From any thread.
  void fail(ApiError error) override;

  [[nodiscard]] const std::string& key() const override { return exchange_->request().key; }

 private:
  class Forward;
  struct Ours {};  // only start() makes them

 public:
  // The exchange is shared with its connection.
  Answers(Ours, Service& service, std::shared_ptr<Exchange> exchange,
          std::unique_ptr<AnswerSink> sink)
      : service_(service), exchange_(std::move(exchange)), sink_(std::move(sink)) {}

 private:
  void begin();  // on the strand, like the two below
  void cancel();
  void stop(std::size_t index);
  void finished(std::size_t index, Result<engine::Answer> answer);
  void failed(const ApiError& error);

  Service& service_;
  std::shared_ptr<Exchange> exchange_;  // shared with its connection
  std::unique_ptr<AnswerSink> sink_;
  std::size_t open_ = 0;  // answers without their end
  bool begun_ = false;
  bool over_ = false;  // on the strand: failed, or the client is gone

  std::mutex mutex_;  // of what follows
  std::vector<std::uint64_t> ids_;
  bool cancelled_ = false;
};

}  // namespace herd::server
