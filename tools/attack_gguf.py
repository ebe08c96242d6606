"""Hostile GGUF files for make_attacks.py: rules F12 to F16 and threats A1 to A4 of the reliability goals."""

import struct

from attack_kit import HTML, LFS, expect, write

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
PACK = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<B", U64: "<Q", I64: "<q",
        F64: "<d"}


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, data):
    """A typed value; an array is (element kind, list)."""
    if kind == STRING:
        return string(data)
    if kind == ARRAY:
        inner, elements = data
        return struct.pack("<IQ", inner, len(elements)) + b"".join(value(inner, each) for each in elements)
    return struct.pack(PACK[kind], data)


def entry(key, kind, data):
    return string(key) + struct.pack("<I", kind) + value(kind, data)


def info(name, dims, kind, offset):
    return string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def file_of(entries=(), infos=(), data=b"", version=3, magic=b"GGUF", counts=None, alignment=32):
    tensors, keys = counts or (len(infos), len(entries))
    head = magic + struct.pack("<IQQ", version, tensors, keys) + b"".join(entries) + b"".join(infos)
    return head + (bytes(-len(head) % alignment) + data if infos else b"")


# The metadata of a model of one layer, and its keys that must be whole numbers above zero.
MODEL = {"general.architecture": (STRING, "llama4"), "llama4.block_count": (U32, 1),
         "llama4.context_length": (U32, 64), "llama4.embedding_length": (U32, 32),
         "llama4.feed_forward_length": (U32, 32), "llama4.expert_feed_forward_length": (U32, 32),
         "llama4.attention.head_count": (U32, 2), "llama4.attention.head_count_kv": (U32, 1),
         "llama4.attention.key_length": (U32, 16), "llama4.attention.value_length": (U32, 16),
         "llama4.attention.layer_norm_rms_epsilon": (F32, 1e-5), "llama4.rope.freq_base": (F32, 10000.0),
         "llama4.rope.dimension_count": (U32, 16), "llama4.vocab_size": (U32, 64), "llama4.expert_count": (U32, 2),
         "llama4.expert_used_count": (U32, 1), "llama4.interleave_moe_layer_step": (U32, 1)}
# Left out, these have a documented default; the others are asked for by name.
OPTIONAL = {"llama4.context_length", "llama4.attention.head_count_kv", "llama4.attention.key_length",
            "llama4.attention.value_length", "llama4.attention.layer_norm_rms_epsilon", "llama4.rope.freq_base",
            "llama4.rope.dimension_count", "llama4.expert_used_count", "llama4.interleave_moe_layer_step",
            "llama4.feed_forward_length"}


def model(**changes):
    """The model's file with keys changed ("_" for "."), or left out where the change is None."""
    keys = dict(MODEL)
    for key, change in changes.items():
        if change is None:
            del keys[key]
        else:
            keys[key] = change
    return file_of([entry(key, kind, data) for key, (kind, data) in keys.items()])


def gguf(name, data, code, *contains, hint=None, kind="gguf"):
    path = f"gguf/{name}.gguf"
    write(path, data)
    expect(kind, path, code, *contains, hint=hint)


