#include "codegen/testing/line_diff.h"

#include "gtest/gtest.h"

namespace shmrpc {
namespace codegen {
namespace testing {
namespace {

TEST(LineDiff, EqualTextsGiveNothing) {
  EXPECT_EQ(LineDiff("", ""), "");
  EXPECT_EQ(LineDiff("a\nb\n", "a\nb\n"), "");
}

TEST(LineDiff, ChangedLineIsShownBothWays) {
  EXPECT_EQ(LineDiff("a\nb\nc\n", "a\nB\nc\n"), "@@ 1 @@\n a\n-b\n+B\n c\n");
}

TEST(LineDiff, ContextIsThreeLines) {
  EXPECT_EQ(LineDiff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n6\n7\n8\n9\n"),
            "@@ 2 @@\n 2\n 3\n 4\n-5\n 6\n 7\n 8\n");
}

TEST(LineDiff, DistantChangesAreSeparatePieces) {
  EXPECT_EQ(LineDiff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "2\n3\n4\n5\n6\n7\n8\n"),
            "@@ 1 @@\n-1\n 2\n 3\n 4\n@@ 6 @@\n 6\n 7\n 8\n-9\n");
}

TEST(LineDiff, MissingFinalNewlineIsADifference) {
  EXPECT_EQ(LineDiff("a\n", "a"), "@@ 1 @@\n-a\n+a  (no newline at the end)\n");
}

}  // namespace
}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc
