#include "tests/support/server_name.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/support/mapped_objects.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace testing {
namespace {

const std::string& Stem() {
  static const auto* const stem = new std::string(UniqueName("test"));
  return *stem;
}

std::string NextName() {
  static std::atomic<int> next{0};
  // relaxed: only the number itself has to differ.
  return absl::StrCat(Stem(), "-",
                      next.fetch_add(1, std::memory_order_relaxed));
}

class NothingLeft final : public ::testing::Environment {
  void TearDown() override {
    for (const char* prefix : {"shmrpc.srv.", "global.shmrpc.srv."}) {
      EXPECT_EQ(absl::StrJoin(Leftovers(absl::StrCat(prefix, Stem())), " "), "")
          << "left behind in /dev/shm";
    }
    EXPECT_EQ(absl::StrJoin(MappedNames(), " "), "") << "still mapped";
  }
};

const ::testing::Environment* const nothing_left =
    ::testing::AddGlobalTestEnvironment(new NothingLeft);

}  // namespace

std::string NewTarget() { return "shm:" + NextName(); }

std::string NewGlobalTarget() { return "shm:global/" + NextName(); }

}  // namespace testing
}  // namespace shmrpc
