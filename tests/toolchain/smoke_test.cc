#include "gtest/gtest.h"
TEST(Toolchain, Runs) { EXPECT_EQ(1 + 1, 2); }
