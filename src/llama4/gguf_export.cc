#include "llama4/gguf_export.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "checkpoint/store.h"
#include "kernels/packed.h"
#include "llama4/gguf.h"
#include "llama4/names.h"
#include "llama4/packed_weights.h"
#include "quant/encode.h"
#include "quant/formats.h"
#include "tensor/packed_layout.h"

namespace herd::llama4 {
namespace {

using checkpoint::GgufKeys;
using checkpoint::GgufKind;
using checkpoint::GgufWriter;
using checkpoint::PlannedTensor;

// A tensor of the file and the numbers it is made of: matrices one after the other, or a vector.
struct Part {
  PlannedTensor planned;
  Role role = Role::small;
  std::vector<const Matrix*> matrices;
  std::span<const float> vector;
};

class Parts final : public nn::ParameterVisitor {
 public:
  Parts(Model& model, const GgufExport& options)
      : mix_(options.mix),
        vision_type_(options.vision_type),
        packs_(options.kind == GgufKind::packed_store),
        ties_(model.config().text.ties_embeddings) {
    model.parameters(*this);
    // A tied output matrix is the embedding's again; packed, it is not the same bytes.
    std::erase_if(text, [&](const Part& part) {
      return ties_ && part.planned.name == "output.weight" && !part.planned.packed;
    });
    if (!packs_) return;
    std::ranges::move(vision, std::back_inserter(text));
    vision.clear();
  }

  void matrix(std::string_view name, Matrix& matrix) override {
    add(gguf_name_of(name), name, {matrix.out, matrix.in}, {&matrix});
  }
  void vector(std::string_view name, Tensor& vector) override {
    const std::string gguf = gguf_name_of(name);
    HERD_CHECK(!gguf.empty(), "no GGUF name for {}", name);
    text_or_vision(name).push_back(
        {{gguf, DType::f32, vector.shape}, Role::small, {}, vector.as<float>()});
  }
  void experts(std::string_view name, nn::ExpertMatrices& experts) override {
    const std::string_view layer = name.substr(0, name.find(".feed_forward"));
    for (const auto& [matrices, end] :
         {std::pair{&experts.gate, "gate"}, {&experts.up, "up"}, {&experts.down, "down"}}) {
      std::vector<const Matrix*> all;
      for (const Matrix& matrix : *matrices) all.push_back(&matrix);
      add(fmt::format("blk.{}.ffn_{}_exps.weight", layer.substr(layer.rfind('.') + 1), end),
          fmt::format("{}.{}_proj.weight", name, end),
          {static_cast<std::int64_t>(all.size()), all[0]->out, all[0]->in}, all);
    }
  }

  std::vector<Part> text, vision;
  std::vector<GgufNote> fallen_back;

 private:
  std::vector<Part>& text_or_vision(std::string_view name) {
    return is_of_vision(name) ? vision : text;
  }

  void add(const std::string& gguf, std::string_view name, const Shape& shape,
           std::vector<const Matrix*> matrices) {
    HERD_CHECK(!gguf.empty(), "no GGUF name for {}", name);
    const DType type = mix_ == nullptr && !(is_of_vision(name) && vision_type_)
                           ? kept_type(gguf, matrices)
                       : is_of_vision(name) ? encoder_type(gguf, name, shape[-1], matrices)
                                            : mixed_type(gguf, name, shape);
    const bool packed = packs_ && is_packed_in_stores(name, type);
    text_or_vision(name).push_back(
        {{gguf, type, shape, packed}, role_of(name), std::move(matrices), {}});
  }

  // What is named; else 16 bits, because encoders are small and their rows seldom whole blocks. What is in blocks
  // already stays so, as it would be no better in 16 bits. Patches' matrix is a convolution to others, who want its
  // numbers whole.
  DType encoder_type(const std::string& gguf, std::string_view name, std::int64_t row_width,
                     std::span<const Matrix* const> matrices) {
    const DType has = matrices[0]->dtype;
    DType wanted = vision_type_ ? *vision_type_ : mix_->attention;
    if (!vision_type_ && is_quantized(has) && wanted != DType::f32)
      return kept_type(gguf, matrices);
    if (!vision_type_ && is_quantized(wanted))
      wanted = has == DType::bf16 ? DType::bf16 : DType::f16;
    if (name.contains("patch_embedding")) return DType::f32;
    if (row_width % static_cast<std::int64_t>(row_of(wanted).block) == 0) return wanted;
    return falls_back(gguf, DType::f16, row_width, wanted);
  }

