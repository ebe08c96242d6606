#include "train/curves.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace herd::train {
namespace {

constexpr std::string_view header =
    "step,stage,tokens,loss,held_out,rate,gradient,tokens_per_s,worst_load,unused_experts,"
    "skipped\n";
constexpr std::uint64_t bytes_max = std::uint64_t{1} << 30;

}  // namespace

Result<Curves> Curves::open(const fs::path& path, std::int64_t step) {
  std::string kept(header);
  if (fs::exists(path)) {
    HERD_TRY(const std::string text, read_file(path, bytes_max));
    for (std::size_t begin = std::min(text.find('\n'), text.size() - 1) + 1; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) break;  // a line that was cut off
      if (std::strtoll(text.c_str() + begin, nullptr, 10) <= step)
        kept.append(text, begin, end + 1 - begin);
      begin = end + 1;
    }
  }
  HERD_TRY_VOID(write_file(path, std::string_view(kept)));
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr)
    return fail(Code::cannot_create, "{}: {}", path.string(), std::strerror(errno));
  return Curves(file);
}

Curves::~Curves() {
  if (file_ != nullptr) std::fclose(file_);
}

Result<void> Curves::add(const StepReport& report) {
  fmt::print(file_, "{},{},{},{:.6f},{},{:.6g},{:.6g},{:.0f},{:.3f},{},{}\n", report.step,
             report.stage, report.tokens, report.loss,
             report.held_out ? fmt::format("{:.6f}", *report.held_out) : "", report.rate,
             report.gradient, static_cast<double>(report.step_tokens) / report.seconds,
             report.worst_load, report.unused_experts, report.skipped ? 1 : 0);
  if (std::fflush(file_) != 0)
    return fail(Code::io_failed, "the log of the training: {}", std::strerror(errno));
  return {};
}

}  // namespace herd::train
