#include "llama4/quant_mix.h"

namespace herd::llama4 {

Role role_of(std::string_view name) {
  if (name.starts_with("embed_tokens")) return Role::embedding;
  if (name.starts_with("lm_head")) return Role::head;
  if (name.contains("router") || name.contains("norm") || name.ends_with(".bias"))
    return Role::small;
  if (name.contains("self_attn."))
    return name.contains("k_proj") || name.contains("v_proj") ? Role::keys_values : Role::attention;
  const bool down = name.contains("down_proj");
  if (name.contains(".experts")) return down ? Role::experts_down : Role::experts;
  if (name.contains(".shared_expert.")) return down ? Role::shared_down : Role::shared;
  return down ? Role::dense_down : Role::dense;
}

DType type_for(const MixRow& mix, Role role, std::int64_t row_width) {
  DType type = DType::f32;
  switch (role) {
    case Role::embedding:
      type = mix.embedding;
      break;
    case Role::head:
      type = mix.head;
      break;
    case Role::attention:
      type = mix.attention;
      break;
    case Role::keys_values:
      type = mix.keys_values;
      break;
    case Role::dense:
      type = mix.dense;
      break;
    case Role::dense_down:
      type = mix.dense_down;
      break;
    case Role::shared:
      type = mix.shared.value_or(mix.dense);
      break;
    case Role::shared_down:
      type = mix.shared.value_or(mix.dense_down);
      break;
    case Role::experts:
      type = mix.experts;
      break;
    case Role::experts_down:
      type = mix.experts_down;
      break;
    case Role::small:
      return DType::f32;
  }
  for (const DType smaller : {type, DType::q8_0})
    if (row_width % static_cast<std::int64_t>(row_of(smaller).block) == 0) return smaller;
  return DType::f16;
}

}  // namespace herd::llama4
