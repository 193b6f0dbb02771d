// Short ways to what every test's client needs.

#ifndef SHMRPC_TESTS_SUPPORT_CLIENT_H_
#define SHMRPC_TESTS_SUPPORT_CLIENT_H_

#include <chrono>
#include <memory>
#include <ostream>
#include <string>

#include "gtest/gtest.h"
#include "proto/echo.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/probe.shmrpc.pb.h"

namespace shmrpc {
namespace testing {

// A channel of its own, so a connection of its own, without limits on sizes.
std::shared_ptr<Channel> NewChannel(const std::string& target);

// Status is expected to be these; its text is in the failure.
::testing::AssertionResult Is(const Status& status, int code,
                              const std::string& message);
::testing::AssertionResult IsOk(const Status& status);

std::chrono::system_clock::time_point FromNow(
    std::chrono::system_clock::duration distance);

// One call, each with a context of its own and no deadline.
Status Echo(EchoService::Stub* stub, const EchoRequest& request,
            EchoReply* reply);
// Sends `payload` and expects it back, unchanged.
::testing::AssertionResult EchoesBack(EchoService::Stub* stub,
                                      const std::string& payload);

void OpenGate(Probe::Stub* stub, const std::string& gate);
// Until so many Hold handlers started, saw a cancel, ended.
GateCounts AwaitGate(Probe::Stub* stub, const std::string& gate,
                     int64_t started, int64_t cancelled = 0, int64_t ended = 0);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_CLIENT_H_
