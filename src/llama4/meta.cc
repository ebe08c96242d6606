// Letters: D width, I inner width (F a shard's part of it), E experts, H query heads, G key/value heads, d head size.
#include "llama4/meta.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>

#include "tensor/float_bits.h"

namespace herd::llama4 {
namespace {

using checkpoint::Store;
using checkpoint::StoredTensor;

enum class Merge : std::uint8_t {
  ignore,     // statistics, states, what is computed
  whole,      // every shard has all of it
  rows,       // pieces of axis 0, one below the other
  columns,    // pieces of axis 1, side by side
  qkv,        // [(H + 2G) d / ranks, D]: this rank's q, k and v rows
  gate_up,    // [2F, D]: this rank's gate rows, then its up rows
  transpose,  // whole, [D, E] -> [E, D]
  expert,     // one of the three matrices of the routed experts; handled per layer
};

struct Rule {
  std::string_view native;
  std::string_view canonical;
  Merge merge;
};

constexpr std::array top_rules{
    Rule{"tok_embeddings.weight", "embed_tokens.weight", Merge::rows},
    Rule{"output.weight", "lm_head.weight", Merge::rows},
    Rule{"norm.weight", "norm.weight", Merge::whole},
    Rule{"rope.freqs", "", Merge::ignore},
    Rule{"freq_cis", "", Merge::ignore},
    Rule{"freqs_cis", "", Merge::ignore},
    Rule{"vision_projection.weight", "multi_modal_projector.linear_1.weight", Merge::rows},
    Rule{"vision_embeddings.vision_adapter.mlp.c_fc.weight",
         "vision_model.vision_adapter.mlp.fc1.weight", Merge::rows},
    Rule{"vision_embeddings.vision_adapter.mlp.c_proj.weight",
         "vision_model.vision_adapter.mlp.fc2.weight", Merge::columns},
    Rule{"vision_embeddings.vision_adapter.fc.weight", "", Merge::ignore},
};

// Behind "vision_embeddings.vision_encoder."; in front comes "vision_model.".
constexpr std::array encoder_rules{
    Rule{"conv1._linear.weight", "patch_embedding.linear.weight", Merge::rows},
    Rule{"class_embedding", "class_embedding", Merge::whole},
    Rule{"positional_embedding_vlm", "positional_embedding_vlm", Merge::whole},
    Rule{"ln_pre.weight", "layernorm_pre.weight", Merge::whole},
    Rule{"ln_pre.bias", "layernorm_pre.bias", Merge::whole},
    Rule{"ln_post.weight", "layernorm_post.weight", Merge::whole},
    Rule{"ln_post.bias", "layernorm_post.bias", Merge::whole},
};

// Behind "vision_embeddings.vision_encoder.transformer.resblocks.{i}."; in front comes
// "vision_model.model.layers.{i}.".
constexpr std::array vision_layer_rules{
    Rule{"attn.wq.weight", "self_attn.q_proj.weight", Merge::rows},
    Rule{"attn.wq.bias", "self_attn.q_proj.bias", Merge::rows},
    Rule{"attn.wk.weight", "self_attn.k_proj.weight", Merge::rows},
    Rule{"attn.wk.bias", "self_attn.k_proj.bias", Merge::rows},
    Rule{"attn.wv.weight", "self_attn.v_proj.weight", Merge::rows},
    Rule{"attn.wv.bias", "self_attn.v_proj.bias", Merge::rows},
    Rule{"attn.wo.weight", "self_attn.o_proj.weight", Merge::columns},
    Rule{"attn.wo.bias", "self_attn.o_proj.bias", Merge::whole},
    Rule{"mlp.c_fc.weight", "mlp.fc1.weight", Merge::rows},
    Rule{"mlp.c_fc.bias", "mlp.fc1.bias", Merge::rows},
    Rule{"mlp.c_proj.weight", "mlp.fc2.weight", Merge::columns},
    Rule{"mlp.c_proj.bias", "mlp.fc2.bias", Merge::whole},
    Rule{"ln_1.weight", "input_layernorm.weight", Merge::whole},
    Rule{"ln_1.bias", "input_layernorm.bias", Merge::whole},
    Rule{"ln_2.weight", "post_attention_layernorm.weight", Merge::whole},
    Rule{"ln_2.bias", "post_attention_layernorm.bias", Merge::whole},
};

// Behind "layers.{l}.", in native and canonical names alike.
constexpr std::array layer_rules{
    Rule{"attention.wqkv.weight", "self_attn.", Merge::qkv},
    Rule{"attention.wqkv.layer_norm_weight", "input_layernorm.weight", Merge::whole},
    Rule{"attention_norm.weight", "input_layernorm.weight", Merge::whole},
    Rule{"attention.wq.weight", "self_attn.q_proj.weight", Merge::rows},
    Rule{"attention.wk.weight", "self_attn.k_proj.weight", Merge::rows},
    Rule{"attention.wv.weight", "self_attn.v_proj.weight", Merge::rows},
    Rule{"attention.wo.weight", "self_attn.o_proj.weight", Merge::columns},
    Rule{"feed_forward.norm.weight", "post_attention_layernorm.weight", Merge::whole},
    Rule{"feed_forward.mlp.layer_norm_weight", "post_attention_layernorm.weight", Merge::whole},
    Rule{"ffn_norm.weight", "post_attention_layernorm.weight", Merge::whole},
    Rule{"feed_forward.router_DE", "feed_forward.router.weight", Merge::transpose},
    Rule{"feed_forward.experts.moe_w_in_eD_F", "", Merge::expert},
    Rule{"feed_forward.experts.moe_w_swiglu_eD_F", "", Merge::expert},
    Rule{"feed_forward.experts.moe_w_out_eF_D", "", Merge::expert},
    Rule{"feed_forward.w_in_shared_FD.weight", "feed_forward.shared_expert.gate_proj.weight",
         Merge::rows},
    Rule{"feed_forward.w_swiglu_FD.weight", "feed_forward.shared_expert.up_proj.weight",
         Merge::rows},
    Rule{"feed_forward.w_out_shared_DF.weight", "feed_forward.shared_expert.down_proj.weight",
         Merge::columns},
    Rule{"feed_forward.mlp.fc1_weight", "feed_forward.", Merge::gate_up},
    Rule{"feed_forward.mlp.fc2_weight", "feed_forward.down_proj.weight", Merge::columns},
    Rule{"feed_forward.w1.weight", "feed_forward.gate_proj.weight", Merge::rows},
    Rule{"feed_forward.w3.weight", "feed_forward.up_proj.weight", Merge::rows},
    Rule{"feed_forward.w2.weight", "feed_forward.down_proj.weight", Merge::columns},
    Rule{"feed_forward.global_gate_stats_3E", "", Merge::ignore},
    Rule{"feed_forward.running_gate_stats_3E", "", Merge::ignore},
    Rule{"feed_forward.expert_activation_DE", "", Merge::ignore},
};

// "w_in", its scales, and what they become.
struct ExpertPart {
  std::string_view native;
  std::string_view scales;
  std::string_view canonical;
};
constexpr std::array<ExpertPart, 3> expert_parts{
    ExpertPart{"moe_w_in_eD_F", "w1", "gate_proj"},
    ExpertPart{"moe_w_swiglu_eD_F", "w3", "up_proj"},
    ExpertPart{"moe_w_out_eF_D", "w2", "down_proj"},
};

// "layers.12.rest" -> 12 and "rest".
struct InLayer {
  std::int64_t layer = 0;
  std::string_view rest;
};
std::optional<InLayer> in_layer(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  InLayer out;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.layer);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  out.rest = name.substr(static_cast<std::size_t>(end - name.data()) + 1);
  return out;
}

struct Plan {
  std::string canonical;
  Merge merge = Merge::ignore;
};

template <std::size_t N>
std::optional<Plan> matching(const std::array<Rule, N>& rules, std::string_view native,
                             const std::string& prefix) {
  for (const Rule& rule : rules)
    if (rule.native == native) return Plan{prefix + std::string(rule.canonical), rule.merge};
  return std::nullopt;
}

std::optional<Plan> plan_for(std::string_view name) {
  constexpr std::string_view encoder = "vision_embeddings.vision_encoder.";
  if (name.ends_with("_extra_state")) return Plan{};
  if (auto plan = matching(top_rules, name, "")) return plan;
  if (const auto at = in_layer(name, "layers."))
    return matching(layer_rules, at->rest, fmt::format("layers.{}.", at->layer));
  if (!name.starts_with(encoder)) return std::nullopt;
  name.remove_prefix(encoder.size());
  if (const auto at = in_layer(name, "transformer.resblocks."))
    return matching(vision_layer_rules, at->rest,
                    fmt::format("vision_model.model.layers.{}.", at->layer));
  return matching(encoder_rules, name, "vision_model.");
}

// One tensor's pieces, a pointer for each rank.
using Pieces = std::vector<const StoredTensor*>;

// All ranks must have a piece, of one shape and type.
Result<Pieces> pieces_of(const Store& store, std::string_view name) {
  Pieces pieces;
  for (std::size_t shard = 0; shard < store.shards(); ++shard) {
    const StoredTensor* piece = store.find(name, shard);
    if (piece == nullptr)
      return fail(Code::tensor_missing, "{} is missing in shard {} of {}", shown(name), shard,
                  store.shards());
    if (piece->bytes == 0)
      return fail(Code::tensor_mismatch, "{} is empty in shard {}: {}", shown(name), shard,
                  piece->shape.text());
    const StoredTensor& first = *(pieces.empty() ? piece : pieces.front());
    if (!(piece->shape == first.shape) || piece->dtype != first.dtype)
      return fail(Code::tensor_mismatch, "{} is {} of {} in shard {}, but {} of {} in shard 0",
                  shown(name), piece->shape.text(), row_of(piece->dtype).name, shard,
                  first.shape.text(), row_of(first.dtype).name);
    pieces.push_back(piece);
  }
  return pieces;
}

std::size_t element_bytes(const StoredTensor& tensor) { return row_of(tensor.dtype).bytes; }

// [rows, columns] -> [columns, rows], in squares that fit the nearest cache.
void transpose_into(std::byte* to, const std::byte* from, std::size_t rows, std::size_t columns,
                    std::size_t element) {
  constexpr std::size_t side = 64;
  for (std::size_t r0 = 0; r0 < rows; r0 += side)
    for (std::size_t c0 = 0; c0 < columns; c0 += side)
      for (std::size_t c = c0; c < std::min(columns, c0 + side); ++c)
        for (std::size_t r = r0; r < std::min(rows, r0 + side); ++r)
          std::memcpy(to + (c * rows + r) * element, from + (r * columns + c) * element, element);
}

class Merger {
 public:
  Merger(const Store& store, const Config& config, std::deque<std::vector<std::byte>>& storage)
      : store_(store), text_(config.text), storage_(storage) {}

