// SIGBUS and its handlers.

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "transport/platform/guard.h"
#include "transport/platform/guard_test_faults.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;

struct Mapped {
  Mapped()
      : name{Scope::kLocal, UniqueName("shmrpc-test.sigbus")},
        mapping(NamedMapping::Create(name, 4096, {}).value()),
        view(mapping.Map(0, 4096, Access::kReadWrite).value()) {}
  ObjectName name;
  NamedMapping mapping;
  View view;
};

void Touch(const View& view) {
  (void)*static_cast<volatile uint8_t*>(view.data());
}

TEST(GuardPosix, ThreadWithSigbusBlockedSurvivesAFault) {
  Mapped mapped;
  MakeViewFault(mapped.name, mapped.view);
  std::thread([&] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    EXPECT_FALSE(Guarded(mapped.view, [&] { Touch(mapped.view); }));
  }).join();
}

TEST(GuardPosix, ThreadWithAnAlternateStackSurvivesAFault) {
  Mapped mapped;
  MakeViewFault(mapped.name, mapped.view);
  std::thread([&] {
    std::vector<char> memory(64 << 10);
    stack_t stack = {};
    stack.ss_sp = memory.data();
    stack.ss_size = memory.size();
    sigaltstack(&stack, nullptr);
    EXPECT_FALSE(Guarded(mapped.view, [&] { Touch(mapped.view); }));
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
  }).join();
}

TEST(GuardPosix, ErrnoSurvivesAFault) {
  Mapped mapped;
  MakeViewFault(mapped.name, mapped.view);
  int seen = 0;
  Guarded(mapped.view, [&] {
    errno = 1234;
    Touch(mapped.view);
    seen = errno;
  });
  EXPECT_EQ(seen, 1234);
}

// Threads fault together: the first one's zeros must not pass for memory with
// the others.
TEST(GuardPosix, NobodyReadsZerosUnnoticed) {
  for (int round = 0; round < 300; ++round) {
    Mapped mapped;
    auto* word = reinterpret_cast<std::atomic<uint32_t>*>(mapped.view.data());
    word->store(42);
    std::atomic<bool> fooled{false};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        uint32_t seen = 42;
        while (Guarded(mapped.view, [&] { seen = word->load(); })) {
          if (seen != 42) fooled = true;
        }
      });
    }
    MakeViewFault(mapped.name, mapped.view);
    for (std::thread& t : readers) t.join();
    ASSERT_FALSE(fooled) << "in round " << round;
  }
}

// A signal that somebody sends is nobody's fault: to the program's handler.
SHMRPC_TEST_ROLE(sent_sigbus) {
  if (!args.empty() && args[0] == "ignored") signal(SIGBUS, SIG_IGN);
  Mapped mapped;
  mapped.mapping.Unlink();  // no name is left when this process dies
  Guarded(mapped.view, [&] { raise(SIGBUS); });
  SendLine("still here");
  return 0;
}

TEST(GuardPosix, SigbusSentEndsTheProcess) {
  Subprocess child = SpawnRole("sent_sigbus");
  EXPECT_EQ(child.ReadLine(), absl::nullopt);
  EXPECT_FALSE(child.Wait().ok());
}

TEST(GuardPosix, SigbusSentAndIgnoredIsIgnored) {
  Subprocess child = SpawnRole("sent_sigbus", {"ignored"});
  EXPECT_EQ(child.ReadLine(), "still here");
}

// A handler that leaves by siglongjmp, twice: SIGBUS is not left blocked.
sigjmp_buf jump;

SHMRPC_TEST_ROLE(jumping_handler) {
  signal(SIGBUS, [](int) { siglongjmp(jump, 1); });
  Mapped mapped;
  volatile int faults = 0;
  if (sigsetjmp(jump, 1) != 0) faults = faults + 1;
  if (faults < 2) FaultOutsideAnyView();
  MakeViewFault(mapped.name, mapped.view);
  const bool ok = Guarded(mapped.view, [&] { Touch(mapped.view); });
  SendLine(ok ? "not noticed" : "both handled");
  return 0;
}

TEST(GuardPosix, HandlerThatJumpsOutStillWorksBesideOurs) {
  Subprocess child = SpawnRole("jumping_handler");
  EXPECT_EQ(child.ReadLine(), "both handled");
  EXPECT_TRUE(child.Wait().ok());
}

// A handler installed once for one fault (SA_RESETHAND) is used once.
SHMRPC_TEST_ROLE(one_shot_handler) {
  struct sigaction action = {};
  action.sa_handler = [](int) { siglongjmp(jump, 1); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGBUS, &action, nullptr);
  Mapped mapped;
  mapped.mapping.Unlink();
  if (sigsetjmp(jump, 1) == 0) {
    FaultOutsideAnyView();
  } else {
    SendLine("handled");
  }
  FaultOutsideAnyView();
  SendLine("still here");
  return 0;
}

TEST(GuardPosix, OneShotHandlerIsCalledOnce) {
  Subprocess child = SpawnRole("one_shot_handler");
  EXPECT_EQ(child.ReadLine(), "handled");
  EXPECT_EQ(child.ReadLine(), absl::nullopt);
  EXPECT_FALSE(child.Wait().ok());
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
