#include "checkpoint/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/byte_reader.h"
#include "base/checked_math.h"
#include "base/limits.h"
#include "checkpoint/foreign.h"
#include "tensor/packed_layout.h"

namespace herd::checkpoint {
namespace {

constexpr std::uint64_t smallest_file = 24;  // magic, version, two counts
constexpr std::uint64_t smallest_entry = 8 + 4 + 1;
constexpr std::uint64_t smallest_tensor = 8 + 4 + 8 + 4 + 8;

struct TypeRow {
  std::string_view name;
  std::uint64_t bytes;  // 0: not of one size
};
constexpr std::array<TypeRow, 13> type_table{{{"u8", 1},
                                              {"i8", 1},
                                              {"u16", 2},
                                              {"i16", 2},
                                              {"u32", 4},
                                              {"i32", 4},
                                              {"f32", 4},
                                              {"bool", 1},
                                              {"string", 0},
                                              {"array", 0},
                                              {"u64", 8},
                                              {"i64", 8},
                                              {"f64", 8}}};

// Numbers of ggml's tensor types.
struct TensorTypeRow {
  std::uint32_t number;
  DType dtype;
};
constexpr std::array tensor_types{
    TensorTypeRow{0, DType::f32},
    TensorTypeRow{1, DType::f16},
    TensorTypeRow{2, DType::q4_0},
    TensorTypeRow{3, DType::q4_1},
    TensorTypeRow{6, DType::q5_0},
    TensorTypeRow{7, DType::q5_1},
    TensorTypeRow{8, DType::q8_0},
    TensorTypeRow{10, DType::q2_k},
    TensorTypeRow{11, DType::q3_k},
    TensorTypeRow{12, DType::q4_k},
    TensorTypeRow{13, DType::q5_k},
    TensorTypeRow{14, DType::q6_k},
    TensorTypeRow{15, DType::q8_k},
    TensorTypeRow{16, DType::iq2_xxs},
    TensorTypeRow{17, DType::iq2_xs},
    TensorTypeRow{18, DType::iq3_xxs},
    TensorTypeRow{19, DType::iq1_s},
    TensorTypeRow{20, DType::iq4_nl},
    TensorTypeRow{21, DType::iq3_s},
    TensorTypeRow{22, DType::iq2_s},
    TensorTypeRow{23, DType::iq4_xs},
    TensorTypeRow{24, DType::i8},
    TensorTypeRow{25, DType::i16},
    TensorTypeRow{26, DType::i32},
    TensorTypeRow{27, DType::i64},
    TensorTypeRow{28, DType::f64},
    TensorTypeRow{29, DType::iq1_m},
    TensorTypeRow{30, DType::bf16},
    TensorTypeRow{39, DType::mxfp4},
    TensorTypeRow{1024, DType::int4},  // the last, our own: packed stores alone have it
};

std::span<const TensorTypeRow> types_of(bool packed_store) {
  const std::span<const TensorTypeRow> all = tensor_types;
  return packed_store ? all : all.first(all.size() - 1);
}

std::uint64_t size_of(GgufType type) { return type_table[static_cast<std::size_t>(type)].bytes; }

template <typename T>
T load(std::span<const std::byte> bytes, std::uint64_t index) {
  T value;
  std::memcpy(&value, bytes.subspan(index * sizeof(T), sizeof(T)).data(), sizeof value);
  return value;
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment *
         alignment;  // of positions within a file: no overflow
}

// One pass over the header. `what` names the place in messages.
class Parser {
 public:
  explicit Parser(std::span<const std::byte> file) : file_(file), reader_(file) {}

  Result<GgufHeader> run() {
    HERD_TRY_VOID(read_start());
    HERD_TRY_VOID(read_entries());
    HERD_TRY_VOID(read_alignment());
    HERD_TRY_VOID(check_layout());
    HERD_TRY_VOID(read_tensors());
    HERD_TRY_VOID(place_tensors());
    return std::move(header_);
  }