  Result<void> merge(const Plan& plan, const std::string& native) {
    HERD_TRY(const Pieces pieces, pieces_of(store_, native));
    switch (plan.merge) {
      case Merge::rows:
        return all_rows(plan.canonical, native, pieces);
      case Merge::columns:
        return columns(plan.canonical, native, pieces);
      case Merge::qkv:
        return qkv(plan.canonical, native, pieces);
      case Merge::gate_up:
        return gate_up(plan.canonical, native, pieces);
      case Merge::transpose:
        return transpose(plan.canonical, native, *pieces[0]);
      case Merge::ignore:
      case Merge::whole:
      case Merge::expert:
        break;
    }
    return {};
  }

  // Replicated. Some ranks may have only an empty stand-in.
  void whole(const Plan& plan, const std::string& native) {
    for (std::size_t shard = 0; shard < store_.shards(); ++shard) {
      const StoredTensor* tensor = store_.find(native, shard);
      if (tensor == nullptr || tensor->bytes == 0) continue;
      give(plan.canonical, native, tensor->dtype, tensor->shape, tensor->data);
      return;
    }
  }

  Result<void> experts(std::int64_t layer);

  void pass_on(const StoredTensor& tensor) {
    give(tensor.name, tensor.name, tensor.dtype, tensor.shape, tensor.data);
  }