  DType falls_back(const std::string& gguf, DType type, std::int64_t row_width, DType wanted) {
    fallen_back.push_back({fmt::format("{} is {}: its rows of {} are not whole blocks of {}", gguf,
                                       row_of(type).name, row_width, row_of(wanted).name),
                           wanted});
    return type;
  }

  DType mixed_type(const std::string& gguf, std::string_view name, const Shape& shape) {
    const bool tied = ties_ && name.starts_with("lm_head.");
    const Role role = tied ? Role::embedding : role_of(name);
    const DType type = type_for(*mix_, role, shape[-1]);
    const DType wanted = type_for(*mix_, role, 256);
    if (role != Role::small && type != wanted) falls_back(gguf, type, shape[-1], wanted);
    return type;
  }

  DType kept_type(const std::string& gguf, std::span<const Matrix* const> matrices) {
    const DType type = matrices[0]->dtype;
    const bool known = checkpoint::gguf_number_of(type, packs_).has_value();
    const bool alike = std::ranges::all_of(matrices, [&](const Matrix* matrix) {
      return matrix->dtype == type && matrix->scale == nullptr;
    });
    if (alike && is_quantized(type)) return type;  // write_gguf() refuses what GGUF does not know
    if (known && alike) return type;
    fallen_back.push_back({fmt::format("{} is bf16: {}", gguf,
                                       !alike ? "its matrices have scales or different formats"
                                              : fmt::format("GGUF has no {}", row_of(type).name)),
                           type});
    return DType::bf16;
  }

