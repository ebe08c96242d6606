#include "checkpoint/pickle.h"

#include <string_view>

#include "base/limits.h"
#include "checkpoint/json_scanner.h"
#include "checkpoint/pickle_machine.h"

namespace herd::checkpoint {
namespace {

using Kind = PickleMachine::Kind;
using Ref = PickleMachine::Ref;
using Value = PickleMachine::Value;

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const int length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(static_cast<std::size_t>(length));
  }
  return true;
}

// Every tensor in the dictionary `root`, under its keys joined with '.'.
Result<std::vector<PickledTensor>> tensors_in(const PickleMachine& machine, Ref root) {
  if (machine.value(root).kind != Kind::dict)
    return fail(Code::bad_pickle, "the pickle is {}, wanted a dict of tensors",
                name_of(machine.value(root).kind));
  // A dictionary may hold itself or one other many times: the path's depth and all visits together are bounded.
  struct Level {
    Ref dict;
    std::size_t next;
    std::size_t prefix_bytes;
  };
  std::vector<PickledTensor> out;
  std::vector<Level> path{{root, 0, 0}};
  std::string prefix;
  std::uint64_t visits = 0;
  while (!path.empty()) {
    Level& level = path.back();
    const std::vector<Ref>& items = machine.value(level.dict).items;
    prefix.resize(level.prefix_bytes);
    if (level.next >= items.size()) {
      path.pop_back();
      continue;
    }
    const Value& key = machine.value(items[level.next]);
    const Ref item = items[level.next + 1];
    level.next += 2;
    if (++visits > limits::pickle_values_max)
      return fail(Code::bad_pickle, "the pickle's dicts hold more than {} entries",
                  limits::pickle_values_max);
    const Kind kind = machine.value(item).kind;
    if (kind != Kind::tensor && kind != Kind::dict) continue;
    // A dict of numbers beside the weights may have any keys; one with weights has texts.
    if (key.kind != Kind::text) {
      if (kind == Kind::dict) continue;
      return fail(Code::bad_pickle, "the pickle has a tensor under {}, wanted a text",
                  name_of(key.kind));
    }
    if (prefix.size() + key.text.size() > limits::tensor_name_bytes_max)
      return fail(Code::bad_pickle, "the pickle has a tensor name of more than {} bytes",
                  limits::tensor_name_bytes_max);
    if (!is_utf8(key.text))
      return fail(Code::invalid_utf8, "the pickle has a tensor name {} that is not UTF-8",
                  shown(key.text));
    if (kind == Kind::tensor) {
      if (out.size() >= limits::pickle_tensors_max)
        return fail(Code::bad_pickle, "the pickle has more than {} tensors",
                    limits::pickle_tensors_max);
      PickledTensor& tensor = out.emplace_back(machine.tensor(machine.value(item)));
      tensor.name = prefix + std::string(key.text);
      continue;
    }
    if (path.size() >= limits::pickle_depth_max)
      return fail(Code::bad_pickle, "the pickle's dicts are nested deeper than {}",
                  limits::pickle_depth_max);
    prefix.append(key.text).push_back('.');
    path.push_back({item, 0, prefix.size()});
  }
  return out;
}

}  // namespace

Result<std::vector<PickledTensor>> read_pickle(std::span<const std::byte> pickle) {
  if (pickle.size() > limits::pickle_bytes_max)
    return fail(Code::bad_pickle, "the pickle has {} bytes, limit {}", pickle.size(),
                limits::pickle_bytes_max);
  PickleMachine machine(pickle);
  HERD_TRY(const Ref root, machine.run());
  return tensors_in(machine, root);
}

}  // namespace herd::checkpoint
