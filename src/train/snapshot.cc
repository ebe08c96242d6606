#include "train/snapshot.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "base/json.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_writer.h"

namespace herd::train {
namespace {

constexpr std::size_t snapshots_kept = 2;
constexpr std::uint64_t state_bytes_max = 1 << 20;

struct Row {
  const char* name;
  std::span<float> numbers;
};

std::array<Row, 3> rows_of(const Parameters& parameters) {
  return {{{"weights", parameters.weights()},
           {"first_moments", parameters.first_moments()},
           {"second_moments", parameters.second_moments()}}};
}

std::uint32_t checksum_of(std::span<const std::byte> bytes, std::uint32_t before) {
  return static_cast<std::uint32_t>(crc32_z(before, octets_of(bytes).data(), bytes.size()));
}

// Doubles as their bits: what is read is what was written.
std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

// A whole number that is not negative; nothing for anything else. A state may be damaged anywhere.
template <typename Number>
std::optional<Number> whole(const json::value* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code error;
  const Number number = value->to_number<Number>(error);
  if (error || std::cmp_less(number, 0)) return std::nullopt;
  return number;
}

// Of everything else in the object.
std::uint32_t own_checksum(json::object object) {
  object.erase("state_checksum");
  const std::string text = json::serialize(object);
  return checksum_of(std::as_bytes(std::span(text)), 0);
}

json::object json_of(const TrainingState& state) {
  json::array loads;
  for (const auto& [layer, count] : state.loads)
    loads.push_back(
        json::object{{"layer", layer}, {"count", json::array(count.begin(), count.end())}});
  json::array biases;
  for (const auto& [layer, values] : state.selection_bias) {
    json::array bits;
    for (const double value : values) bits.push_back(json::value(bits_of(value)));
    biases.push_back(json::object{{"layer", layer}, {"values", bits}});
  }
  json::array lengths;
  for (const double length : state.lengths) lengths.push_back(json::value(bits_of(length)));
  json::object made_of;
  for (const auto& [thing, sum] : state.made_of) made_of[thing] = sum;
  return {{"step", state.step},
          {"updates", state.updates},
          {"stage", state.stage},
          {"stage_tokens", state.stage_tokens},
          {"next_example", state.next_example},
          {"tokens", state.tokens},
          {"seconds", bits_of(state.seconds)},
          {"skipped", state.skipped},
          {"bad_in_a_row", state.bad_in_a_row},
          {"lengths", lengths},
          {"loads", loads},
          {"selection_bias", biases},
          {"made_of", made_of}};
}

// Rows of numbers by layer: [{"layer": 1, KEY: [...]}, ...]. The first snapshots had none.
template <typename Number>
Result<std::map<std::int64_t, std::vector<Number>>> by_layer(const json::value* rows,
                                                             std::string_view key) {
  std::map<std::int64_t, std::vector<Number>> out;
  if (rows == nullptr || !rows->is_array()) return out;
  for (const json::value& row : rows->as_array()) {
    const auto layer = whole<std::int64_t>(find(row, "layer"));
    const json::value* numbers = find(row, key);
    if (!layer || numbers == nullptr || !numbers->is_array())
      return fail(Code::bad_header, "not the state of a training");
    for (const json::value& each : numbers->as_array()) {
      const auto number = whole<Number>(&each);
      if (!number) return fail(Code::bad_header, "not the state of a training");
      out[*layer].push_back(*number);
    }
  }
  return out;
}

Result<TrainingState> state_of(const json::value& value) {
  TrainingState state;
  const auto read = [&](const char* key, auto& out) {
    const auto number = whole<std::remove_reference_t<decltype(out)>>(find(value, key));
    if (number) out = *number;
    return number.has_value();
  };
  std::uint64_t seconds = 0;
  const json::value* lengths = find(value, "lengths");
  const json::value* made_of = find(value, "made_of");
  const bool good =
      read("step", state.step) && read("updates", state.updates) && read("stage", state.stage) &&
      read("stage_tokens", state.stage_tokens) && read("next_example", state.next_example) &&
      read("tokens", state.tokens) && read("seconds", seconds) && read("skipped", state.skipped) &&
      lengths != nullptr && lengths->is_array() && made_of != nullptr && made_of->is_object();
  if (!good) return fail(Code::bad_header, "not the state of a training");
  for (const json::value& length : lengths->as_array()) {
    const auto bits = whole<std::uint64_t>(&length);
    if (!bits) return fail(Code::bad_header, "not the state of a training");
    state.lengths.push_back(std::bit_cast<double>(*bits));
  }
  state.seconds = std::bit_cast<double>(seconds);
  read("bad_in_a_row", state.bad_in_a_row);  // the first snapshots had none
  HERD_TRY(state.loads, by_layer<std::int64_t>(find(value, "loads"), "count"));
  HERD_TRY(const auto biases, by_layer<std::uint64_t>(find(value, "selection_bias"), "values"));
  for (const auto& [layer, bits] : biases)
    for (const std::uint64_t each : bits)
      state.selection_bias[layer].push_back(std::bit_cast<double>(each));
  for (const auto& [thing, sum] : made_of->as_object())
    if (sum.is_string()) state.made_of.emplace(thing, sum.as_string());
  return state;
}

constexpr std::string_view damaged_ending = ".damaged";

// Step directories whose names end so, newest first.
std::vector<fs::path> snapshots_in(const fs::path& out, std::string_view ending = "") {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(out / "checkpoints", error))
    if (entry.is_directory() && entry.path().filename().string().starts_with("step-") &&
        entry.path().extension() == ending)
      found.push_back(entry.path());
  std::ranges::sort(found, std::greater());
  return found;
}

struct ReadState {
  TrainingState state;
  std::optional<std::uint32_t> rows_checksum;  // of the numbers beside it
};

Result<ReadState> read_state(const fs::path& path) {
  HERD_TRY(const std::string text, read_file(path / "state.json", state_bytes_max));
  HERD_TRY(const json::value value, parse_json(text));
  HERD_TRY(TrainingState state, state_of(value));
  const json::value* own = find(value, "state_checksum");  // the first snapshots had none
  if (own != nullptr && whole<std::uint32_t>(own) != own_checksum(value.as_object()))
    return fail(Code::bad_header, "the checksum of state.json is not what was written");
  return ReadState{std::move(state), whole<std::uint32_t>(find(value, "checksum"))};
}

Result<void> read_rows(const fs::path& path, std::optional<std::uint32_t> wanted_checksum,
                       const Parameters& parameters) {
  HERD_TRY(const auto file, checkpoint::Safetensors::open(path / "rows.safetensors"));
  std::uint32_t checksum = 0;
  for (const Row& row : rows_of(parameters)) {
    const auto* entry = file.find(row.name);
    if (entry == nullptr || entry->dtype != DType::f32 ||
        entry->shape.elements() != static_cast<std::int64_t>(row.numbers.size()))
      return fail(Code::tensor_mismatch, "{} is not there with {} numbers", row.name,
                  row.numbers.size());
    checksum = checksum_of(file.bytes(*entry), checksum);
  }
  if (wanted_checksum != checksum)
    return fail(Code::bad_header,
                "the checksum of rows.safetensors is {:08x}, not what was written", checksum);
  for (const Row& row : rows_of(parameters))
    std::memcpy(row.numbers.data(), file.bytes(*file.find(row.name)).data(),
                row.numbers.size_bytes());
  return {};
}

// What a training was made of against what it would go on with.
Result<void> same_things(const fs::path& path, const std::map<std::string, std::string>& before,
                         const std::map<std::string, std::string>& after,
                         std::span<const std::string> may_differ) {
  std::set<std::string> things;
  for (const auto* side : {&before, &after})
    for (const auto& [thing, sum] : *side) things.insert(thing);
  const auto sum_in = [](const std::map<std::string, std::string>& side, const std::string& thing) {
    const auto found = side.find(thing);
    return found == side.end() ? "none" : found->second;
  };
  std::string differences;
  for (const std::string& thing : things) {
    const std::string then = sum_in(before, thing), now = sum_in(after, thing);
    if (then == now || std::ranges::find(may_differ, thing) != may_differ.end()) continue;
    differences +=
        fmt::format("\n  {}: {} then, {} now (--allow-changed {})", thing, then, now, thing);
  }
  if (differences.empty()) return {};
  return fail_with_hint(
      Code::resume_mismatch,
      fmt::format("{} is of a training made of something else:{}", path.string(), differences),
      "allow each change by name, take another --out, or delete its checkpoints to start anew");
}

}  // namespace