 private:
  Result<void> read_start() {
    HERD_TRY_VOID(refuse_foreign(file_, "a GGUF file"));
    if (file_.size() < smallest_file)
      return fail(Code::file_empty, "file is {} bytes; a GGUF file needs at least {}", file_.size(),
                  smallest_file);
    HERD_TRY(const std::string_view magic, reader_.text(4));
    header_.packed = magic == packed_magic;
    if (!header_.packed && magic != "GGUF")
      return fail(Code::bad_magic, "bad magic {}, expected 'GGUF' or '{}'", shown(magic),
                  packed_magic);
    HERD_TRY(header_.version, reader_.pod<std::uint32_t>());
    if (header_.packed && header_.version != packed_store_version)
      return old_store(fmt::format("the packed store is of version {}", header_.version),
                       packed_store_version);
    if (!header_.packed && header_.version != 2 && header_.version != 3) {
      const bool swapped = (header_.version & 0xffffu) == 0;
      return fail(Code::gguf_version, "version {}{}; only little-endian v2 and v3 are read",
                  header_.version, swapped ? " looks byte-swapped (big-endian)" : "");
    }
    HERD_TRY(tensors_, reader_.pod<std::uint64_t>());
    HERD_TRY(entries_, reader_.pod<std::uint64_t>());
    HERD_TRY_VOID(check_count("n_kv", entries_, limits::gguf_entries_max, smallest_entry));
    return check_count("n_tensors", tensors_, limits::gguf_tensors_max, smallest_tensor);
  }

  static std::unexpected<Error> old_store(const std::string& found, std::uint32_t wanted) {
    return fail_with_hint(Code::gguf_version,
                          fmt::format("{}; this herd reads version {}", found, wanted),
                          "make the store again from its source: herd convert SOURCE STORE.herd");
  }

  // The blocks' order must be this program's, or they would be multiplied as something else.
  Result<void> check_layout() {
    if (!header_.packed) return {};
    HERD_TRY(const auto layout, header_.integer(packed_layout_key));
    if (!layout) return fail(Code::gguf_key, "key {} is missing", shown(packed_layout_key));
    if (*layout != packed_layout_version)
      return old_store(fmt::format("the blocks are laid out as of version {}", *layout),
                       packed_layout_version);
    return {};
  }

  [[nodiscard]] Result<void> check_count(std::string_view what, std::uint64_t count,
                                         std::uint64_t limit, std::uint64_t smallest) const {
    if (count > limit) return fail(Code::gguf_count, "{}={}, limit {}", what, count, limit);
    if (count > reader_.left() / smallest)
      return fail(Code::gguf_count, "{}={}, but only {} bytes are left for them", what, count,
                  reader_.left());
    return {};
  }

  Result<std::string_view> read_string(std::string_view what) {
    if (reader_.left() < 8)
      return fail(Code::gguf_string, "{}: the file ends where a string's length should be", what);
    HERD_TRY(const std::uint64_t length, reader_.pod<std::uint64_t>());
    if (length > limits::gguf_string_bytes_max || length > reader_.left())
      return fail(Code::gguf_string, "{}: string of {} bytes, limit {}, {} bytes are left", what,
                  length, limits::gguf_string_bytes_max, reader_.left());
    return reader_.text(length);
  }

  Result<GgufType> read_type(std::string_view what) {
    HERD_TRY(const std::uint32_t type, reader_.pod<std::uint32_t>());
    if (type >= type_table.size())
      return fail(Code::gguf_type, "{}: type {} does not exist, the last is {}", what, type,
                  type_table.size() - 1);
    return static_cast<GgufType>(type);
  }

  Result<void> read_entries() {
    header_.entries.reserve(static_cast<std::size_t>(entries_));
    for (std::uint64_t i = 0; i < entries_; ++i) {
      GgufEntry entry;
      const std::uint64_t begin = reader_.position();
      HERD_TRY(entry.key, read_string(fmt::format("key {}", i)));
      if (entry.key.empty()) return fail(Code::bad_header, "key {} is empty", i);
      if (entry.key.size() > limits::tensor_name_bytes_max)
        return fail(Code::gguf_string, "key {} has {} bytes, limit {}", i, entry.key.size(),
                    limits::tensor_name_bytes_max);
      const std::string what = "key " + shown(entry.key);
      HERD_TRY(entry.type, read_type(what));
      HERD_TRY(entry.value, read_value(entry.type, what));
      entry.bytes = file_.subspan(begin, reader_.position() - begin);
      header_.entries.push_back(std::move(entry));
    }
    std::ranges::sort(header_.entries, {}, &GgufEntry::key);
    const auto twice = std::ranges::adjacent_find(header_.entries, {}, &GgufEntry::key);
    if (twice != header_.entries.end())
      return fail(Code::bad_header, "key {} occurs twice", shown(twice->key));
    return {};
  }

  template <typename Stored, typename As>
  Result<GgufValue> read_number() {
    HERD_TRY(const Stored value, reader_.pod<Stored>());
    return GgufValue(static_cast<As>(value));
  }

