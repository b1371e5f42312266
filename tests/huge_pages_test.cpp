#include "host/core/huge_pages.h"

#include <gtest/gtest.h>

namespace digitron {
namespace {

// Room that is there stays where it is, whole huge pages and what lies before and after them.
TEST(HugePages, RoomIsFilledWhereItIs) {
  for (const size_t bytes : {size_t{0}, size_t{1}, kHugePage - 1, 3 * kHugePage + 5}) {
    std::vector<uint8_t> room = reserve_huge(bytes);
    EXPECT_TRUE(room.empty());
    ASSERT_GE(room.capacity(), bytes);
    const uint8_t* const place = room.data();
    room.resize(bytes, 7);
    EXPECT_EQ(room.data(), place);
    for (const uint8_t byte : room) ASSERT_EQ(byte, 7);
  }
}

TEST(HugePages, WhatIsWrittenStays) {
  std::vector<uint8_t> bytes(2 * kHugePage, 3);
  prefer_huge_pages(bytes.data(), bytes.size());
  for (const uint8_t byte : bytes) ASSERT_EQ(byte, 3);
}

}  // namespace
}  // namespace digitron
