// The closed catalogue of errors: each has a number for users, an exit status and one sentence.
// A new kind of error is a new row here; nothing else lists them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace herd {

enum class Code : std::uint16_t {
  // Files in general.
  missing_input,
  cannot_create,
  io_failed,
  refused,
  // safetensors.
  file_empty,
  header_length,
  header_too_large,
  lfs_pointer,
  bad_header,
  tensor_overlap,
  tensor_hole,
  duplicate_tensor,
  shape_overflow,
  tensor_range,
  unknown_dtype,
  // Checkpoints: several files that belong together.
  bad_magic,
  gguf_version,
  gguf_count,
  gguf_string,
  gguf_array,
  gguf_type,
  gguf_alignment,
  gguf_blocks,
  gguf_key,
  bad_pickle,
  config_invalid,
  shard_invalid,
  tensor_missing,
  tensor_unexpected,
  tensor_mismatch,
  weights_not_finite,
  // Text.
  tokenizer_invalid,
  template_invalid,
  invalid_utf8,
  conversation_invalid,
  // JSON.
  invalid_json,
  json_too_deep,
  // Pictures.
  image_empty,
  image_unsupported,
  image_too_large,
  image_corrupt,
  too_many_images,
  // Grammars that answers are held to.
  invalid_schema,
  invalid_grammar,
  schema_too_complex,
  // Running.
  usage,
  out_of_range,
  context_length_exceeded,
  memory_plan,
  address_in_use,
  locked,
  numeric_error,
  grammar_dead_end,
  queue_full,
  deadline_exceeded,
  shutting_down,
  // Learning.
  training_data_invalid,
  nothing_to_learn,
  shard_token_invalid,
  training_diverged,
  resume_mismatch,
  no_checkpoint,
  recipe_invalid,
  internal,
};

struct CodeRow {
  Code code;
  std::string_view number;    // what users see and search for
  std::string_view name;      // what the HTTP surface calls `code`
  int exit_status;            // sysexits.h, see docs/errors.md
  std::string_view sentence;  // the rule that was broken
};

