#include "transport/rpc/method_table.h"

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::StringValue;
using ::testing::HasSubstr;

class TestService : public Service {
 public:
  explicit TestService(std::vector<const char*> names) {
    for (const char* name : names) {
      AddMethod(MakeMethodHandler(name, &TestService::Call, this));
    }
  }
  Status Call(ServerContext*, const StringValue*, StringValue*) {
    return Status();
  }
};

class Method : public ::testing::Test {
 protected:
  const TestService service_{{"/test.S/M"}};
  ServedMethod method_{service_.methods()[0].get()};
};

TEST(MethodTable, FindsWhatWasAddedByFullName) {
  const TestService a({"/test.A/X", "/test.A/Y"});
  const TestService b({"/test.B/X"});
  MethodTable table;
  ASSERT_TRUE(table.AddService(a).ok());
  ASSERT_TRUE(table.AddService(b).ok());
  ASSERT_NE(table.Find("/test.A/Y"), nullptr);
  EXPECT_STREQ(table.Find("/test.A/Y")->handler().name(), "/test.A/Y");
  EXPECT_NE(table.Find("/test.A/X"), table.Find("/test.B/X"));
  EXPECT_EQ(table.Find("/test.B/Y"), nullptr);
  EXPECT_EQ(table.Find(""), nullptr);
  EXPECT_EQ(table.Find(absl::string_view("/test.A/X\0", 10)), nullptr);
}

TEST(MethodTable, MethodAddedTwiceIsAnErrorThatNamesIt) {
  const TestService a({"/test.A/X"});
  MethodTable table;
  ASSERT_TRUE(table.AddService(a).ok());
  const absl::Status status = table.AddService(a);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/test.A/X"));
}

TEST_F(Method, IsNotFastBeforeItHasProvedIt) {
  EXPECT_FALSE(method_.fast());
  method_.NoteRun(1000, 0);
  method_.NoteRun(1000, 0);
  EXPECT_FALSE(method_.fast());
  method_.NoteRun(1000, 0);
  EXPECT_TRUE(method_.fast());
}

TEST_F(Method, OneSlowRunMakesItProveItselfAgain) {
  for (int i = 0; i < 100; ++i) method_.NoteRun(1000, 0);
  method_.NoteRun(1000000, 0);
  EXPECT_FALSE(method_.fast());
  for (int i = 0; i < 3; ++i) method_.NoteRun(1000, 0);
  EXPECT_TRUE(method_.fast());
  method_.NoteSlow();
  EXPECT_FALSE(method_.fast());
}

TEST_F(Method, SlowMethodStaysSlow) {
  for (int i = 0; i < 100; ++i) method_.NoteRun(51 * 1000, 0);
  EXPECT_FALSE(method_.fast());
}

TEST_F(Method, LongMessagesMayTakeLonger) {
  for (int i = 0; i < 3; ++i) method_.NoteRun(100 * 1000, 2 << 20);
  EXPECT_TRUE(method_.fast());
  method_.NoteRun(300 * 1000, 2 << 20);
  EXPECT_FALSE(method_.fast());
}

TEST_F(Method, NothingThatTakesATickIsFast) {
  for (int i = 0; i < 3; ++i) method_.NoteRun(1000 * 1000, UINT64_MAX);
  EXPECT_FALSE(method_.fast());
}

TEST_F(Method, ManyThreadsTakeNoteAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) {
        method_.NoteRun(i % 100 == 0 ? 1000000 : 1000, 0);
        method_.fast();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (int i = 0; i < 3; ++i) method_.NoteRun(1000, 0);
  EXPECT_TRUE(method_.fast());
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
