// A fault that is not in shared memory, in a program that makes and serves
// calls all the while, and has had shared memory fault under it: it goes where
// it would go without this library.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/trouble/break_connection.h"
#include "tests/trouble/program_faults.h"
#include "tests/trouble/support.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace testing {
namespace {

// Arguments: a server's target, or "none" to do without calls; the fault; the
// handler, or "none"; "before" the first call or "after" it; where: "main", or
// in a "handler" of a server of its own; "broken" to lose a connection first.
SHMRPC_TEST_ROLE(faulting_program) {
  const std::string& target = args.at(0);
  const std::string& fault = args.at(1);
  const std::string& handler = args.at(2);
  const bool installs = handler != "none";
  if (installs && args.at(3) == "before") InstallProgramHandler(handler);
  if (target == "none") {
    if (installs) InstallProgramHandler(handler);
    SendLine("about to fault");
    FaultLikeAProgram(fault);
    SendLine("still here");
    return 0;
  }
  EchoClient client(target.substr(4));
  if (!client.Call(SmallRequest()).ok()) return 1;
  if (installs && args.at(3) == "after") InstallProgramHandler(handler);
  // Calls run on other threads throughout.
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&, i] {
      for (;;) {
        good += client.Call(i == 0 ? SmallRequest() : LargeRequest(100 * 1000))
                    .ok();
      }
    });
  }
  const auto await_calls = [&] {
    const int before = good;
    while (good < before + 20) std::this_thread::yield();
  };
  await_calls();
  if (args.at(5) == "broken") {
    // This library's own fault, which nobody else is to see.
    uint32_t server_pid = 0;
    for (char c : args.at(6)) server_pid = server_pid * 10 + (c - '0');
    if (BreakConnections(server_pid) < 1) return 2;
    await_calls();
  }
  SendLine("about to fault");
  if (args.at(4) == "main") {
    FaultLikeAProgram(fault);
  } else {
    class Faulting final : public EchoService::Service {
     public:
      explicit Faulting(std::string fault) : fault_(std::move(fault)) {}
      Status Echo(ServerContext*, const EchoRequest*, EchoReply*) override {
        FaultLikeAProgram(fault_);
        return Status();
      }

     private:
      const std::string fault_;
    } service(fault);
    const std::string name = UniqueName("faulting");
    ServerBuilder builder;
    builder.AddListeningPort("shm:" + name, InsecureServerCredentials());
    builder.RegisterService(&service);
    const std::unique_ptr<Server> server = builder.BuildAndStart();
    EchoClient(name).Call(SmallRequest());
  }
  SendLine("still here");
  return 0;
}

struct Case {
  std::string fault;
  std::string handler;  // "none", or a program's
  std::string when;     // it is installed
  std::string where;    // it faults
  bool broken;          // after a fault of the library's own
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.fault << ", handler " << c.handler << " " << c.when << ", in "
             << c.where << (c.broken ? ", after a lost connection" : "");
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const std::string& fault : ProgramFaults()) {
    for (const char* where : {"main", "handler"}) {
      for (const bool broken : {false, true}) {
        cases.push_back({fault, "none", "before", where, broken});
        for (const std::string& handler : ProgramHandlers()) {
          cases.push_back({fault, handler, "before", where, broken});
          if (broken && !LeavesOthersFaults(handler)) continue;
          cases.push_back({fault, handler, "after", where, broken});
        }
      }
    }
  }
  return cases;
}

ExitStatus StatusOf(const std::vector<std::string>& args) {
  Subprocess program = SpawnRole("faulting_program", args);
  EXPECT_EQ(program.ReadLine(), "about to fault");
  EXPECT_EQ(program.ReadLine(), absl::nullopt) << "the fault was swallowed";
  return program.Wait();
}

TEST(FaultElsewhere, EndsTheProgramAsWithoutTheLibrary) {
  EchoServer server(UniqueName("elsewhere"));
  for (const Case& c : Cases()) {
    SCOPED_TRACE(::testing::PrintToString(c));
    Watchdog dog(60, "a program that faults");
    const ExitStatus alone =
        StatusOf({"none", c.fault, c.handler, "before", "main", "whole", "0"});
    const ExitStatus with =
        StatusOf({server.target(), c.fault, c.handler, c.when, c.where,
                  c.broken ? "broken" : "whole", std::to_string(server.pid())});
    EXPECT_FALSE(alone.ok());
    EXPECT_EQ(with.code, alone.code);
    EXPECT_EQ(with.signal, alone.signal);
    if (c.handler != "none") EXPECT_EQ(with.code, kHandlerExitCode);
  }
  // Nobody else has noticed.
  EchoClient(server.name()).ExpectWorks();
  server.ShutDown();
  ExpectNextServerReclaims();
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
