// GGUF files as a Store: one file, or the shards of one model ("model-00001-of-00003.gguf"), and the file of its vision
// encoder (mmproj).
#include <algorithm>
#include <charconv>

#include "base/limits.h"
#include "checkpoint/store.h"

namespace herd::checkpoint {
namespace {

constexpr std::string_view extension = ".gguf";
constexpr std::size_t digits = 5;

struct Numbered {
  std::string stem;  // before "-00001-of-00003"
  std::uint64_t number = 0, count = 0;
};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Numbered> numbered(std::string_view name) {
  constexpr std::string_view of = "-of-";
  constexpr std::size_t tail = 1 + digits + of.size() + digits;
  if (!name.ends_with(extension)) return std::nullopt;
  name.remove_suffix(extension.size());
  if (name.size() <= tail) return std::nullopt;
  const std::string_view end = name.substr(name.size() - tail);
  if (end[0] != '-' || end.substr(1 + digits, of.size()) != of) return std::nullopt;
  const auto number = number_of(end.substr(1, digits));
  const auto count = number_of(end.substr(tail - digits));
  if (!number || !count || *number == 0 || *number > *count) return std::nullopt;
  return Numbered{std::string(name.substr(0, name.size() - tail)), *number, *count};
}

bool is_projector(const fs::path& path) {
  return path.extension() == extension && path.filename().string().contains("mmproj");
}

}  // namespace

std::string gguf_shard_name(std::string_view stem, std::uint64_t number, std::uint64_t count) {
  return fmt::format("{}-{:05}-of-{:05}{}", stem, number, count, extension);
}

std::vector<fs::path> gguf_shards(const fs::path& path) {
  const auto named = numbered(path.filename().string());
  if (!named) return {path};
  std::vector<fs::path> out;
  for (std::uint64_t i = 1; i <= std::min<std::uint64_t>(named->count, limits::shards_max); ++i)
    out.push_back(path.parent_path() / gguf_shard_name(named->stem, i, named->count));
  return out;
}

std::vector<fs::path> find_projectors(const fs::path& model) {
  if (is_projector(model)) return {};
  const fs::path directory = model.has_parent_path() ? model.parent_path() : fs::path(".");
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (is_projector(entry.path())) found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

Result<void> Store::add_gguf(const fs::path& path, std::vector<GgufHeader>& headers) {
  HERD_TRY(Mapping mapping, Mapping::open(path));
  auto header = parse_gguf(mapping.bytes());
  if (!header) return std::unexpected(std::move(header).error().in(path.filename().string()));
  for (const GgufTensor& tensor : header->tensors) {
    const auto view = mapping.bytes().subspan(tensor.begin, tensor.end - tensor.begin);
    tensors_.push_back({.name = std::string(tensor.name),
                        .dtype = tensor.dtype,
                        .shape = tensor.shape,
                        .data = view.data(),
                        .bytes = view.size(),
                        .shard = shards_,
                        .packed = tensor.packed});
  }
  files_.push_back(std::move(mapping));
  headers.push_back(*std::move(header));
  ++shards_;
  return {};
}

Result<void> Store::open_gguf(const fs::path& path, const fs::path& projector,
                              const Progress& progress) {
  format_ = Format::gguf;
  const std::vector<fs::path> shards = gguf_shards(path);
  for (const fs::path& shard : shards)
    if (std::error_code error; !fs::is_regular_file(shard, error))
      return fail_with_hint(
          Code::shard_invalid,
          fmt::format("missing shard {} of {}", shard.filename().string(), shards.size()),
          "the download is not complete; fetch the file again");
  std::uint64_t total = 0, done = 0;
  for (const fs::path& shard : shards) {
    std::error_code error;  // a file that is gone meanwhile is told when it is opened
    const std::uintmax_t bytes = fs::file_size(shard, error);
    if (!error) total += bytes;
  }
  const auto add = [&](const fs::path& file, std::vector<GgufHeader>& headers) -> Result<void> {
    HERD_TRY_VOID(add_gguf(file, headers));
    done += files_.back().bytes().size();
    if (progress) progress(file.filename().string(), done, std::max(done, total));
    return {};
  };
  for (const fs::path& shard : shards) HERD_TRY_VOID(add(shard, gguf_));
  if (gguf_.front().packed) format_ = Format::packed;
  HERD_TRY(const auto stated, gguf_.front().integer("split.count"));
  if (stated && *stated > 1 && static_cast<std::uint64_t>(*stated) != shards.size())
    return fail_with_hint(
        Code::shard_invalid,
        fmt::format("{}: split.count is {}, but the name tells of {}", path.filename().string(),
                    *stated, shards.size()),
        "shards keep the names that they were published under: MODEL-00001-of-00003.gguf");
  HERD_TRY(const auto tensors, gguf_.front().integer("split.tensors.count"));
  if (tensors && shards.size() > 1 && static_cast<std::uint64_t>(*tensors) != tensors_.size())
    return fail(Code::shard_invalid, "split.tensors.count is {}, but the {} shards have {} tensors",
                *tensors, shards.size(), tensors_.size());
  const std::size_t of_text = tensors_.size();
  if (!projector.empty()) HERD_TRY_VOID(add(projector, projector_));

  // Names once over all files.
  std::ranges::sort(tensors_, {}, &StoredTensor::name);
  const auto twice = std::ranges::adjacent_find(tensors_, {}, &StoredTensor::name);
  if (twice != tensors_.end())
    return fail(Code::duplicate_tensor, "tensor {} is in {} and in {}", shown(twice->name),
                files_[twice->shard].path().filename().string(),
                files_[std::next(twice)->shard].path().filename().string());
  if (of_text == 0) notes_.push_back(path.filename().string() + " has no tensors");
  return {};
}

}  // namespace herd::checkpoint
