#include "base/limits_table.h"

#include <array>

#include "base/limits.h"

namespace herd {

std::span<const LimitRow> limit_rows() {
#define HERD_LIMIT(name, sentence) \
  LimitRow { #name, limits::name, sentence }
  static constexpr std::array rows{
      HERD_LIMIT(safetensors_header_bytes_max, "bytes of a safetensors file's header"),
      HERD_LIMIT(tensor_name_bytes_max, "bytes of a tensor's name"),
      HERD_LIMIT(tensor_rank_max, "dimensions of a tensor"),
      HERD_LIMIT(shards_max, "files of one checkpoint"),
      HERD_LIMIT(pickle_bytes_max, "bytes of the pickle in a .pth file"),
      HERD_LIMIT(pickle_depth_max, "nesting of a pickle's values"),
      HERD_LIMIT(pickle_steps_max, "opcodes of a pickle"),
      HERD_LIMIT(pickle_values_max, "values a pickle may make"),
      HERD_LIMIT(pickle_tensors_max, "tensors of a .pth file"),
      HERD_LIMIT(gguf_entries_max, "metadata of a GGUF file"),
      HERD_LIMIT(gguf_tensors_max, "tensors of a GGUF file"),
      HERD_LIMIT(gguf_string_bytes_max, "bytes of a text in a GGUF file"),
      HERD_LIMIT(gguf_array_elements_max, "elements of a list in a GGUF file"),
      HERD_LIMIT(gguf_alignment_max, "alignment of a GGUF file's tensors"),
      HERD_LIMIT(gguf_rank_max, "dimensions of a GGUF file's tensor"),
      HERD_LIMIT(json_depth_max, "nesting of JSON"),
      HERD_LIMIT(json_bytes_max, "bytes of a JSON file"),
      HERD_LIMIT(layers_max, "layers of a model"),
      HERD_LIMIT(experts_max, "experts of a layer"),
      HERD_LIMIT(width_max, "width of a layer"),
      HERD_LIMIT(vocabulary_max, "tokens of a vocabulary"),
      HERD_LIMIT(merges_max, "merges of a tokenizer"),
      HERD_LIMIT(token_bytes_max, "bytes of a token"),
      HERD_LIMIT(special_token_bytes_max, "bytes of a special token's name"),
      HERD_LIMIT(image_bytes_max, "bytes of a picture file"),
      HERD_LIMIT(image_pixels_max, "pixels of a picture"),
      HERD_LIMIT(image_side_max, "pixels of a picture's side"),
      HERD_LIMIT(images_max, "pictures of a request"),
      HERD_LIMIT(images_pixels_max, "pixels of a request's pictures together"),
      HERD_LIMIT(jpeg_scans_max, "scans of a progressive JPEG"),
      HERD_LIMIT(image_tile_side_max, "pixels of a tile's side"),
      HERD_LIMIT(image_tiles_max, "tiles of a picture"),
      HERD_LIMIT(http_request_line_bytes_max, "bytes of an HTTP request line"),
      HERD_LIMIT(http_head_bytes_max, "bytes of an HTTP request's head"),
      HERD_LIMIT(http_headers_max, "headers of an HTTP request"),
      HERD_LIMIT(http_body_bytes_max, "bytes of an HTTP request's body"),
      HERD_LIMIT(http_media_body_bytes_max, "the same where it may carry pictures"),
      HERD_LIMIT(http_bodies_bytes_max, "bytes of all bodies being read together"),
      HERD_LIMIT(http_connections_max, "open connections"),
      HERD_LIMIT(http_backlog_bytes_max, "bytes of an answer that its reader has not taken yet"),
      HERD_LIMIT(choices_max, "answers to one request"),
      HERD_LIMIT(stop_strings_max, "stop strings of a request"),
      HERD_LIMIT(stop_bytes_max, "bytes of a stop string"),
      HERD_LIMIT(logit_bias_max, "tokens of a request's logit_bias"),
      HERD_LIMIT(top_logprobs_max, "alternatives listed for each token"),
      HERD_LIMIT(tools_max, "tools of a request"),
      HERD_LIMIT(messages_max, "messages of a request"),
      HERD_LIMIT(prompts_max, "prompts of one request for completions"),
      HERD_LIMIT(api_keys_max, "keys of a server"),
  };
#undef HERD_LIMIT
  return rows;
}

}  // namespace herd
