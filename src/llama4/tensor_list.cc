#include "llama4/tensor_list.h"

#include "llama4/model.h"
#include "llama4/names.h"

namespace herd::llama4 {
namespace {

using Role = ListedTensor::Role;

class Lister final : public nn::ParameterVisitor {
 public:
  void matrix(std::string_view name, Matrix& matrix) override {
    list.push_back({std::string(name), {matrix.out, matrix.in}, Role::matrix, matrix.in});
  }

  void vector(std::string_view name, Tensor& vector) override {
    const Role role = name.ends_with(".bias")     ? Role::bias
                      : name.ends_with(".weight") ? Role::norm
                                                  : Role::embedding;
    list.push_back({std::string(name), vector.shape, role, vector.shape[-1]});
  }

  void experts(std::string_view name, nn::ExpertMatrices& experts) override {
    const auto count = static_cast<std::int64_t>(experts.gate.size());
    const std::int64_t width = experts.gate[0].in, inner = experts.gate[0].out;
    list.push_back(
        {fmt::format("{}.gate_up_proj", name), {count, width, 2 * inner}, Role::matrix, width});
    list.push_back({fmt::format("{}.down_proj", name), {count, inner, width}, Role::matrix, inner});
  }

  std::vector<ListedTensor> list;
};

}  // namespace

std::vector<ListedTensor> list_tensors(const Config& config) {
  Model model(config);
  Lister lister;
  model.parameters(lister);
  return std::move(lister.list);
}

std::string published_name(std::string_view canonical, bool text_only) {
  if (is_of_vision(canonical)) return std::string(canonical);
  const bool is_head = canonical.starts_with("lm_head.");
  return fmt::format("{}{}{}", text_only ? "" : "language_model.", is_head ? "" : "model.",
                     canonical);
}

}  // namespace herd::llama4
