#include "checkpoint/store.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/json.h"
#include "base/limits.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch_file.h"

namespace herd::checkpoint {
namespace {

constexpr std::string_view single_name = "model.safetensors";
constexpr std::string_view index_name = "model.safetensors.index.json";

// Sizes of files that may be missing: 0 then.
std::uint64_t size_or_zero(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<std::uint64_t>(size);
}

std::string meta_name(std::size_t shard) { return fmt::format("consolidated.{:02}.pth", shard); }
std::string scales_name(std::size_t shard) { return fmt::format("fp8_scales_{}.pt", shard); }

bool by_name_then_shard(const StoredTensor& a, const StoredTensor& b) {
  return a.name != b.name ? a.name < b.name : a.shard < b.shard;
}

// "'a', 'b' and 3 more"
std::string listed(const std::vector<std::string>& names, std::size_t shown_max = 3) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), shown_max); ++i)
    out += (i == 0 ? "" : ", ") + shown(names[i]);
  if (names.size() > shown_max) out += fmt::format(" and {} more", names.size() - shown_max);
  return out;
}

// A directory without weights that herd reads: says what it has instead.
std::unexpected<Error> no_weights(const fs::path& directory) {
  constexpr std::array<std::string_view, 5> executable{".bin", ".pt", ".pth", ".pkl", ".ckpt"};
  std::error_code error;
  std::string found;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string extension = entry.path().extension().string();
    const std::string name = entry.path().filename().string();
    if (std::ranges::find(executable, extension) != executable.end() &&
        (found.empty() || name < found))
      found = name;
  }
  if (!found.empty())
    return fail_with_hint(
        Code::refused,
        fmt::format("{}: {} is a pickle of unknown kind, and loading such a file can run the code "
                    "in it",
                    directory.string(), shown(found)),
        "herd reads *.safetensors and Meta's consolidated.NN.pth; convert the file with the "
        "program that wrote it");
  return fail_with_hint(Code::missing_input, fmt::format("{}: has no weights", directory.string()),
                        "looked for model.safetensors, model.safetensors.index.json and "
                        "consolidated.00.pth");
}

}  // namespace

Result<ShardIndex> parse_shard_index(std::string_view text) {
  HERD_TRY(const json::value root, parse_json(text));
  const json::value* weight_map = find(root, "weight_map");
  const json::object* entries = weight_map == nullptr ? nullptr : weight_map->if_object();
  if (entries == nullptr)
    return fail(Code::shard_invalid, "'weight_map' is missing or is no object");
  if (entries->empty()) return fail(Code::shard_invalid, "'weight_map' lists no tensors");

  ShardIndex index;
  for (const auto& entry : *entries) {
    const std::string_view tensor(entry.key().data(), entry.key().size());
    const json::string* shard = entry.value().if_string();
    if (shard == nullptr)
      return fail(Code::shard_invalid, "the shard of tensor {} is no string", shown(tensor));
    const std::string_view name(shard->data(), shard->size());
    if (!is_plain_file_name(name))
      return fail(Code::shard_invalid,
                  "illegal shard name {} (of tensor {}): wanted a file name of A-Z a-z 0-9 . _ -",
                  shown(name), shown(tensor));
    if (!name.ends_with(".safetensors"))
      return fail(Code::shard_invalid, "shard {} (of tensor {}) is not a .safetensors file",
                  shown(name), shown(tensor));
    index.shard_of.emplace_back(tensor, name);
    index.shards.emplace_back(name);
  }
  std::ranges::sort(index.shard_of);
  std::ranges::sort(index.shards);
  index.shards.erase(std::ranges::unique(index.shards).begin(), index.shards.end());
  if (index.shards.size() > limits::shards_max)
    return fail(Code::shard_invalid, "{} shards, limit {}", index.shards.size(),
                limits::shards_max);

  const json::value* metadata = find(root, "metadata");
  const json::value* size = metadata == nullptr ? nullptr : find(*metadata, "total_size");
  json::error_code ignored;  // an odd size is a note for later, at most
  if (size != nullptr) index.total_size = size->to_number<std::uint64_t>(ignored);
  return index;
}

Result<Store> Store::open(const fs::path& directory, const Progress& progress,
                          const fs::path& projector) {
  std::error_code error;
  if (fs::is_regular_file(directory, error)) {
    Store store;
    HERD_TRY_VOID(store.open_gguf(directory, projector, progress));
    return store;
  }
  if (!fs::is_directory(directory, error))
    return fail(Code::missing_input, "{}: is not a directory", directory.string());
  Store store;
  if (fs::exists(directory / single_name, error)) {
    HERD_TRY_VOID(store.open_single(directory / single_name, progress));
  } else if (fs::exists(directory / index_name, error)) {
    HERD_TRY_VOID(store.open_sharded(directory, progress));
  } else if (fs::exists(directory / meta_name(0), error)) {
    HERD_TRY_VOID(store.open_meta(directory, progress));
  } else {
    return no_weights(directory);
  }
  std::ranges::sort(store.tensors_, by_name_then_shard);
  return store;
}

Result<void> Store::open_single(const fs::path& path, const Progress& progress) {
  HERD_TRY_VOID(add_safetensors(path));
  const std::uint64_t size = files_.back().bytes().size();
  if (progress) progress(path.filename().string(), size, size);
  return {};
}

