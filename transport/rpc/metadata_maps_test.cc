#include "transport/rpc/metadata_maps.h"

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/link/metadata.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace internal {
namespace {

using ::shmrpc::testing::TestSeed;
using ::testing::HasSubstr;
using Map = std::multimap<string_ref, string_ref>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

// As a program reads them, in order.
Pairs Copy(const Map& map) {
  Pairs pairs;
  for (const auto& pair : map) {
    pairs.emplace_back(std::string(pair.first.data(), pair.first.size()),
                       std::string(pair.second.data(), pair.second.size()));
  }
  return pairs;
}

// "" if the pair is legal.
std::string Complaint(const std::string& key, const std::string& value) {
  std::string bytes;
  std::string complaint;
  AddPair(key, value, &bytes, &complaint);
  EXPECT_NE(bytes.empty(), complaint.empty());
  return complaint;
}

TEST(AddPair, LegalPairsArriveAsTheyWere) {
  std::string every_byte;
  for (int c = 0; c < 256; ++c) every_byte.push_back(static_cast<char>(c));
  std::string printable;
  for (char c = ' '; c <= '~'; ++c) printable.push_back(c);
  const Pairs pairs = {
      {"a", ""},
      {"a-bin", every_byte},
      {"abcdefghijklmnopqrstuvwxyz0123456789-_.", printable},
      {"b", "  spaces around  "},
      {"grpc-status-details-bin", "details"},
      {"grpc-message-bin", "not the runtime's"},
  };
  std::string bytes;
  std::string complaint;
  for (const auto& p : pairs) AddPair(p.first, p.second, &bytes, &complaint);
  EXPECT_EQ(complaint, "");
  Map map;
  ASSERT_TRUE(ToMap(bytes, &map));
  EXPECT_THAT(Copy(map), ::testing::UnorderedElementsAreArray(pairs));
}

TEST(AddPair, KeysHaveTheirAlphabet) {
  const std::string legal = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  for (int c = 0; c < 256; ++c) {
    const char letter = static_cast<char>(c);
    const bool is_legal = legal.find(letter) != std::string::npos;
    for (const std::string& key :
         {std::string(1, letter), std::string("x") + letter + "-bin"}) {
      EXPECT_EQ(Complaint(key, "v").empty(), is_legal) << c;
    }
  }
}

TEST(AddPair, ValuesHaveTheirAlphabetUnlessTheKeyEndsInBin) {
  for (int c = 0; c < 256; ++c) {
    const std::string value = std::string("v") + static_cast<char>(c) + "v";
    EXPECT_EQ(Complaint("key", value).empty(), c >= 0x20 && c <= 0x7e) << c;
    EXPECT_EQ(Complaint("binary", value).empty(), c >= 0x20 && c <= 0x7e) << c;
    EXPECT_EQ(Complaint("key-bin", value), "") << c;
  }
}

TEST(AddPair, ComplaintNamesKeyAndRule) {
  EXPECT_EQ(Complaint("", "v"), "metadata key \"\" is empty");
  EXPECT_EQ(Complaint("X-User\n", "v"),
            "metadata key \"X-User\\n\" has other characters than a to z, "
            "0 to 9, '-', '_' and '.'");
  EXPECT_EQ(Complaint("x-user", "caf\xc3\xa9"),
            "metadata key \"x-user\" has a value with other bytes than "
            "printable ASCII and spaces, which takes a key that ends in "
            "\"-bin\"");
  for (const char* own : {"grpc-message", "grpc-status", "grpc-timeout"}) {
    EXPECT_EQ(Complaint(own, "v"),
              std::string("metadata key \"") + own + "\" is the runtime's own");
  }
}

TEST(AddPair, ComplaintAboutALongKeyIsShort) {
  const std::string complaint = Complaint(std::string(1 << 20, 'X'), "v");
  EXPECT_LT(complaint.size(), 1000u);
  EXPECT_THAT(complaint, HasSubstr("X...\""));
}

TEST(AddPair, OnlyTheFirstIllegalPairIsDescribed) {
  std::string bytes;
  std::string complaint;
  AddPair("First", "v", &bytes, &complaint);
  const std::string first = complaint;
  AddPair("Second", "v", &bytes, &complaint);
  AddPair("third", "v", &bytes, &complaint);
  EXPECT_THAT(first, HasSubstr("First"));
  EXPECT_EQ(complaint, first);
  Map map;
  ASSERT_TRUE(ToMap(bytes, &map));
  EXPECT_EQ(Copy(map), (Pairs{{"third", "v"}}));
}

TEST(ToMap, EqualKeysKeepTheirOrder) {
  std::string bytes;
  Pairs sent;
  for (const char* value : {"3", "1", "2", "1", ""}) {
    link::AppendMetadata("key", value, &bytes);
    link::AppendMetadata("a-other", "", &bytes);
    sent.emplace_back("key", value);
  }
  Map map;
  ASSERT_TRUE(ToMap(bytes, &map));
  EXPECT_EQ(map.count("a-other"), 5u);
  map.erase("a-other");
  EXPECT_EQ(Copy(map), sent);
}

TEST(ToMap, StatusTextIsLeftOut) {
  std::string bytes;
  link::AppendMetadata("grpc-message", "no such user", &bytes);
  link::AppendMetadata("grpc-status-details-bin", "d", &bytes);
  link::AppendMetadata("grpc-messages", "v", &bytes);
  Map map;
  ASSERT_TRUE(ToMap(bytes, &map));
  EXPECT_EQ(Copy(map),
            (Pairs{{"grpc-messages", "v"}, {"grpc-status-details-bin", "d"}}));
}

TEST(ToMap, ReplacesWhatWasThere) {
  Map map;
  map.emplace("old", "v");
  ASSERT_TRUE(ToMap("", &map));
  EXPECT_TRUE(map.empty());
}

TEST(ToMap, MalformedBytesGiveNothing) {
  std::string bytes;
  link::AppendMetadata("key", "value", &bytes);
  link::AppendMetadata("key", "value", &bytes);
  for (size_t length = 1; length < bytes.size(); ++length) {
    if (length == bytes.size() / 2) continue;
    Map map;
    map.emplace("old", "v");
    const std::string cut = bytes.substr(0, length);
    EXPECT_FALSE(ToMap(cut, &map)) << length;
    EXPECT_TRUE(map.empty()) << length;
  }
}

TEST(ToMap, PointsIntoTheBytes) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  std::string honest;
  for (int i = 0; i < 8; ++i) {
    link::AppendMetadata("key", std::string(random() % 20, 'v'), &honest);
  }
  int parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = honest;
    bytes[random() % bytes.size()] = static_cast<char>(random());
    Map map;
    if (!ToMap(bytes, &map)) continue;
    ++parsed;
    const char* const end = bytes.data() + bytes.size();
    for (const auto& pair : map) {
      for (string_ref s : {pair.first, pair.second}) {
        ASSERT_GE(s.data(), bytes.data());
        ASSERT_LE(s.data() + s.size(), end);
      }
    }
  }
  EXPECT_GT(parsed, 1000);
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
