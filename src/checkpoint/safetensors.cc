#include "checkpoint/safetensors.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>

#include "base/byte_reader.h"
#include "base/checked_math.h"
#include "base/limits.h"
#include "checkpoint/foreign.h"
#include "checkpoint/json_scanner.h"

namespace herd::checkpoint {
namespace {

constexpr std::uint64_t length_bytes = 8;

// A tensor as the header states it, before any rule but the grammar's has been applied.
struct Stated {
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // from the data's start
  std::uint64_t end = 0;
};

Result<std::string_view> header_text(std::span<const std::byte> file) {
  if (file.size() < length_bytes)
    return fail(Code::file_empty, "file is {} bytes; a safetensors file needs at least 8",
                file.size());
  HERD_TRY_VOID(refuse_foreign(file, "a safetensors file"));
  ByteReader reader(file);
  HERD_TRY(const std::uint64_t length, reader.pod<std::uint64_t>());
  if (length > reader.left())
    return fail(Code::header_length, "header length {} exceeds file size {}", length, file.size());
  if (length > limits::safetensors_header_bytes_max)
    return fail(Code::header_too_large, "header of {} bytes is too large, limit {}", length,
                limits::safetensors_header_bytes_max);
  HERD_TRY(const std::string_view text, reader.text(length));
  if (text.empty()) return fail(Code::bad_header, "the header is empty, wanted '{{'");
  if (!text.starts_with('{'))
    return fail(Code::bad_header, "the header begins with byte {:#04x}, wanted '{{'",
                static_cast<unsigned>(static_cast<unsigned char>(text[0])));
  return text;
}

// "[1, 2, 3]", at most `count_max` numbers.
Result<std::vector<std::uint64_t>> numbers(JsonScanner& scanner, std::uint64_t count_max,
                                           std::string_view field) {
  std::vector<std::uint64_t> out;
  HERD_TRY_VOID(scanner.expect('['));
  if (scanner.accept(']')) return out;
  do {
    HERD_TRY(const std::uint64_t number, scanner.whole_number());
    if (out.size() == count_max)
      return fail(Code::bad_header, "{} before byte {} of the header has more than {} entries",
                  field, scanner.position(), count_max);
    out.push_back(number);
  } while (scanner.accept(','));
  HERD_TRY_VOID(scanner.expect(']'));
  return out;
}

Result<Stated> stated_tensor(JsonScanner& scanner) {
  std::optional<std::string> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
  HERD_TRY_VOID(scanner.expect('{'));
  if (!scanner.accept('}')) {
    do {
      HERD_TRY(const std::string field, scanner.string(limits::tensor_name_bytes_max));
      HERD_TRY_VOID(scanner.expect(':'));
      const bool twice = (field == "dtype" && dtype) || (field == "shape" && shape) ||
                         (field == "data_offsets" && offsets);
      if (twice) return fail(Code::bad_header, "it has field {} twice", shown(field));
      if (field == "dtype") {
        HERD_TRY(dtype, scanner.string(limits::tensor_name_bytes_max));
      } else if (field == "shape") {
        HERD_TRY(shape, numbers(scanner, limits::tensor_rank_max, "shape"));
      } else if (field == "data_offsets") {
        HERD_TRY(offsets, numbers(scanner, 2, "data_offsets"));
      } else {
        return fail(Code::bad_header, "unknown field {}; known: dtype, shape, data_offsets",
                    shown(field));
      }
    } while (scanner.accept(','));
    HERD_TRY_VOID(scanner.expect('}'));
  }
  if (!dtype || !shape || !offsets)
    return fail(Code::bad_header, "field {} is missing",
                !dtype ? "dtype" : (!shape ? "shape" : "data_offsets"));
  if (offsets->size() != 2)
    return fail(Code::bad_header, "data_offsets has {} entries, wanted 2", offsets->size());
  return Stated{std::move(*dtype), std::move(*shape), offsets->front(), offsets->back()};
}

Result<std::vector<std::pair<std::string, std::string>>> stated_metadata(JsonScanner& scanner) {
  std::vector<std::pair<std::string, std::string>> out;
  HERD_TRY_VOID(scanner.expect('{'));
  if (scanner.accept('}')) return out;
  do {
    HERD_TRY(std::string key, scanner.string(limits::safetensors_header_bytes_max));
    HERD_TRY_VOID(scanner.expect(':'));
    HERD_TRY(std::string value, scanner.string(limits::safetensors_header_bytes_max));
    out.emplace_back(std::move(key), std::move(value));
  } while (scanner.accept(','));
  HERD_TRY_VOID(scanner.expect('}'));
  return out;
}

Result<DType> dtype_from_name(std::string_view name) {
  for (const DTypeRow& row : dtype_table)
    if (row.safetensors_name == name && !name.empty()) return row.type;
  std::string supported;
  for (const DTypeRow& row : dtype_table)
    if (!row.safetensors_name.empty())
      supported += (supported.empty() ? "" : ", ") + std::string(row.safetensors_name);
  return fail(Code::unknown_dtype, "unknown dtype {}; supported: {}", shown(name), supported);
}

std::string text_of(std::span<const std::uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// Dtype, shape and range of one tensor. `data_bytes` is what the file has behind the header.
Result<SafetensorsEntry> checked_tensor(const Stated& stated, std::uint64_t data_bytes) {
  SafetensorsEntry entry;
  HERD_TRY(entry.dtype, dtype_from_name(stated.dtype));
  const auto elements = checked_product(stated.shape);
  const auto bytes = elements ? checked_mul(*elements, row_of(entry.dtype).bytes) : std::nullopt;
  if (!bytes)
    return fail(Code::shape_overflow, "shape product overflows 64 bits: {} of {}",
                text_of(stated.shape), stated.dtype);
  for (std::uint64_t dim : stated.shape) {
    if (dim > static_cast<std::uint64_t>(INT64_MAX))
      return fail(Code::shape_overflow, "shape product overflows 64 bits: {}",
                  text_of(stated.shape));
    entry.shape.push(static_cast<std::int64_t>(dim));
  }
  if (stated.begin > stated.end)
    return fail(Code::tensor_range, "data_offsets begin at {} and end at {}", stated.begin,
                stated.end);
  if (stated.end - stated.begin != *bytes)
    return fail(Code::tensor_range, "{} of {} needs {} bytes, but data_offsets [{}, {}) give {}",
                text_of(stated.shape), stated.dtype, *bytes, stated.begin, stated.end,
                stated.end - stated.begin);
  if (stated.end > data_bytes)
    return fail(Code::tensor_range, "bytes [{}, {}) end behind the data's {} bytes", stated.begin,
                stated.end, data_bytes);
  entry.begin = stated.begin;
  entry.end = stated.end;
  return entry;
}

// Every name once. Sorted instead of hashed: chosen names cannot make it slow.
Result<void> sort_by_unique_name(SafetensorsHeader& header) {
  std::ranges::sort(header.tensors, [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return a.name != b.name ? a.name < b.name : a.header_position < b.header_position;
  });
  for (std::size_t i = 1; i < header.tensors.size(); ++i) {
    const auto& [before, now] = std::pair(&header.tensors[i - 1], &header.tensors[i]);
    if (before->name == now->name)
      return fail(Code::duplicate_tensor, "tensor {} occurs twice, at bytes {} and {} of the file",
                  shown(now->name), before->header_position, now->header_position);
  }
  return {};
}

// The tensors' ranges, put in order, must cover [0, data_bytes) without hole or overlap.
Result<void> check_tiling(const SafetensorsHeader& header, std::uint64_t data_bytes) {
  std::vector<const SafetensorsEntry*> order;
  order.reserve(header.tensors.size());
  for (const SafetensorsEntry& entry : header.tensors) order.push_back(&entry);
  std::ranges::sort(order, [](const SafetensorsEntry* a, const SafetensorsEntry* b) {
    if (a->begin != b->begin) return a->begin < b->begin;
    return a->end != b->end ? a->end < b->end : a->header_position < b->header_position;
  });
  std::uint64_t covered = 0;
  const SafetensorsEntry* last = nullptr;
  for (const SafetensorsEntry* entry : order) {
    if (entry->begin < covered)
      return fail(Code::tensor_overlap, "tensor {} [{}, {}) overlaps {} [{}, {})",
                  shown(entry->name), entry->begin, entry->end, shown(last->name), last->begin,
                  last->end);
    if (entry->begin > covered)
      return fail(Code::tensor_hole, "bytes {}..{} of the data are not covered by any tensor",
                  covered, entry->begin);
    covered = entry->end;
    last = entry;
  }
  if (covered != data_bytes)
    return fail(Code::tensor_hole, "bytes {}..{} of the data are not covered by any tensor",
                covered, data_bytes);
  return {};
}

}  // namespace

Result<SafetensorsHeader> parse_safetensors(std::span<const std::byte> file) {
  HERD_TRY(const std::string_view text, header_text(file));
  SafetensorsHeader header;
  header.data_begin = length_bytes + text.size();
  const std::uint64_t data_bytes = file.size() - header.data_begin;

  JsonScanner scanner(text);
  std::optional<std::uint64_t> metadata_position;
  // A truncated file breaks the rule of many tensors; the largest end tells how much is missing.
  std::uint64_t end_max = 0;
  std::optional<Error> first_problem;
  HERD_TRY_VOID(scanner.expect('{'));
  if (!scanner.accept('}')) {
    do {
      scanner.skip_space();
      const std::uint64_t position = length_bytes + scanner.position();
      HERD_TRY(std::string name, scanner.string(limits::tensor_name_bytes_max));
      HERD_TRY_VOID(scanner.expect(':'));
      if (name == "__metadata__") {
        if (metadata_position)
          return fail(Code::duplicate_tensor,
                      "'__metadata__' occurs twice, at bytes {} and {} of the file",
                      *metadata_position, position);
        metadata_position = position;
        HERD_TRY(header.metadata, stated_metadata(scanner));
        continue;
      }
      const auto in_tensor = [&](Error&& error) {
        return std::move(error).in("tensor " + shown(name));
      };
      auto stated = stated_tensor(scanner);
      if (!stated) return std::unexpected(in_tensor(std::move(stated).error()));
      end_max = std::max(end_max, stated->end);
      auto entry = checked_tensor(*stated, data_bytes);
      if (!entry) {
        if (!first_problem) first_problem = in_tensor(std::move(entry).error());
        entry = SafetensorsEntry{};
      }
      entry->name = std::move(name);
      entry->header_position = position;
      header.tensors.push_back(std::move(*entry));
    } while (scanner.accept(','));
    HERD_TRY_VOID(scanner.expect('}'));
  }
  scanner.skip_space();
  if (!scanner.at_end())
    return fail(Code::bad_header, "extra text at byte {} of the header", scanner.position());

  HERD_TRY_VOID(sort_by_unique_name(header));
  if (first_problem) {
    const auto expected = checked_add(header.data_begin, end_max);
    if (first_problem->code == Code::tensor_range && end_max > data_bytes && expected)
      first_problem->hint = fmt::format("if the file was truncated: expected {} bytes, have {}",
                                        *expected, file.size());
    return std::unexpected(std::move(*first_problem));
  }
  HERD_TRY_VOID(check_tiling(header, data_bytes));
  for (SafetensorsEntry& entry : header.tensors) {
    entry.begin += header.data_begin;
    entry.end += header.data_begin;
  }
  return header;
}

Result<Safetensors> Safetensors::open(const fs::path& path) {
  Safetensors out;
  HERD_TRY(out.mapping_, Mapping::open(path));
  auto header = parse_safetensors(out.mapping_.bytes());
  if (!header) return std::unexpected(std::move(header).error().in(path.filename().string()));
  out.header_ = std::move(*header);
  return out;
}

Result<Safetensors> Safetensors::read(const fs::path& path, std::uint64_t bytes_max) {
  Safetensors out;
  HERD_TRY(out.read_, read_file(path, bytes_max));
  auto header = parse_safetensors(std::as_bytes(std::span(out.read_)));
  if (!header) return std::unexpected(std::move(header).error().in(path.filename().string()));
  out.header_ = std::move(*header);
  return out;
}

const SafetensorsEntry* Safetensors::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(header_.tensors, name, {}, &SafetensorsEntry::name);
  return at != header_.tensors.end() && at->name == name ? &*at : nullptr;
}

std::span<const std::byte> Safetensors::bytes(const SafetensorsEntry& entry) const {
  const std::span<const std::byte> file =
      read_.empty() ? mapping_.bytes() : std::as_bytes(std::span(read_));
  return file.subspan(entry.begin, entry.end - entry.begin);
}

}  // namespace herd::checkpoint
