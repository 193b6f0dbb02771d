// string_ref against std::string, which knows better.

#include "shmrpc/string_ref.h"

#include <algorithm>
#include <map>
#include <random>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "transport/memory/testing/seed.h"

namespace shmrpc {
namespace {

using ::shmrpc::testing::TestSeed;

std::string Copy(string_ref s) { return std::string(s.data(), s.size()); }

int Sign(int order) { return (order > 0) - (order < 0); }

TEST(StringRef, EmptyOnesAreEqual) {
  for (string_ref empty :
       {string_ref(), string_ref(""), string_ref(std::string()),
        string_ref(nullptr, 0), string_ref("x", size_t{0})}) {
    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(empty.size(), 0u);
    EXPECT_EQ(empty.begin(), empty.end());
    EXPECT_EQ(empty, string_ref());
    EXPECT_EQ(empty.find(string_ref()), 0u);
    EXPECT_EQ(empty.find('x'), string_ref::npos);
    EXPECT_TRUE(empty.starts_with(empty));
    EXPECT_TRUE(empty.ends_with(empty));
    EXPECT_LT(empty, string_ref("\0", 1));
  }
}

TEST(StringRef, HoldsAnyByte) {
  const std::string bytes("a\0\xff", 3);
  const string_ref s = bytes;
  EXPECT_EQ(s.length(), 3u);
  EXPECT_EQ(s.find('\0'), 1u);
  EXPECT_EQ(s.find('\xff'), 2u);
  EXPECT_EQ(Copy(s), bytes);
  EXPECT_NE(s, string_ref("a"));
}

TEST(StringRef, BytesAreOrderedAsUnsigned) {
  EXPECT_LT(string_ref("\x7f"), string_ref("\x80"));
  EXPECT_GT(string_ref("\xff"), string_ref("a"));
}

TEST(StringRef, IsFoundInAMapByAnyString) {
  std::multimap<string_ref, string_ref> map;
  map.emplace("key", "value");
  EXPECT_EQ(map.count("key"), 1u);
  EXPECT_EQ(map.count(std::string("key")), 1u);
  EXPECT_EQ(map.count(string_ref("keys", 3)), 1u);
  EXPECT_EQ(map.count("keys"), 0u);
}

// Of few letters, so that strings share a lot, NUL and 0xff among them.
std::string RandomString(std::mt19937_64* random) {
  std::string s((*random)() % 9, '\0');
  for (char& c : s) c = "a\0\xff"[(*random)() % 3];
  return s;
}

TEST(StringRef, DoesAsStdString) {
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  for (int round = 0; round < 20000; ++round) {
    const std::string a = RandomString(&random);
    const std::string b = RandomString(&random);
    const string_ref ra = a;
    const string_ref rb = b;
    EXPECT_EQ(Sign(ra.compare(rb)), Sign(a.compare(b)));
    EXPECT_EQ(ra == rb, a == b);
    EXPECT_EQ(ra != rb, a != b);
    EXPECT_EQ(ra < rb, a < b);
    EXPECT_EQ(ra <= rb, a <= b);
    EXPECT_EQ(ra > rb, a > b);
    EXPECT_EQ(ra >= rb, a >= b);
    EXPECT_EQ(ra.find(rb), a.find(b));
    EXPECT_EQ(ra.find('a'), a.find('a'));
    EXPECT_EQ(ra.starts_with(rb), a.compare(0, b.size(), b) == 0);
    EXPECT_EQ(ra.ends_with(rb),
              a.size() >= b.size() &&
                  a.compare(a.size() - b.size(), b.size(), b) == 0);
    const size_t at = random() % 12;
    const size_t length = random() % 4 == 0 ? string_ref::npos : random() % 12;
    EXPECT_EQ(Copy(ra.substr(at, length)),
              a.substr(std::min(at, a.size()), length));
    EXPECT_EQ(std::string(ra.rbegin(), ra.rend()),
              std::string(a.rbegin(), a.rend()));
    std::ostringstream out;
    out << ra;
    EXPECT_EQ(out.str(), a);
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace shmrpc
