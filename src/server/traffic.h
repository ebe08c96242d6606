// How much each key asks: requests in a minute and at the same time, held to the limits that the key was made with.
// Time is an argument, so that tests need not wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "server/keys.h"

namespace herd::server {

// While it lives, a request of the key is counted as being answered.
using Ticket = std::shared_ptr<void>;  // shared by copies of the request

class Traffic {
 public:
  using Clock = std::chrono::steady_clock;

  struct Verdict {
    bool admitted = true;
    bool too_many_at_once = false;  // else, where not admitted: too many in this minute
    double retry_after_s = 0;       // when to come back; at least a second where not admitted
    std::int64_t remaining = 0;     // requests that may come now, of limits.requests_per_minute
    double reset_s = 0;             // until all of them may come again
    Ticket ticket;                  // to be kept until the request is answered; null without limits
  };

  // One request of this key. A bucket holds a minute's requests and fills evenly, so that at most twice the limit comes
  // in any minute, and the limit in the long run. Any thread.
  Verdict take(const std::string& key, const KeyLimits& limits, Clock::time_point now);

 private:
  struct Bucket {
    double level = 0;  // requests that may come
    Clock::time_point filled;
    std::int64_t running = 0;
  };
  struct Books {
    std::mutex mutex;
    std::map<std::string, Bucket>
        buckets;  // by key; only of keys with limits, so bounded by their number
  };

  std::shared_ptr<Books> books_ =
      std::make_shared<Books>();  // shared with tickets, which may outlive the server
};

}  // namespace herd::server