  std::vector<MergedTensor> take() && { return std::move(merged_); }

 private:
  void give(std::string canonical, std::string native, DType dtype, Shape shape,
            const std::byte* data) {
    merged_.push_back({std::move(canonical), std::move(native), {dtype, shape, data}});
  }
  std::vector<std::byte>& own(std::size_t bytes) { return storage_.emplace_back(bytes); }

  Result<void> expect_rank(const std::string& native, const Pieces& pieces, int rank) const {
    if (pieces[0]->shape.rank() == rank) return {};
    return fail(Code::tensor_mismatch, "{} is {}, wanted {} dimensions", shown(native),
                pieces[0]->shape.text(), rank);
  }

  Result<void> all_rows(const std::string& canonical, const std::string& native,
                        const Pieces& pieces) {
    const int rank = pieces[0]->shape.rank();
    if (rank != 1) HERD_TRY_VOID(expect_rank(native, pieces, 2));
    rows(canonical, native, pieces, 0, pieces[0]->shape[0]);
    return {};
  }

  // Rows [begin, begin + count) of every piece, one below the other. One piece is not copied.
  void rows(const std::string& canonical, const std::string& native, const Pieces& pieces,
            std::int64_t begin, std::int64_t count) {
    const StoredTensor& first = *pieces[0];
    const std::int64_t inner = first.shape.rank() == 2 ? first.shape[1] : 1;
    const std::size_t row_bytes = static_cast<std::size_t>(inner) * element_bytes(first);
    const std::size_t offset = static_cast<std::size_t>(begin) * row_bytes;
    const std::size_t bytes = static_cast<std::size_t>(count) * row_bytes;
    Shape shape;
    shape.push(count * static_cast<std::int64_t>(pieces.size()));
    if (first.shape.rank() == 2) shape.push(inner);
    if (pieces.size() == 1) {
      give(canonical, native, first.dtype, shape, first.data + offset);
      return;
    }
    std::vector<std::byte>& out = own(bytes * pieces.size());
    for (std::size_t r = 0; r < pieces.size(); ++r)
      std::memcpy(out.data() + r * bytes, pieces[r]->data + offset, bytes);
    give(canonical, native, first.dtype, shape, out.data());
  }

