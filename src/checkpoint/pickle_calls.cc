// What a pickle may call, and what comes of it. Every call ends in a value of ours.
#include "base/checked_math.h"
#include "checkpoint/pickle_machine.h"

namespace herd::checkpoint {

Result<void> PickleMachine::reduce() {
  HERD_TRY(const Ref arguments_ref, pop());
  HERD_TRY(const Ref callee, pop());
  if (values_[callee].kind != Kind::global) return bad(fmt::format("calls {}", kind_name(callee)));
  if (values_[arguments_ref].kind != Kind::tuple)
    return bad(fmt::format("calls with {} instead of arguments", kind_name(arguments_ref)));
  const Global& what = pickle_globals()[static_cast<std::size_t>(values_[callee].number)];
  HERD_TRY_VOID(spend(values_[arguments_ref].items.size()));
  const std::vector<Ref> arguments = values_[arguments_ref].items;
  switch (what.meaning) {
    case Meaning::ordered_dict:
      return make_dict(arguments);
    case Meaning::size:
      if (arguments.size() != 1 || values_[arguments[0]].kind != Kind::tuple)
        return bad("makes a torch.Size of something other than a tuple");
      return push(arguments[0]);
    case Meaning::rebuild_tensor_v2:
      return rebuild_tensor(arguments, false);
    case Meaning::rebuild_tensor_v3:
      return rebuild_tensor(arguments, true);
    case Meaning::rebuild_parameter:
      if (arguments.empty() || values_[arguments[0]].kind != Kind::tensor)
        return bad("makes a parameter of something other than a tensor");
      return push(arguments[0]);
    case Meaning::codecs_encode:
    case Meaning::bytes:
      return push(Value{.kind = Kind::bytes});
    case Meaning::bytes_io:
      return push(Value{.kind = Kind::opaque});
    case Meaning::typed_storage:
    case Meaning::untyped_storage:
    case Meaning::dtype:
      break;
  }
  return bad(fmt::format("calls {}.{}, which is no function here", what.module, what.name));
}

Result<void> PickleMachine::make_dict(const std::vector<Ref>& arguments) {
  Value dict{.kind = Kind::dict};
  if (arguments.empty()) return push(std::move(dict));
  // OrderedDict([[key, value], ...]), as protocol 2 of Python 2 wrote it.
  if (arguments.size() != 1 || values_[arguments[0]].kind != Kind::list)
    return bad("makes an OrderedDict of something other than a list");
  HERD_TRY_VOID(spend(2 * values_[arguments[0]].items.size()));
  for (Ref pair : values_[arguments[0]].items) {
    const Value& value = values_[pair];
    if ((value.kind != Kind::tuple && value.kind != Kind::list) || value.items.size() != 2)
      return bad("makes an OrderedDict of something other than pairs");
    dict.items.insert(dict.items.end(), value.items.begin(), value.items.end());
  }
  return push(std::move(dict));
}

Result<void> PickleMachine::new_object() {
  HERD_TRY(const Ref arguments, pop());
  HERD_TRY(const Ref type, pop());
  if (values_[type].kind != Kind::global || values_[arguments].kind != Kind::tuple)
    return bad(fmt::format("makes an object of {}", kind_name(type)));
  const Global& what = pickle_globals()[static_cast<std::size_t>(values_[type].number)];
  if (what.meaning == Meaning::bytes_io) return push(Value{.kind = Kind::opaque});
  if (what.meaning == Meaning::ordered_dict) return push(Value{.kind = Kind::dict});
  return bad(fmt::format("makes an object of {}.{}", what.module, what.name));
}

// Attributes: those of an OrderedDict (_metadata) and of a BytesIO carry no weights.
Result<void> PickleMachine::build() {
  HERD_TRY_VOID(pop());
  HERD_TRY(const Ref target, top());
  const Kind kind = values_[target].kind;
  if (kind == Kind::dict || kind == Kind::opaque) return {};
  return bad(fmt::format("sets attributes of {}", kind_name(target)));
}

// ("storage", type, key, location, element count)
Result<void> PickleMachine::persistent_storage() {
  HERD_TRY(const Ref id, pop());
  const bool is_tuple = values_[id].kind == Kind::tuple && values_[id].items.size() == 5;
  const std::vector<Ref> parts = is_tuple ? values_[id].items : std::vector<Ref>{};
  const bool right = is_tuple && values_[parts[0]].kind == Kind::text &&
                     values_[parts[0]].text == "storage" &&
                     values_[parts[1]].kind == Kind::global && values_[parts[2]].kind == Kind::text;
  if (!right) return bad("refers to something other than a storage");
  const Global& type = pickle_globals()[static_cast<std::size_t>(values_[parts[1]].number)];
  Storage storage{.dtype = type.dtype, .key = values_[parts[2]].text, .elements = 0};
  if (type.meaning == Meaning::untyped_storage)
    storage.dtype.reset();
  else if (type.meaning != Meaning::typed_storage)
    return bad(fmt::format("has a storage of {}.{}", type.module, type.name));
  HERD_TRY(storage.elements, count(parts[4], "storage size"));
  storages_.push_back(storage);
  return push(
      Value{.kind = Kind::storage, .number = static_cast<std::int64_t>(storages_.size() - 1)});
}

// (storage, offset, size, stride, requires_grad, hooks[, dtype])
Result<void> PickleMachine::rebuild_tensor(const std::vector<Ref>& arguments, bool states_dtype) {
  if (arguments.size() < (states_dtype ? 7u : 4u) || values_[arguments[0]].kind != Kind::storage)
    return bad("makes a tensor of something other than a storage");
  const Storage& storage = storages_[static_cast<std::size_t>(values_[arguments[0]].number)];
  PickledTensor tensor;
  tensor.storage = storage.key;
  std::optional<DType> dtype = storage.dtype;
  if (states_dtype) {
    const Value& stated = values_[arguments[6]];
    const bool is_dtype =
        stated.kind == Kind::global &&
        pickle_globals()[static_cast<std::size_t>(stated.number)].meaning == Meaning::dtype;
    if (!is_dtype) return bad("makes a tensor without a number format");
    dtype = pickle_globals()[static_cast<std::size_t>(stated.number)].dtype;
  }
  if (!dtype) return bad("makes a tensor without a number format");
  tensor.dtype = *dtype;
  const std::uint64_t element = storage.dtype ? row_of(*storage.dtype).bytes : 1;
  const auto bytes = checked_mul(storage.elements, element);
  if (!bytes) return bad("has a storage whose bytes overflow 64 bits");
  tensor.storage_bytes = *bytes;
  HERD_TRY(tensor.offset, count(arguments[1], "offset"));
  HERD_TRY(tensor.size, dimensions(arguments[2], "size"));
  HERD_TRY(tensor.stride, dimensions(arguments[3], "stride"));
  if (tensor.size.size() != tensor.stride.size())
    return bad(fmt::format("makes a tensor of {} sizes and {} strides", tensor.size.size(),
                           tensor.stride.size()));
  if (tensors_.size() >= limits::pickle_tensors_max)
    return bad(fmt::format("makes more than {} tensors", limits::pickle_tensors_max));
  tensors_.push_back(std::move(tensor));
  return push(
      Value{.kind = Kind::tensor, .number = static_cast<std::int64_t>(tensors_.size() - 1)});
}

Result<std::vector<std::uint64_t>> PickleMachine::dimensions(Ref ref, std::string_view what) {
  const Value& tuple = values_[ref];
  if (tuple.kind != Kind::tuple) return bad(fmt::format("has {} as its {}", kind_name(ref), what));
  if (tuple.items.size() > limits::tensor_rank_max)
    return bad(fmt::format("makes a tensor of rank {}, limit {}", tuple.items.size(),
                           limits::tensor_rank_max));
  std::vector<std::uint64_t> out;
  for (Ref item : tuple.items) {
    HERD_TRY(out.emplace_back(), count(item, what));
  }
  return out;
}

Result<std::uint64_t> PickleMachine::count(Ref ref, std::string_view what) {
  const Value& value = values_[ref];
  if (value.kind != Kind::integer)
    return bad(fmt::format("has {} as its {}", kind_name(ref), what));
  if (value.number < 0) return bad(fmt::format("has {} as its {}", value.number, what));
  return static_cast<std::uint64_t>(value.number);
}

}  // namespace herd::checkpoint