  Result<GgufValue> read_value(GgufType type, std::string_view what) {
    switch (type) {
      case GgufType::u8:
        return read_number<std::uint8_t, std::uint64_t>();
      case GgufType::u16:
        return read_number<std::uint16_t, std::uint64_t>();
      case GgufType::u32:
        return read_number<std::uint32_t, std::uint64_t>();
      case GgufType::u64:
        return read_number<std::uint64_t, std::uint64_t>();
      case GgufType::i8:
        return read_number<std::int8_t, std::int64_t>();
      case GgufType::i16:
        return read_number<std::int16_t, std::int64_t>();
      case GgufType::i32:
        return read_number<std::int32_t, std::int64_t>();
      case GgufType::i64:
        return read_number<std::int64_t, std::int64_t>();
      case GgufType::f32:
        return read_number<float, double>();
      case GgufType::f64:
        return read_number<double, double>();
      case GgufType::boolean: {
        HERD_TRY(const std::uint8_t value, reader_.pod<std::uint8_t>());
        if (value > 1) return fail(Code::gguf_type, "{}: {} is no bool", what, value);
        return GgufValue(value == 1);
      }
      case GgufType::string: {
        HERD_TRY(const std::string_view text, read_string(what));
        return GgufValue(text);
      }
      case GgufType::array: {
        HERD_TRY(const GgufArray array, read_array(what));
        return GgufValue(array);
      }
    }
    return fail(Code::gguf_type, "{}: type {} does not exist", what,
                static_cast<std::uint32_t>(type));
  }

  Result<GgufArray> read_array(std::string_view what) {
    GgufArray array;
    HERD_TRY(array.type, read_type(what));
    HERD_TRY(array.count, reader_.pod<std::uint64_t>());
    if (array.type == GgufType::array)
      return fail(Code::gguf_array, "{}: an array of arrays, which models do not have", what);
    const std::uint64_t smallest = array.type == GgufType::string ? 8 : size_of(array.type);
    if (array.count > limits::gguf_array_elements_max || array.count > reader_.left() / smallest)
      return fail(Code::gguf_array, "{}: array of {} {}, limit {}, {} bytes are left", what,
                  array.count, name_of(array.type), limits::gguf_array_elements_max,
                  reader_.left());
    const std::uint64_t begin = reader_.position();
    if (array.type == GgufType::string) {
      for (std::uint64_t i = 0; i < array.count; ++i)
        HERD_TRY_VOID(read_string(fmt::format("{}, element {}", what, i)));
      array.bytes = file_.subspan(begin, reader_.position() - begin);
      return array;
    }
    HERD_TRY(array.bytes, reader_.bytes(array.count * smallest));
    return array;
  }

  Result<void> read_alignment() {
    const GgufEntry* entry = header_.find("general.alignment");
    if (entry == nullptr && header_.packed)
      return fail(Code::gguf_alignment, "no general.alignment, which packed stores have");
    if (entry == nullptr) return {};
    const auto* value = std::get_if<std::uint64_t>(&entry->value);
    if (entry->type != GgufType::u32 || !std::has_single_bit(*value) ||
        *value > limits::gguf_alignment_max)
      return fail(Code::gguf_alignment,
                  "general.alignment is {} ({}), must be u32 power of two 1..{}",
                  value != nullptr ? fmt::to_string(*value) : "no number", name_of(entry->type),
                  limits::gguf_alignment_max);
    if (header_.packed && *value < packed_page)
      return fail(Code::gguf_alignment, "general.alignment is {}, a packed store's is {} or more",
                  *value, packed_page);
    header_.alignment = *value;
    return {};
  }

  Result<void> read_tensors() {
    header_.tensors.reserve(static_cast<std::size_t>(tensors_));
    for (std::uint64_t i = 0; i < tensors_; ++i) {
      HERD_TRY(const std::string_view name, read_string(fmt::format("tensor {}", i)));
      if (name.empty()) return fail(Code::bad_header, "tensor {} has no name", i);
      if (name.size() > limits::tensor_name_bytes_max)
        return fail(Code::gguf_string, "the name of tensor {} has {} bytes, limit {}", i,
                    name.size(), limits::tensor_name_bytes_max);
      auto tensor = read_tensor(name);
      if (!tensor) return std::unexpected(std::move(tensor).error().in(shown(name)));
      header_.tensors.push_back(*tensor);
    }
    std::ranges::sort(header_.tensors, {}, &GgufTensor::name);
    const auto twice = std::ranges::adjacent_find(header_.tensors, {}, &GgufTensor::name);
    if (twice != header_.tensors.end())
      return fail(Code::duplicate_tensor, "tensor {} occurs twice", shown(twice->name));
    return {};
  }

