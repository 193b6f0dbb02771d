#include "tests/trouble/support.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What the handler and the log tell the thread that answers commands.
struct Progress {
  absl::Mutex mutex;
  int calls_begun ABSL_GUARDED_BY(mutex) = 0;
  std::vector<std::string> log ABSL_GUARDED_BY(mutex);
};

// Never destroyed: the log may outlive the role.
Progress& TheProgress() {
  static auto* progress = new Progress;
  return *progress;
}

class EchoServiceImpl final : public EchoService::Service {
  Status Echo(ServerContext* context, const EchoRequest* request,
              EchoReply* reply) override {
    {
      absl::MutexLock lock(&TheProgress().mutex);
      ++TheProgress().calls_begun;
    }
    if (request->crash()) std::_Exit(42);
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::milliseconds(request->sleep_ms());
    while (std::chrono::steady_clock::now() < end) {
      if (request->stop_when_cancelled() && context->IsCancelled()) {
        return Status::CANCELLED;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (request->status_code() != 0) {
      return Status(static_cast<StatusCode>(request->status_code()),
                    request->status_message());
    }
    reply->set_text(request->text() == kWhoAmI
                        ? DescribePeer(*context->auth_context())
                        : request->text());
    reply->set_peer(context->peer());
    if (request->reply_size_bytes() != 0) {
      reply->mutable_payload()->resize(
          static_cast<size_t>(request->reply_size_bytes()));
    } else {
      reply->set_payload(request->payload());
    }
    return Status::OK;
  }
};

// One line each, whatever is in them.
std::string OneLine(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\n", " "}, {"\r", " "}});
}

std::string LogWith(const std::string& text) {
  struct Wanted {
    std::string text;
    std::string found;
  } wanted{text, ""};
  auto there = [&wanted]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (const std::string& line : TheProgress().log) {
      if (!absl::StrContains(line, wanted.text)) continue;
      wanted.found = line;
      return true;
    }
    return false;
  };
  absl::MutexLock lock(&TheProgress().mutex);
  TheProgress().mutex.Await(absl::Condition(&there));
  return wanted.found;
}

void WaitForCalls(int count) {
  auto there = [count]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return TheProgress().calls_begun >= count;
  };
  absl::MutexLock lock(&TheProgress().mutex);
  TheProgress().mutex.Await(absl::Condition(&there));
}

}  // namespace

// Commands: "log TEXT" and "calls N" wait for what they name and answer with
// it; the end of stdin shuts down.
int RunEchoServer(const RoleArgs& args,
                  bool (*extra)(const std::string& command,
                                std::unique_ptr<Server>* server),
                  void (*configure)(const RoleArgs& args,
                                    ServerBuilder* builder)) {
  SetLogLevel(LogSeverity::kInfo);
  SetLogHandler([](const LogEntry& entry) {
    absl::MutexLock lock(&TheProgress().mutex);
    TheProgress().log.push_back(OneLine(entry.message));
  });
  EchoServiceImpl service;
  ServerBuilder builder;
  builder.AddListeningPort(args.at(0), InsecureServerCredentials());
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(-1);
  if (configure != nullptr) configure(args, &builder);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    SendLine(absl::StrCat("failed ", LogWith("not started")));
    return 1;
  }
  SendLine("ready");
  for (std::string line; ReceiveLine(&line);) {
    absl::string_view rest = line;
    int count = 0;
    if (absl::ConsumePrefix(&rest, "log ")) {
      SendLine(LogWith(std::string(rest)));
    } else if (absl::ConsumePrefix(&rest, "calls ") &&
               absl::SimpleAtoi(rest, &count)) {
      WaitForCalls(count);
      SendLine("begun");
    } else if (extra == nullptr || !extra(line, &server)) {
      SendLine(absl::StrCat("unknown command ", line));
      return 65;
    }
  }
  if (server != nullptr) server->Shutdown();
  return 0;
}

static RoleArgs Prepend(const std::string& first, RoleArgs rest) {
  rest.insert(rest.begin(), first);
  return rest;
}

SHMRPC_TEST_ROLE(echo_server) { return RunEchoServer(args); }

