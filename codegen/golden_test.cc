// The generated code, byte by byte, against codegen/testdata/golden.

#include "codegen/testing/golden_cases.h"
#include "codegen/testing/line_diff.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace codegen {
namespace {

constexpr char kHowToUpdate[] =
    "If this is what you meant: bazel run //codegen:update_golden";

TEST(Golden, GeneratedCodeIsTheExpected) {
  const testing::GeneratorRun run = testing::GenerateGolden(".");
  ASSERT_TRUE(run.ok) << run.error;
  const testing::TextFiles golden = testing::ReadGolden(".");
  for (const auto& [name, actual] : run.files) {
    const auto expected = golden.find(name);
    if (expected == golden.end()) {
      ADD_FAILURE() << name << " has no golden file. " << kHowToUpdate;
    } else if (expected->second != actual) {
      ADD_FAILURE() << name << " differs (- expected, + generated):\n"
                    << testing::LineDiff(expected->second, actual)
                    << kHowToUpdate;
    }
  }
}

TEST(Golden, EveryGoldenFileIsGenerated) {
  const testing::GeneratorRun run = testing::GenerateGolden(".");
  ASSERT_TRUE(run.ok) << run.error;
  for (const auto& [name, text] : testing::ReadGolden(".")) {
    EXPECT_EQ(run.files.count(name), 1u)
        << name << " is generated from no .proto any more. " << kHowToUpdate;
  }
}

TEST(Golden, SecondRunGivesTheSameBytes) {
  EXPECT_EQ(testing::GenerateGolden(".").files,
            testing::GenerateGolden(".").files);
}

}  // namespace
}  // namespace codegen
}  // namespace shmrpc
