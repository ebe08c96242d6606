#include "server/traffic.h"

#include <algorithm>

namespace herd::server {

Traffic::Verdict Traffic::take(const std::string& key, const KeyLimits& limits,
                               Clock::time_point now) {
  Verdict verdict;
  if (limits.requests_per_minute <= 0 && limits.concurrent <= 0) return verdict;
  const std::lock_guard lock(books_->mutex);
  const auto most = static_cast<double>(limits.requests_per_minute);
  Bucket& bucket = books_->buckets.try_emplace(key, Bucket{most, now, 0}).first->second;
  if (limits.concurrent > 0 && bucket.running >= limits.concurrent) {
    verdict.admitted = false;
    verdict.too_many_at_once = true;
    verdict.retry_after_s = 1;
  }
  if (limits.requests_per_minute > 0) {
    const double seconds = std::chrono::duration<double>(now - bucket.filled).count();
    bucket.level = std::min(most, bucket.level + std::max(0.0, seconds) * most / 60);
    bucket.filled = std::max(now, bucket.filled);
    if (verdict.admitted && bucket.level < 1) {
      verdict.admitted = false;
      verdict.retry_after_s = std::max(1.0, (1 - bucket.level) * 60 / most);
    }
    if (verdict.admitted) bucket.level -= 1;
    verdict.remaining = static_cast<std::int64_t>(bucket.level);
    verdict.reset_s = (most - bucket.level) * 60 / most;
  }
  if (!verdict.admitted) return verdict;
  ++bucket.running;
  // The deleter is all there is to it: it runs when the last copy of the request goes.
  verdict.ticket = Ticket(nullptr, [books = books_, key](void*) {
    const std::lock_guard held(books->mutex);
    --books->buckets[key].running;
  });
  return verdict;
}

}  // namespace herd::server