  // Copies `outer` runs of `run` bytes from each piece so that run o of piece r lands at o * stride + offset + r *
  // run.
  static void interleave(std::byte* out, const Pieces& pieces, std::size_t outer, std::size_t run,
                         std::size_t stride, std::size_t offset) {
    for (std::size_t r = 0; r < pieces.size(); ++r)
      for (std::size_t o = 0; o < outer; ++o)
        std::memcpy(out + o * stride + offset + r * run, pieces[r]->data + o * run, run);
  }

  Result<void> columns(const std::string& canonical, const std::string& native,
                       const Pieces& pieces) {
    HERD_TRY_VOID(expect_rank(native, pieces, 2));
    const StoredTensor& first = *pieces[0];
    const auto ranks = static_cast<std::int64_t>(pieces.size());
    const Shape shape{first.shape[0], first.shape[1] * ranks};
    if (pieces.size() == 1) {
      give(canonical, native, first.dtype, shape, first.data);
      return {};
    }
    const std::size_t run = static_cast<std::size_t>(first.shape[1]) * element_bytes(first);
    const auto outer = static_cast<std::size_t>(first.shape[0]);
    std::vector<std::byte>& out = own(outer * run * pieces.size());
    interleave(out.data(), pieces, outer, run, run * pieces.size(), 0);
    give(canonical, native, first.dtype, shape, out.data());
    return {};
  }

  Result<void> qkv(const std::string& prefix, const std::string& native, const Pieces& pieces) {
    HERD_TRY_VOID(expect_rank(native, pieces, 2));
    const auto ranks = static_cast<std::int64_t>(pieces.size());
    const std::int64_t q = text_.heads * text_.head_size / ranks;
    const std::int64_t k = text_.key_value_heads * text_.head_size / ranks;
    const bool divides = text_.heads % ranks == 0 && text_.key_value_heads % ranks == 0;
    if (!divides || pieces[0]->shape[0] != q + 2 * k)
      return fail(Code::tensor_mismatch,
                  "{} is {} in each of {} shards; {} query and {} key/value heads of {} do not fit",
                  shown(native), pieces[0]->shape.text(), ranks, text_.heads, text_.key_value_heads,
                  text_.head_size);
    rows(prefix + "q_proj.weight", native, pieces, 0, q);
    rows(prefix + "k_proj.weight", native, pieces, q, k);
    rows(prefix + "v_proj.weight", native, pieces, q + k, k);
    return {};
  }

