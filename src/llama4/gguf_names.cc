#include <array>
#include <charconv>
#include <optional>

#include "base/limits.h"
#include "llama4/gguf.h"

namespace herd::llama4 {
namespace {

struct NamePair {
  std::string_view gguf, canonical;
};

// Whole names.
constexpr std::array whole_names{
    NamePair{"token_embd.weight", "embed_tokens.weight"},
    NamePair{"output_norm.weight", "norm.weight"},
    NamePair{"output.weight", "lm_head.weight"},
    NamePair{"v.class_embd", "vision_model.class_embedding"},
    NamePair{"v.patch_embd.weight", "vision_model.patch_embedding.linear.weight"},
    NamePair{"v.position_embd.weight", "vision_model.positional_embedding_vlm"},
    NamePair{"v.pre_ln.weight", "vision_model.layernorm_pre.weight"},
    NamePair{"v.pre_ln.bias", "vision_model.layernorm_pre.bias"},
    NamePair{"v.post_ln.weight", "vision_model.layernorm_post.weight"},
    NamePair{"v.post_ln.bias", "vision_model.layernorm_post.bias"},
    NamePair{"mm.model.mlp.1.weight", "vision_model.vision_adapter.mlp.fc1.weight"},
    NamePair{"mm.model.mlp.2.weight", "vision_model.vision_adapter.mlp.fc2.weight"},
    NamePair{"mm.model.fc.weight", "multi_modal_projector.linear_1.weight"},
    // Ollama's names, read only.
    NamePair{"v.class_embedding", "vision_model.class_embedding"},
    NamePair{"v.patch_embedding.weight", "vision_model.patch_embedding.linear.weight"},
    NamePair{"v.positional_embedding_vlm", "vision_model.positional_embedding_vlm"},
    NamePair{"v.layernorm_pre.weight", "vision_model.layernorm_pre.weight"},
    NamePair{"v.layernorm_pre.bias", "vision_model.layernorm_pre.bias"},
    NamePair{"v.layernorm_post.weight", "vision_model.layernorm_post.weight"},
    NamePair{"v.layernorm_post.bias", "vision_model.layernorm_post.bias"},
    NamePair{"v.vision_adapter.mlp.fc1.weight", "vision_model.vision_adapter.mlp.fc1.weight"},
    NamePair{"v.vision_adapter.mlp.fc2.weight", "vision_model.vision_adapter.mlp.fc2.weight"},
    NamePair{"mm.linear_1.weight", "multi_modal_projector.linear_1.weight"},
};

// Behind "blk.{l}." and "layers.{l}.", before ".weight".
constexpr std::array layer_names{
    NamePair{"attn_norm", "input_layernorm"},
    NamePair{"ffn_norm", "post_attention_layernorm"},
    NamePair{"attn_q", "self_attn.q_proj"},
    NamePair{"attn_k", "self_attn.k_proj"},
    NamePair{"attn_v", "self_attn.v_proj"},
    NamePair{"attn_output", "self_attn.o_proj"},
    NamePair{"ffn_gate_inp", "feed_forward.router"},
    NamePair{"ffn_gate_shexp", "feed_forward.shared_expert.gate_proj"},
    NamePair{"ffn_up_shexp", "feed_forward.shared_expert.up_proj"},
    NamePair{"ffn_down_shexp", "feed_forward.shared_expert.down_proj"},
    NamePair{"ffn_gate", "feed_forward.gate_proj"},
    NamePair{"ffn_up", "feed_forward.up_proj"},
    NamePair{"ffn_down", "feed_forward.down_proj"},
};

// Behind "v.blk.{l}." and "vision_model.model.layers.{l}.", before ".weight" or ".bias".
constexpr std::array vision_layer_names{
    NamePair{"attn_q", "self_attn.q_proj"},
    NamePair{"attn_k", "self_attn.k_proj"},
    NamePair{"attn_v", "self_attn.v_proj"},
    NamePair{"attn_out", "self_attn.o_proj"},
    NamePair{"ln1", "input_layernorm"},
    NamePair{"ln2", "post_attention_layernorm"},
    NamePair{"ffn_up", "mlp.fc1"},
    NamePair{"ffn_down", "mlp.fc2"},
    NamePair{"attn_output", "self_attn.o_proj"},
    NamePair{"attn_norm", "input_layernorm"},
    NamePair{"ffn_norm", "post_attention_layernorm"},
    NamePair{"mlp.fc1", "mlp.fc1"},
    NamePair{"mlp.fc2", "mlp.fc2"},
};

constexpr std::array expert_names{
    NamePair{"ffn_gate_exps", "gate_proj"},
    NamePair{"ffn_up_exps", "up_proj"},
    NamePair{"ffn_down_exps", "down_proj"},
};

// "blk.12.attn_q.weight" in its parts: {12, "attn_q", "weight"}.
struct LayerName {
  std::string_view layer, part, end;
};

std::optional<LayerName> layer_name(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const std::size_t digits = name.find('.'), end = name.rfind('.');
  if (digits == std::string_view::npos || digits == 0 || end <= digits) return std::nullopt;
  if (name.substr(0, digits).find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  return LayerName{name.substr(0, digits), name.substr(digits + 1, end - digits - 1),
                   name.substr(end + 1)};
}

std::string canonical_name_of(std::string_view name) {
  for (const NamePair& pair : whole_names)
    if (pair.gguf == name) return std::string(pair.canonical);
  if (const auto parts = layer_name(name, "blk."); parts && parts->end == "weight")
    for (const NamePair& pair : layer_names)
      if (pair.gguf == parts->part)
        return fmt::format("layers.{}.{}.weight", parts->layer, pair.canonical);
  if (const auto parts = layer_name(name, "v.blk."))
    for (const NamePair& pair : vision_layer_names)
      if (pair.gguf == parts->part)
        return fmt::format("vision_model.model.layers.{}.{}.{}", parts->layer, pair.canonical,
                           parts->end);
  return std::string(name);
}

}  // namespace

std::string gguf_name_of(std::string_view canonical) {
  for (const NamePair& pair : whole_names)
    if (pair.canonical == canonical) return std::string(pair.gguf);
  if (const auto parts = layer_name(canonical, "layers."); parts && parts->end == "weight")
    for (const NamePair& pair : layer_names)
      if (pair.canonical == parts->part)
        return fmt::format("blk.{}.{}.weight", parts->layer, pair.gguf);
  if (const auto parts = layer_name(canonical, "vision_model.model.layers."))
    for (const NamePair& pair : vision_layer_names)
      if (pair.canonical == parts->part)
        return fmt::format("v.blk.{}.{}.{}", parts->layer, pair.gguf, parts->end);
  return {};
}

std::vector<MergedTensor> tensors_of_gguf(const checkpoint::Store& store) {
  std::vector<MergedTensor> out;
  for (const checkpoint::StoredTensor& stored : store.tensors()) {
    const NamedTensor whole{stored.dtype, stored.shape, stored.data, stored.packed};
    if (stored.name == "rope_freqs.weight") continue;  // the configuration has it
    const auto parts = layer_name(stored.name, "blk.");
    const auto experts = std::ranges::find(expert_names, parts ? parts->part : "", &NamePair::gguf);
    if (parts && experts != expert_names.end() && parts->end == "weight" &&
        stored.shape.rank() == 3 &&
        // Of no bytes a file can promise any number; what is not split does not fit the model and is named.
        static_cast<std::uint64_t>(stored.shape[0]) <= limits::experts_max) {
      const std::int64_t rows = stored.shape[1], width = stored.shape[2];
      const std::int64_t experts_here = std::max<std::int64_t>(1, stored.shape[0]);
      const std::int64_t bytes = static_cast<std::int64_t>(stored.bytes) / experts_here;
      for (std::int64_t e = 0; e < stored.shape[0]; ++e)
        out.push_back({fmt::format("layers.{}.feed_forward.experts.{}.{}.weight", parts->layer, e,
                                   experts->canonical),
                       stored.name,
                       {stored.dtype, {rows, width}, stored.data + e * bytes, stored.packed}});
      continue;
    }
    MergedTensor one{canonical_name_of(stored.name), stored.name, whole};
    // Patches as a convolution's kernel: the same numbers in the same order.
    if (one.canonical == "vision_model.patch_embedding.linear.weight" && whole.shape.rank() == 4)
      one.tensor.shape = {whole.shape[0],
                          whole.shape.elements() / std::max<std::int64_t>(1, whole.shape[0])};
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace herd::llama4