  const MixRow* mix_;
  std::optional<DType> vision_type_;
  bool packs_, ties_;
};

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

// Experts at every step-th layer; 0 when the layers follow no step.
std::int64_t moe_step(const TextConfig& text) {
  const auto first = std::ranges::find(text.is_moe, true);
  if (first == text.is_moe.end()) return 0;
  const std::int64_t step = first - text.is_moe.begin() + 1;
  for (std::int64_t layer = 0; layer < text.layers; ++layer)
    if (text.is_moe[static_cast<std::size_t>(layer)] != ((layer + 1) % step == 0)) return 0;
  return step;
}

void put_shape(GgufKeys& keys, const Config& config) {
  const TextConfig& text = config.text;
  keys.put("llama4.block_count", u32(text.layers));
  keys.put("llama4.context_length", u32(text.context));
  keys.put("llama4.embedding_length", u32(text.width));
  keys.put("llama4.feed_forward_length",
           u32(text.dense_width > 0 ? text.dense_width : 2 * text.expert_width));
  keys.put("llama4.attention.head_count", u32(text.heads));
  keys.put("llama4.attention.head_count_kv", u32(text.key_value_heads));
  keys.put("llama4.attention.key_length", u32(text.head_size));
  keys.put("llama4.attention.value_length", u32(text.head_size));
  keys.put("llama4.attention.layer_norm_rms_epsilon", static_cast<float>(text.norm_eps));
  keys.put("llama4.rope.freq_base", static_cast<float>(text.rope_theta));
  keys.put("llama4.rope.dimension_count", u32(text.head_size));
  keys.put("llama4.vocab_size", u32(text.vocabulary));
  keys.put("llama4.expert_count", u32(text.experts));
  if (text.experts == 0) return;
  keys.put("llama4.expert_used_count", u32(text.experts_per_token));
  keys.put("llama4.expert_feed_forward_length", u32(text.expert_width));
  keys.put("llama4.interleave_moe_layer_step", u32(std::max<std::int64_t>(1, moe_step(text))));
}

// What llama.cpp takes for granted and a model may have otherwise.
void put_differences(GgufKeys& keys, const Config& config) {
  const TextConfig& text = config.text;
  keys.put("llama4.use_qk_norm", text.normalizes_qk);
  keys.put("llama4.attention.chunk_size", u32(text.chunk));
  keys.put("llama4.attention.temperature_length", u32(text.temperature_floor));
  keys.put("llama4.attention.temperature_scale", static_cast<float>(text.temperature_scale));
  if (!text.tempers) keys.put("herd.attention.temperature_tuning", false);
  std::vector<std::int32_t> rotates, moe;
  bool every_fourth = true;
  for (std::size_t layer = 0; layer < text.rotates.size(); ++layer) {
    rotates.push_back(text.rotates[layer] ? 1 : 0);
    every_fourth = every_fourth && text.rotates[layer] == ((layer + 1) % 4 != 0);
    if (text.is_moe[layer]) moe.push_back(static_cast<std::int32_t>(layer));
  }
  if (std::ranges::find(rotates, 0) == rotates.end() && text.chunk == 0)
    keys.put("llama4.attention.sliding_window", std::uint32_t{0});  // llama.cpp: full attention
  if (!every_fourth) keys.put("herd.no_rope_layers", std::span<const std::int32_t>(rotates));
  if (text.experts > 0 && moe_step(text) == 0)
    keys.put("herd.moe_layers", std::span<const std::int32_t>(moe));
  if (config.vision) {
    keys.put("herd.image_token_id", u32(config.image_token));
    keys.put("herd.image_start_token_id", u32(config.image_start_token));
    keys.put("herd.image_end_token_id", u32(config.image_end_token));
  }
  if (!text.rope_scaling) return;
  const RopeScaling& rule = *text.rope_scaling;
  keys.put("herd.rope_scaling.factor", static_cast<float>(rule.factor));
  keys.put("herd.rope_scaling.low_freq_factor", static_cast<float>(rule.low_frequency_factor));
  keys.put("herd.rope_scaling.high_freq_factor", static_cast<float>(rule.high_frequency_factor));
  keys.put("herd.rope_scaling.original_context_length", u32(rule.original_context));
}

// As llama.cpp numbers what most of the matrices' numbers are.
std::uint32_t file_type_of(std::span<const Part> parts) {
  std::array<std::int64_t, dtype_table.size()> numbers{};
  for (const Part& part : parts)
    if (!part.matrices.empty())
      numbers[static_cast<std::size_t>(part.planned.dtype)] += part.planned.shape.elements();
  const auto most = static_cast<DType>(std::ranges::max_element(numbers) - numbers.begin());
  for (const MixRow& row : mix_table)
    if (row.experts == most) return row.file_type;
  return find_mix("bf16")->file_type;
}

GgufKeys text_keys(const Config& config, const GgufExport& options, std::uint32_t file_type) {
  GgufKeys keys;
  keys.put("general.architecture", "llama4");
  keys.put("general.type", "model");
  keys.put("general.name", std::string_view(options.name));
  keys.put("general.file_type", file_type);
  keys.put("general.quantization_version", std::uint32_t{2});
  put_shape(keys, config);
  put_differences(keys, config);
  return keys;
}

// `prefix` is of the vision encoder's own file, or, as Ollama does, of the model's.
void put_vision(GgufKeys& keys, const Config& config, std::string_view prefix) {
  const VisionConfig& vision = *config.vision;
  const auto key = [&](std::string_view name) { return fmt::format("{}{}", prefix, name); };
  keys.put(key("image_size"), u32(vision.image_size));
  keys.put(key("patch_size"), u32(vision.patch_size));
  keys.put(key("embedding_length"), u32(vision.width));
  keys.put(key("feed_forward_length"), u32(vision.inner_width));
  keys.put(key("block_count"), u32(vision.layers));
  keys.put(key("attention.head_count"), u32(vision.heads));
  keys.put(key("attention.layer_norm_epsilon"), static_cast<float>(vision.norm_eps));
  keys.put(key("projection_dim"), u32(config.text.width));
  keys.put(key("projector.scale_factor"), u32(std::lround(1.0 / vision.pixel_shuffle_ratio)));
  if (vision.rope_theta != 10000.0)
    keys.put(key("rope.freq_base"), static_cast<float>(vision.rope_theta));
  constexpr float half[3] = {0.5f, 0.5f, 0.5f};
  keys.put(key("image_mean"), std::span<const float>(half));
  keys.put(key("image_std"), std::span<const float>(half));
}

GgufKeys projector_keys(const Config& config, const GgufExport& options, std::uint32_t file_type) {
  GgufKeys keys;
  keys.put("general.architecture", "clip");
  keys.put("general.type", "mmproj");
  keys.put("general.name", std::string_view(options.name));
  keys.put("general.file_type", file_type);
  keys.put("clip.has_vision_encoder", true);
  keys.put("clip.projector_type", "llama4");
  keys.put("clip.use_gelu", true);
  put_vision(keys, config, "clip.vision.");
  return keys;
}

// Writes a matrix in bands of outputs, each made by all threads at once.
Result<void> write_matrix(GgufWriter& file, const Matrix& matrix, const PlannedTensor& planned,
                          const float* importance, const GgufExport& options, ThreadPool& pool) {
  constexpr std::int64_t band_numbers = 4 << 20, piece = 64;
  static_assert(piece % packed_outs == 0);
  const DType type = planned.dtype;
  const std::int64_t row_bytes = bytes_of(type, matrix.in);
  const std::int64_t pieces = band_numbers / (piece * std::max<std::int64_t>(1, matrix.in));
  const std::int64_t band = std::min(matrix.out, std::max<std::int64_t>(1, pieces) * piece);
  std::vector<std::byte> encoded(static_cast<std::size_t>(band * row_bytes)), packed;
  if (planned.packed) packed.resize(static_cast<std::size_t>(packed_bytes(type, band, matrix.in)));
  std::uint64_t written = 0;
  const auto write = [&](std::span<const std::byte> bytes) -> Result<void> {
    written += bytes.size();
    if (options.progress) options.progress(bytes.size());
    return file.write(bytes);
  };
  for (std::int64_t first = 0; first < matrix.out; first += band) {
    const std::int64_t rows = std::min(band, matrix.out - first);
    const Matrix here{
        .data = encoded.data(), .dtype = type, .out = rows, .in = matrix.in, .stride = matrix.in};
    pool.run(rows, piece, [&](std::int64_t begin, std::int64_t end, int) {
      rows_as_blocks(matrix, first + begin, first + end, type, importance,
                     encoded.data() + begin * row_bytes);
      if (planned.packed)
        pack(here, begin / packed_outs, (end + packed_outs - 1) / packed_outs, packed.data());
    });
    const auto bytes = static_cast<std::size_t>(planned.packed ? packed_bytes(type, rows, matrix.in)
                                                               : rows * row_bytes);
    HERD_TRY_VOID(write(std::span(planned.packed ? packed : encoded).first(bytes)));
  }
  if (!planned.packed) return {};
  constexpr std::array<std::byte, packed_page> zeros{};
  const std::uint64_t rest = written % packed_page;
  if (rest == 0) return {};  // the tensor is whole, and the next one has begun
  return write(std::span(zeros).first(packed_page - rest));
}

Result<void> write_parts(GgufWriter& file, std::span<const Part> parts, const GgufExport& options,
                         ThreadPool& pool) {
  for (const Part& part : parts) {
    if (part.matrices.empty()) HERD_TRY_VOID(file.write(std::as_bytes(part.vector)));
    for (std::size_t e = 0; e < part.matrices.size(); ++e)
      HERD_TRY_VOID(write_matrix(
          file, *part.matrices[e], part.planned,
          options.importance ? options.importance(part.planned.name, static_cast<std::int64_t>(e))
                             : nullptr,
          options, pool));
  }
  return {};
}

Result<void> write_file(const fs::path& path, const GgufKeys& keys, std::span<const Part> parts,
                        const GgufExport& options, ThreadPool& pool) {
  std::vector<PlannedTensor> planned;
  for (const Part& part : parts) planned.push_back(part.planned);
  HERD_TRY(GgufWriter file, GgufWriter::create(path, keys, planned, options.kind));
  HERD_TRY_VOID(write_parts(file, parts, options, pool));
  return file.finish();
}

// Where each shard begins. A tensor larger than a shard gets one of its own.
std::vector<std::size_t> shard_begins(std::span<const Part> parts, std::uint64_t bytes_max) {
  std::vector<std::size_t> begins{0};
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::uint64_t size = checkpoint::gguf_bytes_of(parts[i].planned);
    if (bytes_max > 0 && bytes > 0 && bytes + size > bytes_max) {
      begins.push_back(i);
      bytes = 0;
    }
    bytes += size;
  }
  return begins;
}

Result<void> write_text(const fs::path& out, const GgufKeys& keys, std::span<const Part> parts,
                        const GgufExport& options, ThreadPool& pool) {
  std::vector<std::size_t> begins = shard_begins(parts, options.shard_bytes);
  if (begins.size() == 1) return write_file(out, keys, parts, options, pool);
  const std::size_t count = begins.size();
  begins.push_back(parts.size());
  for (std::size_t shard = 0; shard < count; ++shard) {
    GgufKeys own = shard == 0 ? keys : GgufKeys();
    if (shard > 0) own.put("general.architecture", "llama4");
    own.put_u16("split.no", static_cast<std::uint16_t>(shard));
    own.put_u16("split.count", static_cast<std::uint16_t>(count));
    own.put("split.tensors.count", static_cast<std::int32_t>(parts.size()));  // llama.cpp's type
    const fs::path path =
        out.parent_path() / checkpoint::gguf_shard_name(out.stem().string(), shard + 1, count);
    HERD_TRY_VOID(write_file(
        path, own, parts.subspan(begins[shard], begins[shard + 1] - begins[shard]), options, pool));
  }
  return {};
}

// GGUF has no int4 in groups of 128, and other blocks would not be what was asked for.
Result<void> refuse_unknown(std::span<const Part> parts, const GgufExport& options) {
  const auto refused = [&](DType type) {
    return !checkpoint::gguf_number_of(type, options.kind == GgufKind::packed_store);
  };
  const auto error = [](std::string_view what, DType type) {
    return fail_with_hint(
        Code::usage, fmt::format("{} {}, which GGUF files do not have", what, row_of(type).name),
        "the nearest that they have is --type q4_0; a packed store (NAME.herd) and a directory "
        "keep int4, --type f32 keeps its numbers");
  };
  // A mix whose rows fell back to other formats is refused too: what is written does not hang on the model's widths.
  if (options.mix != nullptr && refused(options.mix->experts))
    return error(fmt::format("--type {} has matrices of", options.mix->name), options.mix->experts);
  for (const Part& part : parts)
    if (refused(part.planned.dtype))
      return error(fmt::format("{} is of", part.planned.name), part.planned.dtype);
  return {};
}

}  // namespace

