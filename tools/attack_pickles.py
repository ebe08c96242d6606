"""Hostile .pth files: pickles that want to run something, lie about tensors or never end; ZIPs that contradict
themselves."""

import os
import pickle
import struct

from attack_kit import HTML, LFS, archive, expect, torch_file, write


def u8(number):
    return bytes([number])


def short_text(value):
    data = value.encode()
    return b"\x8c" + u8(len(data)) + data


def number(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def name_of(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def storage(kind="FloatStorage", key="0", count=4):
    parts = (short_text("storage"), name_of("torch", kind), short_text(key), short_text("cpu"), number(count))
    return b"(" + b"".join(parts) + b"tQ"


def numbers(values):
    return b"(" + b"".join(number(value) for value in values) + b"t"


def rebuilt(size=(4,), stride=(1,), offset=0, **of):
    return (name_of("torch._utils", "_rebuild_tensor_v2") + b"(" + storage(**of) + number(offset) + numbers(size) +
            numbers(stride) + b"\x89" + name_of("collections", "OrderedDict") + b")RtR")


def state(*items):
    """A pickled dict of (name, pickled value)."""
    return b"\x80\x02}(" + b"".join(short_text(key) + value for key, value in items) + b"u."


def pth(name, data, code, *contains, hint=None):
    write(f"pickle/{name}.pth", data)
    expect("torch", f"pickle/{name}.pth", code, *contains, hint=hint)


class Evil:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def make_pickle():
    four = {"0": bytes(16)}
    weights = state(("w", rebuilt()))
    good = torch_file(four, weights)
    pth("good", good, "ok")
    pth("good_transposed", torch_file(four, state(("w", rebuilt((2, 2), (1, 2))))), "ok")
    pth("good_no_tensors", torch_file({}), "ok")

    def program(name, pickled, *words, code="E1211", hint=None):
        pth(name, torch_file(four, pickled), code, *words, hint=hint)

    for protocol in (2, 4, 5):
        program(f"runs_system_{protocol}", pickle.dumps({"w": Evil(os.system, "touch /tmp/owned")}, protocol),
                "asks for 'posix'.'system'", hint="runs nothing")
    program("runs_eval", pickle.dumps({"w": Evil(eval, "1+1")}, 2), "'__builtin__'.'eval'")
    program("runs_exec", b"\x80\x04" + short_text("builtins") + short_text("exec") + b"\x93" + short_text("1") +
            b"\x85R.", "'builtins'.'exec'")
    program("runs_getattr", b"\x80\x02" + name_of("builtins", "getattr") + b".", "'builtins'.'getattr'")
    program("module_with_dots", b"\x80\x04" + short_text("torch") + short_text("_utils._rebuild_tensor_v2") + b"\x93.",
            "'torch'.'_utils._rebuild_tensor_v2'")
    program("module_object", b"\x80\x02" + name_of("torch.nn.modules.linear", "Linear") + b")\x81}b.",
            "'torch.nn.modules.linear'.'Linear'")
    program("numpy_array", b"\x80\x02" + name_of("numpy.core.multiarray", "_reconstruct") + b".",
            "'numpy.core.multiarray'")
    program("unknown_dtype", state(("w", name_of("torch", "complex64"))), "torch.'complex64'", code="E1111")
    program("inst", b"\x80\x02(iposix\nsystem\n.", "opcode 0x69", "refused")
    program("obj", b"\x80\x02(" + name_of("_io", "BytesIO") + b"o.", "opcode 0x6f")
    program("ext1", b"\x80\x02\x82\x01.", "opcode 0x82")
    program("persid_text", b"\x80\x02P0\n.", "opcode 0x50")
    program("newobj_ex", b"\x80\x04" + name_of("_io", "BytesIO") + b")}\x92.", "opcode 0x92")
    program("next_buffer", b"\x80\x05\x97.", "opcode 0x97")
    program("calls_a_text", b"\x80\x02" + short_text("x") + b")R.", "calls a text")
    program("calls_a_dtype", b"\x80\x02" + name_of("torch", "float32") + b")R.", "no function")
    program("calls_without_tuple", b"\x80\x02" + name_of("collections", "OrderedDict") + b"]R.", "a list")
    program("makes_a_storage", b"\x80\x02" + name_of("torch", "FloatStorage") + b")\x81.", "makes an object")
    program("attributes_of_a_tensor", state(("w", rebuilt() + b"}b")), "sets attributes of a tensor")
    program("attributes_of_a_function", b"\x80\x02" + name_of("collections", "OrderedDict") + b"}b.", "sets attributes")
    program("protocol_0", b"(dp0\n.", "opcode")
    program("protocol_1", b"\x80\x01}.", "protocol 1")
    program("protocol_9", b"\x80\x09}.", "protocol 9")
    program("no_stop", b"\x80\x02}", "without STOP")
    program("nothing", b"", "without STOP")
    program("cut_in_opcode", b"\x80\x02X\xff\xff\xff\x7fabc", "ends inside an opcode")
    program("text_2_63", b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"a.", "ends inside an opcode")
    program("empty_stack", b"\x80\x02R.", "empty stack")
    program("takes_below_mark", b"\x80\x02}(0.", "empty stack")
    program("mark_not_opened", b"\x80\x02t.", "not opened")
    program("values_left", b"\x80\x02}}.", "left over")
    program("memo_missing", b"\x80\x02h\x07.", "memo 7")
    program("memo_2_32", b"\x80\x02}r\xff\xff\xff\xff.", "memo 4294967295")
    program("marks_10000", b"\x80\x02" + b"(" * 10000 + b".", "nested deeper than 64")
    program("long_of_255_bytes", b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".", "255 bytes")
    program("long4", b"\x80\x02\x8b" + struct.pack("<I", 2**31 - 1) + b".", "opcode 0x8b")
    program("odd_dict", b"\x80\x02}(" + short_text("w") + b"u.", "key without a value")
    program("items_into_tuple", b"\x80\x02)" + short_text("w") + b"Ns.", "adds items to a tuple")
    program("root_is_list", b"\x80\x02].", "a list", "wanted a dict")
    program("root_is_tensor", b"\x80\x02" + rebuilt() + b".", "a tensor", "wanted a dict")
    program("key_is_number", b"\x80\x02}(K\x01" + rebuilt() + b"u.", "an integer")
    program("name_not_utf8", b"\x80\x02}(\x8c\x01\xff" + rebuilt() + b"u.", "not UTF-8", code="E1403")
    program("name_1025_bytes", b"\x80\x02}(X" + struct.pack("<I", 1025) + b"n" * 1025 + rebuilt() + b"u.", "1024 bytes")
    program("dict_in_itself", b"\x80\x02}q\x00(" + short_text("d") + b"h\x00u.", "nested deeper than 64")
    # Each dict holds the one before it twice: 2^40 ways down.
    laughs = b"\x80\x02}q\x000"
    for level in range(1, 41):
        below = b"h" + u8(level - 1)
        laughs += b"}q" + u8(level) + b"(" + short_text("a") + below + short_text("b") + below + b"u0"
    program("billion_laughs", laughs + b"h\x28.", "more than")
    program("same_name_twice", b"\x80\x02}(" + short_text("w") + rebuilt() + short_text("w") + rebuilt() + b"u.",
            "'w' occurs twice", code="E1108")
    program("rank_9", state(("w", rebuilt([1] * 9, [1] * 9))), "rank 9", "limit 8")
    program("size_negative", state(("w", rebuilt((-4,)))), "-4 as its size")
    program("stride_negative", state(("w", rebuilt((4,), (-1,)))), "-1 as its stride")
    program("offset_negative", state(("w", rebuilt(offset=-1))), "-1 as its offset")
    program("sizes_without_strides", state(("w", rebuilt((2, 2), (1,)))), "2 sizes and 1 strides")
    program("storage_is_number", b"\x80\x02" + name_of("torch._utils", "_rebuild_tensor_v2") + b"(K\x01K\x00))tR.",
            "storage")
    program("storage_id_short", b"\x80\x02(" + short_text("storage") + b"tQ.", "other than a storage")
    program("storage_of_dtype", b"\x80\x02(" + short_text("storage") + name_of("torch", "float32") + short_text("0") +
            short_text("cpu") + number(4) + b"tQ.", "storage of torch.float32")
    program("past_storage", state(("w", rebuilt((5,)))), "'w'", "16 bytes", code="E1110")
    program("past_storage_by_offset", state(("w", rebuilt(offset=1))), "element 1", code="E1110")
    program("past_storage_by_stride", state(("w", rebuilt((2,), (2**40,)))), "'w'", code="E1110")
    program("product_2_80", state(("w", rebuilt((2**40, 2**40), (0, 0)))), "overflows 64 bits", code="E1109")
    program("stride_overflow", state(("w", rebuilt((2**32, 2**8), (2**62, 2**62)))), "'w'", code="E1110")
    program("repeats_elements", state(("w", rebuilt((2**40,), (0,)))), "repeats", code="E1110")
    views = state(*((name, rebuilt((32, 32), (1, 32), count=1024)) for name in "abcd"))
    pth("repeats_a_storage", torch_file({"0": bytes(4096)}, views), "E1110", "4096 bytes put in order", "left")
    program("storage_missing", state(("w", rebuilt(key="1"))), "data/'1' is missing", code="E1110")
    program("storage_path", state(("w", rebuilt(key="../data.pkl"))), "missing", code="E1110")
    program("storage_short", state(("w", rebuilt(count=5))), "16 bytes, wanted 20", code="E1110")
    program("storage_2_62", state(("w", rebuilt(count=2**62))), "overflow", code="E1211")

    pth("empty", b"", "E1101", "0 bytes")
    pth("lfs_pointer", LFS, "E1104", "Git-LFS pointer")
    pth("html", HTML, "E1201", "HTML")
    pth("not_a_zip", b"these are not weights" * 4, "E1201", "no ZIP directory", hint="cut off")
    pth("truncated", good[:-5], "E1201", "no ZIP directory")
    pth("legacy", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "E1201", "before 1.6", hint="save it again")
    pth("compressed", torch_file({"0": bytes(4096)}, weights, compress=True), "E1105", "compressed (method 8)")
    pth("no_pickle", archive([("x/data/0", bytes(16))]), "E1201", "without data.pkl")
    pth("two_pickles", archive([("x/data.pkl", weights), ("y/data.pkl", weights)]), "E1105", "two pickles")
    pth("big_endian", torch_file(four, weights, byteorder=b"big"), "E1105", "'big'", "little")

    def patched(position, data, of=good):
        return of[:position] + data + of[position + len(data):]

    central = good.rindex(b"PK\1\2")  # of the last entry, x/data/0
    first_central = good.index(b"PK\1\2")
    end = good.rindex(b"PK\5\6")
    pth("crc", patched(good.index(weights), b"\x80\x03"), "E1105", "'x/data.pkl' is damaged", "CRC")
    pth("encrypted", patched(central + 8, b"\1\0"), "E1105", "encrypted")
    pth("sizes_differ", patched(central + 24, struct.pack("<I", 17)), "E1105", "16 bytes stored, but 17")
    pth("entry_past_eof", patched(central + 20, struct.pack("<II", 2**31, 2**31)), "E1110", "x/data/0", "2147483648")
    pth("local_header_elsewhere", patched(central + 42, struct.pack("<I", 1)), "E1105", "no local header at byte 1")
    pth("local_header_past_eof", patched(central + 42, struct.pack("<I", 2**31)), "E1110", "x/data/0")
    pth("local_name_differs", patched(good.index(b"x/data/0"), b"x/data/1"), "E1105",
        "its local header says 'x/data/1'")
    pth("count_lie", patched(end + 8, struct.pack("<HH", 65535, 65535)), "E1105", "cannot have 65535 entries")
    pth("count_one_more", patched(end + 8, struct.pack("<HH", 4, 4)), "E1105")
    pth("directory_past_eof", patched(end + 16, struct.pack("<I", 2**31)), "E1110", "past the end")
    pth("directory_too_long", patched(end + 12, struct.pack("<I", 2**31)), "E1110", "wanted 2147483648 bytes")
    pth("directory_elsewhere", patched(end + 16, struct.pack("<I", first_central + 1)), "E1105", "no directory entry")
    locator = b"PK\6\7" + struct.pack("<IQI", 0, 2**63, 1)
    pth("zip64_past_eof", good[:end] + locator + good[end:], "E1110", "9223372036854775808")
    pth("zip64_elsewhere", good[:end] + b"PK\6\7" + struct.pack("<IQI", 0, 0, 1) + good[end:], "E1105", "zip64")
    end64 = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2**60, 2**60, 2**40, 0)
    pth("zip64_count_lie", good[:end] + end64 + b"PK\6\7" + struct.pack("<IQI", 0, end, 1) + good[end:], "E1110")
    two = archive([("x/data.pkl", weights), ("x/data/0", bytes(16)), ("x/data/1", bytes(16))])
    same = two.replace(b"data/1", b"data/0")
    pth("name_twice", same, "E1105", "'x/data/0' occurs twice")
