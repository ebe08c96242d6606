#include "checkpoint/pickle.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/byte_reader.h"
#include "base/checked_math.h"
#include "base/limits.h"
#include "checkpoint/json_scanner.h"

namespace herd::checkpoint {
namespace {

enum class Kind : std::uint8_t {
  none,
  boolean,  // number
  integer,  // number
  real,     // not kept
  text,     // text
  bytes,    // not kept
  tuple,    // items
  list,     // items
  dict,     // items: key, value, key, value, ...
  global,   // number: index into known_globals
  storage,  // number: index into storages
  tensor,   // number: index into tensors
  opaque,   // something that carries no weights
};

constexpr std::array<std::string_view, 13> kind_names{
    "none",   "a boolean", "an integer", "a float",   "a text",   "bytes",          "a tuple",
    "a list", "a dict",    "a name",     "a storage", "a tensor", "an opaque value"};

struct Value {
  Kind kind = Kind::none;
  std::int64_t number = 0;
  std::string_view text{};  // points into the pickle
  std::vector<std::uint32_t> items{};
};

// What a name in a pickle may mean here.
enum class Meaning : std::uint8_t {
  ordered_dict,
  size,
  rebuild_tensor_v2,
  rebuild_tensor_v3,
  rebuild_parameter,
  typed_storage,
  untyped_storage,
  dtype,
  bytes_io,
  codecs_encode,
  bytes,
};

struct Global {
  std::string_view module;
  std::string_view name;
  Meaning meaning;
  DType dtype = DType::u8;
};

// The closed list. Everything a pickle can ask for is here; nothing else exists.
constexpr std::array known_globals{
    Global{"collections", "OrderedDict", Meaning::ordered_dict},
    Global{"torch", "Size", Meaning::size},
    Global{"torch._utils", "_rebuild_tensor_v2", Meaning::rebuild_tensor_v2},
    Global{"torch._utils", "_rebuild_tensor_v3", Meaning::rebuild_tensor_v3},
    Global{"torch._utils", "_rebuild_parameter", Meaning::rebuild_parameter},
    Global{"torch", "FloatStorage", Meaning::typed_storage, DType::f32},
    Global{"torch", "HalfStorage", Meaning::typed_storage, DType::f16},
    Global{"torch", "BFloat16Storage", Meaning::typed_storage, DType::bf16},
    Global{"torch", "DoubleStorage", Meaning::typed_storage, DType::f64},
    Global{"torch", "LongStorage", Meaning::typed_storage, DType::i64},
    Global{"torch", "IntStorage", Meaning::typed_storage, DType::i32},
    Global{"torch", "ShortStorage", Meaning::typed_storage, DType::i16},
    Global{"torch", "CharStorage", Meaning::typed_storage, DType::i8},
    Global{"torch", "ByteStorage", Meaning::typed_storage, DType::u8},
    Global{"torch", "BoolStorage", Meaning::typed_storage, DType::boolean},
    Global{"torch.storage", "UntypedStorage", Meaning::untyped_storage},
    Global{"torch", "float32", Meaning::dtype, DType::f32},
    Global{"torch", "float16", Meaning::dtype, DType::f16},
    Global{"torch", "bfloat16", Meaning::dtype, DType::bf16},
    Global{"torch", "float8_e4m3fn", Meaning::dtype, DType::f8_e4m3},
    Global{"torch", "float64", Meaning::dtype, DType::f64},
    Global{"torch", "int64", Meaning::dtype, DType::i64},
    Global{"torch", "int32", Meaning::dtype, DType::i32},
    Global{"torch", "int16", Meaning::dtype, DType::i16},
    Global{"torch", "int8", Meaning::dtype, DType::i8},
    Global{"torch", "uint8", Meaning::dtype, DType::u8},
    Global{"torch", "bool", Meaning::dtype, DType::boolean},
    Global{"_io", "BytesIO", Meaning::bytes_io},
    Global{"io", "BytesIO", Meaning::bytes_io},
    Global{"_codecs", "encode", Meaning::codecs_encode},
    Global{"__builtin__", "bytes", Meaning::bytes},
    Global{"builtins", "bytes", Meaning::bytes},
    Global{"__builtin__", "bytearray", Meaning::bytes},
    Global{"builtins", "bytearray", Meaning::bytes},
};

// Opcodes, as Lib/pickletools.py of CPython lists them.
enum Opcode : std::uint8_t {
  op_mark = '(',
  op_stop = '.',
  op_pop = '0',
  op_pop_mark = '1',
  op_dup = '2',
  op_binfloat = 'G',
  op_binint = 'J',
  op_binint1 = 'K',
  op_binint2 = 'M',
  op_none = 'N',
  op_binpersid = 'Q',
  op_reduce = 'R',
  op_short_binstring = 'U',
  op_binstring = 'T',
  op_binunicode = 'X',
  op_append = 'a',
  op_build = 'b',
  op_global = 'c',
  op_dict = 'd',
  op_appends = 'e',
  op_binget = 'h',
  op_long_binget = 'j',
  op_list = 'l',
  op_binput = 'q',
  op_long_binput = 'r',
  op_setitem = 's',
  op_tuple = 't',
  op_setitems = 'u',
  op_empty_tuple = ')',
  op_empty_list = ']',
  op_empty_dict = '}',
  op_proto = 0x80,
  op_newobj = 0x81,
  op_tuple1 = 0x85,
  op_tuple2 = 0x86,
  op_tuple3 = 0x87,
  op_newtrue = 0x88,
  op_newfalse = 0x89,
  op_long1 = 0x8a,
  op_long4 = 0x8b,
  op_binbytes = 'B',
  op_short_binbytes = 'C',
  op_short_binunicode = 0x8c,
  op_binunicode8 = 0x8d,
  op_binbytes8 = 0x8e,
  op_stack_global = 0x93,
  op_memoize = 0x94,
  op_frame = 0x95,
  op_bytearray8 = 0x96,
};

struct Storage {
  std::optional<DType> dtype;  // none: bytes, and the tensor says what they are
  std::string_view key;
  std::uint64_t elements = 0;  // bytes where there is no dtype
};

using Ref = std::uint32_t;  // index of a value

class Machine {
 public:
  explicit Machine(std::span<const std::byte> pickle) : reader_(pickle) {}

