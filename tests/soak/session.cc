#include "tests/soak/session.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "shmrpc/shmrpc.h"
#include "tests/soak/ledger.h"
#include "tests/soak/ledger.shmrpc.pb.h"
#include "tests/support/client.h"

namespace shmrpc {
namespace testing {
namespace {

// One at a time in a process: what a soak needs of /dev/shm stays bounded.
constexpr int kLargeBits = 22;

using Ask = Status (LedgerService::Stub::*)(ClientContext*, const Session&,
                                            Settlement*);

class OneSession {
 public:
  OneSession(const SessionPlan& plan, CallWatch* watch)
      : plan_(plan), watch_(watch), channel_(NewChannel(plan.target)) {}

  Tally Run() {
    const Settlement begin = AskServer(&LedgerService::Stub::Begin, "Begin");
    MakeCalls();
    const Settlement end = AskServer(&LedgerService::Stub::Settle, "Settle");
    const bool interrupted = begin.generation() != end.generation();
    if (interrupted && !plan_.may_be_interrupted) {
      wrong_.push_back("another server answers, though nobody restarted it");
    }
    for (std::string& what : Disagreements(calls_, end, interrupted)) {
      wrong_.push_back(std::move(what));
    }
    tally_.sessions = 1;
    tally_.interrupted = interrupted ? 1 : 0;
    tally_.settled = end.accounts_size();
    return tally_;
  }

  std::vector<std::string>& wrong() { return wrong_; }

 private:
  // Until there is an answer: a server that is being restarted refuses.
  Settlement AskServer(Ask ask, const char* name) {
    CallWatch::Call watched(watch_, absl::StrCat(name, " of ", plan_.name));
    auto stub = LedgerService::NewStub(channel_);
    Session request;
    request.set_name(plan_.name);
    for (;;) {
      ClientContext context;
      context.set_wait_for_ready(true);
      Settlement response;
      const Status status = (stub.get()->*ask)(&context, request, &response);
      if (status.ok()) return response;
      if (status.error_code() != UNAVAILABLE || !plan_.may_be_interrupted) {
        wrong_.push_back(absl::StrCat(name, ": status ", status.error_code(),
                                      " \"", status.error_message(), "\""));
        return response;
      }
    }
  }

  void MakeCalls() {
    calls_.resize(static_cast<size_t>(plan_.threads * plan_.calls));
    std::vector<std::thread> threads;
    for (int t = 0; t < plan_.threads; ++t) {
      threads.emplace_back([this, t] {
        std::mt19937_64 random(plan_.seed + static_cast<uint64_t>(t));
        auto stub = Scripted::NewStub(channel_);
        for (int i = 0; i < plan_.calls; ++i) {
          MakeCall(stub.get(), t * plan_.calls + i, &random);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void MakeCall(Scripted::Stub* stub, int number, std::mt19937_64* random) {
    static auto* const large = new std::mutex;
    RandomCall call(plan_.mix, "soak", random);
    std::unique_lock<std::mutex> only(*large, std::defer_lock);
    if (call.size_bits() > kLargeBits) only.lock();
    ClientContext context;
    CallId{plan_.name, number}.AddTo(&context);
    CallWatch::Call watched(watch_, call.Describe());
    CallRecord& record = calls_[static_cast<size_t>(number)];
    record.ending = call.Run(stub, &context);
    record.code = call.throws() ? -1 : call.code();
    record.what = absl::StrCat(
        "call ", number, " of session ", plan_.name, ", thread's seed ",
        plan_.seed + static_cast<uint64_t>(number / plan_.calls), ": ",
        call.Describe());
    std::lock_guard<std::mutex> lock(tally_mutex_);
    tally_.Count(call.kind(), record.ending, call.bytes());
  }

  const SessionPlan& plan_;
  CallWatch* const watch_;
  const std::shared_ptr<Channel> channel_;
  std::vector<CallRecord> calls_;
  std::mutex tally_mutex_;
  Tally tally_;
  std::vector<std::string> wrong_;
};

// "" if the server's account of a call is what its caller expects.
std::string Disagreement(const CallRecord& call, const Account& account) {
  if (account.begun() > 1) return "more than one handler";
  if (account.begun() != account.ended()) return "a handler that has not ended";
  if (account.wrong_metadata()) return "other metadata than was sent";
  if (call.ending != Ending::kOk && call.ending != Ending::kFailed) return "";
  if (account.begun() == 0) return "an answer, and no handler";
  if (account.code() != call.code) {
    return absl::StrCat("a handler that returned ", account.code());
  }
  return "";
}

}  // namespace

std::vector<std::string> Disagreements(const std::vector<CallRecord>& calls,
                                       const Settlement& settlement,
                                       bool interrupted) {
  std::vector<std::string> wrong;
  std::vector<Account> accounts(calls.size());
  for (const Account& account : settlement.accounts()) {
    if (account.call() < 0 ||
        account.call() >= static_cast<int64_t>(calls.size())) {
      wrong.push_back(
          absl::StrCat("a handler of call ", account.call(), ", never made"));
    } else {
      accounts[static_cast<size_t>(account.call())] = account;
    }
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    const CallRecord& call = calls[i];
    std::string why;
    if (call.ending == Ending::kWrong) {
      why = "an outcome it cannot have";
    } else if (call.ending == Ending::kUnavailable && !interrupted) {
      why = "UNAVAILABLE, though the server lives";
    } else if (!interrupted || accounts[i].begun() != 0) {
      why = Disagreement(call, accounts[i]);
    }
    if (!why.empty()) wrong.push_back(absl::StrCat(why, ": ", call.what));
  }
  return wrong;
}

Tally RunSession(const SessionPlan& plan, CallWatch* watch,
                 std::vector<std::string>* wrong) {
  OneSession session(plan, watch);
  const Tally tally = session.Run();
  for (std::string& what : session.wrong()) wrong->push_back(std::move(what));
  return tally;
}

}  // namespace testing
}  // namespace shmrpc
