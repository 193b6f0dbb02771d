// The role "soak_server": serves Scripted and the ledger under one target.
//
// Lines it reads, and what it answers:
//   look             "taking " + Consumption::ToLine()
//   forget CLIENT    "forgotten", or "busy" if handlers of its calls still run
//   books            "books BEGUN ENDED", counts of handlers since the start
//   shutdown [MS]    "down BEGUN ENDED", once Server::Shutdown has returned,
//                    called with a deadline that far away if there is one
// Ends when its stdin does.

#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "shmrpc/shmrpc.h"
#include "tests/soak/consumption.h"
#include "tests/soak/ledger.h"
#include "tests/soak/soak_service.h"
#include "transport/platform/testing/role.h"

namespace shmrpc {
namespace testing {
namespace {

std::string Books(const char* what, const Ledger& ledger) {
  const int64_t ended = ledger.ended();
  return absl::StrCat(what, " ", ledger.begun(), " ", ended);
}

// All messages but those of handlers that threw because they were told to.
void LogWhatMatters(const LogEntry& entry) {
  if (absl::StrContains(entry.message, "threw: as told")) return;
  std::fprintf(stderr, "soak_server: %s\n", entry.message.c_str());
}

SHMRPC_TEST_ROLE(soak_server) {
  SetLogHandler(&LogWhatMatters);
  std::random_device random;
  Ledger ledger((uint64_t{random()} << 32) | random());
  SoakServiceImpl soak(&ledger);
  LedgerServiceImpl books(&ledger);
  ServerBuilder builder;
  builder.AddListeningPort(args.at(0), InsecureServerCredentials());
  builder.RegisterService(&soak).RegisterService(&books);
  builder.SetMaxReceiveMessageSize(-1);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  SendLine("ready");
  for (std::string line; ReceiveLine(&line);) {
    absl::string_view rest = line;
    if (line == "look") {
      SendLine(absl::StrCat("taking ", OwnConsumption().ToLine()));
    } else if (absl::ConsumePrefix(&rest, "forget ")) {
      SendLine(ledger.Forget(std::string(rest)) ? "forgotten" : "busy");
    } else if (line == "books") {
      SendLine(Books("books", ledger));
    } else if (absl::ConsumePrefix(&rest, "shutdown")) {
      int grace_ms = 0;
      if (absl::SimpleAtoi(rest, &grace_ms)) {
        server->Shutdown(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(grace_ms));
      } else {
        server->Shutdown();
      }
      SendLine(Books("down", ledger));
    }
  }
  soak.OpenAll();  // a failed test may have left calls there
  return 0;
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
