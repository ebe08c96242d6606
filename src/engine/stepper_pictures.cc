// The stepper's pictures: seen a few tiles a step, and put where the batch's rows show them.
#include <algorithm>
#include <limits>

#include "base/check.h"
#include "engine/look.h"
#include "engine/stepper_job.h"

namespace herd::engine {
namespace {

// Tiles per pass through the vision encoder: enough rows to keep the cores busy, few enough that a step with pictures
// does not keep the others waiting long.
constexpr std::int64_t tiles_per_pass = 4;

}  // namespace

// One pass of the encoder for the first sequence that needs one, so that a picture of many tiles does not stop the
// others' answers.
void Stepper::look_at_pictures() {
  bool busy = false;
  for (const Scheduler::Sequence* sequence : scheduler_.running_sequences()) {
    Job& job = *jobs_.at(sequence->arrival.id);
    if (job.seen.empty()) continue;
    const std::int64_t per_tile = model_->config().vision->tokens_per_tile();
    std::int64_t patch = 0;
    for (std::size_t i = 0; i < job.seen.size(); ++i) {
      const Picture& picture = job.request.prompt.pictures[i];
      patch += picture.tiles * per_tile;
      const std::int64_t last = job.request.prompt.patches[static_cast<std::size_t>(patch - 1)];
      if (last < sequence->computed()) continue;  // read already, or reused
      if (!job.seen[i]) {
        job.seen[i] = pictures_.get(job.request.tenant, job.picture_hashes[i], picture.tiles);
        ++(job.seen[i]->whole() ? counts_.pictures_reused : counts_.pictures_seen);
      }
      if (job.seen[i]->whole()) continue;
      if (busy) break;
      see_tiles(job, i);
      busy = true;
      if (!job.seen[i]->whole()) break;
    }
    scheduler_.ready(job.id, readable(job));
  }
  if (busy) pictures_.trim();
}

void Stepper::see_tiles(Job& job, std::size_t index) {
  const Picture& picture = job.request.prompt.pictures[index];
  Seen& seen = *job.seen[index];
  ctx_.arena.reset();
  const std::int64_t tiles = std::min(tiles_per_pass, seen.tiles - seen.tiles_done);
  const Tensor pixels = ctx_.empty({tiles, 3, picture.side, picture.side});
  const std::int64_t tile_floats = 3 * picture.side * picture.side;
  std::copy_n(picture.pixels.data() + seen.tiles_done * tile_floats, tiles * tile_floats,
              pixels.as<float>().data());
  const Tensor features = look_at(*model_, ctx_, pixels, kv_.shape().dtype);
  const auto numbers = features.as<float>();
  seen.features.insert(seen.features.end(), numbers.begin(), numbers.end());
  seen.tiles_done += tiles;
}

// Positions before the first picture that has not been seen whole.
std::int64_t Stepper::readable(const Job& job) const {
  const std::int64_t per_tile = model_->config().vision->tokens_per_tile();
  const std::int64_t computed = scheduler_.find(job.id)->computed();
  std::int64_t patch = 0;
  for (std::size_t i = 0; i < job.seen.size(); ++i) {
    const std::int64_t first = patch;
    patch += job.request.prompt.pictures[i].tiles * per_tile;
    const std::int64_t last = job.request.prompt.patches[static_cast<std::size_t>(patch - 1)];
    if (last >= computed && !(job.seen[i] && job.seen[i]->whole()))
      return job.request.prompt.patches[static_cast<std::size_t>(first)];
  }
  return std::numeric_limits<std::int64_t>::max();
}

// Vectors of the pictures that the batch's rows show.
void Stepper::add_features(nn::CachedBatch& batch, std::span<const Step> steps) {
  std::vector<std::int32_t> rows;
  std::vector<const float*> vectors;
  const std::int64_t width = model_->config().text.width;
  std::int64_t row = 0;
  for (const Step& step : steps) {
    const Prompt& prompt = step.job->request.prompt;
    const std::int64_t begin = step.piece.begin, end = begin + step.piece.rows;
    auto patch = std::ranges::lower_bound(prompt.patches, begin);
    for (; patch != prompt.patches.end() && *patch < end; ++patch) {
      // Which picture, and which of its vectors.
      std::int64_t within = patch - prompt.patches.begin();
      std::size_t picture = 0;
      const std::int64_t per_tile = model_->config().vision->tokens_per_tile();
      for (; within >= prompt.pictures[picture].tiles * per_tile; ++picture)
        within -= prompt.pictures[picture].tiles * per_tile;
      const Seen* seen = step.job->seen[picture].get();
      HERD_CHECK(seen != nullptr && seen->whole(), "picture {} of request {} is not seen yet",
                 picture, step.job->id);
      rows.push_back(static_cast<std::int32_t>(row + *patch - begin));
      vectors.push_back(seen->features.data() + within * width);
    }
    row += step.piece.rows;
  }
  if (rows.empty()) return;
  const Tensor features = ctx_.empty({std::ssize(rows), width});
  float* out = features.as<float>().data();
  for (const float* vector : vectors) out = std::copy_n(vector, width, out);
  batch.set_features(features, std::move(rows));
}

std::uint64_t Stepper::pixel_bytes(std::set<const void*>& counted) const {
  std::uint64_t bytes = 0;
  for (const auto& [id, job] : jobs_)
    for (const Picture& picture : job->request.prompt.pictures)
      if (counted.insert(picture.pixels.identity()).second)
        bytes += picture.pixels.all().size_bytes();
  return bytes;
}

}  // namespace herd::engine