void rows_as_blocks(const Matrix& matrix, std::int64_t begin, std::int64_t end, DType type,
                    const float* importance, std::byte* to) {
  const std::int64_t row_bytes = bytes_of(type, matrix.in);
  const bool kept = matrix.dtype == type && matrix.scale == nullptr;
  if (kept && matrix.layout == Layout::packed) {
    unpack(matrix, begin, end, to);
  } else if (kept && matrix.layout == Layout::out_in) {
    const auto* data = static_cast<const std::byte*>(matrix.data);
    for (std::int64_t row = begin; row < end; ++row, to += row_bytes)
      std::memcpy(to, data + bytes_of(type, row * matrix.stride),
                  static_cast<std::size_t>(row_bytes));
  } else {
    std::vector<float> floats(static_cast<std::size_t>((end - begin) * matrix.in));
    rows_as_floats(matrix, begin, end, floats.data());
    for (std::int64_t row = 0; row < end - begin; ++row)
      quant::encode_row(type, floats.data() + row * matrix.in, matrix.in, to + row * row_bytes,
                        importance);
  }
}

void rows_as_floats(const Matrix& matrix, std::int64_t begin, std::int64_t end, float* to) {
  const auto* data = static_cast<const std::byte*>(matrix.data);
  if (matrix.layout == Layout::packed) {
    for (std::int64_t o = begin; o < end; ++o)
      unpack_output(matrix, o, to + (o - begin) * matrix.in);
  } else if (matrix.layout == Layout::out_in) {
    for (std::int64_t o = begin; o < end; ++o)
      quant::decode_row(matrix.dtype, data + bytes_of(matrix.dtype, o * matrix.stride),
                        to + (o - begin) * matrix.in, matrix.in);
  } else {
    const auto block = static_cast<std::int64_t>(row_of(matrix.dtype).block);
    const std::int64_t first = begin / block * block, last = (end + block - 1) / block * block;
    std::vector<float> part(static_cast<std::size_t>(last - first));
    for (std::int64_t i = 0; i < matrix.in; ++i) {
      quant::decode_row(matrix.dtype, data + bytes_of(matrix.dtype, i * matrix.stride + first),
                        part.data(), last - first);
      for (std::int64_t o = begin; o < end; ++o)
        to[(o - begin) * matrix.in + i] = part[static_cast<std::size_t>(o - first)];
    }
  }
  if (matrix.scale == nullptr) return;
  for (std::int64_t o = begin; o < end; ++o)
    for (std::int64_t i = 0; i < matrix.in; ++i) to[(o - begin) * matrix.in + i] *= matrix.scale[o];
}

