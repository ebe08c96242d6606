#include "llama4/adapter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "base/hash.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/keyed_hash.h"
#include "checkpoint/safetensors_writer.h"
#include "llama4/gguf_export.h"
#include "llama4/names.h"
#include "llama4/tensor_list.h"
#include "tensor/float_bits.h"

namespace herd::llama4 {
namespace {

constexpr std::string_view wrapped =
    "base_model.model.";  // PEFT's name for the model inside its own
constexpr std::string_view a_end = ".lora_A.weight", b_end = ".lora_B.weight";

class Lister final : public nn::ParameterVisitor {
 public:
  void matrix(std::string_view, Matrix&) override {}
  void vector(std::string_view, Tensor&) override {}
  void experts(std::string_view, nn::ExpertMatrices&) override {}
  void adapter(std::string_view name, nn::Adapter& adapter) override {
    places.push_back({std::string(name), &adapter});
  }
  std::vector<AdapterPlace> places;
};

bool is_of_experts(std::string_view name) { return name.contains(".experts."); }

struct Target {
  std::string_view word;
  bool (*names)(std::string_view);
};
constexpr Target target_table[] = {
    {"attention",
     [](std::string_view name) {
       return name.starts_with("layers.") && name.contains(".self_attn.");
     }},
    {"dense",
     [](std::string_view name) {
       return name.starts_with("layers.") && name.ends_with("_proj") &&
              name.contains(".feed_forward.") && !name.contains("expert");
     }},
    {"shared", [](std::string_view name) { return name.contains(".shared_expert."); }},
    {"experts", is_of_experts},
};

// The module that PEFT hangs a place's adapter on. It wraps a module of several adapted parameters once for each, in
// the order in which the module declares them: gate_up_proj inside, down_proj outside.
std::string peft_module(const std::string& place, bool text_only, bool both) {
  if (!is_of_experts(place)) return published_name(place, text_only);
  const std::string experts = published_name(place.substr(0, place.rfind('.')), text_only);
  return both && place.ends_with("gate_up_proj") ? experts + ".base_layer" : experts;
}

// One adapter's matrices as PEFT's: [rows, columns], numbers.
struct Stored {
  Shape shape;
  std::vector<float> numbers;
};

// Experts' parameters are input-major and fused; PEFT takes the parameter's first axis for the output. What it calls
// A is therefore on the side of the outputs, [E r, out], and B on that of the inputs, [in, r E], expert innermost.
Stored stored_a(const nn::Adapter& adapter, bool of_experts) {
  const std::int64_t E = static_cast<std::int64_t>(adapter.a.size()), r = adapter.rank();
  if (!of_experts) {
    const auto* a = static_cast<const float*>(adapter.a[0].data);
    return {{r, adapter.a[0].in}, {a, a + r * adapter.a[0].in}};
  }
  const std::int64_t out = adapter.b[0].out;
  Stored stored{{E * r, out}, {}};
  for (const Matrix& b : adapter.b)
    for (std::int64_t k = 0; k < r; ++k)
      for (std::int64_t o = 0; o < out; ++o)
        stored.numbers.push_back(static_cast<const float*>(b.data)[o * r + k]);
  return stored;
}

Stored stored_b(const nn::Adapter& adapter, bool of_experts) {
  const std::int64_t E = static_cast<std::int64_t>(adapter.a.size()), r = adapter.rank();
  if (!of_experts) {
    const auto* b = static_cast<const float*>(adapter.b[0].data);
    return {{adapter.b[0].out, r}, {b, b + adapter.b[0].out * r}};
  }
  const std::int64_t in = adapter.a[0].in;
  Stored stored{{in, r * E}, {}};
  for (std::int64_t i = 0; i < in; ++i)
    for (std::int64_t k = 0; k < r; ++k)
      for (const Matrix& a : adapter.a)
        stored.numbers.push_back(static_cast<const float*>(a.data)[k * in + i]);
  return stored;
}

// A file's tensor as float32. Its shape has two axes.
Stored read_stored(const checkpoint::Safetensors& file, const checkpoint::SafetensorsEntry& entry) {
  Stored stored{entry.shape, {}};
  stored.numbers.resize(static_cast<std::size_t>(entry.shape.elements()));
  const std::span<const std::byte> bytes = file.bytes(entry);
  if (entry.dtype == DType::f32 && !bytes.empty()) {
    std::memcpy(stored.numbers.data(), bytes.data(), bytes.size());
    return stored;
  }
  for (std::size_t i = 0; i < stored.numbers.size(); ++i)
    stored.numbers[i] = element_as_f32(bytes.data(), entry.dtype, static_cast<std::int64_t>(i));
  return stored;
}

// Where the numbers of one expert's thin matrix (rows, columns) lie in a stored one.
using Place = std::int64_t (*)(std::int64_t expert, std::int64_t row, std::int64_t column,
                               std::int64_t E, const Shape& shape);

void fill(std::vector<Matrix>& matrices, const Stored& from, std::int64_t rank, bool is_a,
          Place place, std::deque<std::vector<float>>& owner) {
  const auto E = static_cast<std::int64_t>(matrices.size());
  for (std::int64_t e = 0; e < E; ++e) {
    Matrix& matrix = matrices[static_cast<std::size_t>(e)];
    (is_a ? matrix.out : matrix.in) = rank;
    matrix.stride = matrix.in;
    std::vector<float>& numbers = owner.emplace_back();
    numbers.reserve(static_cast<std::size_t>(matrix.out * matrix.in));
    for (std::int64_t o = 0; o < matrix.out; ++o)
      for (std::int64_t i = 0; i < matrix.in; ++i)
        numbers.push_back(from.numbers[static_cast<std::size_t>(place(e, o, i, E, from.shape))]);
    matrix.data = numbers.data();
  }
}

// Both forms in which PEFT has kept the adapters of fused experts: its A on the side of the outputs (0.19 and later) or
// of the inputs. Shapes tell them apart, unless in == out: then it is the later one.
Result<void> fill_experts(nn::Adapter& adapter, const Stored& a, const Stored& b,
                          const std::string& name, std::deque<std::vector<float>>& owner) {
  const auto E = static_cast<std::int64_t>(adapter.a.size());
  const std::int64_t in = adapter.a[0].in, out = adapter.b[0].out, all = a.shape[0];
  const std::int64_t rank = all / E;
  const bool ranks_agree = rank > 0 && all % E == 0 && b.shape[1] == all;
  if (ranks_agree && a.shape[1] == out && b.shape[0] == in) {
    const auto a_of = [](std::int64_t e, std::int64_t k, std::int64_t i, std::int64_t count,
                         const Shape& shape) { return i * shape[1] + k * count + e; };
    const auto b_of = [](std::int64_t e, std::int64_t o, std::int64_t k, std::int64_t count,
                         const Shape& shape) {
      return (e * (shape[0] / count) + k) * shape[1] + o;
    };
    fill(adapter.a, b, rank, true, a_of, owner);
    fill(adapter.b, a, rank, false, b_of, owner);
    return {};
  }
  if (ranks_agree && a.shape[1] == in && b.shape[0] == out) {
    const auto a_of = [](std::int64_t e, std::int64_t k, std::int64_t i, std::int64_t count,
                         const Shape& shape) {
      return (e * (shape[0] / count) + k) * shape[1] + i;
    };
    const auto b_of = [](std::int64_t e, std::int64_t o, std::int64_t k, std::int64_t count,
                         const Shape& shape) { return o * shape[1] + k * count + e; };
    fill(adapter.a, a, rank, true, a_of, owner);
    fill(adapter.b, b, rank, false, b_of, owner);
    return {};
  }
  return fail(Code::tensor_mismatch,
              "{}: A is {} and B {}, wanted [{} r, {}] and [{}, r {}] for {} experts", name,
              a.shape.text(), b.shape.text(), E, out, in, E, E);
}

Result<void> fill_one(nn::Adapter& adapter, const Stored& a, const Stored& b,
                      const std::string& name, std::deque<std::vector<float>>& owner) {
  const std::int64_t in = adapter.a[0].in, out = adapter.b[0].out, rank = a.shape[0];
  if (rank == 0 || a.shape[1] != in || b.shape[0] != out || b.shape[1] != rank)
    return fail(Code::tensor_mismatch, "{}: A is {} and B {}, wanted [r, {}] and [{}, r]", name,
                a.shape.text(), b.shape.text(), in, out);
  const auto in_order = [](std::int64_t, std::int64_t row, std::int64_t column, std::int64_t,
                           const Shape& shape) { return row * shape[1] + column; };
  fill(adapter.a, a, rank, true, in_order, owner);
  fill(adapter.b, b, rank, false, in_order, owner);
  return {};
}

// Keys that change what an adapter computes, and the values at which they do not.
Result<void> refuse_other_kinds(const json::value& config) {
  if (const json::value* type = find(config, "peft_type");
      type == nullptr || !type->is_string() || type->as_string() != "LORA")
    return fail(Code::config_invalid, "peft_type is {}, wanted \"LORA\"",
                type == nullptr ? "missing" : json::serialize(*type));
  for (const char* key : {"use_dora", "use_qalora", "lora_bias", "fan_in_fan_out", "alpha_pattern",
                          "layer_replication", "modules_to_save", "trainable_token_indices",
                          "use_bdlora", "velora_config", "kasa_config", "monteclora_config",
                          "alora_invocation_tokens", "arrow_config"}) {
    const json::value* value = find(config, key);
    const bool is_off = value == nullptr || value->is_null() ||
                        (value->is_bool() && !value->as_bool()) ||
                        (value->is_object() && value->as_object().empty()) ||
                        (value->is_array() && value->as_array().empty());
    if (!is_off)
      return fail(Code::config_invalid, "{} is {}, which herd does not know how to apply", key,
                  json::serialize(*value));
  }
  const json::value* bias = find(config, "bias");
  if (bias != nullptr && (!bias->is_string() || bias->as_string() != "none"))
    return fail(Code::config_invalid, "bias is {}, wanted \"none\"", json::serialize(*bias));
  return {};
}

Result<AdapterOptions> options_of(const json::value& config) {
  HERD_TRY_VOID(refuse_other_kinds(config));
  AdapterOptions options{.targets = {}};
  const json::value* rank = find(config, "r");
  const json::value* alpha = find(config, "lora_alpha");
  const json::value* rslora = find(config, "use_rslora");
  if (rank == nullptr || !rank->is_int64() || rank->as_int64() < 1)
    return fail(Code::config_invalid, "r is {}, wanted a whole number of at least 1",
                rank == nullptr ? "missing" : json::serialize(*rank));
  if (alpha == nullptr || !alpha->is_number())
    return fail(Code::config_invalid, "lora_alpha is {}, wanted a number",
                alpha == nullptr ? "missing" : json::serialize(*alpha));
  options.rank = rank->as_int64();
  options.alpha = alpha->to_number<double>();
  options.rslora = rslora != nullptr && rslora->is_bool() && rslora->as_bool();
  return options;
}

// The pairs of a file by module, canonical: "layers.0.self_attn.q_proj", "layers.1.feed_forward.experts.base_layer".
struct Pair {
  const checkpoint::SafetensorsEntry* a = nullptr;
  const checkpoint::SafetensorsEntry* b = nullptr;
};

Result<std::map<std::string, Pair>> pairs_of(const checkpoint::Safetensors& file) {
  std::map<std::string, Pair> pairs;
  for (const checkpoint::SafetensorsEntry& entry : file.tensors()) {
    std::string_view name = entry.name;
    const bool is_a = name.ends_with(a_end), is_b = name.ends_with(b_end);
    if (!name.starts_with(wrapped) || (!is_a && !is_b))
      return fail(Code::tensor_unexpected, "{}: wanted {}<module>{} or {}", shown(name), wrapped,
                  a_end, b_end);
    if (entry.shape.rank() != 2 || !row_of(entry.dtype).is_weight)
      return fail(Code::tensor_mismatch, "{} is {} {}, wanted a matrix of floating-point numbers",
                  shown(name), row_of(entry.dtype).name, entry.shape.text());
    name.remove_prefix(wrapped.size());
    name.remove_suffix(a_end.size());
    Pair& pair = pairs[canonical_name(name)];
    (is_a ? pair.a : pair.b) = &entry;
  }
  for (const auto& [name, pair] : pairs)
    if (pair.a == nullptr || pair.b == nullptr)
      return fail(Code::tensor_missing, "{} has {} without {}", name,
                  pair.a == nullptr ? "lora_B" : "lora_A", pair.a == nullptr ? "lora_A" : "lora_B");
  return pairs;
}

// The pair of a place, taken from the list. Where one of the experts' parameters stands alone, its shape tells which.
Pair take(std::map<std::string, Pair>& pairs, const AdapterPlace& place) {
  std::string module = place.name;
  if (is_of_experts(place.name)) {
    module = place.name.substr(0, place.name.rfind('.'));
    const std::string inside = module + ".base_layer";
    const bool is_gate_up = place.name.ends_with("gate_up_proj");
    if (is_gate_up && pairs.contains(inside)) {
      module = inside;
    } else if (const auto found = pairs.find(module); is_gate_up && found != pairs.end()) {
      const std::int64_t in = place.adapter->a[0].in, out = place.adapter->b[0].out;
      const std::int64_t one = found->second.a->shape[1], other = found->second.b->shape[0];
      if (!(one == out && other == in) && !(one == in && other == out)) return {};
    }
  }
  const auto found = pairs.find(module);
  if (found == pairs.end()) return {};
  const Pair pair = found->second;
  pairs.erase(found);
  return pair;
}

// Of the numbers from `first` on.
Result<void> check_finite(const LoadedAdapters& loaded, std::size_t first, const std::string& name,
                          float scale) {
  bool finite = std::isfinite(scale);
  for (std::size_t i = first; finite && i < loaded.numbers.size(); ++i)
    finite = std::ranges::all_of(loaded.numbers[i], [](float x) { return std::isfinite(x); });
  if (finite) return {};
  return fail(Code::weights_not_finite, "{}: its adapter, or what it counts, is not finite", name);
}

// The identity so far, and the numbers from `first` on with their place. What lies on disk by it is found again in
// another process, so the hash has no secret: whoever may give the server adapters is not who it must be safe from.
std::uint64_t identity_after(const LoadedAdapters& loaded, std::size_t first,
                             const std::string& name, float scale) {
  constexpr HashKey open{};
  std::vector<std::uint64_t> words{loaded.identity, fnv1a(name),
                                   std::bit_cast<std::uint32_t>(scale)};
  for (std::size_t i = first; i < loaded.numbers.size(); ++i)
    words.push_back(keyed_hash(open, std::span<const float>(loaded.numbers[i])));
  return keyed_hash(open, std::span<const std::uint64_t>(words));
}

}  // namespace

float AdapterOptions::scale() const {
  const auto r = static_cast<double>(rank);
  return static_cast<float>(alpha / (rslora ? std::sqrt(r) : r));
}

std::vector<AdapterPlace> adapter_places(Model& model) {
  Lister lister;
  model.parameters(lister);
  return std::move(lister.places);
}

Result<void> shape_adapters(Model& model, const AdapterOptions& options) {
  const std::vector<AdapterPlace> places = adapter_places(model);
  for (const std::string& word : options.targets) {
    const auto* target = std::ranges::find(target_table, word, &Target::word);
    if (target == std::end(target_table))
      return fail(Code::out_of_range, "targets: {} is none of attention, dense, shared and experts",
                  shown(word));
    for (const AdapterPlace& place : places) {
      if (!target->names(place.name)) continue;
      nn::Adapter& adapter = *place.adapter;
      adapter.scale = options.scale();
      for (Matrix& a : adapter.a) a.out = options.rank;
      for (Matrix& b : adapter.b) b.in = b.stride = options.rank;
    }
  }
  if (std::ranges::none_of(places, [](const AdapterPlace& place) { return bool{*place.adapter}; }))
    return fail(Code::out_of_range, "targets: this model has nothing of what they name");
  return {};
}

Result<void> save_adapters(Model& model, const AdapterOptions& options, const std::string& base,
                           const fs::path& out) {
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return fail(Code::cannot_create, "{}: {}", out.string(), error.message());
  const bool text_only = !model.config().vision;
  std::vector<checkpoint::PlannedTensor> plan;
  std::vector<Stored> numbers;
  bool gate_up = false, down = false, linear = false;
  const std::vector<AdapterPlace> places = adapter_places(model);
  for (const AdapterPlace& place : places) {
    if (!*place.adapter) continue;
    gate_up |= place.name.ends_with(".experts.gate_up_proj");
    down |= place.name.ends_with(".experts.down_proj");
    linear |= !is_of_experts(place.name);
  }
  for (const AdapterPlace& place : places) {
    if (!*place.adapter) continue;
    const bool fused = is_of_experts(place.name);
    const std::string module =
        std::string(wrapped) + peft_module(place.name, text_only, gate_up && down);
    for (const bool is_a : {true, false}) {
      numbers.push_back(is_a ? stored_a(*place.adapter, fused) : stored_b(*place.adapter, fused));
      plan.push_back(
          {fmt::format("{}{}", module, is_a ? a_end : b_end), DType::f32, numbers.back().shape});
    }
  }
  // A training that is taken up again writes its adapter again.
  HERD_TRY(auto file, checkpoint::SafetensorsWriter::create(out / "adapter_model.safetensors", plan,
                                                            WholeFile::Existing::replaced));
  for (const Stored& stored : numbers)
    HERD_TRY_VOID(file.write(std::as_bytes(std::span(stored.numbers))));
  HERD_TRY_VOID(file.finish());

  // A pattern and not a list of words, because the vision encoder has modules of the same names.
  std::vector<std::string> inside;
  const auto has = [&](const char* word) {
    return std::ranges::find(options.targets, word) != options.targets.end();
  };
  if (has("attention")) inside.emplace_back(R"(self_attn\.[qkvo]_proj)");
  if (has("dense")) inside.emplace_back(R"(feed_forward\.(gate|up|down)_proj)");
  if (has("shared")) inside.emplace_back(R"(feed_forward\.shared_expert\.(gate|up|down)_proj)");
  json::value modules = json::array();
  if (linear)
    modules = fmt::format(R"((language_model\.)?model\.layers\.\d+\.({}))", fmt::join(inside, "|"));
  json::array parameters;
  if (gate_up) parameters.emplace_back("feed_forward.experts.gate_up_proj");
  if (down) parameters.emplace_back("feed_forward.experts.down_proj");
  json::object config{{"peft_type", "LORA"},
                      {"task_type", nullptr},
                      {"base_model_name_or_path", base},
                      {"r", options.rank},
                      {"lora_alpha", options.alpha},
                      {"use_rslora", options.rslora},
                      {"lora_dropout", 0.0},
                      {"bias", "none"},
                      {"fan_in_fan_out", false},
                      {"init_lora_weights", true},
                      {"inference_mode", true},
                      {"target_modules", modules}};
  if (!parameters.empty()) config["target_parameters"] = parameters;
  return write_file(out / "adapter_config.json", std::string_view(json_text(config)));
}

std::uint64_t LoadedAdapters::bytes() const {
  std::uint64_t bytes = 0;
  for (const std::vector<float>& each : numbers) bytes += each.size() * sizeof(float);
  return bytes;
}

Result<AdapterFiles> AdapterFiles::read(const fs::path& directory, std::uint64_t bytes_max) {
  AdapterFiles files;
  const fs::path config = directory / "adapter_config.json";
  HERD_TRY(const json::value words, read_json(config.string()));
  auto options = options_of(words);
  if (!options) return std::unexpected(std::move(options).error().in(config.string()));
  files.options_ = std::move(*options);
  const json::value* pattern = find(words, "rank_pattern");
  files.ranks_differ_ = pattern != nullptr && pattern->is_object() && !pattern->as_object().empty();
  files.path_ = directory / "adapter_model.safetensors";
  HERD_TRY(files.numbers_, checkpoint::Safetensors::read(files.path_, bytes_max));
  return files;
}

std::uint64_t AdapterFiles::bytes() const {
  std::uint64_t elements = 0;
  for (const checkpoint::SafetensorsEntry& entry : numbers_.tensors())
    elements += static_cast<std::uint64_t>(entry.shape.elements());
  return elements * sizeof(float);
}

Result<std::unique_ptr<LoadedAdapters>> AdapterFiles::load(Model& model) const {
  auto loaded = std::make_unique<LoadedAdapters>();
  loaded->options = options_;
  Result<void> read = [&]() -> Result<void> {
    HERD_TRY(auto pairs, pairs_of(numbers_));
    for (const AdapterPlace& place : adapter_places(model)) {
      // The output matrix is read by losses directly, without what an adapter would add.
      if (place.name == "lm_head" || place.name == "embed_tokens") continue;
      const Pair pair = take(pairs, place);
      if (pair.a == nullptr) continue;
      const Stored a = read_stored(numbers_, *pair.a), b = read_stored(numbers_, *pair.b);
      nn::Adapter adapter(place.adapter->a[0].in, place.adapter->b[0].out,
                          std::ssize(place.adapter->a));
      const std::size_t before = loaded->numbers.size();
      HERD_TRY_VOID((is_of_experts(place.name) ? fill_experts : fill_one)(adapter, a, b, place.name,
                                                                          loaded->numbers));
      AdapterOptions own = options_;  // rank_pattern may give places ranks of their own
      own.rank = adapter.rank();
      if (own.rank != options_.rank && !ranks_differ_)
        return fail(Code::tensor_mismatch, "{} is of rank {}, adapter_config.json says r is {}",
                    place.name, own.rank, options_.rank);
      adapter.scale = own.scale();
      HERD_TRY_VOID(check_finite(*loaded, before, place.name, adapter.scale));
      loaded->identity = identity_after(*loaded, before, place.name, adapter.scale);
      loaded->adapts_vision |= !place.name.starts_with("layers.");
      loaded->places.emplace(place.adapter, std::move(adapter));
    }
    if (!pairs.empty())
      return fail(Code::tensor_unexpected, "{} adapters belong to nothing in this model, first {}",
                  pairs.size(), pairs.begin()->first);
    if (loaded->places.empty()) return fail(Code::tensor_missing, "no adapter in it");
    return {};
  }();
  if (!read) return std::unexpected(std::move(read).error().in(path_.string()));
  return loaded;
}

Result<std::unique_ptr<LoadedAdapters>> read_adapters(Model& model, const fs::path& directory) {
  HERD_TRY(const AdapterFiles files,
           AdapterFiles::read(directory, std::numeric_limits<std::uint64_t>::max()));
  return files.load(model);
}

void make_own(Model& model, const LoadedAdapters& adapters) {
  for (const AdapterPlace& place : adapter_places(model))
    if (const auto found = adapters.places.find(place.adapter); found != adapters.places.end())
      *place.adapter = found->second;
}

Result<std::unique_ptr<LoadedAdapters>> load_adapters(Model& model, const fs::path& directory) {
  HERD_TRY(auto loaded, read_adapters(model, directory));
  make_own(model, *loaded);
  return loaded;
}

std::vector<float> merged(const Matrix& weight, const nn::Adapter& adapter, std::size_t index,
                          std::int64_t first) {
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(weight.out * weight.in));
  const std::int64_t r = adapter.rank();
  std::vector<double> sum(static_cast<std::size_t>(weight.in));
  constexpr std::int64_t band = 64;  // decoded at a time
  std::vector<float> rows(static_cast<std::size_t>(band * weight.in));
  for (std::int64_t o = 0; o < weight.out; ++o) {
    std::ranges::fill(sum, 0.0);
    for (std::int64_t k = 0; k < r; ++k) {
      const double b =
          double{adapter.scale} *
          double{static_cast<const float*>(adapter.b[index].data)[(first + o) * r + k]};
      const float* a = static_cast<const float*>(adapter.a[index].data) + k * weight.in;
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += b * double{a[i]};
    }
    if (o % band == 0) rows_as_floats(weight, o, std::min(o + band, weight.out), rows.data());
    for (std::int64_t i = 0; i < weight.in; ++i) {
      const float number = rows[static_cast<std::size_t>(o % band * weight.in + i)];
      out.push_back(static_cast<float>(double{number} + sum[static_cast<std::size_t>(i)]));
    }
  }
  return out;
}

}  // namespace herd::llama4
