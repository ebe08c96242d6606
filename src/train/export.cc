#include "train/export.h"

#include <map>

#include "base/json_text.h"
#include "checkpoint/safetensors_writer.h"
#include "engine/model_files.h"
#include "llama4/adapter.h"
#include "llama4/config_json.h"
#include "llama4/tensor_list.h"
#include "tensor/float_bits.h"
#include "train/selection_bias.h"

namespace herd::train {
namespace {

// Where the model's numbers lie, by canonical name; the experts' three matrices each by their own.
class Published final : public nn::ParameterVisitor {
 public:
  explicit Published(llama4::Model& model) { model.parameters(*this); }

  void matrix(std::string_view name, Matrix& matrix) override { matrices_.emplace(name, &matrix); }
  void vector(std::string_view name, Tensor& vector) override { vectors_.emplace(name, &vector); }
  void experts(std::string_view name, nn::ExpertMatrices& experts) override {
    experts_.emplace(name, &experts);
  }
  void adapter(std::string_view name, nn::Adapter& adapter) override {
    adapters_.emplace(name, &adapter);
  }

  // Numbers of a published tensor, one after the other: experts fused and input-major, gate before up. What adapters
  // add is in them.
  [[nodiscard]] std::vector<float> numbers(const std::string& name) const {
    if (const auto found = vectors_.find(name); found != vectors_.end()) {
      const std::span all = found->second->as<float>();
      return {all.begin(), all.end()};
    }
    if (const auto found = matrices_.find(name); found != matrices_.end()) {
      const auto adapter = adapters_.find(name.substr(0, name.rfind('.')));
      return llama4::merged(*found->second,
                            adapter == adapters_.end() ? nn::Adapter() : *adapter->second);
    }
    const nn::ExpertMatrices& experts = *experts_.at(name.substr(0, name.rfind('.')));
    const nn::Adapter& adapter = *adapters_.at(name);
    std::vector<float> out;
    for (std::size_t e = 0; e < experts.gate.size(); ++e) {
      if (name.ends_with(".gate_up_proj"))
        append_transposed(experts.gate[e].in,
                          {llama4::merged(experts.gate[e], adapter, e),
                           llama4::merged(experts.up[e], adapter, e, experts.gate[e].out)},
                          out);
      else
        append_transposed(experts.down[e].in, {llama4::merged(experts.down[e], adapter, e)}, out);
    }
    return out;
  }

 private:
  // [out, in] matrices as [in, sum of out].
  static void append_transposed(std::int64_t in, std::initializer_list<std::vector<float>> parts,
                                std::vector<float>& out) {
    const auto width = static_cast<std::size_t>(in);
    for (std::size_t i = 0; i < width; ++i)
      for (const std::vector<float>& numbers : parts)
        for (std::size_t at = i; at < numbers.size(); at += width) out.push_back(numbers[at]);
  }

  std::map<std::string, const Matrix*, std::less<>> matrices_;
  std::map<std::string, const Tensor*, std::less<>> vectors_;
  std::map<std::string, const nn::ExpertMatrices*, std::less<>> experts_;
  std::map<std::string, const nn::Adapter*, std::less<>> adapters_;
};

Result<void> write_weights(llama4::Model& model, DType dtype, const fs::path& path) {
  const llama4::Config& config = model.config();
  const std::vector<llama4::ListedTensor> tensors = llama4::list_tensors(config);
  std::vector<checkpoint::PlannedTensor> plan;
  for (const llama4::ListedTensor& tensor : tensors)
    plan.push_back({llama4::published_name(tensor.name, !config.vision), dtype, tensor.shape});
  HERD_TRY(auto file, checkpoint::SafetensorsWriter::create(path, plan));
  const Published published(model);
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

// What stands beside the weights of a directory.
Result<void> copy_companions(const fs::path& from, const fs::path& out) {
  std::error_code error;
  for (const char* name :
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja",
        "special_tokens_map.json", "preprocessor_config.json", "processor_config.json",
        "generation_config.json"}) {
    if (!fs::exists(from / name) || fs::equivalent(from, out, error)) continue;
    fs::copy_file(from / name, out / name, fs::copy_options::overwrite_existing, error);
    if (error) return fail(Code::io_failed, "{}: {}", (out / name).string(), error.message());
  }
  return {};
}

// The same out of a GGUF file.
Result<void> write_companions(const fs::path& gguf, const llama4::Config& config,
                              const fs::path& out) {
  HERD_TRY_VOID(
      write_file(out / "generation_config.json",
                 std::string_view(json_text(llama4::generation_to_hugging_face(config)))));
  HERD_TRY(const bool has_words, engine::has_words(gguf));
  if (!has_words) return {};
  return engine::write_word_files(gguf, out);
}

}  // namespace

Result<void> export_model(llama4::Model& model, DType dtype, const fs::path& from,
                          const fs::path& out) {
  HERD_CHECK(dtype == DType::f32 || dtype == DType::bf16, "export as {}", row_of(dtype).name);
  HERD_CHECK(largest_selection_bias(model) == 0, "a router's choice is biased");
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return fail(Code::cannot_create, "{}: {}", out.string(), error.message());
  const fs::path weights = out / "model.safetensors", part = out / "model.safetensors.part";
  fs::remove(part, error);  // of an export that was ended from outside
  HERD_TRY_VOID(write_weights(model, dtype, part));
  fs::rename(part, weights, error);
  if (error) return fail(Code::io_failed, "{}: {}", weights.string(), error.message());
  llama4::Config written = model.config();
  written.torch_dtype = dtype == DType::f32 ? "float32" : "bfloat16";
  HERD_TRY_VOID(write_file(out / "config.json",
                           std::string_view(json_text(llama4::config_to_hugging_face(written)))));
  return fs::is_regular_file(from) ? write_companions(from, written, out)
                                   : copy_companions(from, out);
}

}  // namespace herd::train