  // `begin` and `end` count from the data's start, which is known when all tensors are.
  Result<GgufTensor> read_tensor(std::string_view name) {
    GgufTensor tensor{.name = name, .dtype = DType::f32, .shape = {}};
    HERD_TRY(const std::uint32_t rank, reader_.pod<std::uint32_t>());
    if (rank == 0 || rank > limits::gguf_rank_max)
      return fail(Code::bad_header, "has {} dimensions, wanted 1 to {}", rank,
                  limits::gguf_rank_max);
    std::vector<std::uint64_t> dims(rank);
    for (std::uint64_t& dim : dims) {
      HERD_TRY(dim, reader_.pod<std::uint64_t>());
    }
    HERD_TRY(std::uint32_t type, reader_.pod<std::uint32_t>());
    HERD_TRY(tensor.begin, reader_.pod<std::uint64_t>());
    tensor.packed = header_.packed && (type & packed_type) != 0;
    if (tensor.packed) type &= ~packed_type;
    const auto types = types_of(header_.packed);
    const auto row = std::ranges::find(types, type, &TensorTypeRow::number);
    if (row == types.end()) return fail(Code::unknown_dtype, "tensor type {} is not known", type);
    tensor.dtype = row->dtype;
    const DTypeRow& format = row_of(tensor.dtype);
    if (dims[0] % format.block != 0)
      return fail(Code::gguf_blocks, "ne0={} is not a multiple of {} ({})", dims[0], format.block,
                  format.name);
    // Without its zeros, so that the product of any of them, in any order, is one of 64 bits.
    std::vector<std::uint64_t> factors = dims;
    std::erase(factors, 0);
    const auto most = checked_product(factors);
    const auto elements =
        most && factors.size() < dims.size() ? std::optional<std::uint64_t>(0) : most;
    auto bytes = elements ? checked_mul(*elements / format.block, format.bytes) : std::nullopt;
    if (tensor.packed) {
      if (packed_block_bytes(tensor.dtype) == 0 || rank < 2 || rank > 3)
        return fail(Code::unknown_dtype, "{} of {} dimensions is not packed", format.name, rank);
      const auto matrix = packed_store_bytes(tensor.dtype, dims[1], dims[0]);
      bytes = elements && matrix ? checked_mul(*matrix, rank == 3 ? dims[2] : 1) : std::nullopt;
    }
    if (!bytes || *most > static_cast<std::uint64_t>(INT64_MAX))
      return fail(Code::shape_overflow, "shape product overflows 64 bits: [{}] of {}",
                  fmt::join(dims, ", "), format.name);
    for (std::size_t i = dims.size(); i > 0; --i)
      tensor.shape.push(static_cast<std::int64_t>(dims[i - 1]));
    const auto end = checked_add(tensor.begin, *bytes);
    if (!end) return fail(Code::tensor_range, "begins at {} of the data", tensor.begin);
    tensor.end = *end;
    return tensor;
  }

  Result<void> place_tensors() {
    // A file without tensors may end with its header.
    header_.data_begin =
        std::min<std::uint64_t>(round_up(reader_.position(), header_.alignment), file_.size());
    const std::uint64_t data = file_.size() - header_.data_begin;
    std::vector<GgufTensor*> order;
    std::uint64_t end_max = 0;
    for (GgufTensor& tensor : header_.tensors) {
      order.push_back(&tensor);
      end_max = std::max(end_max, tensor.end);
    }
    for (const GgufTensor& tensor : header_.tensors) {
      if (tensor.begin % header_.alignment != 0)
        return fail(Code::tensor_range, "{}: begins at {} of the data, not a multiple of {}",
                    shown(tensor.name), tensor.begin, header_.alignment);
      if (tensor.end > data)
        return fail_with_hint(
            Code::tensor_range,
            fmt::format("{}: bytes [{}, {}) end behind the data's {} bytes", shown(tensor.name),
                        tensor.begin, tensor.end, data),
            fmt::format("if the file was truncated: {} bytes of data are expected", end_max));
    }
    std::ranges::sort(order, {}, [](const GgufTensor* t) { return std::pair(t->begin, t->end); });
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i]->begin < order[i - 1]->end)
        return fail(Code::tensor_overlap, "tensor {} [{}, {}) overlaps {} [{}, {})",
                    shown(order[i]->name), order[i]->begin, order[i]->end,
                    shown(order[i - 1]->name), order[i - 1]->begin, order[i - 1]->end);
    for (GgufTensor& tensor : header_.tensors) {
      tensor.begin += header_.data_begin;
      tensor.end += header_.data_begin;
    }
    return {};
  }

  std::span<const std::byte> file_;
  ByteReader reader_;
  GgufHeader header_;
  std::uint64_t entries_ = 0, tensors_ = 0;
};

