// Memory in pages of 2 MB, for what is read all over or written from end to end: the processor
// finds few of the usual 4 KB pages without looking their addresses up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace digitron {

inline constexpr size_t kHugePage = size_t{2} << 20;

// Asks for such pages where nothing has been written yet. Memory that shares its page with other
// stays as it is, and so does all where the system has none.
void prefer_huge_pages(void* memory, size_t bytes);

// An empty vector with room for so many bytes in such pages.
std::vector<uint8_t> reserve_huge(size_t bytes);

}  // namespace digitron
