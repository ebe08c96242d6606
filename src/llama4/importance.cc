#include "llama4/importance.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/byte_reader.h"
#include "checkpoint/gguf.h"
#include "checkpoint/gguf_writer.h"
#include "llama4/gguf_export.h"

namespace herd::llama4 {
namespace {

constexpr std::string_view sums_end = ".in_sum2", counts_end = ".counts";

Result<std::vector<double>> numbers_of(const checkpoint::GgufTensor& tensor,
                                       std::span<const std::byte> file) {
  if (tensor.dtype != DType::f32)
    return fail(Code::bad_header, "{} is {}, wanted f32", tensor.name, row_of(tensor.dtype).name);
  std::vector<float> numbers(static_cast<std::size_t>(tensor.shape.elements()));
  std::memcpy(numbers.data(), file.data() + tensor.begin, numbers.size() * sizeof(float));
  for (const float number : numbers)
    if (!(number >= 0) || !std::isfinite(number))
      return fail(Code::bad_header, "{} has {}, wanted sums of squares and counts", tensor.name,
                  number);
  return std::vector<double>(numbers.begin(), numbers.end());
}

Result<Importance> read_gguf(std::span<const std::byte> file) {
  HERD_TRY(const checkpoint::GgufHeader header, checkpoint::parse_gguf(file));
  HERD_TRY(const auto type, header.text("general.type"));
  if (type != "imatrix")
    return fail(Code::bad_header, "general.type is \"{}\", wanted \"imatrix\"",
                type.value_or("not there"));
  Importance out;
  HERD_TRY(const auto texts, header.texts("imatrix.datasets"));
  if (texts) out.texts.assign(texts->begin(), texts->end());
  HERD_TRY(const auto windows, header.integer("imatrix.chunk_count"));
  HERD_TRY(const auto tokens, header.integer("imatrix.chunk_size"));
  out.windows = static_cast<std::uint32_t>(windows.value_or(0));
  out.window_tokens = static_cast<std::uint32_t>(tokens.value_or(0));
  std::map<std::string_view, const checkpoint::GgufTensor*> by_name;
  for (const auto& tensor : header.tensors) by_name[tensor.name] = &tensor;
  for (const auto& [name, tensor] : by_name) {
    if (!name.ends_with(sums_end)) continue;
    const std::string whole(name.substr(0, name.size() - sums_end.size()));
    const auto counts = by_name.find(whole + std::string(counts_end));
    if (counts == by_name.end())
      return fail(Code::tensor_missing, "{} has no {}{} beside it", name, whole, counts_end);
    InputSums& sums = out.tensors[whole];
    HERD_TRY(sums.squares, numbers_of(*tensor, file));
    HERD_TRY(sums.counts, numbers_of(*counts->second, file));
    if (sums.counts.empty() || sums.squares.size() % sums.counts.size() != 0)
      return fail(Code::tensor_mismatch, "{} has {} numbers for {} counts", name,
                  sums.squares.size(), sums.counts.size());
  }
  return out;
}

// llama.cpp's older form: means times the number of windows, for all experts the same.
Result<Importance> read_dat(std::span<const std::byte> file) {
  constexpr std::int32_t entries_max = 1 << 20, name_max = 1 << 12;
  ByteReader reader(file);
  HERD_TRY(const auto entries, reader.pod<std::int32_t>());
  if (entries < 1 || entries > entries_max)
    return fail(Code::bad_header, "neither a GGUF file nor an importance matrix: {} entries",
                entries);
  Importance out;
  for (std::int32_t i = 0; i < entries; ++i) {
    HERD_TRY(const auto length, reader.pod<std::int32_t>());
    if (length < 1 || length > name_max)
      return fail(Code::bad_header, "entry {} has a name of {} bytes", i, length);
    HERD_TRY(const std::string_view name, reader.text(static_cast<std::uint64_t>(length)));
    HERD_TRY(const auto windows, reader.pod<std::int32_t>());
    HERD_TRY(const auto count, reader.pod<std::int32_t>());
    if (windows < 0 || count < 1)
      return fail(Code::bad_header, "{} has {} values of {} windows", shown(name), count, windows);
    HERD_TRY(const auto bytes, reader.bytes(static_cast<std::uint64_t>(count) * sizeof(float)));
    InputSums& sums = out.tensors[std::string(name)];
    sums.counts = {static_cast<double>(windows)};
    sums.squares.clear();
    for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k) {
      float value = 0;
      std::memcpy(&value, bytes.data() + k * sizeof value, sizeof value);
      if (!(value >= 0) || !std::isfinite(value))
        return fail(Code::bad_header, "{} has {}, wanted sums of squares", shown(name), value);
      sums.squares.push_back(value);
    }
  }
  return out;
}

}  // namespace