  // Runs to STOP; the value on top is what was pickled.
  Result<Ref> run() {
    while (true) {
      opcode_begin_ = reader_.position();
      HERD_TRY_VOID(spend(1));
      const auto opcode = reader_.pod<std::uint8_t>();
      if (!opcode) return bad("ends without STOP");
      if (*opcode == op_stop) {
        HERD_TRY(const Ref top, pop());
        if (!marks_.empty() || !stack_.empty()) return bad("stops with values left over");
        return top;
      }
      auto done = step(*opcode);
      if (!done && done.error().code == Code::tensor_range) return bad("ends inside an opcode");
      if (!done) return std::unexpected(std::move(done).error());
    }
  }

  // Every tensor in the dictionary `root`, under its keys joined with '.'.
  Result<std::vector<PickledTensor>> tensors_in(Ref root);

 private:
  Result<void> step(std::uint8_t opcode);
  Result<void> make_container(std::uint8_t opcode);
  Result<void> make_text(std::uint8_t opcode);
  Result<void> use_memo(std::uint8_t opcode);
  Result<void> add_to_container(std::uint8_t opcode);
  Result<void> global(std::string_view module, std::string_view name);
  Result<void> global_line();
  Result<void> reduce();
  Result<void> new_object();
  Result<void> build();
  Result<void> persistent_storage();
  Result<void> rebuild_tensor(const std::vector<Ref>& arguments, bool states_dtype);
  Result<std::vector<std::uint64_t>> dimensions(Ref ref, std::string_view what);
  Result<std::uint64_t> count(Ref ref, std::string_view what);

