// No wait with a time-out follows the wall clock: not one system call says that
// it is to. A test cannot set that clock.

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proto/health.shmrpc.pb.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/server_name.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr std::chrono::milliseconds kShort(50);
// Time for a handler to begin to wait, usually.
constexpr std::chrono::milliseconds kLong(200);

// From now on this thread, and those that it starts, end the process when they
// wait on a futex for a time by the wall clock.
bool ForbidWallClockWaits() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 5),
      // Of both the low half, on machines of this byte order.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FUTEX_CLOCK_REALTIME, 0, 3),
      // glibc names that clock also where there is no time-out.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[3])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

SHMRPC_TEST_ROLE(follow_the_wall_clock) {
  if (!ForbidWallClockWaits()) return 1;
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  bool never = false;
  mutex.AwaitWithTimeout(absl::Condition(&never), absl::Milliseconds(1));
  return 0;
}

TEST(WallClock, WhoFollowsItIsFound) {
  EXPECT_EQ(SpawnRole("follow_the_wall_clock").Wait().signal, SIGSYS);
}

// Handlers that wait for the client until the call is over.
class WaitsForClients final : public Scripted::Service {
 public:
  Status Unary(ServerContext* context, const Item*, Item*) override {
    unary_began_.Notify();
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status::OK;
  }
  // For room.
  Status ServerStream(ServerContext*, const Item*,
                      ServerWriter<Item>* writer) override {
    while (writer->Write(ItemOf(1 << 20))) {
    }
    return Status::OK;
  }
  // For a message.
  Status Bidi(ServerContext*, ServerReaderWriter<Item, Item>* stream) override {
    Item item;
    while (stream->Read(&item)) {
    }
    return Status::OK;
  }

  void AwaitUnary() const { unary_began_.Wait(); }

 private:
  Notification unary_began_;
};

// Runs into a time-out wherever one waits for something of this process.
SHMRPC_TEST_ROLE(time_out) {
  if (!ForbidWallClockWaits()) return 1;
  const std::string target = NewTarget();
  // No server yet.
  {
    const auto channel = NewChannel(target);
    ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(FromNow(kShort));
    if (MakeCall(Scripted::NewStub(channel).get(), CallKind::kUnary, &context)
            .status.error_code() != DEADLINE_EXCEEDED) {
      return 2;
    }
    if (channel->WaitForConnected(FromNow(kShort))) return 3;
  }
  EnableDefaultHealthCheckService(true);
  WaitsForClients service;
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) return 4;
  const auto channel = NewChannel(target);
  const auto stub = Scripted::NewStub(channel);
  {
    ClientContext context;
    context.set_deadline(FromNow(kLong));
    const auto stream = stub->Bidi(&context);
    Item item;
    if (stream->Read(&item)) return 5;
    if (stream->Finish().error_code() != DEADLINE_EXCEEDED) return 6;
  }
  {
    ClientContext context;
    context.set_deadline(FromNow(kLong));
    // Nothing is read.
    if (stub->ServerStream(&context, Item())->Finish().error_code() !=
        DEADLINE_EXCEEDED) {
      return 7;
    }
  }
  {
    ClientContext context;
    context.set_deadline(FromNow(kLong));
    const auto watch =
        Health::NewStub(channel)->Watch(&context, HealthCheckRequest());
    HealthCheckResponse response;
    while (watch->Read(&response)) {
    }
    if (watch->Finish().error_code() != DEADLINE_EXCEEDED) return 8;
  }
  // A shutdown that waits for a call.
  ClientContext context;
  std::thread caller([&] { MakeCall(stub.get(), CallKind::kUnary, &context); });
  service.AwaitUnary();
  server->Shutdown(FromNow(kShort));
  caller.join();
  return 0;
}

TEST(WallClock, NoTimeOutFollowsIt) {
  const ExitStatus end = SpawnRole("time_out").Wait();
  EXPECT_EQ(end.signal, 0);
  EXPECT_EQ(end.code, 0);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