  Result<void> gate_up(const std::string& prefix, const std::string& native, const Pieces& pieces) {
    HERD_TRY_VOID(expect_rank(native, pieces, 2));
    const std::int64_t both = pieces[0]->shape[0];
    if (both % 2 != 0)
      return fail(Code::tensor_mismatch, "{} is {}, wanted an even number of rows", shown(native),
                  pieces[0]->shape.text());
    rows(prefix + "gate_proj.weight", native, pieces, 0, both / 2);
    rows(prefix + "up_proj.weight", native, pieces, both / 2, both / 2);
    return {};
  }

  Result<void> transpose(const std::string& canonical, const std::string& native,
                         const StoredTensor& tensor) {
    HERD_TRY_VOID(expect_rank(native, {&tensor}, 2));
    const std::size_t bytes = element_bytes(tensor);
    const auto from_rows = static_cast<std::size_t>(tensor.shape[0]);
    const auto from_columns = static_cast<std::size_t>(tensor.shape[1]);
    std::vector<std::byte>& out = own(tensor.bytes);
    transpose_into(out.data(), tensor.data, from_rows, from_columns, bytes);
    give(canonical, native, tensor.dtype, {tensor.shape[1], tensor.shape[0]}, out.data());
    return {};
  }

  Result<void> fused_experts(const std::string& prefix, const std::array<Pieces, 3>& parts,
                             std::size_t inner);
  Result<void> fp8_experts(const std::string& prefix, const std::string& native,
                           const std::array<Pieces, 3>& parts, std::size_t inner);
  void fp8_in(const std::string& canonical, const std::string& native, const Pieces& weights,
              const Pieces& scales, std::size_t expert, std::size_t inner);
  void fp8_down(const std::string& canonical, const std::string& native, const Pieces& weights,
                const Pieces& scales, std::size_t expert, std::size_t inner);

  const Store& store_;
  const TextConfig& text_;
  std::deque<std::vector<std::byte>>& storage_;
  std::vector<MergedTensor> merged_;
};

// gate, up [E*D, F] and down [E*F, D] of every rank, checked against each other.
Result<void> Merger::experts(std::int64_t layer) {
  const std::string native = fmt::format("layers.{}.feed_forward.experts.", layer);
  if (text_.experts == 0)
    return fail(Code::tensor_unexpected, "{}* exist, but params.json has no experts", native);
  std::array<Pieces, 3> parts;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    HERD_TRY(parts[p], pieces_of(store_, native + std::string(expert_parts[p].native)));
    HERD_TRY_VOID(expect_rank(native + std::string(expert_parts[p].native), parts[p], 2));
  }
  const StoredTensor& gate = *parts[0][0];
  const StoredTensor& down = *parts[2][0];
  const std::int64_t inner = gate.shape[1];  // F
  const bool fits = gate.shape == Shape{text_.experts * text_.width, inner} &&
                    parts[1][0]->shape == gate.shape &&
                    down.shape == Shape{text_.experts * inner, text_.width};
  const bool one_type = parts[1][0]->dtype == gate.dtype && down.dtype == gate.dtype;
  if (!fits || !one_type)
    return fail(Code::tensor_mismatch,
                "{}: gate is {}, up {}, down {} ({}, {}, {}); {} experts of width {} do not fit",
                native, gate.shape.text(), parts[1][0]->shape.text(), down.shape.text(),
                row_of(gate.dtype).name, row_of(parts[1][0]->dtype).name, row_of(down.dtype).name,
                text_.experts, text_.width);
  const bool has_scales = store_.find(native + std::string(expert_parts[0].scales)) != nullptr;
  if (has_scales != (gate.dtype == DType::f8_e4m3))
    return fail(Code::tensor_mismatch, "{}: weights are {}, but FP8 scales are {}", native,
                row_of(gate.dtype).name, has_scales ? "there" : "missing");
  if (gate.dtype == DType::f8_e4m3)
    return fp8_experts(native, native, parts, static_cast<std::size_t>(inner));
  return fused_experts(native, parts, static_cast<std::size_t>(inner));
}

