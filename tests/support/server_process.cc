#include "tests/support/server_process.h"

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/support/echo_service.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/probe_service.h"
#include "tests/support/script_service.h"
#include "tests/support/server_name.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr int kExitNotStarted = 1;
constexpr int kExitLeftovers = 3;

// Of `names`, those that still exist.
std::vector<std::string> StillThere(const std::vector<std::string>& names) {
  std::vector<std::string> left;
  for (const std::string& name : names) {
    for (const std::string& found : Leftovers(name)) left.push_back(found);
  }
  return left;
}

}  // namespace

// Lines it reads: "shutdown", "shutdown MILLISECONDS", "open GATE"; lines it
// writes: "ready", "failed", "down", "left NAME". Ends when its stdin does.
SHMRPC_TEST_ROLE(test_server) {
  EchoServiceImpl echo;
  ProbeServiceImpl probe;
  ScriptServiceImpl script;
  ServerBuilder builder;
  builder.RegisterService(&echo).RegisterService(&probe);
  builder.RegisterService(&script);
  ClientQuota quota;
  for (const std::string& arg : args) {
    absl::string_view value = arg;
    int number = 0;
    if (absl::ConsumePrefix(&value, "target=")) {
      builder.AddListeningPort(std::string(value), InsecureServerCredentials());
    } else if (absl::ConsumePrefix(&value, "max_receive=")) {
      if (absl::SimpleAtoi(value, &number)) {
        builder.SetMaxReceiveMessageSize(number);
      }
    } else if (absl::ConsumePrefix(&value, "max_send=")) {
      if (absl::SimpleAtoi(value, &number)) {
        builder.SetMaxSendMessageSize(number);
      }
    } else if (absl::ConsumePrefix(&value, "max_threads=")) {
      if (absl::SimpleAtoi(value, &number) && number != 0) {
        builder.SetMaxThreads(number);
      }
    } else if (absl::ConsumePrefix(&value, "client_connections=")) {
      if (absl::SimpleAtoi(value, &number)) quota.max_connections = number;
    } else if (absl::ConsumePrefix(&value, "client_memory=")) {
      int64_t bytes = 0;
      if (absl::SimpleAtoi(value, &bytes)) quota.max_memory_bytes = bytes;
    } else if (absl::ConsumePrefix(&value, "client_calls=")) {
      if (absl::SimpleAtoi(value, &number)) quota.max_calls = number;
    } else if (absl::ConsumePrefix(&value, "max_connections=")) {
      if (absl::SimpleAtoi(value, &number)) builder.SetMaxConnections(number);
    }
  }
  builder.SetClientQuota(quota);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    SendLine("failed");
    return kExitNotStarted;
  }
  const std::vector<std::string> names = MappedNames();
  SendLine("ready");
  std::thread shutdown;
  std::string line;
  while (ReceiveLine(&line)) {
    absl::string_view rest = line;
    if (line == "shutdown") {
      shutdown = std::thread([&] {
        server->Shutdown();
        SendLine("down");
      });
    } else if (absl::ConsumePrefix(&rest, "shutdown ")) {
      int grace_ms = 0;
      if (!absl::SimpleAtoi(rest, &grace_ms)) continue;
      const auto deadline = std::chrono::system_clock::now() +
                            std::chrono::milliseconds(grace_ms);
      shutdown = std::thread([&server, deadline] {
        server->Shutdown(deadline);
        SendLine("down");
      });
    } else if (absl::ConsumePrefix(&rest, "open ")) {
      probe.Open(std::string(rest));
      script.Open(std::string(rest));
    }
  }
  probe.OpenAll();  // a failed test may have left calls there
  script.OpenAll();
  if (shutdown.joinable()) shutdown.join();
  server->Shutdown();
  server.reset();
  const std::vector<std::string> left = StillThere(names);
  for (const std::string& name : left) SendLine("left " + name);
  return left.empty() ? 0 : kExitLeftovers;
}

ServerSettings ServerProcess::Completed(ServerSettings settings) {
  if (settings.targets.empty()) settings.targets.push_back(NewTarget());
  return settings;
}

static std::vector<std::string> ServerArguments(
    const ServerSettings& settings) {
  std::vector<std::string> args;
  for (const std::string& target : settings.targets) {
    args.push_back("target=" + target);
  }
  args.push_back(absl::StrCat("max_receive=", settings.max_receive_bytes));
  args.push_back(absl::StrCat("max_send=", settings.max_send_bytes));
  args.push_back(absl::StrCat("max_threads=", settings.max_threads));
  const ClientQuota& quota = settings.quota;
  args.push_back(absl::StrCat("client_connections=", quota.max_connections));
  args.push_back(absl::StrCat("client_memory=", quota.max_memory_bytes));
  args.push_back(absl::StrCat("client_calls=", quota.max_calls));
  args.push_back(absl::StrCat("max_connections=", settings.max_connections));
  return args;
}

ServerProcess::ServerProcess(ServerSettings settings)
    : settings_(Completed(std::move(settings))),
      process_(SpawnRole("test_server", ServerArguments(settings_))) {
  EXPECT_EQ(process_.ReadLine(), "ready");
}

ServerProcess::~ServerProcess() {
  if (killed_) return;
  process_.CloseStdin();
  while (const auto line = process_.ReadLine()) {
    EXPECT_EQ(*line, "down");
  }
  const ExitStatus status = process_.Wait();
  EXPECT_TRUE(status.ok()) << "the server ended with exit code " << status.code
                           << ", signal " << status.signal;
}

void ServerProcess::BeginShutdown() {
  absl::MutexLock lock(&stdin_mutex_);
  EXPECT_TRUE(process_.WriteLine("shutdown"));
}

void ServerProcess::BeginShutdown(std::chrono::milliseconds grace) {
  absl::MutexLock lock(&stdin_mutex_);
  EXPECT_TRUE(process_.WriteLine(absl::StrCat("shutdown ", grace.count())));
}

void ServerProcess::AwaitDown() { EXPECT_EQ(process_.ReadLine(), "down"); }

void ServerProcess::OpenGate(const std::string& gate) {
  absl::MutexLock lock(&stdin_mutex_);
  EXPECT_TRUE(process_.WriteLine("open " + gate));
}

void ServerProcess::Kill() {
  process_.Kill();
  process_.Wait();
  killed_ = true;
}

}  // namespace testing
}  // namespace shmrpc
