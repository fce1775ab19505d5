#include "frontend/binary/leb128.h"

#include <gtest/gtest.h>

#include <vector>

#include "frontend/binary/reader.h"

namespace wattle::frontend {
namespace {

template <unsigned N, class T>
struct Read {
  LebStatus status;
  T value = 0;
  size_t length;
  explicit Read(const std::vector<uint8_t>& bytes) {
    const uint8_t* pos = bytes.data();
    status = readLeb<N, T>(pos, bytes.data() + bytes.size(), value);
    length = static_cast<size_t>(pos - bytes.data());
  }
};

using U32 = Read<32, uint32_t>;
using S32 = Read<32, int32_t>;
using S33 = Read<33, int64_t>;
using U64 = Read<64, uint64_t>;
using S64 = Read<64, int64_t>;

TEST(Leb128, Unsigned32) {
  EXPECT_EQ(U32({0x00}).value, 0u);
  EXPECT_EQ(U32({0xe5, 0x8e, 0x26}).value, 624485u);
  EXPECT_EQ(U32({0xff, 0xff, 0xff, 0xff, 0x0f}).value, 0xffffffffu);
  EXPECT_EQ(U32({0x80, 0x80, 0x80, 0x80, 0x00}).value, 0u);  // not the shortest, but short enough
  EXPECT_EQ(U32({0x80, 0x80, 0x80, 0x80, 0x00}).length, 5u);
}

TEST(Leb128, Unsigned32Refused) {
  EXPECT_EQ(U32({0x80, 0x80, 0x80, 0x80, 0x80, 0x00}).status, LebStatus::TooLong);
  EXPECT_EQ(U32({0xff, 0xff, 0xff, 0xff, 0x1f}).status, LebStatus::TooLarge);
  EXPECT_EQ(U32({0x80, 0x80, 0x80, 0x80, 0x70}).status, LebStatus::TooLarge);
  EXPECT_EQ(U32({}).status, LebStatus::UnexpectedEnd);
  EXPECT_EQ(U32({0x80, 0x80}).status, LebStatus::UnexpectedEnd);
}

TEST(Leb128, Signed32) {
  EXPECT_EQ(S32({0x7f}).value, -1);
  EXPECT_EQ(S32({0x40}).value, -64);
  EXPECT_EQ(S32({0xff, 0xff, 0xff, 0xff, 0x07}).value, INT32_MAX);
  EXPECT_EQ(S32({0x80, 0x80, 0x80, 0x80, 0x78}).value, INT32_MIN);
  EXPECT_EQ(S32({0xff, 0xff, 0xff, 0xff, 0x7f}).value, -1);
}

TEST(Leb128, Signed32Refused) {
  EXPECT_EQ(S32({0xff, 0xff, 0xff, 0xff, 0x0f}).status, LebStatus::TooLarge);  // +2^32-1
  EXPECT_EQ(S32({0x80, 0x80, 0x80, 0x80, 0x70}).status, LebStatus::TooLarge);  // below -2^31
  EXPECT_EQ(S32({0xff, 0xff, 0xff, 0xff, 0x4f}).status, LebStatus::TooLarge);
  EXPECT_EQ(S32({0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}).status, LebStatus::TooLong);
}

TEST(Leb128, Signed33) {
  EXPECT_EQ(S33({0xff, 0xff, 0xff, 0xff, 0x0f}).value, 0xffffffffll);
  EXPECT_EQ(S33({0x80, 0x80, 0x80, 0x80, 0x70}).value, -0x100000000ll);
  EXPECT_EQ(S33({0xff, 0xff, 0xff, 0xff, 0x1f}).status, LebStatus::TooLarge);
}

TEST(Leb128, SixtyFourBits) {
  EXPECT_EQ(U64({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}).value, UINT64_MAX);
  EXPECT_EQ(U64({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}).status, LebStatus::TooLarge);
  EXPECT_EQ(S64({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}).value, INT64_MIN);
  EXPECT_EQ(S64({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00}).value, INT64_MAX);
  EXPECT_EQ(S64({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}).status, LebStatus::TooLarge);
  EXPECT_EQ(S64({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 0x00}).status, LebStatus::TooLong);
  EXPECT_EQ(U64({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}).status, LebStatus::TooLong);
}

TEST(Utf8, WellFormed) {
  for (const char* text : {"", "plain", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80",
                           "\xf4\x8f\xbf\xbf", "\xe2\x82\xac and more"}) {
    EXPECT_TRUE(isUtf8(text)) << text;
  }
}

TEST(Utf8, Damaged) {
  for (const char* text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe1\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xff"}) {
    EXPECT_FALSE(isUtf8(text)) << text;
  }
}

TEST(Reader, TheFirstErrorSticks) {
  const uint8_t bytes[] = {0x05, 'a', 'b'};
  Reader reader(bytes, bytes + sizeof bytes, 100);
  EXPECT_EQ(reader.name(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_EQ(reader.byte(), 0);
  const Error error = reader.takeError();
  EXPECT_EQ(error.message.substr(0, 20), "length out of bounds");
  EXPECT_EQ(error.offset, 100u);
}

}  // namespace
}  // namespace wattle::frontend
