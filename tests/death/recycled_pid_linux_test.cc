// The pid of somebody dead belongs to another process: nobody takes that one
// for the dead. In a pid namespace of our own, where the next pid can be chosen
// (/proc/sys/kernel/ns_last_pid); that needs root.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/death/load.h"
#include "tests/death/peers.h"
#include "tests/death/server_footprint.h"
#include "tests/support/client.h"
#include "tests/support/eventually.h"
#include "tests/support/proc_linux.h"
#include "tests/support/script.h"
#include "tests/support/stop_linux.h"
#include "tests/trouble/pid_namespace_linux.h"
#include "tests/trouble/support.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace testing {
namespace {

// A process with the pid that a dead one had. Ended by the destructor.
class Heir {
 public:
  explicit Heir(uint32_t pid) {
    // Threads take numbers, too: the kernel gives the next that is free.
    for (int i = 0; i < 100 && child_ != static_cast<pid_t>(pid); ++i) {
      End();
      std::ofstream("/proc/sys/kernel/ns_last_pid") << pid - 1;
      child_ = fork();
      if (child_ == 0) {
        // It holds no pipe to anybody open.
        for (int fd = 3; fd < 1024; ++fd) close(fd);
        while (true) pause();
      }
    }
    took_ = child_ == static_cast<pid_t>(pid);
  }
  ~Heir() { End(); }

  bool took() const { return took_; }

 private:
  void End() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    child_ = 0;
  }

  pid_t child_ = 0;
  bool took_ = false;
};

Status OneCall(const std::string& target) {
  auto stub = Scripted::NewStub(NewChannel(target));
  HandlerScript script;
  ClientContext context;
  script.AddTo(&context);
  return MakeCall(stub.get(), CallKind::kUnary, &context).status;
}

// Each returns "" if all is as it should be.

std::string DeadServer() {
  const std::string target = "shm:" + UniqueName("recycled");
  auto server = std::make_unique<DeathServer>(target);
  const uint32_t pid = server->pid();
  if (!OneCall(target).ok()) return "the server does not work";
  server->Kill();
  Heir heir(pid);
  if (!heir.took()) return "the pid was not taken";
  const Status status = OneCall(target);
  if (status.error_code() != StatusCode::UNAVAILABLE) {
    return absl::StrCat("call to the dead: ", status.error_code(), " ",
                        status.error_message());
  }
  DeathServer next(target);
  if (!next.started()) return "the name was not given to the next server";
  if (!OneCall(target).ok()) return "the next server does not work";
  next.ShutDown();
  return "";
}

std::string DeadServerOfPendingCalls() {
  const std::string target = "shm:" + UniqueName("recycled");
  DeathServer server(target);
  DeathClient client(target, UniqueName("held"));
  client.Go(kSmall | kConnecting, 1);
  client.AwaitHeld();
  // So that the client sees nothing of the death before the pid is taken.
  if (!StopProcess(client.pid())) return "stop";
  server.Kill();
  Heir heir(server.pid());
  if (!heir.took()) return "the pid was not taken";
  DeathServer next(target);
  kill(static_cast<pid_t>(client.pid()), SIGCONT);
  const ClientReport report = client.Collect("killed");
  client.ShutDown();
  next.ShutDown();
  return report.wrong;
}

std::string DeadClient() {
  const std::string target = "shm:" + UniqueName("recycled");
  DeathServer server(target);
  const ServerFootprint fresh = ServerFootprintOf(&server);
  DeathClient client(target, UniqueName("held"));
  client.Go(kSmall | kStreams, 1);
  client.AwaitHeld();
  // The same of the server.
  if (!StopProcess(server.pid())) return "stop";
  client.Kill();
  Heir heir(client.pid());
  if (!heir.took()) return "the pid was not taken";
  kill(static_cast<pid_t>(server.pid()), SIGCONT);
  ExpectBackTo(fresh, &server);
  server.ShutDown();
  return "";
}