// gate_up_proj [E, D, 2I] and down_proj [E, I, D]: input-major as here, so whole runs are copied.
Result<void> Merger::fused_experts(const std::string& prefix, const std::array<Pieces, 3>& parts,
                                   std::size_t inner) {
  const auto ranks = parts[0].size();
  const auto E = static_cast<std::size_t>(text_.experts);
  const auto D = static_cast<std::size_t>(text_.width);
  const DType dtype = parts[0][0]->dtype;
  const std::size_t element = row_of(dtype).bytes;
  const std::size_t run = inner * element;
  std::vector<std::byte>& in = own(2 * E * D * run * ranks);
  interleave(in.data(), parts[0], E * D, run, 2 * run * ranks, 0);
  interleave(in.data(), parts[1], E * D, run, 2 * run * ranks, run * ranks);
  const auto I = static_cast<std::int64_t>(inner * ranks);
  give(prefix + "gate_up_proj", prefix + std::string(expert_parts[0].native), dtype,
       {text_.experts, text_.width, 2 * I}, in.data());
  const std::string down_native = prefix + std::string(expert_parts[2].native);
  const Shape down_shape{text_.experts, I, text_.width};
  if (ranks == 1) {
    give(prefix + "down_proj", down_native, dtype, down_shape, parts[2][0]->data);
    return {};
  }
  const std::size_t down_run = inner * D * element;
  std::vector<std::byte>& out = own(E * down_run * ranks);
  interleave(out.data(), parts[2], E, down_run, down_run * ranks, 0);
  give(prefix + "down_proj", down_native, dtype, down_shape, out.data());
  return {};
}

Result<void> Merger::fp8_experts(const std::string& prefix, const std::string& native,
                                 const std::array<Pieces, 3>& parts, std::size_t inner) {
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const std::string scales_name = native + std::string(expert_parts[p].scales);
    const std::string weights_name = native + std::string(expert_parts[p].native);
    auto scales = pieces_of(store_, scales_name);
    if (!scales) return std::unexpected(std::move(scales).error().in("FP8 scales"));
    const bool is_down = p == 2;
    const std::int64_t outputs = is_down ? text_.width : static_cast<std::int64_t>(inner);
    if ((*scales)[0]->dtype != DType::f32 ||
        (*scales)[0]->shape.elements() != text_.experts * outputs)
      return fail(Code::tensor_mismatch, "{} is {} of {}, wanted {} scales of f32 for {} experts",
                  scales_name, (*scales)[0]->shape.text(), row_of((*scales)[0]->dtype).name,
                  outputs, text_.experts);
    for (std::size_t e = 0; e < static_cast<std::size_t>(text_.experts); ++e) {
      const std::string canonical = fmt::format("{}{}.{}", prefix, e, expert_parts[p].canonical);
      if (is_down)
        fp8_down(canonical, weights_name, parts[p], *scales, e, inner);
      else
        fp8_in(canonical, weights_name, parts[p], *scales, e, inner);
    }
  }
  return {};
}

// Gate or up of one expert: [D, F] of each rank -> [I, D], and the ranks' scales one after the other.
void Merger::fp8_in(const std::string& canonical, const std::string& native, const Pieces& weights,
                    const Pieces& scales, std::size_t expert, std::size_t inner) {
  const auto D = static_cast<std::size_t>(text_.width);
  const std::size_t ranks = weights.size();
  std::vector<std::byte>& out = own(inner * ranks * D);
  std::vector<std::byte>& scale = own(inner * ranks * sizeof(float));
  for (std::size_t r = 0; r < ranks; ++r) {
    transpose_into(out.data() + r * inner * D, weights[r]->data + expert * D * inner, D, inner, 1);
    std::memcpy(scale.data() + r * inner * sizeof(float),
                scales[r]->data + expert * inner * sizeof(float), inner * sizeof(float));
  }
  const auto I = static_cast<std::int64_t>(inner * ranks);
  give(canonical + ".weight", native, DType::f8_e4m3, {I, text_.width}, out.data());
  give(canonical + ".weight_scale", native, DType::f32, {I, 1}, scale.data());
}

