// Every kind of shared memory, taken away in every situation: a typed error or
// none, nobody waits for ever, and the next call works.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/script_service.h"
#include "tests/trouble/break_connection.h"
#include "tests/trouble/support.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace testing {
namespace {

// Of a message that travels in a segment.
constexpr size_t kLarge = 100 * 1000;
// Messages that show that a stream moves.
constexpr int kSome = 20;

enum class Situation {
  kIdle,
  kUnary,
  kClientStream,
  kServerStream,
  kBidi,
  kAsleep,  // both wait for the other's next message
  kShutdown,
};
constexpr Situation kSituations[] = {
    Situation::kIdle,         Situation::kUnary, Situation::kClientStream,
    Situation::kServerStream, Situation::kBidi,  Situation::kAsleep,
    Situation::kShutdown};
constexpr const char* kSituationNames[] = {
    "Idle", "Unary",  "ClientStream", "ServerStream",
    "Bidi", "Asleep", "Shutdown"};

struct Case {
  Memory what;
  Situation situation;
  Breaker who;
};

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Memory what : kMemories) {
    if (!CanBreak(what)) continue;
    for (const Situation situation : kSituations) {
      for (const Breaker who : Breakers()) {
        cases.push_back({what, situation, who});
      }
    }
  }
  return cases;
}

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  static constexpr const char* kWho[] = {"", "ByClient", "ByServer"};
  return absl::StrCat(MemoryName(info.param.what), "While",
                      kSituationNames[static_cast<int>(info.param.situation)],
                      kWho[static_cast<int>(info.param.who)]);
}

// Arguments: which memory, target, pids of server and client. Prints how many.
SHMRPC_TEST_ROLE(breaker) {
  int what = 0;
  uint32_t server_pid = 0;
  uint32_t client_pid = 0;
  if (!absl::SimpleAtoi(args.at(0), &what) ||
      !absl::SimpleAtoi(args.at(2), &server_pid) ||
      !absl::SimpleAtoi(args.at(3), &client_pid)) {
    return 1;
  }
  SendLine(
      absl::StrCat(Break(kMemories[what], args.at(1), server_pid, client_pid)));
  return 0;
}

// Serves Scripted under args[0]. Lines it reads: "break MEMORY" (answers with
// how many), "open GATE" (answers "open"), "rest" (answers "rests" when no
// handler runs), "shutdown" (answers "down").
SHMRPC_TEST_ROLE(fault_server) {
  ScriptServiceImpl script;
  ServerBuilder builder;
  builder.AddListeningPort(args.at(0), InsecureServerCredentials());
  builder.RegisterService(&script);
  builder.SetMaxReceiveMessageSize(-1);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  SendLine("ready");
  std::thread shutdown;
  for (std::string line; ReceiveLine(&line);) {
    absl::string_view rest = line;
    int what = 0;
    if (absl::ConsumePrefix(&rest, "break ") && absl::SimpleAtoi(rest, &what)) {
      SendLine(absl::StrCat(Break(kMemories[what], args.at(0), 0, 0)));
    } else if (absl::ConsumePrefix(&rest, "open ")) {
      script.Open(std::string(rest));
      SendLine("open");
    } else if (line == "rest") {
      while (script.Running() != 0) std::this_thread::yield();
      SendLine("rests");
    } else if (line == "shutdown") {
      shutdown = std::thread([&] {
        server->Shutdown();
        SendLine("down");
      });
    }
  }
  script.OpenAll();
  if (shutdown.joinable()) shutdown.join();
  server->Shutdown();
  return 0;
}

class FaultMatrix : public ::testing::TestWithParam<Case> {
 protected:
  FaultMatrix()
      : target_("shm:" + UniqueName("matrix")),
        server_(SpawnRole("fault_server", {target_})) {
    EXPECT_EQ(server_.ReadLine(), "ready");
    stub_ = Scripted::NewStub(NewChannel(target_));
    observer_ = Scripted::NewStub(NewChannel(target_));
    // Now all the memory is there.
    EXPECT_TRUE(Large(stub_.get()).ok());
  }

  static const Case& the_case() { return GetParam(); }
  static bool Lobby() {
    return the_case().what == Memory::kIdentity ||
           the_case().what == Memory::kSlots;
  }