Result<void> save_snapshot(const fs::path& out, const Parameters& parameters,
                           const TrainingState& state) {
  const fs::path target = out / "checkpoints" / fmt::format("step-{:08}", state.step);
  const fs::path beside = target.string() + ".tmp";
  std::error_code error;
  fs::remove_all(beside, error);
  if (!fs::create_directories(beside, error) || error)
    return fail(Code::cannot_create, "{}: {}", beside.string(), error.message());

  std::vector<checkpoint::PlannedTensor> plan;
  for (const Row& row : rows_of(parameters))
    plan.push_back({row.name, DType::f32, {static_cast<std::int64_t>(row.numbers.size())}});
  HERD_TRY(auto file, checkpoint::SafetensorsWriter::create(beside / "rows.safetensors", plan));
  std::uint32_t checksum = 0;
  for (const Row& row : rows_of(parameters)) {
    HERD_TRY_VOID(file.write(std::as_bytes(row.numbers)));
    checksum = checksum_of(std::as_bytes(row.numbers), checksum);
  }
  HERD_TRY_VOID(file.finish());
  json::object object = json_of(state);
  object["checksum"] = checksum;
  object["state_checksum"] = own_checksum(object);
  HERD_TRY_VOID(write_file(beside / "state.json", std::string_view(json::serialize(object))));
  // A step that is saved again: the earlier snapshot goes only when the new one is in its place.
  const fs::path earlier = target.string() + ".old";
  fs::remove_all(earlier, error);
  fs::rename(target, earlier, error);
  fs::rename(beside, target, error);
  if (error) return fail(Code::io_failed, "{}: {}", target.string(), error.message());
  fs::remove_all(earlier, error);
  const std::vector<fs::path> all = snapshots_in(out);
  for (std::size_t i = snapshots_kept; i < all.size(); ++i) fs::remove_all(all[i], error);
  if (all.size() >= snapshots_kept)
    for (const fs::path& damaged : snapshots_in(out, damaged_ending))
      fs::remove_all(damaged, error);
  return {};
}