// Down of one expert: [F, D] of each rank -> [D, I]. Each rank has its own scale for the same output, so with several
// there is no scale per output any more: the numbers are multiplied out to bfloat16 (relative error 2^-9, of weights
// known to 2^-4).
void Merger::fp8_down(const std::string& canonical, const std::string& native,
                      const Pieces& weights, const Pieces& scales, std::size_t expert,
                      std::size_t inner) {
  const auto D = static_cast<std::size_t>(text_.width);
  const std::size_t ranks = weights.size(), I = inner * ranks;
  const std::size_t element = ranks == 1 ? 1 : 2;
  std::vector<std::byte>& out = own(D * I * element);
  for (std::size_t r = 0; r < ranks; ++r) {
    const std::byte* from = weights[r]->data + expert * inner * D;
    for (std::size_t d = 0; d < D; ++d) {
      float scale = 0;
      std::memcpy(&scale, scales[r]->data + (expert * D + d) * sizeof(float), sizeof scale);
      for (std::size_t f = 0; f < inner; ++f) {
        const std::byte value = from[f * D + d];
        const std::size_t at = d * I + r * inner + f;
        if (ranks == 1) {
          out[at] = value;
          continue;
        }
        const std::uint16_t wide =
            bf16_of_f32(f32_of_f8_e4m3(std::to_integer<std::uint8_t>(value)) * scale);
        std::memcpy(out.data() + at * 2, &wide, 2);
      }
    }
  }
  const Shape shape{text_.width, static_cast<std::int64_t>(I)};
  if (ranks > 1) {
    give(canonical + ".weight", native, DType::bf16, shape, out.data());
    return;
  }
  give(canonical + ".weight", native, DType::f8_e4m3, shape, out.data());
  std::vector<std::byte>& scale = own(D * sizeof(float));
  std::memcpy(scale.data(), scales[0]->data + expert * D * sizeof(float), scale.size());
  give(canonical + ".weight_scale", native, DType::f32, {text_.width, 1}, scale.data());
}

bool is_expert_scale(std::string_view rest) {
  return std::ranges::any_of(expert_parts, [&](const ExpertPart& part) {
    return rest == "feed_forward.experts." + std::string(part.scales);
  });
}

}  // namespace

void complete_widths(Config& config, const Store& store) {
  if (store.format() != checkpoint::Format::meta) return;
  const auto ranks = static_cast<std::int64_t>(store.shards());
  for (std::int64_t layer = 0; layer < config.text.layers; ++layer) {
    const std::string prefix = fmt::format("layers.{}.feed_forward.", layer);
    const StoredTensor* expert = store.find(prefix + "experts.moe_w_in_eD_F");
    if (expert != nullptr && expert->shape.rank() == 2 && expert->shape[1] > 0)
      config.text.expert_width = expert->shape[1] * ranks;
    const StoredTensor* dense = store.find(prefix + "mlp.fc1_weight");
    if (dense != nullptr && dense->shape.rank() == 2 && dense->shape[0] > 1)
      config.text.dense_width = dense->shape[0] / 2 * ranks;
  }
}

Result<std::vector<MergedTensor>> merge_shards(const Store& store, const Config& config,
                                               std::deque<std::vector<std::byte>>& storage,
                                               const checkpoint::Progress& progress) {
  Merger merger(store, config, storage);
  const std::vector<StoredTensor>& tensors = store.tensors();
  const std::uint64_t total = store.bytes();
  std::uint64_t done = 0;
  std::set<std::int64_t> merged_layers;
  for (std::size_t i = 0; i < tensors.size();) {
    const std::string& name = tensors[i].name;
    const StoredTensor& first = tensors[i];
    for (; i < tensors.size() && tensors[i].name == name; ++i) done += tensors[i].bytes;
    const auto layer = in_layer(name, "layers.");
    const std::optional<Plan> plan = plan_for(name);
    if (layer && is_expert_scale(layer->rest)) {
      // Goes with the weights; by itself it is nothing the model knows.
      if (store.find(fmt::format("layers.{}.feed_forward.experts.{}", layer->layer,
                                 expert_parts[0].native)) == nullptr)
        merger.pass_on(first);
    } else if (!plan) {
      merger.pass_on(first);
    } else if (plan->merge == Merge::expert) {
      if (merged_layers.insert(layer->layer).second) HERD_TRY_VOID(merger.experts(layer->layer));
    } else if (plan->merge == Merge::whole) {
      merger.whole(*plan, name);
    } else if (plan->merge != Merge::ignore) {
      HERD_TRY_VOID(merger.merge(*plan, name));
    }
    if (progress) progress("merging shards", done, total);
  }
  return std::move(merger).take();
}

}  // namespace herd::llama4
