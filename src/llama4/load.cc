#include "llama4/load.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "kernels/packed.h"
#include "kernels/table.h"
#include "llama4/gguf.h"
#include "llama4/meta.h"

namespace herd::llama4 {
namespace {

constexpr std::size_t names_shown_max = 5;
constexpr std::string_view no_encoder = "none";  // as a file of one

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), names_shown_max); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", names[i]);
  if (names.size() > names_shown_max)
    text += fmt::format(" and {} more", names.size() - names_shown_max);
  return text;
}

// Any weight type to float32, through the one kernel that knows them all.
void to_float(const NamedTensor& from, std::vector<float>& out) {
  const std::int32_t row = 0;
  ref_kernels().gather({.table = from.data,
                        .dtype = from.dtype,
                        .row = &row,
                        .factor = nullptr,
                        .y = out.data(),
                        .R = 1,
                        .D = static_cast<std::int64_t>(out.size())},
                       Lane{});
}

// Finds each parameter in the files, checks shape and type, and points the layer at it.
class Binder final : public nn::ParameterVisitor {
 public:
  Binder(const TensorMap& tensors, std::deque<std::vector<float>>& floats)
      : tensors_(tensors), floats_(floats) {}

  void matrix(std::string_view name, Matrix& matrix) override {
    const NamedTensor* found = take(name, {matrix.out, matrix.in});
    if (found == nullptr) return;
    if (found->packed && !is_packed_in_stores(name, found->dtype)) {
      mismatched_.push_back(fmt::format("{} is in packed blocks, wanted rows", name));
      return;
    }
    point(matrix, *found, found->data);
    if (found->packed) {
      matrix = packed_matrix(found->dtype, matrix.out, matrix.in, found->data);
    }
    matrix.scale = scale_of(name, matrix.out);
  }

  void vector(std::string_view name, Tensor& vector) override {
    const NamedTensor* found = take(name, vector.shape);
    if (found == nullptr) return;
    if (found->packed) {
      mismatched_.push_back(fmt::format("{} is in packed blocks, wanted numbers", name));
      return;
    }
    std::vector<float>& numbers =
        floats_.emplace_back(static_cast<std::size_t>(vector.shape.elements()));
    to_float(*found, numbers);
    vector.data = numbers.data();
  }

  void experts(std::string_view name, nn::ExpertMatrices& experts) override {
    const std::string fused = fmt::format("{}.gate_up_proj", name);
    if (tensors_.find(fused) != nullptr) {
      bind_fused(name, fused, experts);
      return;
    }
    for (std::size_t e = 0; e < experts.gate.size(); ++e) {
      matrix(fmt::format("{}.{}.gate_proj.weight", name, e), experts.gate[e]);
      matrix(fmt::format("{}.{}.up_proj.weight", name, e), experts.up[e]);
      matrix(fmt::format("{}.{}.down_proj.weight", name, e), experts.down[e]);
    }
  }

  [[nodiscard]] Result<void> verdict() const {
    if (!missing_.empty())
      return fail(Code::tensor_missing, "{} tensors are missing: {}", missing_.size(),
                  listed(missing_));
    if (!mismatched_.empty())
      return fail(Code::tensor_mismatch, "{} tensors do not fit the configuration: {}",
                  mismatched_.size(), listed(mismatched_));
    return {};
  }

  [[nodiscard]] DType commonest_type() const {
    std::size_t best = 0;
    for (std::size_t type = 0; type < elements_.size(); ++type)
      if (elements_[type] > elements_[best]) best = type;
    return static_cast<DType>(best);
  }

 private:
  // Hugging Face's fused experts, input-major: gate_up [E, D, 2I] with gate in columns [0, I), down [E, I, D].
  void bind_fused(std::string_view name, const std::string& fused, nn::ExpertMatrices& experts) {
    const auto count = static_cast<std::int64_t>(experts.gate.size());
    const std::int64_t width = experts.gate[0].in, inner = experts.gate[0].out;
    const NamedTensor* gate_up = take(fused, {count, width, 2 * inner});
    const NamedTensor* down = take(fmt::format("{}.down_proj", name), {count, inner, width});
    if (gate_up == nullptr || down == nullptr) return;
    // Half a row begins at an element, which numbers in blocks have no place for.
    for (const auto& [part, end] : {std::pair{gate_up, "gate_up_proj"}, {down, "down_proj"}})
      if (part->packed || row_of(part->dtype).block > 1) {
        mismatched_.push_back(fmt::format("{}.{} is fused experts in {}, wanted numbers one by one",
                                          name, end, row_of(part->dtype).name));
        return;
      }
    const auto element = static_cast<std::int64_t>(row_of(gate_up->dtype).bytes);
    const auto down_element = static_cast<std::int64_t>(row_of(down->dtype).bytes);
    for (std::int64_t e = 0; e < count; ++e) {
      const auto expert = static_cast<std::size_t>(e);
      const std::byte* both = gate_up->data + e * width * 2 * inner * element;
      for (auto [matrix, offset] :
           {std::pair{&experts.gate[expert], std::int64_t{0}}, {&experts.up[expert], inner}}) {
        point(*matrix, *gate_up, both + offset * element);
        matrix->layout = Layout::in_out;
        matrix->stride = 2 * inner;
      }
      point(experts.down[expert], *down, down->data + e * inner * width * down_element);
      experts.down[expert].layout = Layout::in_out;
      experts.down[expert].stride = width;
    }
  }

  const NamedTensor* take(std::string_view name, const Shape& wanted) {
    const NamedTensor* found = tensors_.find(name);
    if (found == nullptr) {
      missing_.emplace_back(name);
      return nullptr;
    }
    if (!(found->shape == wanted)) {
      mismatched_.push_back(
          fmt::format("{} is {}, wanted {}", name, found->shape.text(), wanted.text()));
      return nullptr;
    }
    if (!row_of(found->dtype).is_weight) {
      mismatched_.push_back(
          fmt::format("{} is {}, wanted a weight type", name, row_of(found->dtype).name));
      return nullptr;
    }
    return found;
  }

  void point(Matrix& matrix, const NamedTensor& tensor, const std::byte* data) {
    matrix.data = data;
    matrix.dtype = tensor.dtype;
    elements_[static_cast<std::size_t>(tensor.dtype)] += matrix.out * matrix.in;
  }

  // "x.weight_scale" beside "x.weight", one number an output; FP8 checkpoints have them.
  const float* scale_of(std::string_view name, std::int64_t out) {
    const NamedTensor* scale = tensors_.find(fmt::format("{}_scale", name));
    if (scale == nullptr) return nullptr;
    if (scale->shape.elements() != out) {
      mismatched_.push_back(fmt::format("{}_scale is {}, wanted one number an output, {}", name,
                                        scale->shape.text(), out));
      return nullptr;
    }
    std::vector<float>& numbers = floats_.emplace_back(static_cast<std::size_t>(out));
    to_float(*scale, numbers);
    return numbers.data();
  }

  const TensorMap& tensors_;
  std::deque<std::vector<float>>& floats_;
  std::vector<std::string> missing_, mismatched_;
  std::array<std::int64_t, dtype_table.size()> elements_{};
};

// Some files have their vision encoder within.
bool has_encoder_within(const checkpoint::Store& text) {
  return !text.gguf().empty() && text.gguf().front().find("llama4.vision.block_count") != nullptr;
}

// Whether a vision encoder gives vectors of the width that a model takes; folders hold files of several models.
Result<bool> gives_width_of(const fs::path& projector, const checkpoint::Store& text) {
  HERD_TRY(const checkpoint::Store vision, checkpoint::Store::open(projector));
  HERD_TRY(const auto given, vision.gguf().front().integer("clip.vision.projection_dim"));
  HERD_TRY(const auto taken, text.gguf().front().integer("llama4.embedding_length"));
  return !given || !taken || *given == *taken;
}

// "mmproj-cria.gguf" and "cria-mmproj.gguf" are of "cria.gguf".
bool is_named_after(const fs::path& projector, const fs::path& model) {
  const std::string name = projector.stem().string(), of = model.stem().string();
  return name.size() == of.size() + std::string_view("-mmproj").size() &&
         (name.starts_with(of) || name.ends_with(of));
}

// The vision encoders beside a model's file that give its width: those with its name in theirs first, then by name.
// None for a model that has its own within.
Result<std::vector<fs::path>> encoders_beside(const fs::path& model) {
  const std::vector<fs::path> projectors = checkpoint::find_projectors(model);
  std::vector<fs::path> out;
  if (projectors.empty()) return out;
  HERD_TRY(const checkpoint::Store text, checkpoint::Store::open(model));
  if (has_encoder_within(text)) return out;
  for (const fs::path& file : projectors) {
    const Result<bool> ours = gives_width_of(file, text);
    if (!ours)
      return fail_with_hint(ours.error().code, ours.error().message,
                            "--mmproj none leaves the vision encoder out");
    if (*ours) out.push_back(file);
  }
  std::ranges::stable_partition(out,
                                [&](const fs::path& file) { return is_named_after(file, model); });
  return out;
}

// A file that is named would be used by nobody where the model has an encoder within.
Result<void> expect_use_of(const fs::path& projector, const fs::path& model) {
  if (projector.empty() || projector == no_encoder) return {};
  const auto is_within = [&]() -> Result<bool> {
    if (!fs::is_regular_file(model)) return true;
    HERD_TRY(const checkpoint::Store text, checkpoint::Store::open(model));
    return has_encoder_within(text);
  };
  HERD_TRY(const bool within, is_within());
  if (!within) return {};
  return fail_with_hint(
      Code::usage,
      fmt::format("--mmproj {}: {} has its vision encoder within, if it has one",
                  shown(projector.string()), model.string()),
      "a file for the encoder is of GGUF files; --mmproj none leaves the encoder out");
}

