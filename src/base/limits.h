// Every bound on what comes from outside, in one place; each has a test at limit-1, limit and limit+1.
#pragma once

#include <cstdint>

namespace herd::limits {

// Files of weights.
inline constexpr std::uint64_t safetensors_header_bytes_max = 100'000'000;
inline constexpr std::uint64_t tensor_name_bytes_max = 1024;
inline constexpr std::uint64_t tensor_rank_max = 8;
inline constexpr std::uint64_t shards_max = 100'000;
inline constexpr std::uint64_t pickle_bytes_max = 64ull << 20;
inline constexpr std::uint64_t pickle_depth_max = 64;
inline constexpr std::uint64_t pickle_steps_max = 4ull << 20;   // opcodes of one pickle
inline constexpr std::uint64_t pickle_values_max = 1ull << 20;  // values they may make
inline constexpr std::uint64_t pickle_tensors_max = 1ull << 16;
inline constexpr std::uint64_t gguf_entries_max = 65'536;
inline constexpr std::uint64_t gguf_tensors_max = 1ull << 20;
inline constexpr std::uint64_t gguf_string_bytes_max = 16ull << 20;
inline constexpr std::uint64_t gguf_array_elements_max = 64ull << 20;
inline constexpr std::uint64_t gguf_alignment_max = 1ull << 20;
inline constexpr std::uint64_t gguf_rank_max = 4;

// Configuration and JSON.
inline constexpr std::uint64_t json_depth_max = 64;
inline constexpr std::uint64_t json_bytes_max = 256ull << 20;
inline constexpr std::uint64_t layers_max = 4096;
inline constexpr std::uint64_t experts_max = 65'536;
inline constexpr std::uint64_t width_max = 1ull << 20;

// Text.
inline constexpr std::uint64_t vocabulary_max = 1ull << 21;
inline constexpr std::uint64_t merges_max = 4ull << 20;
inline constexpr std::uint64_t token_bytes_max = 16 * 1024;
inline constexpr std::uint64_t special_token_bytes_max = 256;

// Pictures.
inline constexpr std::uint64_t image_bytes_max = 20ull << 20;
inline constexpr std::uint64_t image_pixels_max = 40'000'000;
inline constexpr std::uint64_t image_side_max = 16'384;
inline constexpr std::uint64_t images_max = 16;
inline constexpr std::uint64_t images_pixels_max = 120'000'000;
inline constexpr std::uint64_t jpeg_scans_max = 100;
inline constexpr std::uint64_t image_tile_side_max = 1024;
inline constexpr std::uint64_t image_tiles_max = 64;

// HTTP.
inline constexpr std::uint64_t http_request_line_bytes_max = 8 * 1024;
inline constexpr std::uint64_t http_head_bytes_max = 32 * 1024;
inline constexpr std::uint64_t http_headers_max = 100;
inline constexpr std::uint64_t http_body_bytes_max = 8ull << 20;
inline constexpr std::uint64_t http_media_body_bytes_max = 64ull << 20;
inline constexpr std::uint64_t http_bodies_bytes_max = 512ull << 20;
inline constexpr std::uint64_t http_connections_max = 1024;
inline constexpr std::uint64_t http_backlog_bytes_max = 1ull << 20;

// Requests for answers.
inline constexpr std::uint64_t choices_max = 128;
inline constexpr std::uint64_t stop_strings_max = 16;
inline constexpr std::uint64_t stop_bytes_max = 256;
inline constexpr std::uint64_t logit_bias_max = 1024;
inline constexpr std::uint64_t top_logprobs_max = 20;
inline constexpr std::uint64_t tools_max = 128;
inline constexpr std::uint64_t messages_max = 4096;
inline constexpr std::uint64_t prompts_max = 128;
inline constexpr std::uint64_t api_keys_max = 10'000;

}  // namespace herd::limits
