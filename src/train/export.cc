#include "train/export.h"

#include <map>

#include "base/json_text.h"
#include "checkpoint/safetensors_writer.h"
#include "engine/model_files.h"
#include "llama4/adapter.h"
#include "llama4/config_json.h"
#include "llama4/gguf_export.h"
#include "llama4/pack_quantized.h"
#include "llama4/tensor_list.h"
#include "quant/fp8.h"
#include "quant/int4_block.h"
#include "tensor/float_bits.h"
#include "train/selection_bias.h"

namespace herd::train {
namespace {

// A matrix and what an adapter adds to it: llama4::merged()'s arguments.
struct Source {
  const Matrix* weight;
  const nn::Adapter* adapter;
  std::size_t index = 0;
  std::int64_t first = 0;

  [[nodiscard]] std::vector<float> numbers() const {
    return llama4::merged(*weight, *adapter, index, first);
  }
  // In groups of 128: those that the matrix has, where it is in int4 and nothing is added; rounding them again would
  // change them.
  [[nodiscard]] std::vector<std::byte> int4_blocks() const {
    std::vector<std::byte> out(
        static_cast<std::size_t>(bytes_of(DType::int4, weight->out * weight->in)));
    const std::vector<float> sums = *adapter ? numbers() : std::vector<float>();
    const Matrix with_sums{
        .data = sums.data(), .out = weight->out, .in = weight->in, .stride = weight->in};
    llama4::rows_as_blocks(*adapter ? with_sums : *weight, 0, weight->out, DType::int4, nullptr,
                           out.data());
    return out;
  }
};

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
    if (matrices_.contains(name)) return matrix_of(name).numbers();
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

  [[nodiscard]] Source matrix_of(const std::string& name) const {
    static const nn::Adapter none;
    const auto adapter = adapters_.find(name.substr(0, name.rfind('.')));
    return {matrices_.at(name), adapter == adapters_.end() ? &none : adapter->second};
  }

