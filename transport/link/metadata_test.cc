#include "transport/link/metadata.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace link {
namespace {

using ::shmrpc::testing::TestSeed;
using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string Bytes(const Pairs& pairs) {
  std::string bytes;
  for (const auto& p : pairs) AppendMetadata(p.first, p.second, &bytes);
  return bytes;
}

Pairs Copy(const Metadata& metadata) {
  Pairs pairs;
  for (const auto& p : metadata) {
    pairs.emplace_back(std::string(p.first), std::string(p.second));
  }
  return pairs;
}

std::string Lengths(uint32_t key, uint32_t value) {
  std::string bytes;
  for (uint32_t n : {key, value}) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<char>(n >> shift));
    }
  }
  return bytes;
}

TEST(Metadata, PairsComeBackInOrderWithRepetitionsAndAnyBytes) {
  const Pairs pairs = {{"key", "value"},
                       {"", ""},
                       {"key", ""},
                       {"", "value"},
                       {"key", "value"},
                       {"bin-bin", std::string("\0\xff\n\0", 4)},
                       {"long", std::string(100000, 'x')}};
  const std::string bytes = Bytes(pairs);
  Metadata parsed;
  ASSERT_TRUE(ParseMetadata(bytes, &parsed).ok());
  EXPECT_EQ(Copy(parsed), pairs);
  EXPECT_EQ(*CountMetadata(bytes), pairs.size());
}

TEST(Metadata, NothingIsNoPairs) {
  Metadata parsed;
  EXPECT_TRUE(ParseMetadata("", &parsed).ok());
  EXPECT_TRUE(parsed.empty());
}

TEST(Metadata, LengthsAreLittleEndian) {
  EXPECT_EQ(Bytes({{"k", "vv"}}), Lengths(1, 2) + "kvv");
  EXPECT_EQ(Lengths(0x01020304, 0).substr(0, 4), "\x04\x03\x02\x01");
}

TEST(Metadata, FindReturnsTheFirstValueOrNothing) {
  const std::string bytes = Bytes({{"a", "1"}, {"b", "2"}, {"b", "3"}});
  Metadata parsed;
  ASSERT_TRUE(ParseMetadata(bytes, &parsed).ok());
  EXPECT_EQ(FindMetadata(parsed, "b"), "2");
  EXPECT_EQ(FindMetadata(parsed, "c"), "");
}

TEST(Metadata, TruncatedAnywhereIsDataLossAfterTheWholePairs) {
  const Pairs pairs = {{"key", "value"}, {"", ""}, {"second", "xyz"}};
  const std::string bytes = Bytes(pairs);
  std::vector<size_t> ends = {0};
  for (const auto& p : pairs) {
    ends.push_back(ends.back() + 8 + p.first.size() + p.second.size());
  }
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    Metadata parsed;
    const absl::Status status =
        ParseMetadata(absl::string_view(bytes).substr(0, cut), &parsed);
    size_t whole = 0;
    while (whole + 1 < ends.size() && ends[whole + 1] <= cut) ++whole;
    EXPECT_EQ(status.ok(), cut == ends[whole]) << "cut at " << cut;
    if (!status.ok()) EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(parsed.size(), whole) << "cut at " << cut;
  }
}

TEST(Metadata, LyingLengthsAreDataLoss) {
  const std::string lies[] = {
      Lengths(4, 0) + "key",
      Lengths(0, 4) + "key",
      Lengths(2, 2) + "key",
      Lengths(0xffffffff, 0) + "key",
      Lengths(0, 0xffffffff) + "key",
      // The sum wraps in 32 bits: to 3, to 0.
      Lengths(0xffffffff, 4) + "key",
      Lengths(0x80000000, 0x80000000) + "key",
  };
  for (const std::string& bytes : lies) {
    Metadata parsed;
    EXPECT_EQ(ParseMetadata(bytes, &parsed).code(),
              absl::StatusCode::kDataLoss);
    EXPECT_TRUE(parsed.empty());
  }
}

TEST(Metadata, RandomBytesNeverLeadOutsideThem) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  int understood = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    const size_t parts = random() % 4;
    for (size_t i = 0; i < parts; ++i) {
      // Small numbers mostly, so that some of it makes sense.
      const uint32_t limit = random() % 8 == 0 ? 0xffffffff : 6;
      const uint32_t key = static_cast<uint32_t>(random() % limit);
      const uint32_t value = static_cast<uint32_t>(random() % limit);
      bytes += Lengths(key, value);
      const bool honest = limit == 6 && random() % 8 != 0;
      bytes.append(honest ? key + value : random() % 12, 'x');
    }
    // On the heap with its exact size: a sanitizer sees one byte too many.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const absl::string_view view(exact.data(), exact.size());
    Metadata parsed;
    const bool ok = ParseMetadata(view, &parsed).ok();
    const auto count = CountMetadata(view);
    ASSERT_EQ(count.ok(), ok);
    if (ok) {
      ASSERT_EQ(*count, parsed.size());
    }
    std::string again;
    for (const auto& p : parsed) {
      for (absl::string_view part : {p.first, p.second}) {
        ASSERT_LE(view.data(), part.data());
        ASSERT_LE(part.data() + part.size(), view.data() + view.size());
      }
      AppendMetadata(p.first, p.second, &again);
    }
    ASSERT_EQ(again, view.substr(0, again.size()));
    ASSERT_EQ(ok, again.size() == view.size());
    understood += ok && !view.empty();
  }
  EXPECT_GT(understood, 1000);
}

}  // namespace
}  // namespace link
}  // namespace shmrpc
