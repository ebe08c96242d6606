#!/usr/bin/env python3
"""Writes the hostile files of tests/attacks/ and what herd must say about each (expect.json).

    tools/make_attacks.py          rewrite tests/attacks/{safetensors,index,config,params,pickle,gguf} and expect.json

Nothing but the standard library is needed. Every file is small; files whose size is the attack (a header of
100,000,001 bytes) are made by tests/attacks_test.cc itself. Rules F01-F18 are those of the project's reliability goals.
"""

import json
import shutil
import struct

from attack_gguf import make_gguf
from attack_kit import HTML, LFS, ROOT, expect, expectations, header_of, packed, tensor, torch_file, write
from attack_pickles import make_pickle

FOLDERS = ("safetensors", "index", "config", "params", "pickle", "gguf")


# ------------------------------------------------------------------------------------------------------ safetensors

def safetensors(name, data, code, *contains, hint=None):
    path = f"safetensors/{name}.safetensors"
    write(path, data)
    expect("safetensors", path, code, *contains, hint=hint)


def make_safetensors():
    good = header_of(a=tensor(), b=tensor("BF16", (2, 2), (4, 12)))
    safetensors("good", packed(good, bytes(12)), "ok")
    safetensors("good_no_tensors", packed("{}"), "ok")
    safetensors("good_padded_header", packed(good + "   \n", bytes(12)), "ok")
    safetensors("good_scalar_and_empty", packed(header_of(s=tensor("F64", (), (0, 8)), e=tensor("F16", (0, 3), (8, 8))),
                                                bytes(8)), "ok")

    safetensors("f01_empty", b"", "E1101", "file is 0 bytes", "at least 8")
    safetensors("f01_seven_bytes", bytes(7), "E1101", "file is 7 bytes", "at least 8")
    safetensors("f02_length_2_63", struct.pack("<Q", 2**63) + bytes(4088), "E1102", "9223372036854775808", "4096")
    safetensors("f02_length_2_64_less_one", b"\xff" * 8 + b"{}", "E1102", "18446744073709551615", "10")
    safetensors("f02_length_one_over", struct.pack("<Q", 3) + b"{}", "E1102", "header length 3", "file size 10")
    safetensors("f02_cut_in_header", packed(good, bytes(12))[:40], "E1102", "file size 40")
    safetensors("f04_lfs_pointer", LFS, "E1104", "Git-LFS pointer", f"{len(LFS)} bytes", hint="git lfs pull")
    safetensors("f05_html", HTML, "E1201", "looks like HTML", hint="login page")

    for name, header, words in [
        ("empty", "", ("header is empty",)),
        ("array", "[]", ("begins with byte 0x5b",)),
        ("leading_space", " {}", ("begins with byte 0x20",)),
        ("byte_order_mark", "\ufeff{}", ("begins with byte 0xef",)),
        ("unclosed", '{"a":{"dtype":"F32"', ("header's end",)),
        ("trailing_comma", '{"a":' + json.dumps(tensor()) + ",}", ("wanted",)),
        ("extra_text", "{} {}", ("extra text", "byte 3")),
        ("single_quotes", "{'a':1}", ("byte 1",)),
        ("comment", "{/**/}", ("byte 1",)),
        ("nul_byte", '{"a\0":1}', ("control character", "0x00")),
        ("newline_in_name", '{"a\n":1}', ("control character", "0x0a")),
        ("bad_escape", '{"\\x41":1}', ("escape",)),
        ("short_unicode_escape", '{"\\u12":1}', ("hexadecimal",)),
        ("lone_surrogate", '{"\\ud800":1}', ("surrogate",)),
        ("reversed_surrogates", '{"\\udc00\\ud800":1}', ("surrogate",)),
        ("tensor_is_number", '{"a":7}', ("'a'", "wanted '{'")),
        ("tensor_is_null", '{"a":null}', ("'a'", "wanted '{'")),
        ("deep_nesting", '{"a":' + "[" * 20000, ("'a'", "wanted '{'")),
        ("deep_shape", '{"a":{"dtype":"F32","shape":' + "[" * 20000, ("'a'", "whole number")),
        ("negative_dimension", '{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', ("whole number", "'-1")),
        ("float_dimension", '{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', ("whole number", "'1.0]")),
        ("exponent_dimension", '{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}', ("whole number",)),
        ("leading_zero", '{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', ("whole number",)),
        ("number_2_64", '{"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}}', ("2^64",)),
        ("no_dtype", '{"a":{"shape":[1],"data_offsets":[0,4]}}', ("'a'", "dtype is missing")),
        ("no_shape", '{"a":{"dtype":"F32","data_offsets":[0,4]}}', ("shape is missing",)),
        ("no_offsets", '{"a":{"dtype":"F32","shape":[1]}}', ("data_offsets is missing",)),
        ("empty_tensor", '{"a":{}}', ("dtype is missing",)),
        ("one_offset", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}', ("has 1 entries, wanted 2",)),
        ("three_offsets", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', ("more than 2",)),
        ("unknown_field", header_of(a=tensor(strides=[1])), ("'strides'",)),
        ("field_twice", '{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}', ("'dtype' twice",)),
        ("name_1025_bytes", header_of(**{"n" * 1025: tensor()}), ("longer than 1024",)),
        ("rank_9", header_of(a=tensor(shape=[1] * 9)), ("'a'", "more than 8")),
        ("metadata_number", '{"__metadata__":{"format":1}}', ("wanted '\"'",)),
        ("metadata_nested", '{"__metadata__":{"format":{"a":"b"}}}', ("wanted '\"'",)),
    ]:
        safetensors(f"header_{name}", packed(header, bytes(4)), "E1105", *words)
    safetensors("header_invalid_utf8", packed(b'{"\xff\xfe":1}'), "E1105", "not UTF-8", "byte 2")
    safetensors("header_overlong_utf8", packed(b'{"\xc0\xaf":1}'), "E1105", "not UTF-8")
    safetensors("header_utf8_surrogate", packed(b'{"\xed\xa0\x80":1}'), "E1105", "not UTF-8")

    same = {f"weight_{i}": tensor("F32", (4,), (0, 16)) for i in range(500)}
    safetensors("f06_overlap_two", packed(header_of(weight_0=tensor("F32", (4,), (0, 16)),
                                                    weight_1=tensor("F32", (4,), (0, 16))), bytes(16)),
                "E1106", "tensor 'weight_1' [0, 16) overlaps 'weight_0'")
    safetensors("f06_overlap_500", packed(json.dumps(same), bytes(16)), "E1106", "[0, 16)", "'weight_0'")
    crossing = header_of(a=tensor("F32", (4,), (0, 16)), b=tensor("F32", (4,), (12, 28)))
    safetensors("f06_overlap_partial", packed(crossing, bytes(28)), "E1106", "'b' [12, 28)", "'a' [0, 16)")
    safetensors("f06_empty_inside", packed(header_of(a=tensor("F32", (4,), (0, 16)), b=tensor("F32", (0,), (8, 8))),
                                           bytes(16)), "E1106", "'b' [8, 8)", "'a' [0, 16)")
    apart = header_of(a=tensor("F32", (4,), (0, 16)), b=tensor("F32", (2,), (24, 32)))
    safetensors("f07_hole", packed(apart, bytes(32)), "E1107", "bytes 16..24", "not covered")
    safetensors("f07_hole_at_start", packed(header_of(a=tensor("F32", (1,), (4, 8))), bytes(8)), "E1107", "bytes 0..4")
    safetensors("f07_trailing_bytes", packed(good, bytes(12) + b"PK\5\6" + bytes(18)), "E1107", "bytes 12..34")
    safetensors("f07_data_without_tensors", packed("{}", bytes(3)), "E1107", "bytes 0..3")
    pair = json.dumps(tensor())
    safetensors("f08_duplicate", packed('{"a":' + pair + ',"a":' + pair + "}", bytes(4)),
                "E1108", "'a' occurs twice", "bytes 9 and", str(9 + len('"a":' + pair + ",")))
    safetensors("f08_duplicate_by_escape", packed('{"ab":' + pair + ',"\\u0061b":' + pair + "}", bytes(4)),
                "E1108", "'ab' occurs twice")
    safetensors("f08_metadata_twice", packed('{"__metadata__":{},"__metadata__":{}}'), "E1108", "__metadata__")
    safetensors("f09_product", packed(header_of(a=tensor(shape=[2**40, 2**40])), bytes(4)),
                "E1109", "overflows 64 bits", "1099511627776")
    safetensors("f09_bytes", packed(header_of(a=tensor("F64", [2**61])), bytes(4)), "E1109", "overflows 64 bits")
    safetensors("f09_wraps_to_zero", packed(header_of(a=tensor("F32", [2**32, 2**32], (0, 0)))), "E1109", "overflows")
    safetensors("f09_dimension_2_63", packed(header_of(a=tensor("F32", [0, 2**63], (0, 0)))), "E1109", "overflows")
    safetensors("f10_begin_after_end", packed(header_of(a=tensor("F32", [1], (8, 4))), bytes(8)),
                "E1110", "begin at 8 and end at 4")
    safetensors("f10_end_past_eof_by_one", packed(header_of(a=tensor("U8", [5], (0, 5))), bytes(4)),
                "E1110", "[0, 5)", "4 bytes", hint="expected")
    safetensors("f10_truncated", packed(good, bytes(12))[:-1], "E1110", "'b'", "11 bytes",
                hint=f"expected {len(packed(good, bytes(12)))} bytes, have {len(packed(good, bytes(12))) - 1}")
    safetensors("f10_mismatch", packed(header_of(a=tensor("F32", [2, 3], (0, 20))), bytes(20)),
                "E1110", "needs 24 bytes", "give 20")
    safetensors("f10_offsets_near_2_64", packed(header_of(a=tensor("U8", [1], (2**64 - 2, 2**64 - 1)))),
                "E1110", "18446744073709551614")
    for name, dtype in [("unknown", "F4_E2M1X"), ("lower_case", "f32"), ("empty", ""), ("complex", "C64")]:
        safetensors(f"f11_{name}", packed(header_of(a=tensor(dtype)), bytes(4)),
                    "E1111", f"unknown dtype '{dtype}'", "supported: F32, F16, BF16, F8_E4M3")


# ------------------------------------------------------------------------------------------------------------ index

SHARD = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def directory(name, files, code, *contains, hint=None):
    for file, data in files.items():
        write(f"index/{name}/{file}", data)
    expect("store", f"index/{name}", code, *contains, hint=hint)


def index(weight_map, **metadata):
    return json.dumps({"metadata": metadata, "weight_map": weight_map})


def make_index():
    key = "model.safetensors.index.json"
    a = packed(header_of(a=tensor()), bytes(4))
    b = packed(header_of(b=tensor(), c=tensor("F32", (1,), (4, 8))), bytes(8))
    right = {"a": SHARD[0], "b": SHARD[1], "c": SHARD[1]}
    both = {SHARD[0]: a, SHARD[1]: b}
    directory("good", {key: index(right, total_size=12), **both}, "ok")
    directory("good_wrong_total", {key: index(right, total_size=13), **both}, "ok")
    directory("good_odd_total", {key: index(right, total_size="x"), **both}, "ok")
    for name, shard in [("parent", "../../etc/passwd"), ("absolute", "/etc/passwd"), ("backslash", "..\\x.safetensors"),
                        ("empty", ""), ("dots", ".."), ("nul", "a\0.safetensors"), ("space", "a b.safetensors"),
                        ("129_bytes", "a" * 117 + ".safetensors"), ("not_ascii", "mödel.safetensors"),
                        ("subfolder", "x/model.safetensors"), ("url", "https://x/model.safetensors")]:
        directory(f"f18_illegal_{name}", {key: index({"a": shard})}, "E1302", "illegal shard name", "'a'")
    directory("f18_pickle_shard", {key: index({"a": "pytorch_model.bin"})}, "E1302", "not a .safetensors file")
    directory("f18_missing_shard", {key: index(right), SHARD[0]: a}, "E1302",
              f"missing shard {SHARD[1]} (listed by 2 tensors)", hint="fetch")
    directory("f18_tensor_not_in_shard", {key: index({**right, "d": SHARD[0]}), **both}, "E1302",
              "lists 'd'", SHARD[0], "does not have it")
    directory("f18_tensor_not_listed", {key: index({"a": SHARD[0], "b": SHARD[1]}), **both}, "E1302",
              "does not list 'c'", SHARD[1])
    directory("f18_shards_swapped", {key: index(right), SHARD[0]: b, SHARD[1]: a}, "E1302", "lists 'a'", SHARD[0])
    directory("f18_not_json", {key: "weights go here"}, "E1501", key)
    directory("f18_deep_json", {key: '{"weight_map":' + "[" * 5000}, "E1502", "64")
    directory("f18_key_twice", {key: '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}'}, "E1501", "'a'")
    directory("f18_no_weight_map", {key: "{}"}, "E1302", "weight_map")
    directory("f18_weight_map_list", {key: '{"weight_map":["a"]}'}, "E1302", "weight_map")
    directory("f18_weight_map_empty", {key: '{"weight_map":{}}'}, "E1302", "no tensors")
    directory("f18_shard_is_number", {key: '{"weight_map":{"a":1}}'}, "E1302", "'a'", "no string")
    directory("f18_lfs_shard", {key: index(right), SHARD[0]: a, SHARD[1]: LFS}, "E1104", SHARD[1], hint="git lfs pull")
    directory("f18_truncated_shard", {key: index(right), SHARD[0]: a, SHARD[1]: b[:-3]}, "E1110", SHARD[1],
              hint=f"expected {len(b)} bytes, have {len(b) - 3}")
    directory("weights_bin", {"pytorch_model.bin": "\x80\x02"}, "E1005", "pytorch_model.bin", hint="safetensors")
    directory("weights_pkl", {"model.pkl": "\x80\x02"}, "E1005", "model.pkl")
    directory("weights_pt", {"model.pt": "\x80\x02"}, "E1005", "model.pt")
    directory("no_weights", {"config.json": "{}"}, "E1001", "no weights", hint="looked for")
    directory("meta_gap", {"consolidated.00.pth": torch_file({}), "consolidated.02.pth": torch_file({})}, "E1302",
              "missing shard consolidated.01.pth")
    directory("meta_int4", {"consolidated.00.pth": torch_file({}), "int4_scales_0.pt": torch_file({})}, "E1005", "int4")


# ----------------------------------------------------------------------------------------------------------- config


def good_config():
    return {
        "architectures": ["Llama4ForConditionalGeneration"], "model_type": "llama4", "boi_token_index": 80,
        "eoi_token_index": 81, "image_token_index": 92, "dtype": "bfloat16",
        "text_config": {
            "model_type": "llama4_text", "vocab_size": 128, "hidden_size": 64, "num_hidden_layers": 4,
            "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 32,
            "intermediate_size_mlp": 48, "num_local_experts": 4, "num_experts_per_tok": 1,
            "interleave_moe_layer_step": 2, "moe_layers": [1, 3], "no_rope_layers": [1, 1, 1, 0],
            "attention_chunk_size": 16, "use_qk_norm": True, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
            "rope_scaling": None, "max_position_embeddings": 1024, "bos_token_id": 0, "eos_token_id": [1, 7, 8],
            "pad_token_id": 18, "hidden_act": "silu", "attention_bias": False},
        "vision_config": {
            "model_type": "llama4_vision_model", "hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 28, "patch_size": 14, "num_channels": 3, "hidden_act": "gelu",
            "norm_eps": 1e-5, "rope_theta": 10000, "pixel_shuffle_ratio": 0.5, "projector_input_dim": 16,
            "projector_output_dim": 16, "vision_output_dim": 16},
    }


def config(name, change, code, *contains, hint=None):
    """`change` edits the good configuration, or is the file's text."""
    if callable(change):
        value = good_config()
        change(value)
        change = json.dumps(value, indent=1)
    write(f"config/{name}.json", change)
    expect("config", f"config/{name}.json", code, *contains, hint=hint)


def text(**changes):
    return lambda value: value["text_config"].update(changes)


def vision(**changes):
    return lambda value: value["vision_config"].update(changes)


def top(**changes):
    return lambda value: value.update(changes)


def make_config():
    config("good", lambda value: None, "ok")
    for name, changes, words in [
        ("heads_zero", dict(num_attention_heads=0), ("num_attention_heads is 0",)),
        ("heads_negative", dict(num_attention_heads=-8), ("num_attention_heads is -8",)),
        ("heads_text", dict(num_attention_heads="8"), ("num_attention_heads is '8'",)),
        ("heads_2_64", dict(num_attention_heads=2**64 - 1), ("18446744073709551615",)),
        ("kv_heads_not_dividing", dict(num_key_value_heads=3), ("num_key_value_heads is 3", "does not divide", "8")),
        ("kv_heads_zero", dict(num_key_value_heads=0), ("num_key_value_heads is 0",)),
        ("layers_1e9", dict(num_hidden_layers=10**9), ("num_hidden_layers is 1000000000", "4096")),
        ("layers_zero", dict(num_hidden_layers=0), ("num_hidden_layers is 0",)),
        ("layers_float", dict(num_hidden_layers=4.5), ("num_hidden_layers is 4.5",)),
        ("width_zero", dict(hidden_size=0), ("hidden_size is 0",)),
        ("width_2_40", dict(hidden_size=2**40), ("hidden_size is 1099511627776", "1048576")),
        ("vocabulary_zero", dict(vocab_size=0), ("vocab_size is 0",)),
        ("vocabulary_2_31", dict(vocab_size=2**31), ("vocab_size is 2147483648", "2097152")),
        ("head_odd", dict(head_dim=7), ("head_dim is 7", "even")),
        ("head_too_wide", dict(head_dim=2**19), ("head_dim is 524288", "wider than")),
        ("top_k_above_experts", dict(num_experts_per_tok=5), ("num_experts_per_tok is 5", "4")),
        ("top_k_zero", dict(num_experts_per_tok=0), ("num_experts_per_tok is 0",)),
        ("experts_2_31", dict(num_local_experts=2**31), ("num_local_experts is 2147483648",)),
        ("experts_missing", dict(num_local_experts=None), ("num_local_experts is missing",)),
        ("experts_zero_but_listed", dict(num_local_experts=0), ("moe_layers", "num_local_experts is 0")),
        ("moe_layer_negative", dict(moe_layers=[-1]), ("moe_layers has -1 at position 0",)),
        ("interleave_zero", dict(moe_layers=None, interleave_moe_layer_step=0), ("interleave_moe_layer_step is 0",)),
        ("rope_list_short", dict(no_rope_layers=[1, 1, 1]), ("no_rope_layers has 3 entries for 4 layers",)),
        ("rope_list_two", dict(no_rope_layers=[1, 1, 2, 0]), ("no_rope_layers has 2 at position 2",)),
        ("rope_interval_zero", dict(no_rope_layers=[], no_rope_layer_interval=0), ("no_rope_layer_interval is 0",)),
        ("layer_types_short", dict(layer_types=["full_attention"]), ("layer_types has 1 entries for 4 layers",)),
        ("layer_types_unknown", dict(layer_types=["sliding_attention"] * 4), ("layer_types has 'sliding_attention'",)),
        ("layer_types_disagree", dict(layer_types=["full_attention"] + ["chunked_attention"] * 3),
         ("layer_types", "position 0")),
        ("chunk_zero", dict(attention_chunk_size=0), ("attention_chunk_size is 0",)),
        ("chunk_negative", dict(attention_chunk_size=-8192), ("attention_chunk_size is -8192",)),
        ("theta_zero", dict(rope_theta=0), ("rope_theta is 0",)),
        ("theta_negative", dict(rope_theta=-500000.0), ("rope_theta is -500000",)),
        ("theta_text", dict(rope_theta="NaN"), ("rope_theta is 'NaN'",)),
        ("eps_negative", dict(rms_norm_eps=-1e-5), ("rms_norm_eps is -1e-05",)),
        ("floor_zero", dict(floor_scale=0), ("floor_scale is 0",)),
        ("rope_yarn", dict(rope_scaling={"rope_type": "yarn", "factor": 4.0}), ("rope_type is 'yarn'", "llama3")),
        ("rope_no_factor", dict(rope_scaling={"rope_type": "llama3"}), ("rope_scaling.factor is missing",)),
        ("rope_factor_zero", dict(rope_scaling={"rope_type": "llama3", "factor": 0}), ("rope_scaling.factor is 0",)),
        ("rope_scaling_list", dict(rope_scaling=[8]), ("rope_scaling is a list",)),
        ("token_beyond_vocabulary", dict(eos_token_id=[1, 128]), ("eos_token_id has 128 at position 1", "127")),
        ("bos_beyond_vocabulary", dict(bos_token_id=200000), ("bos_token_id is 200000",)),
        ("gelu", dict(hidden_act="gelu"), ("hidden_act is 'gelu'", "silu")),
        ("attention_bias", dict(attention_bias=True), ("attention_bias is true",)),
        ("dense_width_missing", dict(intermediate_size_mlp=None), ("intermediate_size_mlp is missing",)),
    ]:
        config(f"f17_{name}", text(**changes), "E1301", *words)
    for name, changes, words in [
        ("vision_width_missing", dict(hidden_size=None), ("vision_config.hidden_size is missing",)),
        ("vision_output_missing", dict(vision_output_dim=None), ("vision_config.vision_output_dim is missing",)),
        ("vision_patch_zero", dict(patch_size=0), ("vision_config.patch_size is 0",)),
        ("vision_patch_not_dividing", dict(patch_size=13), ("vision_config.patch_size is 13", "28")),
        ("vision_heads", dict(num_attention_heads=3), ("vision_config.num_attention_heads is 3",)),
        ("vision_ratio", dict(pixel_shuffle_ratio=0.3), ("vision_config.pixel_shuffle_ratio is 0.3",)),
        ("vision_channels", dict(num_channels=4), ("vision_config.num_channels is 4",)),
        ("vision_image_list", dict(image_size=[28, 56]), ("vision_config.image_size",)),
        ("vision_adapter_width", dict(intermediate_size=65), ("vision_config.intermediate_size is 65", "64")),
    ]:
        config(f"f17_{name}", vision(**changes), "E1301", *words)
    config("f17_unknown_architecture", top(architectures=["LlamaForCausalLM"], model_type="llama"), "E1301",
           "'LlamaForCausalLM'", "Llama4ForConditionalGeneration", "model_type is 'llama'")
    config("f17_no_model_type", lambda value: (value.pop("model_type"), value.pop("architectures")), "E1301",
           "model_type is missing")
    config("f17_image_token", top(image_token_index=128), "E1301", "image_token_index is 128")
    config("f17_text_config_list", top(text_config=[1]), "E1301", "text_config.hidden_size is missing")
    config("f17_all_at_once", lambda value: (
        value["text_config"].update(num_attention_heads=0, num_hidden_layers=10**9, rope_theta=-1, vocab_size=0,
                                    num_experts_per_tok=9),
        value["vision_config"].update(patch_size=0), value.update(architectures=["Gpt"])),
        "E1301", "num_attention_heads is 0", "num_hidden_layers is 1000000000", "rope_theta is -1", "vocab_size is 0",
        "num_experts_per_tok is 9", "vision_config.patch_size is 0", "'Gpt'", "7 problems")
    for method in ("bitsandbytes", "gptq", "awq", "modelopt", "mxfp4", "fbgemm_fp8"):
        config(f"quantization_{method}", top(quantization_config={"quant_method": method}), "E1301",
               f"quant_method is '{method}'", "compressed-tensors")
    config("quantization_nvfp4", top(quantization_config={
        "quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}), "E1301", "'nvfp4-pack-quantized'")
    config("quantization_int4", top(quantization_config={
        "quant_method": "compressed-tensors", "format": "float-quantized",
        "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int", "strategy": "group"}}}}),
        "E1301", "group_0.weights")
    for name, change, *words in (
            ("eight_bits", {"num_bits": 8}, "num_bits is 8, type 'int'", "4 bits, int"),
            ("zero_points", {"symmetric": False}, "symmetric is false"),
            ("groups_of_32", {"group_size": 32}, "strategy is 'group' with group_size 32", "group with 128"),
            ("other_order", {"actorder": "group"}, "actorder is group")):
        weights = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 128} | change
        config(f"pack_quantized_{name}", top(quantization_config={
            "quant_method": "compressed-tensors", "format": "pack-quantized",
            "config_groups": {"group_0": {"weights": weights}}}), "E1301", "group_0.weights", *words)
    config("f17_root_array", "[]", "E1301", "no JSON object")
    config("f17_nan_theta", json.dumps(good_config()).replace("500000.0", "NaN"), "E1501", "byte")
    config("f17_infinite_theta", json.dumps(good_config()).replace("500000.0", "1e999"), "E1501",
           "exponent overflow")
    config("f17_deep", '{"text_config":' * 100 + "{}" + "}" * 100, "E1502", "64")
    config("f17_key_twice", '{"model_type":"llama4","model_type":"llama4"}', "E1501", "'model_type'")
    config("f17_not_utf8", b'{"model_type":"\xff"}', "E1501", "byte")
    config("a7_auto_map", top(auto_map={"AutoModel": "modeling_evil.Evil"}), "E1005", "auto_map", hint="no code")
    config("a7_auto_map_text", text(auto_map={"AutoModel": "modeling_evil.Evil"}), "E1005", "auto_map")
    config("a7_custom_code", top(custom_code=True), "E1005", "custom_code")