def make_gguf():
    one = [info("a", (32,), 0, 0)]
    gguf("good", file_of([entry("k", U32, 1)], one, bytes(128)), "ok")
    gguf("good_v2", file_of([entry("k", U32, 1)], one, bytes(128), version=2), "ok")
    gguf("good_empty", file_of(), "ok")
    gguf("good_every_kind", file_of([entry(f"k{kind}", kind, 1) for kind in PACK] + [
        entry("s", STRING, "text"), entry("as", ARRAY, (STRING, ["a", "", "c"])), entry("au", ARRAY, (U32, [1, 2]))]),
        "ok")
    gguf("good_alignment", file_of([entry("general.alignment", U32, 64)], one, bytes(128), alignment=64), "ok")
    gguf("good_gap", file_of([], [info("a", (8,), 0, 0), info("b", (8,), 0, 64)], bytes(96)), "ok")

    gguf("f01_empty", b"", "E1101", "file is 0 bytes", "at least 24")
    gguf("f01_23_bytes", file_of()[:23], "E1101", "file is 23 bytes")
    gguf("f04_lfs_pointer", LFS, "E1104", "Git-LFS pointer", hint="git lfs pull")
    gguf("f05_html", HTML, "E1201", "looks like HTML", hint="login page")
    gguf("f05_magic", file_of(magic=b"GGML"), "E1201", "bad magic 'GGML'", "expected 'GGUF'")
    gguf("f12_v1", file_of(version=1), "E1202", "version 1;")
    gguf("f12_v99", file_of(version=99), "E1202", "version 99;")
    gguf("f12_big_endian", file_of(version=3 << 24), "E1202", "version 50331648 looks byte-swapped")
    gguf("f13_keys_minus_1", file_of(counts=(0, 2**64 - 1)), "E1203", "n_kv=18446744073709551615, limit 65536")
    gguf("f13_keys_65537", file_of(counts=(0, 65537)), "E1203", "n_kv=65537, limit 65536")
    gguf("f13_keys_beyond_file", file_of(counts=(0, 65536)), "E1203", "n_kv=65536, but only 0 bytes")
    gguf("f13_tensors_minus_1", file_of(counts=(2**64 - 1, 0)), "E1203", "n_tensors=18446744073709551615")
    gguf("f13_tensors_beyond_file", file_of(counts=(2**20, 0)), "E1203", "n_tensors=1048576, but only 0 bytes")
    gguf("f14_key_length", file_of([struct.pack("<Q", 2**64 - 1) + bytes(16)]), "E1204", "key 0",
         "string of 18446744073709551615 bytes")
    gguf("f14_string_length", file_of([string("name") + struct.pack("<IQ", STRING, 2**64 - 1)]), "E1204", "'name'")
    gguf("f14_string_one_over", file_of([string("name") + struct.pack("<IQ", STRING, 5) + b"four"]), "E1204", "'name'",
         "string of 5 bytes", "4 bytes are left")
    gguf("f14_key_1025_bytes", file_of([entry("k" * 1025, U8, 0)]), "E1204", "1025 bytes, limit 1024")
    nested = struct.pack("<IQ", ARRAY, 1) * 5
    gguf("f14_nested_arrays", file_of([string("deep") + struct.pack("<I", ARRAY) + nested]), "E1205", "'deep'",
         "array of arrays")
    gguf("f14_array_count", file_of([string("many") + struct.pack("<IIQ", ARRAY, U8, 2**63)]), "E1205", "'many'",
         "9223372036854775808")
    gguf("f14_array_wraps", file_of([string("many") + struct.pack("<IIQ", ARRAY, F64, 2**61 + 1) + bytes(8)]), "E1205",
         "'many'")
    gguf("f14_array_of_strings_cut", file_of([string("many") + struct.pack("<IIQ", ARRAY, STRING, 2) + string("a")
                                              + struct.pack("<Q", 9)]), "E1204", "'many', element 1")
    gguf("f14_type_99", file_of([string("odd") + struct.pack("<I", 99) + bytes(8)]), "E1206", "'odd'", "type 99")
    gguf("f14_array_type_13", file_of([string("odd") + struct.pack("<IIQ", ARRAY, 13, 1) + bytes(8)]), "E1206",
         "'odd'", "type 13")
    gguf("f14_bool_2", file_of([string("odd") + struct.pack("<IB", BOOL, 2)]), "E1206", "2 is no bool")
    for name, kind, number in [("0", U32, 0), ("13", U32, 13), ("i32", I32, 32), ("2_21", U32, 2**21),
                               ("string", STRING, "32"), ("u64", U64, 32)]:
        gguf(f"f15_alignment_{name}", file_of([entry("general.alignment", kind, number)]), "E1207",
             "must be u32 power of two 1..1048576")
    gguf("f16_row_of_100", file_of([], [info("blk.0.ffn_up.weight", (100,), 2, 0)], bytes(64)), "E1208",
         "'blk.0.ffn_up.weight'", "ne0=100 is not a multiple of 32 (q4_0)")
    gguf("f16_row_of_255", file_of([], [info("a", (255, 2), 12, 0)], bytes(512)), "E1208", "ne0=255", "256 (q4_k)")

    gguf("key_twice", file_of([entry("k", U8, 1), entry("k", U8, 2)]), "E1105", "'k' occurs twice")
    gguf("key_empty", file_of([entry("", U8, 1)]), "E1105", "key 0 is empty")
    gguf("cut_in_value", file_of([string("k") + struct.pack("<IH", U32, 7)]), "E1110", "2 are left")
    gguf("tensor_twice", file_of([], one * 2, bytes(256)), "E1108", "'a' occurs twice")
    gguf("tensor_rank_0", file_of([], [info("a", (), 0, 0) + bytes(8)], bytes(4)), "E1105", "0 dimensions")
    gguf("tensor_rank_5", file_of([], [info("a", (1,) * 5, 0, 0)], bytes(4)), "E1105", "5 dimensions, wanted 1 to 4")
    gguf("tensor_type_4", file_of([], [info("a", (32,), 4, 0)], bytes(64)), "E1111", "tensor type 4 is not known")
    gguf("tensor_type_1000", file_of([], [info("a", (32,), 1000, 0)], bytes(64)), "E1111", "1000")
    gguf("tensor_product", file_of([], [info("a", (2**40, 2**40), 0, 0)], bytes(64)), "E1109", "1099511627776")
    gguf("tensor_bytes_wrap", file_of([], [info("a", (2**62, 4), 0, 0)], bytes(64)), "E1109", "overflows")
    # Read from its other end, as a shape of rows, it would overflow before it meets the 0.
    gguf("tensor_bytes_wrap_beside_0", file_of([], [info("a", (0, 2**62, 4), 0, 0)], bytes(64)), "E1109", "overflows")
    gguf("tensor_dim_2_64", file_of([], [info("a", (0, 2**64 - 1), 0, 0)], bytes(64)), "E1109", "overflows")
    gguf("tensor_past_end", file_of([], one, bytes(127)), "E1110", "end behind the data's 127 bytes",
         hint="128 bytes of data")
    gguf("tensor_offset_wraps", file_of([], [info("a", (32,), 0, 2**64 - 64)], bytes(128)), "E1110", "'a'")
    gguf("tensor_unaligned", file_of([], [info("a", (8,), 0, 4)], bytes(64)), "E1110", "not a multiple of 32")
    gguf("tensor_overlap", file_of([], [info("a", (32,), 0, 0), info("b", (32,), 0, 32)], bytes(256)), "E1106",
         "'b' [32, 160) overlaps 'a' [0, 128)")

    gguf("model_good", model(), "ok", kind="gguf_config")
    for key in MODEL:
        code = "ok" if key in OPTIONAL else None
        if key in ("llama4.vocab_size", "llama4.expert_feed_forward_length"):
            code = "E1301"
        if key == "llama4.expert_count":  # then it is a model without experts
            code = "ok"
        gguf(f"model_without_{key}", model(**{key: None}), code or "E1209", *([] if code else [key]),
             kind="gguf_config")
        if MODEL[key][0] != U32:
            continue
        for name, kind, number in [("minus_1", I32, -1), ("2_31", U32, 2**31), ("2_32_less_1", U32, 2**32 - 1),
                                   ("2_63", U64, 2**63)]:
            if key == "llama4.context_length" and kind == U32 and number > 0:
                continue  # a long context is not wrong
            wide = {"llama4.feed_forward_length"} if name.startswith("2_3") else set()
            if key in wide:  # nobody asks for it where every layer has experts
                continue
            code = "E1209" if number == 2**63 else "E1301"
            if key == "llama4.feed_forward_length" and number != 2**63:
                continue
            gguf(f"model_{key}_{name}", model(**{key: (kind, number)}), code, kind="gguf_config")
        if key not in ("llama4.expert_count", "llama4.feed_forward_length"):
            gguf(f"model_{key}_0", model(**{key: (U32, 0)}), "E1301", kind="gguf_config")
        gguf(f"model_{key}_text", model(**{key: (STRING, "7")}), "E1209", key, "is of type string",
             kind="gguf_config")
    gguf("model_of_llama", model(**{"general.architecture": (STRING, "llama")}), "E1301", "'llama'", "wanted llama4",
         kind="gguf_config")
    make_stores()


