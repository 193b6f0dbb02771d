#include "codegen/comments.h"

#include "gtest/gtest.h"

namespace shmrpc {
namespace codegen {
namespace {

TEST(Comments, LinesKeepTheirIndentation) {
  EXPECT_EQ(SplitComment(" one\n   two\n"), CommentLines({" one", "   two"}));
}

TEST(Comments, EmptyLinesStayInsideOnly) {
  EXPECT_EQ(SplitComment("\n one\n\n two\n\n"),
            CommentLines({" one", "", " two"}));
  EXPECT_EQ(SplitComment(""), CommentLines());
  EXPECT_EQ(SplitComment("\n\n"), CommentLines());
}

TEST(Comments, TrailingSpaceAndCarriageReturnGo) {
  EXPECT_EQ(SplitComment(" one \t\r\n"), CommentLines({" one"}));
}

TEST(Comments, BackslashAtTheEndIsDefused) {
  EXPECT_EQ(SplitComment(" path C:\\ \n"), CommentLines({" path C:\\."}));
}

TEST(Comments, BlockCommentGetsItsSpace) {
  EXPECT_EQ(SplitComment("one\n two"), CommentLines({" one", " two"}));
}

}  // namespace
}  // namespace codegen
}  // namespace shmrpc