Result<Config> config_of_file(const fs::path& file, const fs::path& projector) {
  HERD_TRY(const checkpoint::Store store, open_store(file, projector));
  auto config = config_from_gguf(store);
  if (!config) return std::unexpected(std::move(config).error().in(file.string()));
  if (!projector.empty()) return config;
  HERD_TRY(const std::vector<fs::path> encoders, encoders_beside(file));
  if (encoders.size() > 1)
    config->notes.push_back(fmt::format(
        "{} vision encoders lie beside the model; of these {} is taken; --mmproj takes another",
        encoders.size(), encoders.front().filename().string()));
  return config;
}

Result<Config> config_of_directory(const fs::path& directory) {
  const fs::path hugging_face = directory / "config.json", meta = directory / "params.json";
  if (!fs::exists(hugging_face) && !fs::exists(meta)) {
    std::string file;  // a directory that holds a GGUF file is meant as that file
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error))
      if (const fs::path& path = entry.path();
          path.extension() == ".gguf" || path.extension() == ".herd")
        file = file.empty() ? path.string() : std::min(file, path.string());
    return fail_with_hint(
        Code::missing_input,
        fmt::format("{}: has neither config.json nor params.json", directory.string()),
        file.empty() ? "a model is a directory as Hugging Face or Meta publishes it, or a file"
                     : fmt::format("give the file itself: {}", file));
  }
  const bool is_meta = !fs::exists(hugging_face);
  const fs::path& path = is_meta ? meta : hugging_face;
  HERD_TRY(const json::value value, read_json(path.string()));
  auto config = is_meta ? config_from_meta(value) : config_from_hugging_face(value);
  if (!config) return std::unexpected(std::move(config).error().in(path.string()));
  const fs::path generation = directory / "generation_config.json";
  if (fs::exists(generation)) {
    HERD_TRY(const json::value said, read_json(generation.string()));
    if (auto applied = apply_generation_config(*config, said); !applied)
      return std::unexpected(std::move(applied).error().in(generation.string()));
  }
  return config;
}

}  // namespace

Result<void> Loaded::bind() {
  Binder binder(tensors_, floats_);
  model_.parameters(binder);
  HERD_TRY_VOID(binder.verdict());
  weight_type_ = binder.commonest_type();
  return tensors_.expect_none_left();
}

Result<checkpoint::Store> open_store(const fs::path& model, const fs::path& projector,
                                     const checkpoint::Progress& progress) {
  HERD_TRY_VOID(expect_use_of(projector, model));
  fs::path vision = projector == no_encoder ? fs::path() : projector;
  if (projector.empty() && fs::is_regular_file(model)) {
    HERD_TRY(const std::vector<fs::path> files, encoders_beside(model));
    if (!files.empty()) vision = files.front();
  }
  return checkpoint::Store::open(model, progress, vision);
}

Result<Config> read_config(const fs::path& model, const fs::path& projector) {
  HERD_TRY_VOID(expect_use_of(projector, model));
  HERD_TRY(Config config, fs::is_regular_file(model) ? config_of_file(model, projector)
                                                     : config_of_directory(model));
  if (projector == no_encoder) {
    config.leaves_vision_out = config.vision.has_value();
    config.vision.reset();
  }
  return config;
}

Result<std::unique_ptr<Loaded>> load(const fs::path& directory,
                                     const checkpoint::Progress& progress,
                                     const fs::path& projector) {
  HERD_TRY(Config config, read_config(directory, projector));
  HERD_TRY(checkpoint::Store store, open_store(directory, projector, progress));
  complete_widths(config, store);
  HERD_TRY(TensorMap tensors, canonical_tensors(store, config, progress));
  auto loaded = std::make_unique<Loaded>(std::move(store), std::move(tensors), config);
  if (auto bound = loaded->bind(); !bound)
    return std::unexpected(std::move(bound).error().in(directory.string()));
  return loaded;
}

Result<std::unique_ptr<Loaded>> load_to_learn(const fs::path& model) {
  HERD_TRY(std::unique_ptr<Loaded> loaded, load(model));
  if (loaded->store().format() == checkpoint::Format::packed)
    return fail_with_hint(
        Code::usage,
        fmt::format("{}: is a packed store, whose weights are laid out for answering, not learning",
                    model.string()),
        "learn from the model that it was made of, or from herd convert STORE.herd MODEL.gguf");
  return loaded;
}

}  // namespace herd::llama4