  void BreakIt() {
    const std::string what = absl::StrCat(static_cast<int>(the_case().what));
    int broken = -1;
    switch (the_case().who) {
      case Breaker::kThirdProcess: {
        Subprocess breaker = SpawnRole(
            "breaker", {what, target_, absl::StrCat(server_.pid()),
                        absl::StrCat(platform::CurrentProcess().pid)});
        EXPECT_TRUE(absl::SimpleAtoi(breaker.ReadLine().value_or(""), &broken));
        breaker.Wait();
        break;
      }
      case Breaker::kClient:
        broken = Break(the_case().what, target_, 0, 0);
        break;
      case Breaker::kServer:
        EXPECT_TRUE(absl::SimpleAtoi(Command("break " + what), &broken));
        break;
    }
    ASSERT_GE(broken, 1) << "nothing was broken";
  }

  std::string Command(const std::string& command) {
    EXPECT_TRUE(server_.WriteLine(command));
    return server_.ReadLine().value_or("(the server ended)");
  }

  static Status Small(Scripted::Stub* stub) {
    ClientContext context;
    HandlerScript script;
    script.Respond(10).AddTo(&context);
    return MakeCall(stub, CallKind::kUnary, &context).status;
  }
  static Status Large(Scripted::Stub* stub) {
    ClientContext context;
    HandlerScript script;
    script.Echo().AddTo(&context);
    const CallResult result =
        MakeCall(stub, CallKind::kBidi, &context, ItemOf(kLarge));
    if (result.status.ok()) {
      EXPECT_EQ(result.messages.size(), 1u);
      for (const Item& item : result.messages) {
        EXPECT_TRUE(IsItemOf(item, kLarge));
      }
    }
    return result.status;
  }

  // Calls `may_fail` until one works: it may fail, so often, as lost memory
  // has it.
  static void ExpectWorksSoon(int failures,
                              const std::function<Status()>& call) {
    for (;;) {
      const Status status = call();
      if (status.ok()) return;
      ExpectUnavailable(status, {});
      ASSERT_GE(--failures, 0) << "another failure: " << status;
    }
  }

  // Channels that had connections, and a new one.
  void ExpectRecovered() {
    for (Scripted::Stub* stub : {stub_.get(), observer_.get()}) {
      const int failures = Lobby() ? 0 : 1;
      ExpectWorksSoon(failures, [&] { return Small(stub); });
      ExpectWorksSoon(failures, [&] { return Large(stub); });
      ExpectWorksSoon(0, [&] { return Small(stub); });
    }
    auto late = Scripted::NewStub(NewChannel(target_));
    ExpectWorksSoon(0, [&] { return Small(late.get()); });
    ExpectWorksSoon(0, [&] { return Large(late.get()); });
  }

  void ExpectServerEndsWell() {
    server_.CloseStdin();
    const ExitStatus status = server_.Wait();
    EXPECT_TRUE(status.ok())
        << "exit code " << status.code << ", signal " << status.signal;
  }

  Watchdog dog_{110, "shared memory that is taken away"};
  const std::string target_;
  Subprocess server_;
  std::unique_ptr<Scripted::Stub> stub_;
  std::unique_ptr<Scripted::Stub> observer_;

  void RunIdle() { BreakIt(); }
  void RunUnary();
  void RunStream(CallKind kind);
  void RunAsleep();
  void RunShutdown();
};