inline constexpr std::array code_table{
    CodeRow{Code::missing_input, "E1001", "missing_input", 66,
            "a file that was named does not exist"},
    CodeRow{Code::cannot_create, "E1002", "cannot_create", 73, "an output cannot be created"},
    CodeRow{Code::io_failed, "E1003", "io_failed", 74, "reading or writing failed"},
    CodeRow{Code::refused, "E1005", "refused", 77, "refused for safety"},
    CodeRow{Code::file_empty, "E1101", "file_empty", 65,
            "the file is shorter than its format's smallest"},
    CodeRow{Code::header_length, "E1102", "header_length", 65,
            "the header is longer than the file"},
    CodeRow{Code::header_too_large, "E1103", "header_too_large", 65,
            "the header is larger than the limit"},
    CodeRow{Code::lfs_pointer, "E1104", "lfs_pointer", 65,
            "a Git-LFS pointer stands where weights should"},
    CodeRow{Code::bad_header, "E1105", "bad_header", 65,
            "the header is not what the format prescribes"},
    CodeRow{Code::tensor_overlap, "E1106", "tensor_overlap", 65, "two tensors share bytes"},
    CodeRow{Code::tensor_hole, "E1107", "tensor_hole", 65, "bytes belong to no tensor"},
    CodeRow{Code::duplicate_tensor, "E1108", "duplicate_tensor", 65, "a tensor name occurs twice"},
    CodeRow{Code::shape_overflow, "E1109", "shape_overflow", 65,
            "a shape's product overflows 64 bits"},
    CodeRow{Code::tensor_range, "E1110", "tensor_range", 65,
            "a tensor's bytes lie outside its file"},
    CodeRow{Code::unknown_dtype, "E1111", "unknown_dtype", 65, "the number format is not known"},
    CodeRow{Code::bad_magic, "E1201", "bad_magic", 65, "the file is not of the kind its name says"},
    CodeRow{Code::gguf_version, "E1202", "gguf_version", 65,
            "the GGUF file is of a version that herd does not read"},
    CodeRow{Code::gguf_count, "E1203", "gguf_count", 65,
            "the GGUF file states more entries than the limit or than it has bytes for"},
    CodeRow{Code::gguf_string, "E1204", "gguf_string", 65,
            "a string of the GGUF file is longer than the limit or than what is left"},
    CodeRow{Code::gguf_array, "E1205", "gguf_array", 65,
            "an array of the GGUF file is nested or longer than the limit or than what is left"},
    CodeRow{Code::gguf_type, "E1206", "gguf_type", 65,
            "the GGUF file has a type that does not exist"},
    CodeRow{Code::gguf_alignment, "E1207", "gguf_alignment", 65,
            "the GGUF file's alignment is no power of two within the limits"},
    CodeRow{Code::gguf_blocks, "E1208", "gguf_blocks", 65,
            "a row of a quantized tensor is not whole blocks"},
    CodeRow{Code::gguf_key, "E1209", "gguf_key", 65,
            "the GGUF file lacks a key that the model needs, or has it in another type"},
    CodeRow{Code::bad_pickle, "E1211", "bad_pickle", 65,
            "the pickle holds something other than tensors"},
    CodeRow{Code::config_invalid, "E1301", "config_invalid", 65,
            "the model's configuration contradicts itself"},
    CodeRow{Code::shard_invalid, "E1302", "shard_invalid", 65, "a shard is missing or badly named"},
    CodeRow{Code::tensor_missing, "E1303", "tensor_missing", 65,
            "the model needs a tensor that no file has"},
    CodeRow{Code::tensor_unexpected, "E1304", "tensor_unexpected", 65,
            "a file has a tensor that the model does not know"},
    CodeRow{Code::tensor_mismatch, "E1305", "tensor_mismatch", 65,
            "a tensor has another shape or type than the model needs"},
    CodeRow{Code::weights_not_finite, "E1306", "weights_not_finite", 65,
            "a weight is NaN or infinite"},
    CodeRow{Code::tokenizer_invalid, "E1401", "tokenizer_invalid", 65,
            "the tokenizer contradicts itself"},
    CodeRow{Code::template_invalid, "E1402", "template_invalid", 65,
            "the chat template cannot be used"},
    CodeRow{Code::invalid_utf8, "E1403", "invalid_utf8", 65, "the text is not UTF-8"},
    CodeRow{Code::conversation_invalid, "E1404", "conversation_invalid", 65,
            "the conversation breaks a rule of its format"},
    CodeRow{Code::invalid_json, "E1501", "invalid_json", 65, "the text is not JSON"},
    CodeRow{Code::json_too_deep, "E1502", "json_too_deep", 65,
            "the JSON is nested deeper than the limit"},
    CodeRow{Code::image_empty, "E1601", "image_empty", 65, "the picture has no bytes"},
    CodeRow{Code::image_unsupported, "E1602", "unsupported_image_format", 65,
            "the picture's format is not supported"},
    CodeRow{Code::image_too_large, "E1603", "image_too_large", 65,
            "the picture is larger than the limit"},
    CodeRow{Code::image_corrupt, "E1604", "image_corrupt", 65, "the picture cannot be decoded"},
    CodeRow{Code::too_many_images, "E1605", "too_many_images", 65, "more pictures than the limit"},
    CodeRow{Code::invalid_schema, "E1701", "invalid_schema", 65,
            "the JSON Schema is wrong, or asks for what is not supported"},
    CodeRow{Code::invalid_grammar, "E1702", "invalid_grammar", 65,
            "the regular expression or grammar is wrong, or asks for what is not supported"},
    CodeRow{Code::schema_too_complex, "E1703", "schema_too_complex", 65,
            "the schema, expression or grammar needs more than it is given"},
    CodeRow{Code::usage, "E2000", "usage", 2, "the command line is not understood"},
    CodeRow{Code::out_of_range, "E2001", "out_of_range", 2, "a value lies outside its range"},
    CodeRow{Code::context_length_exceeded, "E2002", "context_length_exceeded", 65,
            "the prompt and the answer do not fit the context"},
    CodeRow{Code::memory_plan, "E2003", "memory_plan", 69, "the model does not fit the memory"},
    CodeRow{Code::address_in_use, "E2004", "address_in_use", 69,
            "another program listens on this address"},
    CodeRow{Code::locked, "E2005", "locked", 75, "another process is using this"},
    CodeRow{Code::numeric_error, "E2101", "numeric_error", 70,
            "the model produced numbers that are not finite"},
    CodeRow{Code::grammar_dead_end, "E2102", "grammar_dead_end", 70,
            "no token may come next in an answer that has to follow a grammar"},
    CodeRow{Code::queue_full, "E2201", "queue_full", 75, "more requests wait than the limit"},
    CodeRow{Code::deadline_exceeded, "E2202", "deadline_exceeded", 75,
            "the request was not finished within its deadline"},
    CodeRow{Code::shutting_down, "E2203", "shutting_down", 75,
            "the server is about to end and takes no new requests"},
    CodeRow{Code::training_data_invalid, "E3001", "training_data_invalid", 65,
            "a line of the training data cannot be read"},
    CodeRow{Code::nothing_to_learn, "E3002", "nothing_to_learn", 65,
            "too many examples have no token to learn from"},
    CodeRow{Code::shard_token_invalid, "E3003", "shard_token_invalid", 65,
            "tokenised data hold a token that the model does not have"},
    CodeRow{Code::training_diverged, "E3004", "training_diverged", 70,
            "losses or gradients stopped being numbers"},
    CodeRow{Code::resume_mismatch, "E3005", "resume_mismatch", 65,
            "a training cannot go on with another recipe, model or tokenizer"},
    CodeRow{Code::no_checkpoint, "E3006", "no_checkpoint", 65,
            "no checkpoint of the training passes its checks"},
    CodeRow{Code::recipe_invalid, "E3007", "recipe_invalid", 65,
            "the recipe asks for something that cannot be done"},
    CodeRow{Code::internal, "E9999", "internal", 70, "a fault of herd itself"},
};

constexpr const CodeRow& row_of(Code code) { return code_table[static_cast<std::size_t>(code)]; }

static_assert(
    [] {
      for (std::size_t i = 0; i < code_table.size(); ++i)
        if (static_cast<std::size_t>(code_table[i].code) != i) return false;
      return code_table.size() == static_cast<std::size_t>(Code::internal) + 1;
    }(),
    "code_table lists every Code once, in order");

}  // namespace herd