# Packed stores: the magic HERD, a version of their own, whole pages, and types PACKED above a GGUF's.
PACKED, PAGE = 0x1000, 4096
LAYOUT, PAGES = entry("herd.packed.layout", U32, 1), entry("general.alignment", U32, PAGE)


def store(name, code, *contains, entries=(PAGES, LAYOUT), infos=(), data=bytes(PAGE), **more):
    path = f"gguf/{name}.herd"
    write(path, file_of(entries, infos, data, **{"magic": b"HERD", "version": 1, "alignment": PAGE, **more}))
    expect("gguf", path, code, *contains)


def make_stores():
    q4 = [info("a", (256, 17), 12 | PACKED, 0)]  # two bands of 16 outputs: 4608 bytes, two pages
    store("store_good", "ok", infos=q4, data=bytes(2 * PAGE))
    store("store_of_experts", "ok", infos=[info("a", (256, 16, 2), 12 | PACKED, 0)], data=bytes(2 * PAGE))
    store("store_v2", "E1202", "the packed store is of version 2", "reads version 1", version=2)
    store("store_layout_2", "E1202", "laid out as of version 2", entries=[PAGES, entry("herd.packed.layout", U32, 2)])
    store("store_layout_text", "E1209", "herd.packed.layout", entries=[PAGES, entry("herd.packed.layout", STRING, "1")])
    store("store_without_layout", "E1209", "'herd.packed.layout' is missing", entries=[PAGES])
    store("store_without_pages", "E1207", "no general.alignment", entries=[LAYOUT])
    store("store_pages_of_32", "E1207", "general.alignment is 32, a packed store's is 4096 or more",
          entries=[entry("general.alignment", U32, 32), LAYOUT])
    store("store_unaligned", "E1110", "not a multiple of 4096", infos=[info("a", (256, 16), 12 | PACKED, 32)],
          data=bytes(2 * PAGE))
    store("store_cut", "E1110", "end behind the data's 8191 bytes", infos=q4, data=bytes(2 * PAGE - 1))
    store("store_packed_f32", "E1111", "f32 of 2 dimensions is not packed", infos=[info("a", (256, 16), PACKED, 0)])
    store("store_packed_bf16", "E1111", "bf16 of 2 dimensions is not packed",
          infos=[info("a", (256, 16), 30 | PACKED, 0)])
    store("store_packed_vector", "E1111", "of 1 dimensions", infos=[info("a", (256,), 12 | PACKED, 0)])
    store("store_packed_rank_4", "E1111", "of 4 dimensions", infos=[info("a", (256, 16, 1, 1), 12 | PACKED, 0)])
    store("store_packed_row", "E1208", "ne0=255", infos=[info("a", (255, 16), 12 | PACKED, 0)])
    store("store_packed_type_5", "E1111", "tensor type 5", infos=[info("a", (256, 16), 5 | PACKED, 0)])
    store("store_packed_product", "E1109", "overflows", infos=[info("a", (2**40, 2**40), 12 | PACKED, 0)])
    # Of few numbers, but filled up to whole blocks and pages they overflow.
    store("store_packed_pages", "E1109", "overflows", infos=[info("a", (32, 1, 2**57), 8 | PACKED, 0)])
    store("store_packed_experts_0", "ok", infos=[info("a", (32, 2**50, 0), 8 | PACKED, 0)])
    gguf("packed_in_gguf", file_of([], [info("a", (256, 16), 12 | PACKED, 0)], bytes(PAGE)), "E1111",
         "tensor type 4108 is not known")