Result<void> Store::open_sharded(const fs::path& directory, const Progress& progress) {
  HERD_TRY(const std::string text, read_file(directory / index_name, limits::json_bytes_max));
  auto parsed = parse_shard_index(text);
  if (!parsed) return std::unexpected(std::move(parsed).error().in(index_name));
  const ShardIndex& index = *parsed;

  std::map<std::string_view, std::vector<std::string>> wanted;  // shard -> sorted tensor names
  for (const auto& [tensor, shard] : index.shard_of) wanted[shard].push_back(tensor);
  std::uint64_t total = 0;
  for (const std::string& shard : index.shards) total += size_or_zero(directory / shard);
  std::uint64_t done = 0;
  for (const std::string& shard : index.shards) {
    const std::vector<std::string>& names = wanted[shard];
    if (std::error_code error; !fs::exists(directory / shard, error))
      return fail_with_hint(Code::shard_invalid,
                            fmt::format("{}: missing shard {} (listed by {} {})", index_name, shard,
                                        names.size(), names.size() == 1 ? "tensor" : "tensors"),
                            "the download is not complete; fetch the file again");
    const std::size_t first = tensors_.size();
    HERD_TRY_VOID(add_safetensors(directory / shard));
    std::vector<std::string> present;
    for (std::size_t i = first; i < tensors_.size(); ++i) present.push_back(tensors_[i].name);

    std::vector<std::string> lacking;
    std::vector<std::string> unlisted;
    std::ranges::set_difference(names, present, std::back_inserter(lacking));
    std::ranges::set_difference(present, names, std::back_inserter(unlisted));
    if (!lacking.empty())
      return fail(Code::shard_invalid, "{}: lists {} in {}, which does not have {}", index_name,
                  listed(lacking), shard, lacking.size() == 1 ? "it" : "them");
    if (!unlisted.empty())
      return fail(Code::shard_invalid, "{}: does not list {} in {}, which has {}", index_name,
                  listed(unlisted), shard, unlisted.size() == 1 ? "it" : "them");
    done += files_.back().bytes().size();
    if (progress) progress(shard, done, total);
  }
  if (index.total_size != 0 && index.total_size != bytes())
    notes_.push_back(fmt::format("{}: total_size is {}, but the tensors have {} bytes", index_name,
                                 index.total_size, bytes()));
  return {};
}

Result<void> Store::add_safetensors(const fs::path& path) {
  HERD_TRY(Mapping mapping, Mapping::open(path));
  auto header = parse_safetensors(mapping.bytes());
  if (!header) return std::unexpected(std::move(header).error().in(path.filename().string()));
  for (SafetensorsEntry& entry : header->tensors) {
    const auto view = mapping.bytes().subspan(entry.begin, entry.end - entry.begin);
    tensors_.push_back({.name = std::move(entry.name),
                        .dtype = entry.dtype,
                        .shape = entry.shape,
                        .data = view.data(),
                        .bytes = view.size(),
                        .shard = shards_});
  }
  files_.push_back(std::move(mapping));
  ++shards_;
  return {};
}

Result<void> Store::open_meta(const fs::path& directory, const Progress& progress) {
  format_ = Format::meta;
  std::error_code error;
  if (fs::exists(directory / "int4_scales_0.pt", error))
    return fail_with_hint(
        Code::refused,
        fmt::format("{}: Meta's pre-quantized int4 files are not supported", directory.string()),
        "use the bf16 or FP8 release");
  std::uint64_t total = 0;
  while (fs::exists(directory / meta_name(shards_), error) && shards_ < limits::shards_max)
    total += size_or_zero(directory / meta_name(shards_++));
  // A gap in the numbers is a download cut off, not a smaller model.
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("consolidated.") && name.ends_with(".pth") && name > meta_name(shards_))
      return fail_with_hint(
          Code::shard_invalid,
          fmt::format("missing shard {} ({} is there)", meta_name(shards_), shown(name)),
          "the download is not complete; fetch the file again");
  }
  std::uint64_t done = 0;
  for (std::size_t shard = 0; shard < shards_; ++shard) {
    HERD_TRY_VOID(add_torch(directory / meta_name(shard), shard));
    done += files_.back().bytes().size();
    if (progress) progress(meta_name(shard), done, total);
  }
  if (!fs::exists(directory / scales_name(0), error)) return {};
  for (std::size_t shard = 0; shard < shards_; ++shard)
    HERD_TRY_VOID(add_torch(directory / scales_name(shard), shard));
  return {};
}

Result<void> Store::add_torch(const fs::path& path, std::size_t shard) {
  HERD_TRY(Mapping mapping, Mapping::open(path));
  auto file = parse_torch_file(mapping.bytes());
  if (!file) return std::unexpected(std::move(file).error().in(path.filename().string()));
  for (TorchTensor& tensor : file->tensors)
    tensors_.push_back({.name = std::move(tensor.name),
                        .dtype = tensor.dtype,
                        .shape = tensor.shape,
                        .data = tensor.bytes.data(),
                        .bytes = tensor.bytes.size(),
                        .shard = shard});
  for (std::vector<std::byte>& owned : file->storage) storage_.push_back(std::move(owned));
  files_.push_back(std::move(mapping));
  return {};
}

const StoredTensor* Store::find(std::string_view name, std::size_t shard) const {
  const bool by_shard = format_ == Format::meta;
  const auto at = std::ranges::lower_bound(
      tensors_, std::pair(name, by_shard ? shard : 0), {}, [&](const StoredTensor& tensor) {
        return std::pair(std::string_view(tensor.name), by_shard ? tensor.shard : 0);
      });
  if (at == tensors_.end() || at->name != name) return nullptr;
  return !by_shard || at->shard == shard ? &*at : nullptr;
}

std::uint64_t Store::bytes() const {
  std::uint64_t sum = 0;
  for (const StoredTensor& tensor : tensors_) sum += tensor.bytes;
  return sum;
}

}  // namespace herd::checkpoint
