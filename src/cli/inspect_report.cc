#include "cli/inspect_report.h"

#include <algorithm>

#include "cli/output.h"

namespace herd::cli {
namespace {

using llama4::Config;
using llama4::TextConfig;

bool is_local(const TextConfig& text, std::size_t layer) {
  return text.rotates[layer] && text.chunk > 0;
}

bool was_scanned(const Inspection& found) {
  return std::ranges::any_of(found.tensors,
                             [](const TensorRow& row) { return row.scanned.has_value(); });
}

bool is_bad(const TensorRow& row) {
  return row.scanned && (row.scanned->nan > 0 || row.scanned->infinite > 0);
}

// -------------------------------------------------------------------------------------------------------------- JSON

json::object text_json(const TextConfig& text) {
  json::value scaling = nullptr;
  if (text.rope_scaling)
    scaling = json::object{{"factor", text.rope_scaling->factor},
                           {"low_freq_factor", text.rope_scaling->low_frequency_factor},
                           {"high_freq_factor", text.rope_scaling->high_frequency_factor},
                           {"original_context", text.rope_scaling->original_context}};
  return {{"layers", text.layers},
          {"width", text.width},
          {"heads", text.heads},
          {"key_value_heads", text.key_value_heads},
          {"head_size", text.head_size},
          {"experts", text.experts},
          {"experts_per_token", text.experts > 0 ? text.experts_per_token : 0},
          {"expert_width", text.expert_width},
          {"dense_width", text.dense_width},
          {"vocabulary", text.vocabulary},
          {"context", text.context},
          {"chunk", text.chunk},
          {"qk_norm", text.normalizes_qk},
          {"temperature_tuning", text.tempers},
          {"rope_theta", text.rope_theta},
          {"rope_scaling", std::move(scaling)},
          {"tied_embeddings", text.ties_embeddings}};
}

json::value vision_json(const Config& config) {
  if (!config.vision) return nullptr;
  const llama4::VisionConfig& vision = *config.vision;
  return json::object{{"layers", vision.layers},
                      {"width", vision.width},
                      {"heads", vision.heads},
                      {"inner_width", vision.inner_width},
                      {"image_size", vision.image_size},
                      {"patch_size", vision.patch_size},
                      {"tokens_per_tile", vision.tokens_per_tile()}};
}

json::array layers_json(const TextConfig& text) {
  json::array out;
  for (std::size_t layer = 0; layer < text.rotates.size(); ++layer)
    out.push_back(json::object{{"index", layer},
                               {"attention", is_local(text, layer) ? "local" : "global"},
                               {"positions", text.rotates[layer] ? "rope" : "none"},
                               {"feed_forward", text.is_moe[layer] ? "moe" : "dense"}});
  return out;
}

json::object memory_json(const Inspection& found) {
  json::array contexts;
  for (const CacheRow& row : found.caches)
    contexts.push_back(json::object{{"context", row.context},
                                    {"global", row.global},
                                    {"local", row.local},
                                    {"keys_and_values", row.global + row.local},
                                    {"unchunked", row.unchunked}});
  return {{"weights", found.weight_bytes},
          {"kv_dtype", row_of(found.kv_dtype).name},
          {"contexts", std::move(contexts)}};
}

json::object tensor_json(const TensorRow& row) {
  json::array shape;
  for (int axis = 0; axis < row.shape.rank(); ++axis) shape.push_back(row.shape[axis]);
  json::object out{{"name", row.name},
                   {"dtype", row_of(row.dtype).name},
                   {"shape", std::move(shape)},
                   {"bytes", row.bytes},
                   {"file", row.file}};
  if (row.scanned) {
    out["nan"] = row.scanned->nan;
    out["infinite"] = row.scanned->infinite;
  }
  return out;
}

json::object scan_json(const Inspection& found) {
  std::uint64_t nan = 0, infinite = 0;
  json::array bad;
  for (const TensorRow& row : found.tensors) {
    if (!is_bad(row)) continue;
    nan += row.scanned->nan;
    infinite += row.scanned->infinite;
    bad.push_back(tensor_json(row));
  }
  return {{"tensors", found.tensors.size()},
          {"nan", nan},
          {"infinite", infinite},
          {"bad", std::move(bad)}};
}

// -------------------------------------------------------------------------------------------------------------- text

// "0-2, 4-6, 8"
std::string ranges_text(const std::vector<std::size_t>& layers) {
  std::string out;
  for (std::size_t i = 0; i < layers.size();) {
    std::size_t j = i;
    while (j + 1 < layers.size() && layers[j + 1] == layers[j] + 1) ++j;
    if (!out.empty()) out += ", ";
    out += i == j ? fmt::format("{}", layers[i]) : fmt::format("{}-{}", layers[i], layers[j]);
    i = j + 1;
  }
  return out;
}

// "36 local (chunk 8192), 12 global (3, 7, 11)": of the two kinds the rarer one is listed.
std::string kinds_text(const std::vector<bool>& first, std::string_view first_name,
                       std::string_view second_name) {
  std::vector<std::size_t> with, without;
  for (std::size_t layer = 0; layer < first.size(); ++layer)
    (first[layer] ? with : without).push_back(layer);
  if (without.empty()) return fmt::format("all {}", first_name);
  if (with.empty()) return fmt::format("all {}", second_name);
  const bool lists_first = with.size() < without.size();
  return fmt::format("{} {}{}, {} {}{}", with.size(), first_name,
                     lists_first ? fmt::format(" ({})", ranges_text(with)) : "", without.size(),
                     second_name, lists_first ? "" : fmt::format(" ({})", ranges_text(without)));
}

std::string context_text(std::int64_t context) {
  constexpr std::int64_t kilo = 1024, mega = kilo * kilo;
  if (context % mega == 0) return fmt::format("{}M", context / mega);
  return context % kilo == 0 ? fmt::format("{}k", context / kilo) : fmt::format("{}", context);
}

std::string memory_text(const Inspection& found) {
  std::string out = fmt::format(
      "keys and values in {}, by context\n  {:>8}  {:>12}  {:>12}  {:>12}  {:>18}\n",
      row_of(found.kv_dtype).name, "tokens", "global", "local", "together", "without chunks");
  for (const CacheRow& row : found.caches)
    out += fmt::format("  {:>8}  {:>12}  {:>12}  {:>12}  {:>18}\n", context_text(row.context),
                       human_bytes(row.global), human_bytes(row.local),
                       human_bytes(row.global + row.local), human_bytes(row.unchunked));
  return out;
}

std::string tensors_text(const Inspection& found, bool list) {
  std::string out;
  for (const TensorRow& row : found.tensors) {
    if (!list && !is_bad(row)) continue;
    out += fmt::format("  {:<80} {:<8} {:<20} {}", row.name, row_of(row.dtype).name,
                       row.shape.text(), row.file);
    if (is_bad(row))
      out += fmt::format("  {} NaN, {} infinite", row.scanned->nan, row.scanned->infinite);
    out += '\n';
  }
  return out;
}

}  // namespace

std::string_view family_of(const TextConfig& text) {
  const auto moe = std::ranges::count(text.is_moe, true);
  if (moe == 0) return "guard-like";
  if (moe == text.layers) return "scout-like";
  const std::int64_t first = std::ranges::find(text.is_moe, true) - text.is_moe.begin();
  for (std::int64_t layer = 0; layer < text.layers; ++layer)
    if (text.is_moe[static_cast<std::size_t>(layer)] != ((layer + 1) % (first + 1) == 0))
      return "llama 4";
  return "maverick-like";
}

json::object inspection_json(const Inspection& found, bool list) {
  const llama4::Census& census = found.census;
  json::array types, notes(found.notes.begin(), found.notes.end());
  for (const TypeTotal& total : found.types)
    types.push_back(json::object{{"dtype", row_of(total.dtype).name},
                                 {"tensors", total.tensors},
                                 {"numbers", total.numbers},
                                 {"bytes", total.bytes}});
  json::object out{{"model", found.path},
                   {"family", family_of(found.config.text)},
                   {"format", found.format},
                   {"text", text_json(found.config.text)},
                   {"layers", layers_json(found.config.text)},
                   {"vision", vision_json(found.config)},
                   {"parameters", json::object{{"total", census.total},
                                               {"text", census.text()},
                                               {"vision", census.vision},
                                               {"routed_experts", census.routed},
                                               {"active", census.active}}},
                   {"dtypes", std::move(types)},
                   {"memory", memory_json(found)},
                   {"notes", std::move(notes)}};
  if (was_scanned(found)) out["scan"] = scan_json(found);
  if (list) {
    json::array tensors;
    for (const TensorRow& row : found.tensors) tensors.push_back(tensor_json(row));
    out["tensors"] = std::move(tensors);
  }
  if (found.problem)
    out["problem"] = json::object{{"code", row_of(found.problem->code).name},
                                  {"message", found.problem->message}};
  return out;
}

std::string inspection_text(const Inspection& found, bool list) {
  const TextConfig& text = found.config.text;
  const llama4::Census& census = found.census;
  std::string out = fmt::format("{}: {} Llama 4, {}\n", found.path, family_of(text),
                                found.config.vision ? "text and pictures" : "text");
  const auto line = [&](std::string_view name, const std::string& value) {
    out += fmt::format("{:<11} {}\n", name, value);
  };
  std::vector<bool> local;
  for (std::size_t layer = 0; layer < text.rotates.size(); ++layer)
    local.push_back(is_local(text, layer));
  line("layers",
       fmt::format("{}: {}; {}", text.layers,
                   kinds_text(local, fmt::format("local in chunks of {}", text.chunk), "global"),
                   kinds_text(text.is_moe, "of experts", "dense")));
  line("widths",
       fmt::format("{}, {} heads of {} on {} key/value heads{}{}", text.width, text.heads,
                   text.head_size, text.key_value_heads,
                   text.expert_width > 0 ? fmt::format(", experts {}", text.expert_width) : "",
                   text.dense_width > 0 ? fmt::format(", dense {}", text.dense_width) : ""));
  if (text.experts > 0)
    line("experts", fmt::format("{} a layer, {} chosen for a token, and one shared", text.experts,
                                text.experts_per_token));
  line("vocabulary", grouped(static_cast<std::uint64_t>(text.vocabulary)));
  line("context", fmt::format("{} tokens", grouped(static_cast<std::uint64_t>(text.context))));
  if (found.config.vision)
    line("vision",
         fmt::format("{} layers of width {}, tiles of {} pixels, {} tokens each",
                     found.config.vision->layers, found.config.vision->width,
                     found.config.vision->image_size, found.config.vision->tokens_per_tile()));
  line("parameters",
       fmt::format("{}: {} text, {} vision; {} active for a text token", grouped(census.total),
                   grouped(census.text()), grouped(census.vision), grouped(census.active)));
  for (const TypeTotal& total : found.types)
    line(&total == found.types.data() ? "weights" : "",
         fmt::format("{} tensors of {}, {} numbers, {}", total.tensors, row_of(total.dtype).name,
                     grouped(total.numbers), human_bytes(total.bytes)));
  if (found.types.empty())
    line("weights", fmt::format("not here; {} as bf16", human_bytes(found.weight_bytes)));
  out += memory_text(found);
  for (const std::string& note : found.notes) line("note", note);
  const auto bad = std::ranges::count_if(found.tensors, is_bad);
  if (was_scanned(found))
    line("scan", bad == 0
                     ? fmt::format("every number of {} tensors is finite", found.tensors.size())
                     : fmt::format("{} of {} tensors hold numbers that are not finite", bad,
                                   found.tensors.size()));
  return out + tensors_text(found, list);
}

}  // namespace herd::cli