# ----------------------------------------------------------------------------------------------------------- params


def make_params():
    def good():
        return {"dim": 64, "n_layers": 4, "n_heads": 8, "n_kv_heads": 2, "vocab_size": 2304, "ffn_dim_multiplier": 1.2,
                "ffn_exp": 4.0, "multiple_of": 16, "norm_eps": 1e-5, "rope_theta": 500000.0, "use_scaled_rope": True,
                "attention_chunk_size": 16, "nope_layer_interval": 4, "use_qk_norm": True,
                "moe_args": {"num_experts": 4, "capacity_factor": 1.0, "top_k": 1, "interleave_moe_layer_step": 2},
                "vision_args": {"image_size": {"height": 28, "width": 28}, "patch_size": {"height": 14, "width": 14},
                                "dim": 16, "n_layers": 1, "n_heads": 2, "mlp_ratio": 4.0, "output_dim": 16,
                                "pixel_shuffle_ratio": 0.5}}

    def params(name, change, code, *contains):
        value = good()
        change(value)
        write(f"params/{name}.json", json.dumps(value, indent=1))
        expect("params", f"params/{name}.json", code, *contains)

    params("good", lambda value: None, "ok")
    for name, changes, words in [
        ("heads_zero", dict(n_heads=0), ("n_heads is 0",)),
        ("kv_heads_not_dividing", dict(n_kv_heads=3), ("n_kv_heads is 3",)),
        ("layers_1e9", dict(n_layers=10**9), ("n_layers is 1000000000",)),
        ("vocabulary_small", dict(vocab_size=2048), ("vocab_size is 2048",)),
        ("multiple_zero", dict(multiple_of=0), ("multiple_of is 0",)),
        ("multiplier_huge", dict(ffn_dim_multiplier=1e300), ("ffn_dim_multiplier", "width")),
        ("interval_zero", dict(nope_layer_interval=0), ("nope_layer_interval is 0",)),
        ("int4", dict(quantization_args={"scheme": "int4_weight_int8_dynamic_activation"}), ("quantization_args",)),
        ("lora", dict(lora_args={"rank": 8, "scale": 1.0}), ("lora_args",)),
    ]:
        params(name, lambda value, c=changes: value.update(c), "E1301", *words)
    params("experts_step_zero", lambda value: value["moe_args"].update(interleave_moe_layer_step=0), "E1301",
           "moe_args.interleave_moe_layer_step is 0")
    params("top_k", lambda value: value["moe_args"].update(top_k=5), "E1301", "moe_args.top_k is 5")
    params("vision_not_square", lambda value: value["vision_args"].update(image_size={"height": 28, "width": 56}),
           "E1301", "vision_args.image_size.width is 56")
    params("vision_patch", lambda value: value["vision_args"].update(patch_size={"height": 0, "width": 0}),
           "E1301", "vision_args.patch_size.height is 0")


def main():
    for folder in FOLDERS:
        shutil.rmtree(ROOT / folder, ignore_errors=True)
    make_safetensors()
    make_index()
    make_config()
    make_params()
    make_pickle()
    make_gguf()
    (ROOT / "expect.json").write_text(json.dumps(expectations, indent=1, ensure_ascii=True) + "\n")
    print(f"{len(expectations)} inputs")


if __name__ == "__main__":
    main()
