// The closed list of names, and what each means here.
#include <array>

#include "checkpoint/pickle_machine.h"

namespace herd::checkpoint {
namespace {

constexpr std::array<std::string_view, 13> kind_names{
    "none",   "a boolean", "an integer", "a float",   "a text",   "bytes",          "a tuple",
    "a list", "a dict",    "a name",     "a storage", "a tensor", "an opaque value"};

constexpr std::array known_globals{
    PickleGlobal{"collections", "OrderedDict", PickleMeaning::ordered_dict},
    PickleGlobal{"torch", "Size", PickleMeaning::size},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v2", PickleMeaning::rebuild_tensor_v2},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v3", PickleMeaning::rebuild_tensor_v3},
    PickleGlobal{"torch._utils", "_rebuild_parameter", PickleMeaning::rebuild_parameter},
    PickleGlobal{"torch", "FloatStorage", PickleMeaning::typed_storage, DType::f32},
    PickleGlobal{"torch", "HalfStorage", PickleMeaning::typed_storage, DType::f16},
    PickleGlobal{"torch", "BFloat16Storage", PickleMeaning::typed_storage, DType::bf16},
    PickleGlobal{"torch", "DoubleStorage", PickleMeaning::typed_storage, DType::f64},
    PickleGlobal{"torch", "LongStorage", PickleMeaning::typed_storage, DType::i64},
    PickleGlobal{"torch", "IntStorage", PickleMeaning::typed_storage, DType::i32},
    PickleGlobal{"torch", "ShortStorage", PickleMeaning::typed_storage, DType::i16},
    PickleGlobal{"torch", "CharStorage", PickleMeaning::typed_storage, DType::i8},
    PickleGlobal{"torch", "ByteStorage", PickleMeaning::typed_storage, DType::u8},
    PickleGlobal{"torch", "BoolStorage", PickleMeaning::typed_storage, DType::boolean},
    PickleGlobal{"torch.storage", "UntypedStorage", PickleMeaning::untyped_storage},
    PickleGlobal{"torch", "float32", PickleMeaning::dtype, DType::f32},
    PickleGlobal{"torch", "float16", PickleMeaning::dtype, DType::f16},
    PickleGlobal{"torch", "bfloat16", PickleMeaning::dtype, DType::bf16},
    PickleGlobal{"torch", "float8_e4m3fn", PickleMeaning::dtype, DType::f8_e4m3},
    PickleGlobal{"torch", "float64", PickleMeaning::dtype, DType::f64},
    PickleGlobal{"torch", "int64", PickleMeaning::dtype, DType::i64},
    PickleGlobal{"torch", "int32", PickleMeaning::dtype, DType::i32},
    PickleGlobal{"torch", "int16", PickleMeaning::dtype, DType::i16},
    PickleGlobal{"torch", "int8", PickleMeaning::dtype, DType::i8},
    PickleGlobal{"torch", "uint8", PickleMeaning::dtype, DType::u8},
    PickleGlobal{"torch", "bool", PickleMeaning::dtype, DType::boolean},
    PickleGlobal{"_io", "BytesIO", PickleMeaning::bytes_io},
    PickleGlobal{"io", "BytesIO", PickleMeaning::bytes_io},
    PickleGlobal{"_codecs", "encode", PickleMeaning::codecs_encode},
    PickleGlobal{"__builtin__", "bytes", PickleMeaning::bytes},
    PickleGlobal{"builtins", "bytes", PickleMeaning::bytes},
    PickleGlobal{"__builtin__", "bytearray", PickleMeaning::bytes},
    PickleGlobal{"builtins", "bytearray", PickleMeaning::bytes},
};

}  // namespace

std::string_view name_of(PickleKind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

std::span<const PickleGlobal> pickle_globals() { return known_globals; }

}  // namespace herd::checkpoint
