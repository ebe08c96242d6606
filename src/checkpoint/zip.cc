#include "checkpoint/zip.h"

#include <zlib.h>

#include <algorithm>
#include <optional>

#include "base/byte_reader.h"
#include "base/bytes.h"

namespace herd::checkpoint {
namespace {

constexpr std::uint32_t local_magic = 0x04034b50;      // "PK\3\4"
constexpr std::uint32_t central_magic = 0x02014b50;    // "PK\1\2"
constexpr std::uint32_t end_magic = 0x06054b50;        // "PK\5\6"
constexpr std::uint32_t end64_magic = 0x06064b50;      // "PK\6\6"
constexpr std::uint32_t locator64_magic = 0x07064b50;  // "PK\6\7"
constexpr std::uint64_t end_bytes = 22;
constexpr std::uint64_t locator64_bytes = 20;
constexpr std::uint64_t central_bytes_min = 46;
constexpr std::uint64_t comment_bytes_max = 65535;
constexpr std::uint32_t in_zip64 = 0xffffffff;  // "look into the zip64 record"

// Where the central directory is.
struct Directory {
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
};

// One row of the central directory.
struct Row {
  std::string_view name;
  std::uint32_t crc = 0;
  std::uint64_t bytes = 0;
  std::uint64_t local_begin = 0;
};

// Position of the end record: the last place where its magic stands and its comment reaches exactly to the file's
// end.
std::optional<std::uint64_t> find_end(std::span<const std::byte> file) {
  if (file.size() < end_bytes) return std::nullopt;
  const std::uint64_t last = file.size() - end_bytes;
  const std::uint64_t first = last - std::min(last, comment_bytes_max);
  for (std::uint64_t at = last + 1; at-- > first;) {
    ByteReader reader(file.subspan(at));
    if (*reader.pod<std::uint32_t>() != end_magic) continue;
    if (!reader.seek(end_bytes - 2)) continue;
    if (*reader.pod<std::uint16_t>() == reader.left()) return at;
  }
  return std::nullopt;
}

// The zip64 end record in place of the plain one, where a locator stands in front of that.
Result<Directory> directory64(std::span<const std::byte> file, std::uint64_t locator) {
  ByteReader reader(file);
  HERD_TRY_VOID(reader.seek(locator + 8));
  HERD_TRY(const std::uint64_t end64, reader.pod<std::uint64_t>());
  HERD_TRY_VOID(reader.seek(end64));
  HERD_TRY(const std::uint32_t magic, reader.pod<std::uint32_t>());
  if (magic != end64_magic)
    return fail(Code::bad_header, "no zip64 end record at byte {}, where one is promised", end64);
  Directory directory;
  HERD_TRY_VOID(
      reader.bytes(8 + 2 + 2 + 4 + 4 + 8));  // size, versions, disks, entries on this disk
  HERD_TRY(directory.entries, reader.pod<std::uint64_t>());
  HERD_TRY(directory.bytes, reader.pod<std::uint64_t>());
  HERD_TRY(directory.begin, reader.pod<std::uint64_t>());
  return directory;
}

Result<Directory> find_directory(std::span<const std::byte> file) {
  const auto end = find_end(file);
  if (!end)
    return fail_with_hint(Code::bad_magic, "has no ZIP directory at its end",
                          "a file of torch.save ends with one; was the download cut off?");
  if (*end >= locator64_bytes) {
    ByteReader locator(file.subspan(*end - locator64_bytes));
    if (*locator.pod<std::uint32_t>() == locator64_magic)
      return directory64(file, *end - locator64_bytes);
  }
  ByteReader reader(file);
  HERD_TRY_VOID(reader.seek(*end + 4 + 2 + 2 + 2));
  HERD_TRY(const std::uint16_t entries, reader.pod<std::uint16_t>());
  HERD_TRY(const std::uint32_t bytes, reader.pod<std::uint32_t>());
  HERD_TRY(const std::uint32_t begin, reader.pod<std::uint32_t>());
  return Directory{begin, bytes, entries};
}

// Fills in the sizes that a row left to its zip64 field (APPNOTE 4.5.3: only those, in this order).
Result<void> read_zip64_field(std::span<const std::byte> extra, std::uint64_t& stored,
                              std::uint64_t& original, std::uint64_t& local_begin) {
  ByteReader reader(extra);
  while (reader.left() >= 4) {
    HERD_TRY(const std::uint16_t id, reader.pod<std::uint16_t>());
    HERD_TRY(const std::uint16_t bytes, reader.pod<std::uint16_t>());
    HERD_TRY(const auto field, reader.bytes(bytes));
    if (id != 1) continue;
    ByteReader values(field);
    for (std::uint64_t* value : {&original, &stored, &local_begin})
      if (*value == in_zip64) {
        HERD_TRY(*value, values.pod<std::uint64_t>());
      }
    return {};
  }
  return {};
}

Result<Row> read_row(ByteReader& reader) {
  const std::uint64_t begin = reader.position();
  HERD_TRY(const std::uint32_t magic, reader.pod<std::uint32_t>());
  if (magic != central_magic)
    return fail(Code::bad_header, "no directory entry at byte {} of the ZIP directory", begin);
  HERD_TRY_VOID(reader.bytes(2 + 2));  // versions
  HERD_TRY(const std::uint16_t flags, reader.pod<std::uint16_t>());
  HERD_TRY(const std::uint16_t method, reader.pod<std::uint16_t>());
  HERD_TRY_VOID(reader.bytes(2 + 2));  // time, date
  Row row;
  HERD_TRY(row.crc, reader.pod<std::uint32_t>());
  HERD_TRY(const std::uint32_t stored32, reader.pod<std::uint32_t>());
  HERD_TRY(const std::uint32_t original32, reader.pod<std::uint32_t>());
  HERD_TRY(const std::uint16_t name_bytes, reader.pod<std::uint16_t>());
  HERD_TRY(const std::uint16_t extra_bytes, reader.pod<std::uint16_t>());
  HERD_TRY(const std::uint16_t comment_bytes, reader.pod<std::uint16_t>());
  HERD_TRY_VOID(reader.bytes(2 + 2 + 4));  // disk, attributes
  HERD_TRY(const std::uint32_t local32, reader.pod<std::uint32_t>());
  HERD_TRY(row.name, reader.text(name_bytes));
  HERD_TRY(const auto extra, reader.bytes(extra_bytes));
  HERD_TRY_VOID(reader.bytes(comment_bytes));

  std::uint64_t stored = stored32;
  row.bytes = original32;
  row.local_begin = local32;
  HERD_TRY_VOID(read_zip64_field(extra, stored, row.bytes, row.local_begin));
  if ((flags & 1) != 0) return fail(Code::bad_header, "entry {} is encrypted", shown(row.name));
  if (method != 0)
    return fail(Code::bad_header, "entry {} is compressed (method {}); torch.save stores",
                shown(row.name), method);
  if (stored != row.bytes)
    return fail(Code::bad_header, "entry {} has {} bytes stored, but {} originally",
                shown(row.name), stored, row.bytes);
  return row;
}

// The local header in front of an entry's bytes has its own lengths of name and padding.
Result<ZipEntry> locate(std::span<const std::byte> file, const Row& row) {
  const auto in_entry = [&](Error&& error) {
    return std::unexpected(std::move(error).in("entry " + shown(row.name)));
  };
  ByteReader reader(file);
  if (auto done = reader.seek(row.local_begin); !done) return in_entry(std::move(done).error());
  const auto magic = reader.pod<std::uint32_t>();
  const auto middle = reader.bytes(22);
  const auto name_bytes = reader.pod<std::uint16_t>();
  const auto extra_bytes = reader.pod<std::uint16_t>();
  if (!magic || *magic != local_magic || !middle || !name_bytes || !extra_bytes)
    return fail(Code::bad_header, "entry {}: no local header at byte {}", shown(row.name),
                row.local_begin);
  auto name = reader.text(*name_bytes);
  if (!name) return in_entry(std::move(name).error());
  if (*name != row.name)
    return fail(Code::bad_header, "entry {}: its local header says {}", shown(row.name),
                shown(*name));
  if (auto skipped = reader.bytes(*extra_bytes); !skipped)
    return in_entry(std::move(skipped).error());
  auto bytes = reader.bytes(row.bytes);
  if (!bytes) return in_entry(std::move(bytes).error());
  return ZipEntry{row.name, *bytes, row.crc};
}

}  // namespace

Result<std::vector<ZipEntry>> read_zip(std::span<const std::byte> file) {
  HERD_TRY(const Directory directory, find_directory(file));
  ByteReader whole(file);
  HERD_TRY_VOID(whole.seek(directory.begin));
  HERD_TRY(const auto rows, whole.bytes(directory.bytes));
  if (directory.entries > rows.size() / central_bytes_min)
    return fail(Code::bad_header, "the ZIP directory of {} bytes cannot have {} entries",
                rows.size(), directory.entries);
  std::vector<ZipEntry> entries;
  entries.reserve(directory.entries);
  ByteReader reader(rows);
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    HERD_TRY(const Row row, read_row(reader));
    HERD_TRY(entries.emplace_back(), locate(file, row));
  }
  std::ranges::sort(entries, {}, &ZipEntry::name);
  const auto twice = std::ranges::adjacent_find(entries, {}, &ZipEntry::name);
  if (twice != entries.end())
    return fail(Code::bad_header, "entry {} occurs twice", shown(twice->name));
  return entries;
}

const ZipEntry* find_entry(const std::vector<ZipEntry>& entries, std::string_view name) {
  const auto at = std::ranges::lower_bound(entries, name, {}, &ZipEntry::name);
  return at != entries.end() && at->name == name ? &*at : nullptr;
}

Result<void> check_crc(const ZipEntry& entry) {
  const std::span<const unsigned char> octets = octets_of(entry.bytes);
  const auto found = ::crc32_z(0, octets.data(), octets.size());
  if (found != entry.crc)
    return fail(Code::bad_header, "entry {} is damaged: its CRC is {:08x}, wanted {:08x}",
                shown(entry.name), found, entry.crc);
  return {};
}

}  // namespace herd::checkpoint
