// The machine behind pickle.h: a stack, a memo, and values that are ours. Not for others to include.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/limits.h"
#include "base/result.h"
#include "checkpoint/pickle.h"
#include "tensor/dtype.h"

namespace herd::checkpoint {

enum class PickleKind : std::uint8_t {
  none,
  boolean,  // number
  integer,  // number
  real,     // not kept
  text,     // text
  bytes,    // not kept
  tuple,    // items
  list,     // items
  dict,     // items: key, value, key, value, ...
  global,   // number: index into pickle_globals()
  storage,  // number: index into storages
  tensor,   // number: index into tensors
  opaque,   // something that carries no weights
};

// "a list", as a message says it.
std::string_view name_of(PickleKind kind);

// What a name in a pickle may mean here.
enum class PickleMeaning : std::uint8_t {
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

// A row of the closed list: everything that a pickle can ask for. Nothing else exists.
struct PickleGlobal {
  std::string_view module;
  std::string_view name;
  PickleMeaning meaning;
  DType dtype = DType::u8;
};

std::span<const PickleGlobal> pickle_globals();

class PickleMachine {
 public:
  using Kind = PickleKind;
  using Meaning = PickleMeaning;
  using Global = PickleGlobal;
  using Ref = std::uint32_t;  // index of a value

  struct Value {
    Kind kind = Kind::none;
    std::int64_t number = 0;
    std::string_view text{};  // points into the pickle
    std::vector<std::uint32_t> items{};
  };

  explicit PickleMachine(std::span<const std::byte> pickle) : reader_(pickle) {}

  // Runs to STOP; the value on top is what was pickled. Fails with bad_pickle or unknown_dtype.
  Result<Ref> run();

  [[nodiscard]] const Value& value(Ref ref) const { return values_[ref]; }
  // The tensor that a value of Kind::tensor stands for; without its name.
  [[nodiscard]] const PickledTensor& tensor(const Value& value) const {
    return tensors_[static_cast<std::size_t>(value.number)];
  }

 private:
  struct Storage {
    std::optional<DType> dtype;  // none: bytes, and the tensor says what they are
    std::string_view key;
    std::uint64_t elements = 0;  // bytes where there is no dtype
  };

  // One opcode each; in pickle_machine.cc.
  Result<void> step(std::uint8_t opcode);
  Result<void> control(std::uint8_t opcode);
  Result<void> make_number(std::uint8_t opcode);
  Result<void> make_long();
  Result<void> make_container(std::uint8_t opcode);
  Result<void> make_text(std::uint8_t opcode);
  Result<void> use_memo(std::uint8_t opcode);
  Result<void> add_to_container(std::uint8_t opcode);
  Result<void> global(std::string_view module, std::string_view name);
  Result<void> global_line();
  Result<void> stack_global();

  // What calls mean; in pickle_calls.cc.
  Result<void> reduce();
  Result<void> make_dict(const std::vector<Ref>& arguments);
  Result<void> new_object();
  Result<void> build();
  Result<void> persistent_storage();
  Result<void> rebuild_tensor(const std::vector<Ref>& arguments, bool states_dtype);
  Result<std::vector<std::uint64_t>> dimensions(Ref ref, std::string_view what);
  Result<std::uint64_t> count(Ref ref, std::string_view what);

  [[nodiscard]] std::unexpected<Error> bad(std::string_view what) const {
    return fail(Code::bad_pickle, "the pickle {} (at byte {})", what, opcode_begin_);
  }
  [[nodiscard]] std::string_view kind_name(Ref ref) const { return name_of(values_[ref].kind); }

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

}  // namespace herd::checkpoint
