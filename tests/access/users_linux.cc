#include "tests/access/users_linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/support/pattern.h"
#include "tests/support/script.h"
#include "tests/support/script_service.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr char kDirectory[] = "/dev/shm/";

std::string OneLine(const Status& status) {
  return status.ok()
             ? "OK"
             : absl::StrCat(status.error_code(), " ", status.error_message());
}

// Arguments: target, user, mode, group; "outside": the user is not in it.
void Configure(const RoleArgs& args, ServerBuilder* builder) {
  static auto* script = new ScriptServiceImpl;  // outlives the server
  builder->RegisterService(script);
  AccessControl access;
  if (!args.at(2).empty()) {
    access.mode =
        static_cast<uint32_t>(std::strtoul(args.at(2).c_str(), nullptr, 8));
  }
  const int group = std::atoi(args.at(3).c_str());
  if (group != 0) access.group_id = static_cast<uint32_t>(group);
  builder->SetAccess(access);
}

class ClientRole {
 public:
  ClientRole(const std::string& target, const std::string& server_user) {
    ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    if (!server_user.empty()) {
      arguments.SetString(SHMRPC_ARG_SERVER_USER, server_user);
    }
    channel_ =
        CreateCustomChannel(target, InsecureChannelCredentials(), arguments);
    stub_ = EchoService::NewStub(channel_);
  }

  std::string Do(const std::string& command) {
    const std::vector<std::string> words = absl::StrSplit(command, ' ');
    int64_t numbers[2] = {};
    for (size_t i = 1; i < words.size() && i < 3; ++i) {
      if (!absl::SimpleAtoi(words[i], &numbers[i - 1])) numbers[i - 1] = -1;
    }
    if (words[0] == "call") return Call(numbers[0]);
    if (words[0] == "stream") return Stream(numbers[0], numbers[1]);
    if (words[0] == "whoami") return WhoAmI();
    if (words[0] == "whois") return WhoIs();
    if (words[0] == "hold") return Hold(numbers[0]);
    if (words[0] == "held") return Held();
    if (words[0] == "squat") return Squat();
    if (words[0] == "intrude") return Intrude();
    if (words[0] == "meddle") return Meddle(words.at(1));
    return "unknown command";
  }

 private:
  std::string Call(int64_t size_bytes) {
    EchoRequest request;
    request.set_payload(Pattern(static_cast<size_t>(size_bytes), 7));
    EchoReply reply;
    ClientContext context;
    const Status status = stub_->Echo(&context, request, &reply);
    if (status.ok() && reply.payload() != request.payload()) return "garbled";
    return OneLine(status);
  }

  std::string Stream(int64_t count, int64_t size_bytes) {
    const auto scripted = Scripted::NewStub(channel_);
    HandlerScript script;
    script.Echo();
    ClientContext context;
    script.AddTo(&context);
    const auto stream = scripted->Bidi(&context);
    for (int64_t i = 0; i < count; ++i) {
      Item item;
      item.set_payload(
          Pattern(static_cast<size_t>(size_bytes), static_cast<uint64_t>(i)));
      Item got;
      if (!stream->Write(item) || !stream->Read(&got)) break;
      if (got.payload() != item.payload()) return "garbled";
    }
    stream->WritesDone();
    return OneLine(stream->Finish());
  }

  std::string WhoAmI() {
    EchoRequest request;
    request.set_text(kWhoAmI);
    EchoReply reply;
    ClientContext context;
    const Status status = stub_->Echo(&context, request, &reply);
    return status.ok() ? reply.text() : OneLine(status);
  }

  std::string WhoIs() {
    EchoReply reply;
    ClientContext context;
    const Status status = stub_->Echo(&context, SmallRequest(), &reply);
    return status.ok() ? DescribePeer(*context.auth_context())
                       : OneLine(status);
  }

  std::string Hold(int64_t size_bytes) {
    held_ = std::thread([this, size_bytes] {
      EchoRequest request = HeldRequest();
      request.set_payload(std::string(static_cast<size_t>(size_bytes), 'x'));
      EchoReply reply;
      ClientContext context;
      held_status_ = stub_->Echo(&context, request, &reply);
    });
    return "OK";
  }

  std::string Held() {
    held_.join();
    return OneLine(held_status_);
  }

