#include "tests/death/peers.h"

#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "shmrpc/shmrpc.h"
#include "tests/death/held_calls.h"
#include "tests/death/load.h"
#include "tests/death/scenario.h"
#include "tests/support/echo_service.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/script_service.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::milliseconds;

std::string OneLine(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\n", " "}, {"\r", " "}});
}

// What a client does on command, and holds in between.
class ClientPart {
 public:
  explicit ClientPart(std::string target)
      : target_(std::move(target)), mapped_before_(MappedBytes()) {}

  void Go(uint32_t loads, uint32_t seed, const std::string& held_name) {
    held_ = std::make_unique<HeldCalls>(target_, held_name);
    load_ = std::make_unique<Load>(target_, loads, seed);
    loads_ = loads;
  }

  void AwaitHeld() { held_->AwaitHeld(); }
  void AwaitProgress(int64_t more) { load_->AwaitProgress(more); }

  std::string Collect(const std::string& what) {
    std::string wrong = what == "killed"    ? held_->ExpectKilled()
                        : what == "stopped" ? held_->ExpectStopped()
                                            : held_->ExpectAlive();
    const int64_t ended_ns = held_->ended_ns();
    // Without any load the next call is to work, too.
    if (loads_ == 0) load_ = std::make_unique<Load>(target_, kSmall, 1);
    const LoadReport report = load_->Finish();
    wrong += report.wrong;
    if (what == "alive" && report.told != 0) {
      absl::StrAppend(&wrong, report.told,
                      " calls ended with UNAVAILABLE although the server "
                      "lives; ");
    }
    held_.reset();
    load_.reset();
    uint64_t mapped = MappedBytes();
    for (int i = 0; i < 1000 && mapped > mapped_before_; ++i) {
      std::this_thread::sleep_for(milliseconds(5));
      mapped = MappedBytes();
    }
    if (mapped > mapped_before_) {
      absl::StrAppend(&wrong, mapped - mapped_before_,
                      " bytes of shared memory are still mapped; ");
    }
    return absl::StrCat("report ", report.good, " ", report.told, " ",
                        report.late, " ", ended_ns, " ", OneLine(wrong));
  }

 private:
  const std::string target_;
  const uint64_t mapped_before_;
  uint32_t loads_ = 0;
  std::unique_ptr<HeldCalls> held_;
  std::unique_ptr<Load> load_;
};

}  // namespace

// Commands: "footprint", "running", "alive"; "stop": with calls in flight. Ends
// when stdin does.
int RunDeathServer(const RoleArgs& args) {
  EchoServiceImpl echo;
  ScriptServiceImpl script;
  ServerBuilder builder;
  builder.AddListeningPort(args.at(0), InsecureServerCredentials());
  builder.RegisterService(&echo).RegisterService(&script);
  builder.SetMaxReceiveMessageSize(-1);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    SendLine("failed");
    return 1;
  }
  SendLine("ready");
  for (std::string line; ReceiveLine(&line);) {
    if (line == "footprint") {
      SendLine(OwnFootprint().ToLine());
    } else if (line == "running") {
      SendLine(absl::StrCat(script.Running()));
    } else if (line == "alive") {
      SendLine("alive");
    } else if (line == "stop") {
      server->Shutdown(std::chrono::system_clock::now() + milliseconds(5));
      return 0;
    }
  }
  server->Shutdown();
  return 0;
}

SHMRPC_TEST_ROLE(death_server) { return RunDeathServer(args); }