Result<Importance> read_importance(const fs::path& path) {
  HERD_TRY(const Mapping file, Mapping::open(path));
  const std::span<const std::byte> bytes = file.bytes();
  const bool gguf = bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
  Result<Importance> out = gguf ? read_gguf(bytes) : read_dat(bytes);
  if (!out) return fail(out.error().code, "{}: {}", path.string(), out.error().message);
  return out;
}

Result<void> write_importance(const Importance& importance, const fs::path& path) {
  checkpoint::GgufKeys keys;
  keys.put("general.type", "imatrix");
  keys.put("imatrix.datasets", std::span<const std::string>(importance.texts));
  keys.put("imatrix.chunk_count", importance.windows);
  keys.put("imatrix.chunk_size", importance.window_tokens);
  std::vector<checkpoint::PlannedTensor> planned;
  for (const auto& [name, sums] : importance.tensors) {
    const auto matrices = static_cast<std::int64_t>(sums.counts.size());
    const auto in = static_cast<std::int64_t>(sums.squares.size()) / matrices;
    planned.push_back({name + std::string(sums_end), DType::f32, {matrices, in}});
    planned.push_back({name + std::string(counts_end), DType::f32, {matrices, 1}});
  }
  HERD_TRY(auto file, checkpoint::GgufWriter::create(path, keys, planned));
  for (const auto& [name, sums] : importance.tensors)
    for (const std::vector<double>* numbers : {&sums.squares, &sums.counts}) {
      const std::vector<float> floats(numbers->begin(), numbers->end());
      HERD_TRY_VOID(file.write(std::as_bytes(std::span(floats))));
    }
  return file.finish();
}

namespace {

struct HeadFinder final : nn::ParameterVisitor {
  explicit HeadFinder(Model& model) { model.parameters(*this); }
  const Matrix* head = nullptr;
  void matrix(std::string_view name, Matrix& matrix) override {
    if (name == "lm_head.weight") head = &matrix;
  }
  void vector(std::string_view, Tensor&) override {}
  void experts(std::string_view, nn::ExpertMatrices&) override {}
};

}  // namespace

ImportanceCollector::ImportanceCollector(Model& model) {
  for (const GgufMatrices& tensor : gguf_matrices(model)) {
    InputSums& sums = tensors_[tensor.name];
    sums.counts.assign(tensor.matrices.size(), 0);
    sums.squares.assign(
        tensor.matrices.size() * static_cast<std::size_t>(tensor.matrices.front()->in), 0);
    for (std::size_t m = 0; m < tensor.matrices.size(); ++m)
      places_.emplace(tensor.matrices[m]->data, Place{&sums, m});  // tied ones: the embedding
  }
  // Once packed, a tied output matrix lies elsewhere than the embedding that it is written as.
  const auto tied = tensors_.find("token_embd.weight");
  if (!model.config().text.ties_embeddings || tied == tensors_.end()) return;
  if (const Matrix* head = HeadFinder(model).head)
    places_.emplace(head->data, Place{&tied->second, 0});
}

void ImportanceCollector::saw(const Tensor& x_TI, std::span<const MatmulGroup> groups) {
  const auto in = static_cast<std::size_t>(x_TI.shape[-1]);
  for (const MatmulGroup& group : groups) {
    const auto found = places_.find(group.weight.data);
    if (found == places_.end()) continue;
    const auto [sums, matrix] = found->second;
    double* squares = sums->squares.data() + matrix * in;
    for (std::int64_t row = group.row_begin; row < group.row_end; ++row) {
      const float* x = x_TI.as<float>().data() + static_cast<std::size_t>(row) * in;
      for (std::size_t i = 0; i < in; ++i) squares[i] += double{x[i]} * double{x[i]};
    }
    sums->counts[matrix] += static_cast<double>(group.row_end - group.row_begin);
  }
}

