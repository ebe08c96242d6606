// How fast is the generated world made, on one core? One row a task and a stage: samples, bytes of text and pictures a
// second, and the tokens that those are estimated to be (weight.h).
//
//   world_bench [SECONDS_A_ROW]
#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <functional>
#include <string_view>

#include "world/mixture.h"
#include "world/weight.h"

namespace {

using herd::world::bytes_of;
using herd::world::bytes_per_token;
using herd::world::make_sample;
using herd::world::Sample;
using herd::world::Split;
using herd::world::Stage;
using herd::world::stages;
using herd::world::Task;
using herd::world::task_at;
using herd::world::tasks;
using herd::world::text_bytes_of;

// CPU time: all of it is one thread, and neighbours disturb it less.
void measure(std::string_view name, double seconds,
             const std::function<Sample(std::uint64_t)>& make) {
  double text = 0, tokens = 0, elapsed = 0;
  std::uint64_t samples = 0, pictures = 0;
  const std::clock_t start = std::clock();
  while (elapsed < seconds) {
    for (int i = 0; i < 16; ++i) {
      const Sample sample = make(samples++);
      text += text_bytes_of(sample);
      tokens += bytes_of(sample) / bytes_per_token;
      pictures += sample.pictures.size();
    }
    elapsed = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  fmt::print(
      "{:<18} {:>9.0f} samples/s {:>9.2f} MB text/s {:>8.0f} pictures/s {:>10.0f} tokens/s\n", name,
      static_cast<double>(samples) / elapsed, text / elapsed / 1e6,
      static_cast<double>(pictures) / elapsed, tokens / elapsed);
}

}  // namespace

int main(int count, char** arguments) {
  double seconds = 0.3;
  if (count > 1) {
    const std::string_view text = arguments[1];
    std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  for (const Task& task : tasks())
    measure(task.name, seconds,
            [&](std::uint64_t i) { return make_sample(task, 1, i, Split::train); });
  for (const Stage& stage : stages()) {
    (void)task_at(stage, 1, 0);  // makes the table of frequencies
    measure(stage.name, seconds,
            [&](std::uint64_t i) { return make_sample(stage, 1, i, Split::train); });
  }
  return 0;
}
