#include "checkpoint/pickle_machine.h"

#include <algorithm>
#include <array>

namespace herd::checkpoint {
namespace {

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

}  // namespace

Result<PickleMachine::Ref> PickleMachine::run() {
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
    // Only the reader of bytes says so, when they are used up.
    if (!done && done.error().code == Code::tensor_range) return bad("ends inside an opcode");
    if (!done) return std::unexpected(std::move(done).error());
  }
}

Result<void> PickleMachine::step(std::uint8_t opcode) {
  switch (opcode) {
    case op_proto:
    case op_frame:
    case op_mark:
    case op_pop:
    case op_pop_mark:
    case op_dup:
      return control(opcode);
    case op_none:
      return push(Value{});
    case op_newtrue:
    case op_newfalse:
    case op_binint:
    case op_binint1:
    case op_binint2:
    case op_long1:
    case op_binfloat:
      return make_number(opcode);
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
    case op_stack_global:
      return stack_global();
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

Result<void> PickleMachine::control(std::uint8_t opcode) {
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
    default: {  // op_dup
      HERD_TRY(const Ref ref, top());
      return push(ref);
    }
  }
}

Result<void> PickleMachine::make_number(std::uint8_t opcode) {
  switch (opcode) {
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
    case op_long1:
      return make_long();
    default:  // op_binfloat
      HERD_TRY_VOID(reader_.bytes(8));
      return push(Value{.kind = Kind::real});
  }
}

Result<void> PickleMachine::make_long() {
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

Result<void> PickleMachine::make_text(std::uint8_t opcode) {
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

Result<void> PickleMachine::make_container(std::uint8_t opcode) {
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

Result<void> PickleMachine::add_to_container(std::uint8_t opcode) {
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

Result<void> PickleMachine::use_memo(std::uint8_t opcode) {
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

Result<void> PickleMachine::stack_global() {
  HERD_TRY(const Ref name, pop());
  HERD_TRY(const Ref module, pop());
  if (values_[name].kind != Kind::text || values_[module].kind != Kind::text)
    return bad("asks for a name that is no text");
  return global(values_[module].text, values_[name].text);
}

// "module\nname\n" in the pickle.
Result<void> PickleMachine::global_line() {
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

Result<void> PickleMachine::global(std::string_view module, std::string_view name) {
  const std::span<const Global> globals = pickle_globals();
  for (std::size_t i = 0; i < globals.size(); ++i)
    if (globals[i].module == module && globals[i].name == name)
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

}  // namespace herd::checkpoint
