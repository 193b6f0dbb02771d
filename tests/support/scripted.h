// What tests of scripted calls start from: one server for all tests of a suite,
// and two connections to it.
//
//   using StreamTest = ScriptedTest;
//   TEST_F(StreamTest, ...) { ... stub()->Bidi(&context) ... }
//
// A test that ends or changes the server has one of its own instead.

#ifndef SHMRPC_TESTS_SUPPORT_SCRIPTED_H_
#define SHMRPC_TESTS_SUPPORT_SCRIPTED_H_

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/server_process.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {

// A server and its clients.
struct ScriptedServer {
  explicit ScriptedServer(ServerSettings settings = {});

  ServerProcess process;
  std::shared_ptr<Channel> channel;
  std::unique_ptr<Scripted::Stub> stub;
  // Over a connection of its own: what is asked here waits for nothing there.
  std::unique_ptr<Scripted::Stub> observer;
};

class ScriptedTest : public ::testing::Test {
 public:
  static void SetUpTestSuite() { shared_ = new ScriptedServer; }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }

 protected:
  static ServerProcess& server() { return shared_->process; }
  static const std::shared_ptr<Channel>& channel() { return shared_->channel; }
  static Scripted::Stub* stub() { return shared_->stub.get(); }
  static Scripted::Stub* observer() { return shared_->observer.get(); }

 private:
  static ScriptedServer* shared_;
  Watchdog dog_{100, "a test of scripted calls"};
};

// Once for each kind of call.
class EveryKind : public ScriptedTest,
                  public ::testing::WithParamInterface<CallKind> {};
inline std::string KindOfTest(const ::testing::TestParamInfo<CallKind>& info) {
  return CallKindName(info.param);
}

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_SCRIPTED_H_