// args: target. Commands as below.
SHMRPC_TEST_ROLE(death_client) {
  SetLogHandler([](const LogEntry&) {});
  ClientPart part(args.at(0));
  SendLine("ready");
  for (std::string line; ReceiveLine(&line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    uint32_t loads = 0;
    uint32_t seed = 0;
    if (words[0] == "go" && words.size() == 4 &&
        absl::SimpleAtoi(words[1], &loads) &&
        absl::SimpleAtoi(words[2], &seed)) {
      part.Go(loads, seed, words[3]);
      part.AwaitHeld();
      SendLine("held");
    } else if (words[0] == "progress" && words.size() == 2 &&
               absl::SimpleAtoi(words[1], &loads)) {
      part.AwaitProgress(loads);
      SendLine("progress");
    } else if (words[0] == "scenario") {
      ScenarioSettings settings;
      settings.target = args.at(0);
      settings.server_may_die = true;
      SendLine(OneLine(absl::StrCat("done ", RunScenario(settings))));
    } else if (words[0] == "collect" && words.size() == 2) {
      SendLine(part.Collect(words[1]));
    } else {
      SendLine("wrong: unknown command");
    }
  }
  return 0;
}

DeathServer::DeathServer(const std::string& target, const std::string& role,
                         const std::vector<std::string>& extra)
    : process_([&] {
        std::vector<std::string> args = {target};
        args.insert(args.end(), extra.begin(), extra.end());
        return SpawnRole(role, args);
      }()) {
  const std::string line = process_.ReadLine().value_or("");
  started_ = line == "ready";
  if (!started_) other_lines_.push_back(line);
}

std::string DeathServer::Ask(const std::string& command) {
  process_.WriteLine(command);
  return process_.ReadLine().value_or("");
}

Footprint DeathServer::Look() {
  const std::string line = Ask("footprint");
  Footprint footprint;
  EXPECT_TRUE(footprint.FromLine(line)) << line;
  return footprint;
}

uint64_t DeathServer::Running() {
  const std::string line = Ask("running");
  uint64_t running = 0;
  EXPECT_TRUE(absl::SimpleAtoi(line, &running)) << line;
  return running;
}

bool DeathServer::Alive() {
  const std::string line = Ask("alive");
  if (line == "alive") return true;
  other_lines_.push_back(line);
  return false;
}

std::vector<std::string> DeathServer::OtherLines() {
  while (const auto line = process_.ReadLine()) other_lines_.push_back(*line);
  return other_lines_;
}

void DeathServer::Kill() {
  process_.Kill();
  EXPECT_FALSE(process_.Wait().ok());
}

void DeathServer::ShutDown() {
  process_.CloseStdin();
  const ExitStatus status = process_.Wait();
  EXPECT_TRUE(status.ok()) << "exit code " << status.code << ", signal "
                           << status.signal;
}

ExitStatus DeathServer::Stop() {
  process_.WriteLine("stop");
  return process_.Wait();
}

DeathClient::DeathClient(const std::string& target, const std::string& name)
    : name_(name), process_(SpawnRole("death_client", {target})) {
  EXPECT_EQ(Answer(), "ready");
}

void DeathClient::Go(uint32_t loads, uint32_t seed) {
  process_.WriteLine(
      absl::StrCat("go ", loads, " ", seed, " ", name_, ".", ++goes_));
}

void DeathClient::AwaitProgress(int64_t more) {
  process_.WriteLine(absl::StrCat("progress ", more));
  EXPECT_EQ(Answer(), "progress");
}

void DeathClient::AwaitHeld() { EXPECT_EQ(Answer(), "held"); }

std::string DeathClient::RunScenario() {
  process_.WriteLine("scenario");
  const std::string answer = Answer();
  absl::string_view rest = answer;
  return absl::ConsumePrefix(&rest, "done ") ? std::string(rest) : answer;
}

ClientReport DeathClient::Collect(const std::string& what) {
  process_.WriteLine(absl::StrCat("collect ", what));
  const std::string answer = Answer();
  const std::vector<std::string> words =
      absl::StrSplit(answer, absl::MaxSplits(' ', 5));
  ClientReport report;
  if (words.size() != 6 || words[0] != "report" ||
      !absl::SimpleAtoi(words[1], &report.good) ||
      !absl::SimpleAtoi(words[2], &report.told) ||
      !absl::SimpleAtoi(words[3], &report.late) ||
      !absl::SimpleAtoi(words[4], &report.ended_ns)) {
    report.wrong = "wrong: " + answer;
    return report;
  }
  report.wrong = words[5];
  return report;
}

void DeathClient::Kill() {
  process_.Kill();
  EXPECT_FALSE(process_.Wait().ok());
}

void DeathClient::ShutDown() {
  process_.CloseStdin();
  const ExitStatus status = process_.Wait();
  EXPECT_TRUE(status.ok()) << "exit code " << status.code << ", signal "
                           << status.signal;
}

std::string DeathClient::Answer() {
  return process_.ReadLine().value_or("wrong: the client ended");
}

}  // namespace testing
}  // namespace shmrpc