  [[nodiscard]] std::unexpected<Error> bad(std::string_view what) const {
    return fail(Code::bad_pickle, "the pickle {} (at byte {})", what, opcode_begin_);
  }
  [[nodiscard]] std::string_view kind_name(Ref ref) const {
    return kind_names[static_cast<std::size_t>(values_[ref].kind)];
  }

  // Work that a few bytes of pickle can ask for again and again is counted, not only bytes.
  Result<void> spend(std::uint64_t steps) {
    steps_ += steps;
    if (steps_ <= limits::pickle_steps_max) return {};
    return bad(fmt::format("takes more than {} steps", limits::pickle_steps_max));
  }
  Result<void> push(Ref ref) {
    stack_.push_back(ref);  // bounded by the steps
    return {};
  }
  Result<void> push(Value value) {
    if (values_.size() >= limits::pickle_values_max)
      return bad(fmt::format("makes more than {} values", limits::pickle_values_max));
    values_.push_back(std::move(value));
    return push(static_cast<Ref>(values_.size() - 1));
  }
  Result<Ref> pop() {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) return bad("takes from an empty stack");
    const Ref top = stack_.back();
    stack_.pop_back();
    return top;
  }
  Result<Ref> top() {
    HERD_TRY(const Ref ref, pop());
    stack_.push_back(ref);
    return ref;
  }
  // Everything above the last mark, and the mark itself.
  Result<std::vector<Ref>> pop_to_mark() {
    if (marks_.empty()) return bad("closes what was not opened");
    std::vector<Ref> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()),
                           stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  ByteReader reader_;
  std::uint64_t opcode_begin_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<Value> values_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::vector<std::optional<Ref>> memo_;
  std::uint64_t memoized_ = 0;
  std::vector<Storage> storages_;
  std::vector<PickledTensor> tensors_;
};

Result<void> Machine::step(std::uint8_t opcode) {
  switch (opcode) {
    case op_proto: {
      HERD_TRY(const auto version, reader_.pod<std::uint8_t>());
      if (version < 2 || version > 5)
        return bad(fmt::format("is of protocol {}, supported: 2 to 5", version));
      return {};
    }
    case op_frame:
      HERD_TRY_VOID(reader_.pod<std::uint64_t>());
      return {};
    case op_mark:
      if (marks_.size() >= limits::pickle_depth_max)
        return bad(fmt::format("is nested deeper than {}", limits::pickle_depth_max));
      marks_.push_back(stack_.size());
      return {};
    case op_pop:
      HERD_TRY_VOID(pop());
      return {};
    case op_pop_mark:
      HERD_TRY_VOID(pop_to_mark());
      return {};
    case op_dup: {
      HERD_TRY(const Ref ref, top());
      return push(ref);
    }
    case op_none:
      return push(Value{});
    case op_newtrue:
      return push(Value{.kind = Kind::boolean, .number = 1});
    case op_newfalse:
      return push(Value{.kind = Kind::boolean, .number = 0});
    case op_binint: {
      HERD_TRY(const auto number, reader_.pod<std::int32_t>());
      return push(Value{.kind = Kind::integer, .number = number});
    }
    case op_binint1: {
      HERD_TRY(const auto number, reader_.pod<std::uint8_t>());
      return push(Value{.kind = Kind::integer, .number = number});
    }
    case op_binint2: {
      HERD_TRY(const auto number, reader_.pod<std::uint16_t>());
      return push(Value{.kind = Kind::integer, .number = number});
    }
    case op_long1: {
      HERD_TRY(const auto length, reader_.pod<std::uint8_t>());
      if (length > 8) return bad(fmt::format("has an integer of {} bytes, at most 8 fit", length));
      HERD_TRY(const auto bytes, reader_.bytes(length));
      // Little-endian two's complement of any length; the last byte carries the sign.
      std::uint64_t number = 0;
      for (std::size_t i = 0; i < bytes.size(); ++i)
        number |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
      const bool negative = length > 0 && std::to_integer<unsigned>(bytes.back()) >= 0x80;
      if (negative && length < 8) number |= ~std::uint64_t{0} << (8 * length);
      return push(Value{.kind = Kind::integer, .number = static_cast<std::int64_t>(number)});
    }
    case op_binfloat:
      HERD_TRY_VOID(reader_.bytes(8));
      return push(Value{.kind = Kind::real});
    case op_short_binunicode:
    case op_binunicode:
    case op_binunicode8:
    case op_short_binstring:
    case op_binstring:
    case op_short_binbytes:
    case op_binbytes:
    case op_binbytes8:
    case op_bytearray8:
      return make_text(opcode);
    case op_empty_tuple:
    case op_tuple1:
    case op_tuple2:
    case op_tuple3:
    case op_tuple:
    case op_empty_list:
    case op_list:
    case op_empty_dict:
    case op_dict:
      return make_container(opcode);
    case op_append:
    case op_appends:
    case op_setitem:
    case op_setitems:
      return add_to_container(opcode);
    case op_binget:
    case op_long_binget:
    case op_binput:
    case op_long_binput:
    case op_memoize:
      return use_memo(opcode);
    case op_global:
      return global_line();
    case op_stack_global: {
      HERD_TRY(const Ref name, pop());
      HERD_TRY(const Ref module, pop());
      if (values_[name].kind != Kind::text || values_[module].kind != Kind::text)
        return bad("asks for a name that is no text");
      return global(values_[module].text, values_[name].text);
    }
    case op_binpersid:
      return persistent_storage();
    case op_reduce:
      return reduce();
    case op_newobj:
      return new_object();
    case op_build:
      return build();
    default:
      return bad(fmt::format("has opcode {:#04x}, which weights do not need; refused",
                             static_cast<unsigned>(opcode)));
  }
}

Result<void> Machine::make_text(std::uint8_t opcode) {
  std::uint64_t length = 0;
  switch (opcode) {
    case op_short_binunicode:
    case op_short_binstring:
    case op_short_binbytes: {
      HERD_TRY(length, reader_.pod<std::uint8_t>());
      break;
    }
    case op_binunicode:
    case op_binstring:
    case op_binbytes: {
      HERD_TRY(length, reader_.pod<std::uint32_t>());
      break;
    }
    default: {
      HERD_TRY(length, reader_.pod<std::uint64_t>());
      break;
    }
  }
  HERD_TRY(const std::string_view text, reader_.text(length));
  const bool is_bytes = opcode == op_short_binbytes || opcode == op_binbytes ||
                        opcode == op_binbytes8 || opcode == op_bytearray8;
  return push(Value{.kind = is_bytes ? Kind::bytes : Kind::text, .text = text});
}

Result<void> Machine::make_container(std::uint8_t opcode) {
  Value value;
  value.kind = Kind::tuple;
  switch (opcode) {
    case op_empty_tuple:
      break;
    case op_empty_list:
      value.kind = Kind::list;
      break;
    case op_empty_dict:
      value.kind = Kind::dict;
      break;
    case op_list:
    case op_dict:
    case op_tuple: {
      HERD_TRY(value.items, pop_to_mark());
      if (opcode == op_list) value.kind = Kind::list;
      if (opcode == op_dict) value.kind = Kind::dict;
      if (opcode == op_dict && value.items.size() % 2 != 0) return bad("has a key without a value");
      break;
    }
    default: {
      const auto length = static_cast<std::size_t>(opcode - op_tuple1) + 1;
      value.items.resize(length);
      for (std::size_t i = length; i-- > 0;) {
        HERD_TRY(value.items[i], pop());
      }
    }
  }
  return push(std::move(value));
}

Result<void> Machine::add_to_container(std::uint8_t opcode) {
  std::vector<Ref> items;
  if (opcode == op_appends || opcode == op_setitems) {
    HERD_TRY(items, pop_to_mark());
  } else {
    items.resize(opcode == op_append ? 1 : 2);
    for (std::size_t i = items.size(); i-- > 0;) {
      HERD_TRY(items[i], pop());
    }
  }
  const bool to_dict = opcode == op_setitem || opcode == op_setitems;
  if (to_dict && items.size() % 2 != 0) return bad("has a key without a value");
  HERD_TRY(const Ref target, top());
  Value& value = values_[target];
  if (value.kind == Kind::opaque) return {};
  if (value.kind != (to_dict ? Kind::dict : Kind::list))
    return bad(fmt::format("adds items to {}", kind_name(target)));
  value.items.insert(value.items.end(), items.begin(), items.end());
  return {};
}

Result<void> Machine::use_memo(std::uint8_t opcode) {
  std::uint64_t at = memoized_;
  if (opcode == op_binget || opcode == op_binput) {
    HERD_TRY(at, reader_.pod<std::uint8_t>());
  } else if (opcode != op_memoize) {
    HERD_TRY(at, reader_.pod<std::uint32_t>());
  }
  if (opcode == op_binget || opcode == op_long_binget) {
    if (at >= memo_.size() || !memo_[at]) return bad(fmt::format("uses memo {}, never set", at));
    return push(*memo_[at]);
  }
  HERD_TRY(const Ref ref, top());
  if (at >= limits::pickle_values_max)
    return bad(fmt::format("sets memo {}, limit {}", at, limits::pickle_values_max));
  if (at >= memo_.size()) memo_.resize(at + 1);
  memoized_ += !memo_[at];
  memo_[at] = ref;
  return {};
}

// "module\nname\n" in the pickle.
Result<void> Machine::global_line() {
  std::array<std::string_view, 2> words;
  for (std::string_view& word : words) {
    // Names on the list are short; a newline that does not come soon is no name.
    constexpr std::uint64_t longest = 256;
    const std::uint64_t begin = reader_.position();
    HERD_TRY(std::string_view ahead, reader_.text(std::min(longest, reader_.left())));
    const std::size_t length = ahead.find('\n');
    if (length == std::string_view::npos) return bad("has a GLOBAL whose name does not end");
    word = ahead.substr(0, length);
    HERD_TRY_VOID(reader_.seek(begin + length + 1));
  }
  return global(words[0], words[1]);
}

Result<void> Machine::global(std::string_view module, std::string_view name) {
  for (std::size_t i = 0; i < known_globals.size(); ++i)
    if (known_globals[i].module == module && known_globals[i].name == name)
      return push(Value{.kind = Kind::global, .number = static_cast<std::int64_t>(i)});
  // A number format we lack is a matter of support, not of safety; say so.
  if (module == "torch" && (name.starts_with("float") || name.starts_with("uint") ||
                            name.starts_with("int") || name.starts_with("complex")))
    return fail(Code::unknown_dtype, "the pickle has tensors of torch.{} (at byte {})", shown(name),
                opcode_begin_);
  return fail_with_hint(
      Code::bad_pickle,
      fmt::format("the pickle asks for {}.{} (at byte {})", shown(module), shown(name),
                  opcode_begin_),
      "herd reads tensors from pickles and runs nothing; a file that needs this is not safe to "
      "load anywhere");
}

Result<void> Machine::reduce() {
  HERD_TRY(const Ref arguments_ref, pop());
  HERD_TRY(const Ref callee, pop());
  if (values_[callee].kind != Kind::global) return bad(fmt::format("calls {}", kind_name(callee)));
  if (values_[arguments_ref].kind != Kind::tuple)
    return bad(fmt::format("calls with {} instead of arguments", kind_name(arguments_ref)));
  const Global& what = known_globals[static_cast<std::size_t>(values_[callee].number)];
  HERD_TRY_VOID(spend(values_[arguments_ref].items.size()));
  const std::vector<Ref> arguments = values_[arguments_ref].items;
  switch (what.meaning) {
    case Meaning::ordered_dict: {
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

Result<void> Machine::new_object() {
  HERD_TRY(const Ref arguments, pop());
  HERD_TRY(const Ref type, pop());
  if (values_[type].kind != Kind::global || values_[arguments].kind != Kind::tuple)
    return bad(fmt::format("makes an object of {}", kind_name(type)));
  const Global& what = known_globals[static_cast<std::size_t>(values_[type].number)];
  if (what.meaning == Meaning::bytes_io) return push(Value{.kind = Kind::opaque});
  if (what.meaning == Meaning::ordered_dict) return push(Value{.kind = Kind::dict});
  return bad(fmt::format("makes an object of {}.{}", what.module, what.name));
}

// Attributes: those of an OrderedDict (_metadata) and of a BytesIO carry no weights.
Result<void> Machine::build() {
  HERD_TRY_VOID(pop());
  HERD_TRY(const Ref target, top());
  const Kind kind = values_[target].kind;
  if (kind == Kind::dict || kind == Kind::opaque) return {};
  return bad(fmt::format("sets attributes of {}", kind_name(target)));
}

// ("storage", type, key, location, element count)
Result<void> Machine::persistent_storage() {
  HERD_TRY(const Ref id, pop());
  const bool is_tuple = values_[id].kind == Kind::tuple && values_[id].items.size() == 5;
  const std::vector<Ref> parts = is_tuple ? values_[id].items : std::vector<Ref>{};
  const bool right = is_tuple && values_[parts[0]].kind == Kind::text &&
                     values_[parts[0]].text == "storage" &&
                     values_[parts[1]].kind == Kind::global && values_[parts[2]].kind == Kind::text;
  if (!right) return bad("refers to something other than a storage");
  const Global& type = known_globals[static_cast<std::size_t>(values_[parts[1]].number)];
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
Result<void> Machine::rebuild_tensor(const std::vector<Ref>& arguments, bool states_dtype) {
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
        known_globals[static_cast<std::size_t>(stated.number)].meaning == Meaning::dtype;
    if (!is_dtype) return bad("makes a tensor without a number format");
    dtype = known_globals[static_cast<std::size_t>(stated.number)].dtype;
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

Result<std::vector<std::uint64_t>> Machine::dimensions(Ref ref, std::string_view what) {
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

Result<std::uint64_t> Machine::count(Ref ref, std::string_view what) {
  const Value& value = values_[ref];
  if (value.kind != Kind::integer)
    return bad(fmt::format("has {} as its {}", kind_name(ref), what));
  if (value.number < 0) return bad(fmt::format("has {} as its {}", value.number, what));
  return static_cast<std::uint64_t>(value.number);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const int length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(static_cast<std::size_t>(length));
  }
  return true;
}

Result<std::vector<PickledTensor>> Machine::tensors_in(Ref root) {
  if (values_[root].kind != Kind::dict)
    return fail(Code::bad_pickle, "the pickle is {}, wanted a dict of tensors", kind_name(root));
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
    const std::vector<Ref>& items = values_[level.dict].items;
    prefix.resize(level.prefix_bytes);
    if (level.next >= items.size()) {
      path.pop_back();
      continue;
    }
    const Value& key = values_[items[level.next]];
    const Ref item = items[level.next + 1];
    level.next += 2;
    if (++visits > limits::pickle_values_max)
      return fail(Code::bad_pickle, "the pickle's dicts hold more than {} entries",
                  limits::pickle_values_max);
    const Kind kind = values_[item].kind;
    if (kind != Kind::tensor && kind != Kind::dict) continue;
    // A dict of numbers beside the weights may have any keys; one with weights has texts.
    if (key.kind != Kind::text) {
      if (kind == Kind::dict) continue;
      return fail(Code::bad_pickle, "the pickle has a tensor under {}, wanted a text",
                  kind_names[static_cast<std::size_t>(key.kind)]);
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
      PickledTensor& tensor =
          out.emplace_back(tensors_[static_cast<std::size_t>(values_[item].number)]);
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
  Machine machine(pickle);
  HERD_TRY(const Ref root, machine.run());
  return machine.tensors_in(root);
}

}  // namespace herd::checkpoint