// It dies after its offer and before the server has looked at it.
std::string DeadClientBetweenOfferAndWatch() {
  const std::string target = "shm:" + UniqueName("recycled");
  DeathServer server(target);
  if (!OneCall(target).ok()) return "the server does not work";
  const ServerFootprint fresh = ServerFootprintOf(&server);
  if (!StopProcess(server.pid())) return "stop";
  DeathClient client(target, UniqueName("held"));
  client.Go(kSmall, 1);
  // Its connections have names before they are offered; those it waits with.
  if (!Eventually([] { return Leftovers("shmrpc.con").size() >= 1; })) {
    return "no connection was offered";
  }
  if (!Eventually([&] { return StateOf(client.pid()) == 'S'; })) return "sleep";
  client.Kill();
  Heir heir(client.pid());
  if (!heir.took()) return "the pid was not taken";
  kill(static_cast<pid_t>(server.pid()), SIGCONT);
  if (!OneCall(target).ok()) return "the server does not work afterwards";
  ExpectBackTo(fresh, &server);
  server.ShutDown();
  return "";
}

// Nobody but the kernel told this watch whom it is to watch.
std::string DeadBeforeTheWatch() {
  auto child = std::make_unique<Subprocess>(SpawnRole("lives_until_told"));
  child->ReadLine();
  const auto id = platform::ProcessWithPid(child->pid());
  if (!id.ok()) return "no such process";
  child->Kill();
  child->Wait();
  // Nobody could tell two apart that start within one tick of /proc's clock:
  // pids do not come round that fast elsewhere.
  std::unique_ptr<Heir> heir;
  const bool took = Eventually([&] {
    heir.reset();
    heir = std::make_unique<Heir>(id->pid);
    const auto now = platform::ProcessWithPid(id->pid);
    return heir->took() && now.ok() && now->start_time != id->start_time;
  });
  if (!took) return "the pid was not taken";
  if (platform::IsAlive(*id)) return "the heir is taken for the dead";
  const auto watch = platform::DeathWatch::Start(*id, [] {});
  return absl::IsNotFound(watch.status()) ? "" : watch.status().ToString();
}

SHMRPC_TEST_ROLE(lives_until_told) {
  SendLine("lives");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// args: which of them.
SHMRPC_TEST_ROLE(recycled_pids) {
  {
    std::ofstream probe("/proc/sys/kernel/ns_last_pid");
    probe << 1000 << std::flush;
    if (!probe) {
      SendLine("forbidden: write /proc/sys/kernel/ns_last_pid");
      return 0;
    }
  }
  // The first process of a namespace is sent no signal that it does not ask
  // for: a watchdog's abort needs a handler.
  signal(SIGABRT, [](int) { _exit(97); });
  using Check = std::string (*)();
  const std::pair<const char*, Check> checks[] = {
      {"DeadServer", DeadServer},
      {"DeadServerOfPendingCalls", DeadServerOfPendingCalls},
      {"DeadClient", DeadClient},
      {"DeadClientBetweenOfferAndWatch", DeadClientBetweenOfferAndWatch},
      {"DeadBeforeTheWatch", DeadBeforeTheWatch},
  };
  for (const auto& check : checks) {
    if (args.at(0) == check.first) {
      const std::string wrong = check.second();
      SendLine(absl::StrCat("said: ", wrong));
    }
  }
  return 0;
}

class RecycledPid : public ::testing::TestWithParam<const char*> {};

TEST_P(RecycledPid, IsNotTakenForTheDead) {
  Subprocess inside =
      SpawnRole("in_pid_namespace", {"proc", "recycled_pids", GetParam()});
  const std::string line = inside.ReadLine(100).value_or("(nothing)");
  SKIP_IF_FORBIDDEN(line);
  EXPECT_EQ(line, "said: ");
  // What EXPECT says in there is on stdout.
  while (const auto more = inside.ReadLine(100)) ADD_FAILURE() << *more;
  EXPECT_TRUE(inside.Wait().ok());
  ExpectNextServerReclaims();
}

INSTANTIATE_TEST_SUITE_P(
    Of, RecycledPid,
    ::testing::Values("DeadServer", "DeadServerOfPendingCalls", "DeadClient",
                      "DeadClientBetweenOfferAndWatch", "DeadBeforeTheWatch"),
    [](const auto& info) { return info.param; });

}  // namespace
}  // namespace testing
}  // namespace shmrpc