  // Matrix `kind` (gate_proj, up_proj or down_proj) of expert e, [out, in]; of the published tensor `name`.
  [[nodiscard]] Source expert(const std::string& name, std::string_view kind, std::size_t e) const {
    const nn::ExpertMatrices& experts = *experts_.at(name.substr(0, name.rfind('.')));
    const nn::Adapter* adapter = adapters_.at(name);
    if (kind == "gate_proj") return {&experts.gate[e], adapter, e};
    if (kind == "up_proj") return {&experts.up[e], adapter, e, experts.gate[e].out};
    return {&experts.down[e], adapter, e};
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

// Experts in fewer bits are a matrix each, [out, in], with scales beside it.
struct ExpertKind {
  std::string_view name;
  std::int64_t out, in;
};

bool is_experts(const llama4::ListedTensor& tensor) {
  return tensor.name.ends_with(".experts.gate_up_proj") ||
         tensor.name.ends_with(".experts.down_proj");
}

bool is_shared_expert(const llama4::ListedTensor& tensor) {
  return tensor.name.contains(".shared_expert.");
}

// What a type for experts alone is of.
bool is_quantized_as(const llama4::ListedTensor& tensor, DType dtype) {
  return is_experts(tensor) || (dtype == DType::int4 && is_shared_expert(tensor));
}

std::vector<ExpertKind> kinds_of(const llama4::ListedTensor& fused) {
  const std::int64_t in = fused.shape[1], out = fused.shape[2];
  if (fused.name.ends_with(".down_proj")) return {{"down_proj", out, in}};
  return {{"gate_proj", out / 2, in}, {"up_proj", out / 2, in}};
}

// The tensors that one matrix [out, in], "x.weight", becomes.
void plan_matrix(const std::string& name, DType dtype, std::int64_t out, std::int64_t in,
                 std::vector<checkpoint::PlannedTensor>& plan) {
  if (dtype == DType::int4) {
    plan.push_back({name + "_packed", DType::i32, {out, in / 8}});
    plan.push_back({name + "_scale", DType::f32, {out, in / quant::INT4::size}});
    plan.push_back({name + "_shape", DType::i64, {2}});
    return;
  }
  plan.push_back({name, DType::f8_e4m3, {out, in}});
  plan.push_back({name + "_scale", DType::f32, {out, 1}});
}

Result<void> write_matrix(const Source& matrix, DType dtype, checkpoint::SafetensorsWriter& file) {
  const std::int64_t out = matrix.weight->out, in = matrix.weight->in;
  if (dtype == DType::int4) {
    const llama4::PackQuantized packed = llama4::pack_quantized(matrix.int4_blocks());
    const std::int64_t shape[2] = {out, in};
    HERD_TRY_VOID(file.write(packed.words));
    HERD_TRY_VOID(file.write(std::as_bytes(std::span(packed.scales))));
    return file.write(std::as_bytes(std::span(shape)));
  }
  const std::vector<float> numbers = matrix.numbers();
  std::vector<std::uint8_t> codes(numbers.size());
  std::vector<float> scales;
  for (std::int64_t o = 0; o < out; ++o)
    scales.push_back(quant::encode_fp8_row(numbers.data() + o * in, in, codes.data() + o * in));
  HERD_TRY_VOID(file.write(std::as_bytes(std::span(codes))));
  return file.write(std::as_bytes(std::span(scales)));
}

void plan_quantized(const llama4::ListedTensor& tensor, const std::string& published, DType dtype,
                    std::vector<checkpoint::PlannedTensor>& plan) {
  if (!is_experts(tensor))
    return plan_matrix(published, dtype, tensor.shape[0], tensor.shape[1], plan);
  const std::string experts = published.substr(0, published.rfind('.'));
  for (std::int64_t e = 0; e < tensor.shape[0]; ++e)
    for (const ExpertKind& kind : kinds_of(tensor))
      plan_matrix(fmt::format("{}.{}.{}.weight", experts, e, kind.name), dtype, kind.out, kind.in,
                  plan);
}

Result<void> write_quantized(const llama4::ListedTensor& tensor, const Published& published,
                             DType dtype, checkpoint::SafetensorsWriter& file) {
  if (!is_experts(tensor)) return write_matrix(published.matrix_of(tensor.name), dtype, file);
  for (std::size_t e = 0; e < static_cast<std::size_t>(tensor.shape[0]); ++e)
    for (const ExpertKind& kind : kinds_of(tensor))
      HERD_TRY_VOID(write_matrix(published.expert(tensor.name, kind.name, e), dtype, file));
  return {};
}

// What all of compressed-tensors' configurations have, and which of a Llama 4's matrices are not quantized.
json::object quantization(std::string_view format, json::object group, json::array ignored) {
  for (const char* name : {"re:.*lm_head", "re:.*self_attn", "re:.*router",
                           R"(re:.*feed_forward\.(gate|up|down)_proj)", "re:.*vision_model.*",
                           "re:.*multi_modal_projector.*"})
    ignored.emplace_back(name);
  group["targets"] = json::array{"Linear"};
  group["output_activations"] = nullptr;
  return {{"quant_method", "compressed-tensors"},
          {"format", format},
          {"quantization_status", "compressed"},
          {"kv_cache_scheme", nullptr},
          {"config_groups", json::object{{"group_0", std::move(group)}}},
          {"ignore", std::move(ignored)}};
}

// Scales of 128 neighbouring inputs, and activations as they are.
json::object int4_quantization() {
  return quantization("pack-quantized",
                      {{"weights", json::object{{"num_bits", 4},
                                                {"type", "int"},
                                                {"symmetric", true},
                                                {"strategy", "group"},
                                                {"group_size", quant::INT4::size},
                                                {"dynamic", false},
                                                {"actorder", nullptr},
                                                {"block_structure", nullptr}}},
                       {"input_activations", nullptr}},
                      {});
}

// What tells a loader of compressed-tensors what is in FP8: one scale an output of the weights, one a token of what
// goes in, found while it runs; as the published FP8 checkpoint of Maverick.
json::object fp8_quantization() {
  const auto numbers = [](std::string_view strategy, bool dynamic) {
    return json::object{{"num_bits", 8},
                        {"type", "float"},
                        {"symmetric", true},
                        {"strategy", strategy},
                        {"dynamic", dynamic},
                        {"group_size", nullptr},
                        {"block_structure", nullptr}};
  };
  return quantization(
      "float-quantized",
      {{"weights", numbers("channel", false)}, {"input_activations", numbers("token", true)}},
      {"re:.*shared_expert.*"});
}

Result<void> expect_whole_groups(const llama4::TextConfig& text) {
  constexpr std::int64_t group = quant::INT4::size;
  if (text.experts > 0 && text.width % group == 0 && text.expert_width % group == 0) return {};
  const std::string what =
      text.experts == 0
          ? "the model has no experts"
          : fmt::format("the experts' rows of {} and {} numbers are not whole groups of {}",
                        text.width, text.expert_width, group);
  return fail_with_hint(Code::usage,
                        fmt::format("{}, so a directory cannot hold them in int4", what),
                        "a packed store (--to herd) gives such rows q8_0 or f16 instead");
}

Result<void> write_weights(llama4::Model& model, DType dtype, const fs::path& path) {
  const llama4::Config& config = model.config();
  const std::vector<llama4::ListedTensor> tensors = llama4::list_tensors(config);
  // Experts alone are in fewer bits.
  const bool of_experts = dtype == DType::f8_e4m3 || dtype == DType::int4;
  const DType others = of_experts ? DType::bf16 : dtype;
  std::vector<checkpoint::PlannedTensor> plan;
  for (const llama4::ListedTensor& tensor : tensors) {
    const std::string name = llama4::published_name(tensor.name, !config.vision);
    if (of_experts && is_quantized_as(tensor, dtype))
      plan_quantized(tensor, name, dtype, plan);
    else
      plan.push_back({name, others, tensor.shape});
  }
  HERD_TRY(auto file, checkpoint::SafetensorsWriter::create(path, plan));
  const Published published(model);
  for (const llama4::ListedTensor& tensor : tensors) {
    if (of_experts && is_quantized_as(tensor, dtype)) {
      HERD_TRY_VOID(write_quantized(tensor, published, dtype, file));
      continue;
    }
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
  HERD_CHECK(dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f8_e4m3 ||
                 dtype == DType::int4,
             "export as {}", row_of(dtype).name);
  HERD_CHECK(largest_selection_bias(model) == 0, "a router's choice is biased");
  if (dtype == DType::int4) HERD_TRY_VOID(expect_whole_groups(model.config().text));
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
  json::object config = llama4::config_to_hugging_face(written);
  if (dtype == DType::f8_e4m3) config["quantization_config"] = fp8_quantization();
  if (dtype == DType::int4) config["quantization_config"] = int4_quantization();
  HERD_TRY_VOID(write_file(out / "config.json", std::string_view(json_text(config))));
  return fs::is_regular_file(from) ? write_companions(from, written, out)
                                   : copy_companions(from, out);
}

}  // namespace herd::train