void set_aside(std::span<const fs::path> damaged) {
  for (const fs::path& each : damaged) {
    const std::string aside = each.string() + std::string(damaged_ending);
    std::error_code error;
    fs::remove_all(aside, error);
    fs::rename(each, aside, error);
  }
}

Result<std::optional<FoundSnapshot>> load_snapshot(
    const fs::path& out, const Parameters& parameters,
    const std::map<std::string, std::string>& made_of, std::span<const std::string> may_differ) {
  FoundSnapshot found;
  for (const fs::path& path : snapshots_in(out)) {
    auto read = read_state(path);
    // Of another model the numbers would not fit, which says less than what has changed.
    if (read) HERD_TRY_VOID(same_things(path, read->state.made_of, made_of, may_differ));
    const Result<void> rows = read ? read_rows(path, read->rows_checksum, parameters)
                                   : Result<void>(std::unexpected(read.error()));
    if (!rows) {
      found.skipped.push_back(fmt::format("{}: {}", path.string(), rows.error().message));
      found.damaged.push_back(path);
      continue;
    }
    found.state = std::move(read->state);
    found.path = path;
    return found;
  }
  if (found.skipped.empty()) return std::nullopt;
  std::string all;
  for (const std::string& reason : found.skipped) all += "\n  " + reason;
  return fail_with_hint(Code::no_checkpoint,
                        fmt::format("no checkpoint in {} can be used:{}", out.string(), all),
                        "take another --out, or delete its checkpoints to start anew");
}

}  // namespace herd::train