EchoServer::EchoServer(std::string name, const std::string& role,
                       const Subprocess::Environment& environment,
                       const RoleArgs& arguments)
    : name_(std::move(name)),
      process_(
          SpawnRole(role, Prepend("shm:" + name_, arguments), environment)) {
  const std::string line = process_.ReadLine().value_or("failed: it ended");
  started_ = line == "ready";
  if (!started_) error_ = line;
}

std::string EchoServer::Command(const std::string& command) {
  EXPECT_TRUE(process_.WriteLine(command));
  return process_.ReadLine().value_or("(server ended)");
}

void EchoServer::AwaitCalls(int count) {
  EXPECT_EQ(Command(absl::StrCat("calls ", count)), "begun");
}

std::string EchoServer::AwaitLog(const std::string& text) {
  Watchdog dog(30, absl::StrCat("log message of the server: ", text));
  return Command(absl::StrCat("log ", text));
}

void EchoServer::Kill() {
  process_.Kill();
  EXPECT_FALSE(process_.Wait().ok());
}

void EchoServer::ShutDown() {
  process_.CloseStdin();
  const ExitStatus status = process_.Wait();
  EXPECT_TRUE(status.ok()) << "exit code " << status.code << ", signal "
                           << status.signal;
}

EchoClient::EchoClient(const std::string& name, ChannelArguments arguments) {
  arguments.SetMaxReceiveMessageSize(-1);
  channel_ = CreateCustomChannel("shm:" + name, InsecureChannelCredentials(),
                                 arguments);
  stub_ = EchoService::NewStub(channel_);
}

Status EchoClient::Call(const EchoRequest& request, EchoReply* reply,
                        int64_t deadline_ms) {
  EchoReply unused;
  ClientContext context;
  if (deadline_ms != 0) {
    context.set_deadline(std::chrono::steady_clock::now() +
                         std::chrono::milliseconds(deadline_ms));
  }
  return stub_->Echo(&context, request, reply == nullptr ? &unused : reply);
}

void EchoClient::ExpectWorks() {
  EchoReply reply;
  const Status status = Call(SmallRequest(), &reply);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(reply.text(), SmallRequest().text());
}

void EchoClient::Reset() {
  stub_.reset();
  channel_.reset();
}

EchoRequest SmallRequest() {
  EchoRequest request;
  request.set_text("still here?");
  return request;
}

std::string DescribePeer(const AuthContext& peer) {
  std::string text;
  for (const char* name : {"user", "user_name", "pid", "start_time"}) {
    for (const string_ref& value : peer.FindPropertyValues(name)) {
      absl::StrAppend(&text, name, "=",
                      absl::string_view(value.data(), value.size()), " ");
    }
  }
  absl::StrAppend(&text, "identity=", peer.GetPeerIdentityPropertyName());
  return text;
}

EchoRequest HeldRequest() {
  EchoRequest request;
  request.set_sleep_ms(3600 * 1000);
  request.set_stop_when_cancelled(true);
  return request;
}

EchoRequest LargeRequest(int64_t payload_bytes) {
  EchoRequest request;
  request.set_payload(std::string(static_cast<size_t>(payload_bytes), 'x'));
  return request;
}

void ExpectNextServerReclaims() {
  EchoServer next(UniqueName("reclaimer"));
  EXPECT_TRUE(next.started()) << next.error();
  if (HavePrivateShm()) {
    // Only what the new server holds: its identity and its slots.
    EXPECT_THAT(Leftovers("shmrpc."),
                ::testing::UnorderedElementsAre(
                    "shmrpc.srv." + next.name(),
                    ::testing::StartsWith("shmrpc.slots.")));
  }
  next.ShutDown();
}

void ExpectStatus(const Status& status, StatusCode code,
                  const std::vector<std::string>& parts) {
  EXPECT_EQ(status.error_code(), code) << status;
  for (const std::string& part : parts) {
    EXPECT_THAT(status.error_message(), HasSubstr(part));
  }
}

void ExpectUnavailable(const Status& status,
                       const std::vector<std::string>& parts) {
  ExpectStatus(status, StatusCode::UNAVAILABLE, parts);
}

std::string ProgramName() {
  const std::string path = SelfExecutable();
  const size_t slash = path.find_last_of("/\\");
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace testing
}  // namespace shmrpc