void FaultMatrix::RunUnary() {
  const bool lost = the_case().what == Memory::kConnection;
  HandlerScript script;
  if (lost) {
    script.UntilCancelled();
  } else {
    script.HoldAt(script.name()).Respond(10);
  }
  Status status(StatusCode::UNKNOWN, "not called");
  std::thread caller([&] {
    ClientContext context;
    script.AddTo(&context);
    status = MakeCall(stub_.get(), CallKind::kUnary, &context).status;
  });
  script.AwaitStart(observer_.get());
  BreakIt();
  if (!lost) EXPECT_EQ(Command("open " + script.name()), "open");
  caller.join();
  if (!lost) {
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  ExpectUnavailable(status, {});
  // Its handler was told, though nobody else has woken the server.
  EXPECT_EQ(Command("rest"), "rests");
  auto late = Scripted::NewStub(NewChannel(target_));
  EXPECT_TRUE(script.AwaitEnd(late.get()).was_cancelled());
}

void FaultMatrix::RunStream(CallKind kind) {
  const bool writes = ClientStreams(kind);
  const bool reads = ServerStreams(kind);
  // On Windows the segments of both are broken.
  const bool any = the_case().who != Breaker::kThirdProcess;
  const bool lost =
      the_case().what == Memory::kConnection ||
      (the_case().what == Memory::kClientSegment && (writes || any)) ||
      (the_case().what == Memory::kServerSegment && (reads || any));
  HandlerScript script;
  if (kind == CallKind::kBidi) {
    script.Echo();
  } else if (writes) {
    script.ReadAll();
  } else {
    script.Write(kLarge, 1 << 20);
  }
  ClientContext context;
  script.AddTo(&context);
  std::atomic<int> moved{0};
  std::atomic<bool> stop{false};
  Status status(StatusCode::UNKNOWN, "not finished");
  std::thread caller([&] {
    Item item;
    if (kind == CallKind::kClientStream) {
      auto writer = stub_->ClientStream(&context, &item);
      while (!stop && writer->Write(ItemOf(kLarge))) ++moved;
      writer->WritesDone();
      status = writer->Finish();
    } else if (kind == CallKind::kServerStream) {
      auto reader = stub_->ServerStream(&context, Item());
      while (!stop && reader->Read(&item)) ++moved;
      if (stop) context.TryCancel();
      status = reader->Finish();
    } else {
      auto both = stub_->Bidi(&context);
      while (!stop && both->Write(ItemOf(kLarge)) && both->Read(&item)) {
        EXPECT_TRUE(IsItemOf(item, kLarge));
        ++moved;
      }
      both->WritesDone();
      status = both->Finish();
    }
  });
  while (moved < kSome) std::this_thread::yield();
  BreakIt();
  if (!lost) {
    const int before = moved;
    while (moved < before + kSome) std::this_thread::yield();
    stop = true;
  }
  caller.join();
  if (lost) {
    ExpectUnavailable(status, {});
    auto late = Scripted::NewStub(NewChannel(target_));
    script.AwaitEnd(late.get());
  } else if (kind == CallKind::kServerStream) {
    ExpectStatus(status, StatusCode::CANCELLED, {});
  } else {
    EXPECT_TRUE(status.ok()) << status;
  }
}

void FaultMatrix::RunAsleep() {
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  auto both = stub_->Bidi(&context);
  bool read = false;
  std::thread reader([&] {
    Item item;
    read = both->Read(&item);
  });
  script.AwaitStep(observer_.get(), 1);
  // Most times they sleep by the end of it; what is expected is the same.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  BreakIt();
  const bool lost = the_case().what == Memory::kConnection;
  if (!lost) EXPECT_TRUE(both->Write(ItemOf(10)));
  reader.join();
  EXPECT_EQ(read, !lost);
  both->WritesDone();
  const Status status = both->Finish();
  if (!lost) {
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  ExpectUnavailable(status, {});
  EXPECT_EQ(Command("rest"), "rests");
  auto late = Scripted::NewStub(NewChannel(target_));
  EXPECT_TRUE(script.AwaitEnd(late.get()).was_cancelled());
}

void FaultMatrix::RunShutdown() {
  HandlerScript script;
  script.HoldAt(script.name()).Respond(10);
  Status status(StatusCode::UNKNOWN, "not called");
  std::thread caller([&] {
    ClientContext context;
    script.AddTo(&context);
    status = MakeCall(stub_.get(), CallKind::kUnary, &context).status;
  });
  script.AwaitStart(observer_.get());
  EXPECT_TRUE(server_.WriteLine("shutdown"));
  // Until it refuses new calls: the shutdown waits for the handler.
  while (Small(observer_.get()).ok()) std::this_thread::yield();
  BreakIt();
  EXPECT_EQ(Command("open " + script.name()), "open");
  EXPECT_EQ(server_.ReadLine(), "down");
  caller.join();
  if (the_case().what == Memory::kConnection) {
    ExpectUnavailable(status, {});
  } else {
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST_P(FaultMatrix, IsATypedErrorOrNoneAndTheNextCallWorks) {
  switch (the_case().situation) {
    case Situation::kIdle:
      RunIdle();
      break;
    case Situation::kUnary:
      RunUnary();
      break;
    case Situation::kClientStream:
      RunStream(CallKind::kClientStream);
      break;
    case Situation::kServerStream:
      RunStream(CallKind::kServerStream);
      break;
    case Situation::kBidi:
      RunStream(CallKind::kBidi);
      break;
    case Situation::kAsleep:
      RunAsleep();
      break;
    case Situation::kShutdown:
      RunShutdown();
      break;
  }
  if (the_case().situation != Situation::kShutdown && !HasFatalFailure()) {
    ExpectRecovered();
  }
  stub_.reset();
  observer_.reset();
  ExpectServerEndsWell();
}

INSTANTIATE_TEST_SUITE_P(All, FaultMatrix, ::testing::ValuesIn(Cases()),
                         CaseName);

}  // namespace
}  // namespace testing
}  // namespace shmrpc