std::map<std::string, InputSums, std::less<>> ImportanceCollector::take() {
  std::erase_if(tensors_, [](const auto& one) {
    return std::ranges::all_of(one.second.counts, [](double count) { return count == 0; });
  });
  places_.clear();
  return std::move(tensors_);
}

namespace {

// Mean squares of each matrix; those that saw too few rows get the mean of all, and are told.
std::vector<double> means_of(const InputSums& sums, std::size_t matrices,
                             std::vector<std::size_t>& few) {
  const std::size_t in = sums.squares.size() / matrices;
  const bool told_apart = sums.counts.size() == matrices;
  std::vector<double> all(in), means(sums.squares.size());
  double rows = 0;
  const auto is_zero = [](double square) { return square == 0; };
  for (std::size_t m = 0; m < matrices; ++m) {
    const std::span<const double> squares = std::span(sums.squares).subspan(m * in, in);
    const double count = sums.counts[told_apart ? m : 0];
    const bool unseen = std::ranges::all_of(squares, is_zero);
    if (unseen || (told_apart && matrices > 1 && count < ImportanceWeights::rows_min))
      few.push_back(m);
    if (unseen || count == 0) continue;
    rows += count;
    for (std::size_t i = 0; i < in; ++i) {
      all[i] += squares[i];
      means[m * in + i] = squares[i] / count;
    }
  }
  if (rows == 0) return {};
  for (const std::size_t m : few)
    for (std::size_t i = 0; i < in; ++i) means[m * in + i] = all[i] / rows;
  return means;
}

}  // namespace

Result<ImportanceWeights> ImportanceWeights::create(const Importance& importance, Model& model) {
  // Of the mean: an input that was always zero may not be in other texts.
  constexpr double weight_min = 1e-4;
  ImportanceWeights out;
  std::size_t known = 0;
  for (const GgufMatrices& tensor : gguf_matrices(model)) {
    const auto found = importance.tensors.find(tensor.name);
    if (found == importance.tensors.end()) {
      if (tensor.name != "token_embd.weight")  // rows of it are taken, nothing goes in
        out.notes_.push_back(fmt::format("the importance matrix does not have {}", tensor.name));
      continue;
    }
    ++known;
    const InputSums& sums = found->second;
    const std::size_t matrices = tensor.matrices.size();
    const auto in = static_cast<std::size_t>(tensor.matrices.front()->in);
    if (sums.squares.size() != matrices * in ||
        (sums.counts.size() != matrices && sums.counts.size() != 1))
      return fail(Code::tensor_mismatch,
                  "the importance matrix has {} numbers and {} counts for {}, wanted {} x {}",
                  sums.squares.size(), sums.counts.size(), tensor.name, matrices, in);
    std::vector<std::size_t> few;
    const std::vector<double> means = means_of(sums, matrices, few);
    if (means.empty()) {
      out.notes_.push_back(
          fmt::format("nothing went into {} when importances were gathered", tensor.name));
      continue;
    }
    if (!few.empty())
      out.notes_.push_back(
          fmt::format("{}: {} of {} experts saw fewer than {} tokens and get the mean of the "
                      "layer's: {}",
                      tensor.name, few.size(), matrices, rows_min, fmt::join(few, " ")));
    Rows& rows = out.tensors_[tensor.name];
    rows.in = static_cast<std::int64_t>(in);
    for (std::size_t m = 0; m < matrices; ++m) {
      double mean = 0;
      for (std::size_t i = 0; i < in; ++i) mean += means[m * in + i] / static_cast<double>(in);
      for (std::size_t i = 0; i < in; ++i)
        rows.weights.push_back(static_cast<float>(std::max(weight_min, means[m * in + i] / mean)));
    }
  }
  if (known < importance.tensors.size())
    out.notes_.insert(out.notes_.begin(),
                      fmt::format("{} of the importance matrix's {} tensors are not of this model: "
                                  "it may be of another one",
                                  importance.tensors.size() - known, importance.tensors.size()));
  return out;
}

const float* ImportanceWeights::find(std::string_view name, std::int64_t matrix) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return nullptr;
  return found->second.weights.data() + matrix * found->second.in;
}

}  // namespace herd::llama4