std::unexpected<Error> wrong_type(const GgufEntry& entry, std::string_view wanted) {
  std::string found(name_of(entry.type));
  if (const auto* array = std::get_if<GgufArray>(&entry.value))
    found = fmt::format("array of {}", name_of(array->type));
  return fail(Code::gguf_key, "key {} is of type {}, wanted {}", shown(entry.key), found, wanted);
}

}  // namespace

std::string_view name_of(GgufType type) { return type_table[static_cast<std::size_t>(type)].name; }

std::optional<std::uint32_t> gguf_number_of(DType dtype, bool in_packed_store) {
  for (const TensorTypeRow& row : types_of(in_packed_store))
    if (row.dtype == dtype) return row.number;
  return std::nullopt;
}

std::optional<std::vector<std::string_view>> GgufArray::strings() const {
  if (type != GgufType::string) return std::nullopt;
  std::vector<std::string_view> out;
  out.reserve(static_cast<std::size_t>(count));
  ByteReader reader(bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto length = reader.pod<std::uint64_t>();
    const auto text = length ? reader.text(*length) : Result<std::string_view>("");
    if (!length || !text) return std::nullopt;  // not after parse_gguf
    out.push_back(*text);
  }
  return out;
}

std::optional<std::vector<std::int64_t>> GgufArray::integers() const {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    std::int64_t& value = out[static_cast<std::size_t>(i)];
    switch (type) {
      case GgufType::u8:
      case GgufType::boolean:
        value = load<std::uint8_t>(bytes, i);
        break;
      case GgufType::i8:
        value = load<std::int8_t>(bytes, i);
        break;
      case GgufType::u16:
        value = load<std::uint16_t>(bytes, i);
        break;
      case GgufType::i16:
        value = load<std::int16_t>(bytes, i);
        break;
      case GgufType::u32:
        value = load<std::uint32_t>(bytes, i);
        break;
      case GgufType::i32:
        value = load<std::int32_t>(bytes, i);
        break;
      case GgufType::i64:
        value = load<std::int64_t>(bytes, i);
        break;
      case GgufType::u64: {
        const auto wide = load<std::uint64_t>(bytes, i);
        if (wide > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
        value = static_cast<std::int64_t>(wide);
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return out;
}

std::optional<std::vector<float>> GgufArray::floats() const {
  if (type != GgufType::f32) return std::nullopt;
  std::vector<float> out(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i)
    out[static_cast<std::size_t>(i)] = load<float>(bytes, i);
  return out;
}

const GgufEntry* GgufHeader::find(std::string_view key) const {
  const auto at = std::ranges::lower_bound(entries, key, {}, &GgufEntry::key);
  return at != entries.end() && at->key == key ? &*at : nullptr;
}

Result<std::optional<std::int64_t>> GgufHeader::integer(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<std::int64_t>(&entry->value)) return *value;
  const auto* value = std::get_if<std::uint64_t>(&entry->value);
  if (value == nullptr) return wrong_type(*entry, "a whole number");
  if (*value > static_cast<std::uint64_t>(INT64_MAX))
    return fail(Code::gguf_key, "key {} is {}, too large for any count", shown(key), *value);
  return static_cast<std::int64_t>(*value);
}

Result<std::optional<double>> GgufHeader::number(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<double>(&entry->value)) return *value;
  if (const auto* value = std::get_if<std::uint64_t>(&entry->value))
    return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::int64_t>(&entry->value))
    return static_cast<double>(*value);
  return wrong_type(*entry, "a number");
}

Result<std::optional<bool>> GgufHeader::boolean(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<bool>(&entry->value)) return *value;
  return wrong_type(*entry, "bool");
}

Result<std::optional<std::string_view>> GgufHeader::text(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<std::string_view>(&entry->value)) return *value;
  return wrong_type(*entry, "string");
}

Result<std::optional<std::vector<std::string_view>>> GgufHeader::texts(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  const auto* array = std::get_if<GgufArray>(&entry->value);
  if (auto out = array != nullptr ? array->strings() : std::nullopt) return out;
  return wrong_type(*entry, "array of string");
}

Result<std::optional<std::vector<std::int64_t>>> GgufHeader::integers(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  const auto* array = std::get_if<GgufArray>(&entry->value);
  if (auto out = array != nullptr ? array->integers() : std::nullopt) return out;
  return wrong_type(*entry, "array of whole numbers");
}

Result<GgufHeader> parse_gguf(std::span<const std::byte> file) { return Parser(file).run(); }

}  // namespace herd::checkpoint
