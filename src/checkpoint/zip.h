// The little of ZIP (APPNOTE 6.3.10, with zip64) that torch.save writes: entries stored, never compressed, so that
// their bytes can be used where the file is mapped. Everything else is refused by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace herd::checkpoint {

struct ZipEntry {
  std::string_view name;             // points into the file
  std::span<const std::byte> bytes;  // points into the file
  std::uint32_t crc = 0;             // as stated; check_crc() compares
};

// The entries, sorted by name. Fails with bad_magic when the file is no ZIP, with bad_header when its directory
// breaks a rule, and with tensor_range when an entry's bytes lie outside the file.
Result<std::vector<ZipEntry>> read_zip(std::span<const std::byte> file);

// Null when there is no such entry.
const ZipEntry* find_entry(const std::vector<ZipEntry>& entries, std::string_view name);

// Fails with bad_header when the bytes are not those that were stored. Reads them all.
Result<void> check_crc(const ZipEntry& entry);

}  // namespace herd::checkpoint