  std::string Squat() {
    for (const std::string& name : Leftovers("shmrpc.conn.")) {
      for (const char* suffix : {".c0", ".c1", ".s0", ".s1"}) {
        auto taken = platform::NamedMapping::Create(
            {platform::Scope::kLocal, name + suffix}, 4096, {});
        if (!taken.ok()) return std::string(taken.status().message());
        squatted_.push_back(*std::move(taken));
      }
    }
    return absl::StrCat("took ", squatted_.size());
  }

  static std::string Intrude() {
    int denied = 0;
    for (const std::string& name : Leftovers("shmrpc.conn.")) {
      const std::string path = kDirectory + name;
      for (const int flags : {O_RDONLY, O_RDWR}) {
        if (open(path.c_str(), flags | O_CLOEXEC) >= 0) return "opened " + name;
        if (errno != EACCES) return absl::StrCat(name, ": errno ", errno);
      }
      if (unlink(path.c_str()) == 0) return "unlinked " + name;
      ++denied;
    }
    return absl::StrCat("denied ", denied);
  }

  static std::string Meddle(const std::string& name) {
    const std::string path = kDirectory + name;
    if (open(path.c_str(), O_RDWR | O_CLOEXEC) >= 0) return "opened";
    return errno == EACCES ? "denied" : absl::StrCat("errno ", errno);
  }

  std::shared_ptr<Channel> channel_;
  std::unique_ptr<EchoService::Stub> stub_;
  std::vector<platform::NamedMapping> squatted_;
  std::thread held_;
  Status held_status_;
};

}  // namespace

SHMRPC_TEST_ROLE(user_server) {
  const auto user = static_cast<uid_t>(std::atoi(args.at(1).c_str()));
  const auto group = static_cast<gid_t>(std::atoi(args.at(3).c_str()));
  if (!Become(user, args.size() > 4 ? 0 : group)) {
    SendLine("failed: this process cannot become another user");
    return 1;
  }
  return RunEchoServer(args, nullptr, &Configure);
}

// Arguments: target, user, group, the server's user.
SHMRPC_TEST_ROLE(user_client) {
  const auto user = static_cast<uid_t>(std::atoi(args.at(1).c_str()));
  const auto group = static_cast<gid_t>(std::atoi(args.at(2).c_str()));
  if (!Become(user, group)) return 1;
  ClientRole client(args.at(0), args.at(3));
  for (std::string line; ReceiveLine(&line);) SendLine(client.Do(line));
  return 0;
}

bool Become(uid_t user, gid_t group) {
  if (user == 0) return true;
  if (setgroups(group == 0 ? 0 : 1, &group) != 0 || setgid(user) != 0 ||
      setuid(user) != 0) {
    return false;
  }
  // As after a login: a process that has changed its user is otherwise one that
  // not even that user may look at.
  return prctl(PR_SET_DUMPABLE, 1) == 0;
}

UserServer::UserServer(uid_t user, const std::string& mode, gid_t group,
                       const std::string& name)
    : EchoServer(name, "user_server", {},
                 {absl::StrCat(user), mode, absl::StrCat(group)}) {
  EXPECT_TRUE(started()) << error();
}

UserClient::UserClient(const std::string& target, uid_t user,
                       const Options& options)
    : process_(SpawnRole("user_client",
                         {target, absl::StrCat(user),
                          absl::StrCat(options.group), options.server_user})) {}

std::string UserClient::Do(const std::string& command) {
  Begin(command);
  return process_.ReadLine().value_or("(client ended)");
}

void UserClient::Begin(const std::string& command) {
  EXPECT_TRUE(process_.WriteLine(command));
}

void UserClient::Kill() {
  process_.Kill();
  EXPECT_FALSE(process_.Wait().ok());
}

void UserClient::End() {
  process_.CloseStdin();
  const ExitStatus status = process_.Wait();
  EXPECT_TRUE(status.ok()) << "exit code " << status.code << ", signal "
                           << status.signal;
}

std::vector<std::string> ObjectsOf(uid_t user) {
  std::vector<std::string> names;
  for (const std::string& name : Leftovers("shmrpc.")) {
    struct stat file;
    if (stat((kDirectory + name).c_str(), &file) == 0 && file.st_uid == user) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace testing
}  // namespace shmrpc
