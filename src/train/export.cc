#include "train/export.h"

#include "base/json_text.h"
#include "checkpoint/safetensors_writer.h"
#include "llama4/config_json.h"
#include "llama4/tensor_list.h"
#include "tensor/float_bits.h"

namespace herd::train {
namespace {

// Numbers of a published tensor, one after the other: experts fused and input-major, gate before up.
class Published {
 public:
  explicit Published(const Parameters& parameters) : parameters_(parameters) {}

  [[nodiscard]] std::vector<float> numbers(const std::string& name) const {
    const bool gate_up = name.ends_with(".experts.gate_up_proj");
    if (!gate_up && !name.ends_with(".experts.down_proj")) {
      const std::span<const float> all = part(name).second;
      return {all.begin(), all.end()};
    }
    const std::string experts = name.substr(0, name.rfind('.'));
    std::vector<float> out;
    for (int e = 0; parameters_.find(fmt::format("{}.{}.gate_proj.weight", experts, e)); ++e) {
      if (gate_up)
        append_transposed({matrix(experts, e, "gate"), matrix(experts, e, "up")}, out);
      else
        append_transposed({matrix(experts, e, "down")}, out);
    }
    return out;
  }

 private:
  using Part = std::pair<const Parameter*, std::span<const float>>;

  [[nodiscard]] Part part(const std::string& name) const {
    const Parameter* found = parameters_.find(name);
    HERD_CHECK(found != nullptr, "no parameter {}", name);
    return {found, Parameters::part(parameters_.weights(), *found)};
  }
  [[nodiscard]] Part matrix(const std::string& experts, int e, const char* which) const {
    return part(fmt::format("{}.{}.{}_proj.weight", experts, e, which));
  }

  // [out, in] matrices as [in, sum of out].
  static void append_transposed(std::initializer_list<Part> parts, std::vector<float>& out) {
    const std::int64_t in = parts.begin()->first->shape[1];
    for (std::int64_t i = 0; i < in; ++i)
      for (const auto& [parameter, numbers] : parts)
        for (std::int64_t o = 0; o < parameter->shape[0]; ++o)
          out.push_back(numbers[static_cast<std::size_t>(o * in + i)]);
  }

  const Parameters& parameters_;
};

Result<void> write_weights(const Parameters& parameters, const llama4::Config& config, DType dtype,
                           const fs::path& path) {
  const std::vector<llama4::ListedTensor> tensors = llama4::list_tensors(config);
  std::vector<checkpoint::PlannedTensor> plan;
  for (const llama4::ListedTensor& tensor : tensors)
    plan.push_back({llama4::published_name(tensor.name, !config.vision), dtype, tensor.shape});
  HERD_TRY(auto file, checkpoint::SafetensorsWriter::create(path, plan));
  const Published published(parameters);
  for (const llama4::ListedTensor& tensor : tensors) {
    const std::vector<float> numbers = published.numbers(tensor.name);
    if (dtype == DType::f32) {
      HERD_TRY_VOID(file.write(std::as_bytes(std::span(numbers))));
      continue;
    }
    std::vector<std::uint16_t> halves(numbers.size());
    std::ranges::transform(numbers, halves.begin(), bf16_of_f32);
    HERD_TRY_VOID(file.write(std::as_bytes(std::span(halves))));
  }
  return file.finish();
}

}  // namespace

Result<void> export_model(const Parameters& parameters, const llama4::Config& config, DType dtype,
                          const fs::path& beside, const fs::path& out) {
  HERD_CHECK(dtype == DType::f32 || dtype == DType::bf16, "export as {}", row_of(dtype).name);
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return fail(Code::cannot_create, "{}: {}", out.string(), error.message());
  const fs::path weights = out / "model.safetensors", part = out / "model.safetensors.part";
  fs::remove(part, error);  // of an export that was ended from outside
  HERD_TRY_VOID(write_weights(parameters, config, dtype, part));
  fs::rename(part, weights, error);
  if (error) return fail(Code::io_failed, "{}: {}", weights.string(), error.message());
  llama4::Config written = config;
  written.torch_dtype = dtype == DType::f32 ? "float32" : "bfloat16";
  HERD_TRY_VOID(write_file(out / "config.json",
                           std::string_view(json_text(llama4::config_to_hugging_face(written)))));
  for (const char* name :
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja",
        "special_tokens_map.json", "preprocessor_config.json", "processor_config.json",
        "generation_config.json"}) {
    if (!fs::exists(beside / name) || fs::equivalent(beside, out, error)) continue;
    fs::copy_file(beside / name, out / name, fs::copy_options::overwrite_existing, error);
    if (error) return fail(Code::io_failed, "{}: {}", (out / name).string(), error.message());
  }
  return {};
}

}  // namespace herd::train
