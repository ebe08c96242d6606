// Memory in pages of 2 MiB: what is read or written from end to end misses the translation cache 512 times less often,
// and the processor fetches ahead across what would be the ends of small pages.
#pragma once

#include <cstddef>

namespace herd {

inline constexpr std::size_t large_page = std::size_t{2} << 20;

// Asks for the whole large pages within [memory, memory + bytes), before anything is written there. Where the system
// has none to give, small ones do.
void ask_for_large_pages(void* memory, std::size_t bytes);

}  // namespace herd