std::vector<GgufMatrices> gguf_matrices(Model& model) {
  std::vector<GgufMatrices> out;
  const GgufExport plain{.mix = find_mix("f32"), .name = {}, .words = {}, .projector = {}};
  Parts parts(model, plain);
  for (Part& part : parts.text)
    if (part.role != Role::small && !part.matrices.empty() &&
        !(part.role == Role::head && model.config().text.ties_embeddings))
      out.push_back({part.planned.name, std::move(part.matrices)});
  return out;
}

Result<std::vector<GgufNote>> write_gguf(Model& model, const fs::path& out,
                                         const GgufExport& options, ThreadPool& pool) {
  const Config& config = model.config();
  Parts parts(model, options);
  for (const auto* some : {&parts.text, &parts.vision})
    HERD_TRY_VOID(refuse_unknown(*some, options));
  std::vector<float> divisors;
  if (config.text.rope_scaling) {
    for (const double divisor : rope_divisors(*config.text.rope_scaling, config.text.rope_theta,
                                              config.text.head_size / 2))
      divisors.push_back(static_cast<float>(divisor));
    parts.text.insert(parts.text.begin(),
                      Part{{"rope_freqs.weight", DType::f32, {config.text.head_size / 2}},
                           Role::small,
                           {},
                           divisors});
  }
  GgufKeys keys = text_keys(
      config, options, options.mix != nullptr ? options.mix->file_type : file_type_of(parts.text));
  if (options.kind == GgufKind::packed_store) {
    if (!options.source.empty()) keys.put("herd.packed.source", std::string_view(options.source));
    if (config.text.ties_embeddings) keys.put("herd.ties_embeddings", true);
    if (config.vision) put_vision(keys, config, "llama4.vision.");
  }
  keys.append(options.words);
  HERD_TRY_VOID(write_text(out, keys, parts.text, options, pool));
  if (!options.projector.empty() && config.vision && !parts.vision.empty())
    HERD_TRY_VOID(write_file(options.projector,
                             projector_keys(config, options, file_type_of(parts.vision)),
                             parts.vision, options, pool));
  return std::move(parts.fallen_back);
}

std::map<DType, GgufShare> gguf_shares(Model& model, const GgufExport& options) {
  const Parts parts(model, options);
  std::map<DType, GgufShare> shares;
  const auto add = [&](const Part& part) {
    GgufShare& share = shares[part.planned.dtype];
    ++share.tensors;
    share.numbers += static_cast<double>(part.planned.shape.elements());
    share.bytes += checkpoint::gguf_bytes_of(part.planned);
  };
  std::ranges::for_each(parts.text, add);
  if (!options.projector.empty()) std::ranges::for_each(parts.vision, add);
  return shares;
}

std::uint64_t gguf_bytes(Model& model, const GgufExport& options) {
  std::uint64_t sum = 0;
  for (const auto& [type, share] : gguf_shares(model, options)) sum += share.bytes;
  return sum;
}

}  // namespace herd::llama4
