// Random calls of every kind, from many threads of several processes: sizes,
// cancels, deadlines, early returns, streams that are dropped. Every call has
// an outcome that its script allows, and every handler an end.
// SHMRPC_TEST_SEED repeats a run's choices.

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/pattern.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::microseconds;

// Set by BUILD: calls under Wine take ten times as long.
constexpr int kCallsPerThread = SHMRPC_STRESS_CALLS;
constexpr int kProcesses = 2;  // beside this one
constexpr int kThreads = 8;    // of each

uint64_t Seed() {
  const char* given = std::getenv("SHMRPC_TEST_SEED");
  if (given != nullptr) return std::strtoull(given, nullptr, 10);
  return std::random_device()();
}

struct Tally {
  std::atomic<int> ok{0};
  std::atomic<int> failed{0};     // as the script said
  std::atomic<int> cancelled{0};  // by either side
  std::atomic<int> expired{0};
  std::atomic<int> dropped{0};  // without Finish
  std::atomic<int> wrong{0};

  int total() const {
    return ok + failed + cancelled + expired + dropped + wrong;
  }
};

// One call, its choices made.
class RandomCall {
 public:
  RandomCall(std::mt19937_64* random, HandlerScript* script)
      : random_(random), script_(script) {
    kind_ = kCallKinds[UpTo(4)];
    messages_ = UpTo(12);
    if (UpTo(2) == 0) {
      deadline_us_ = static_cast<int64_t>(UpTo(8000)) - 200;
    }
    cancels_ = UpTo(4) == 0;
    server_cancels_ = UpTo(12) == 0;
    drops_ = kind_ != CallKind::kUnary && UpTo(8) == 0;
    code_ = UpTo(5) == 0 ? 1 + static_cast<int>(UpTo(16)) : 0;
    returns_early_ = UpTo(5) == 0;
    WriteScript();
  }

  void Run(Scripted::Stub* stub, Tally* tally) {
    ClientContext context;
    script_->AddTo(&context);
    if (deadline_us_ != 0) {
      context.set_deadline(FromNow(microseconds(deadline_us_)));
    }
    context.set_initial_metadata_corked(UpTo(8) == 0);
    std::thread canceller;
    if (cancels_) {
      const auto pause = microseconds(UpTo(3000));
      canceller = std::thread([&context, pause] {
        std::this_thread::sleep_for(pause);  // the random moment
        context.TryCancel();
      });
    }
    const bool finished = Make(stub, &context);
    if (canceller.joinable()) canceller.join();
    Count(finished, tally);
  }

 private:
  uint64_t UpTo(uint64_t n) { return (*random_)() % n; }
  // Small ones are frequent, and a few are long.
  size_t RandomSize() { return UpTo(uint64_t{1} << UpTo(18)); }

  void WriteScript() {
    if (UpTo(3) == 0)
      script_->InitialMetadata("x-i", std::string(UpTo(100), 'i'));
    if (server_cancels_) script_->TryCancel();
    if (returns_early_) {
      if (ClientStreams(kind_)) script_->Read(1);
    } else if (kind_ == CallKind::kBidi) {
      script_->Echo();
    } else if (kind_ == CallKind::kClientStream) {
      script_->ReadAll();
    } else if (kind_ == CallKind::kServerStream) {
      for (uint64_t i = 0; i < messages_; ++i) {
        sizes_.push_back(RandomSize());
        script_->Write(static_cast<int64_t>(sizes_.back()), 1, i);
      }
    }
    if (UpTo(3) == 0) script_->TrailingMetadata("x-t", "t");
    if (code_ != 0) script_->Return(code_, "as told");
  }

  // False: dropped.
  bool Make(Scripted::Stub* stub, ClientContext* context) {
    switch (kind_) {
      case CallKind::kUnary: {
        const Item request = ItemOf(RandomSize(), 1);
        Item response;
        status_ = stub->Unary(context, request, &response);
        if (status_.ok() && response.payload() != request.payload()) Spoil();
        return true;
      }
      case CallKind::kClientStream: {
        Item response;
        auto writer = stub->ClientStream(context, &response);
        for (uint64_t i = 0; i < messages_; ++i) {
          if (!writer->Write(ItemOf(RandomSize(), i))) break;
        }
        if (drops_) return false;
        writer->WritesDone();
        status_ = writer->Finish();
        return true;
      }
      case CallKind::kServerStream: {
        auto reader = stub->ServerStream(context, ItemOf(RandomSize()));
        Item item;
        size_t count = 0;
        while (reader->Read(&item)) {
          if (count >= sizes_.size() || !IsItemOf(item, sizes_[count], count)) {
            Spoil();
          }
          ++count;
          if (drops_) return false;
        }
        status_ = reader->Finish();
        if (status_.ok() && count != sizes_.size()) Spoil();
        return true;
      }
      case CallKind::kBidi: {
        auto stream = stub->Bidi(context);
        Item item;
        uint64_t read = 0;
        for (uint64_t i = 0; i < messages_; ++i) {
          const size_t size = RandomSize();
          if (!stream->Write(ItemOf(size, i))) break;
          if (!stream->Read(&item)) break;
          if (!IsItemOf(item, size, i)) Spoil();
          ++read;
        }
        if (drops_) return false;
        stream->WritesDone();
        while (stream->Read(&item)) Spoil();
        status_ = stream->Finish();
        if (status_.ok() && !returns_early_ && read != messages_) Spoil();
        return true;
      }
    }
    return true;
  }

  void Spoil() { spoiled_ = true; }

  void Count(bool finished, Tally* tally) {
    const std::string message = status_.error_message();
    if (spoiled_) {
      ADD_FAILURE() << kind_ << ": other messages than were written";
      ++tally->wrong;
    } else if (!finished) {
      ++tally->dropped;
    } else if (status_.ok() && code_ == 0 && !server_cancels_) {
      ++tally->ok;
    } else if (code_ != 0 && status_.error_code() == code_ &&
               message == "as told") {
      ++tally->failed;
    } else if (status_.error_code() == CANCELLED &&
               ((cancels_ && message == "CANCELLED") ||
                (server_cancels_ &&
                 message == "Cancelled on the server side"))) {
      ++tally->cancelled;
    } else if (deadline_us_ != 0 &&
               Is(status_, DEADLINE_EXCEEDED, "Deadline Exceeded")) {
      ++tally->expired;
    } else {
      ADD_FAILURE() << kind_ << " ended with " << status_ << ": "
                    << script_->script().ShortDebugString();
      ++tally->wrong;
    }
  }

  std::mt19937_64* const random_;
  HandlerScript* const script_;
  CallKind kind_;
  uint64_t messages_;
  int64_t deadline_us_ = 0;  // 0: none
  bool cancels_;
  bool server_cancels_;
  bool drops_;
  int code_;  // 0: OK
  bool returns_early_;
  std::vector<size_t> sizes_;  // of the server's messages

  Status status_;
  bool spoiled_ = false;
};

// All calls of a process, over one channel. Their scripts share a name, so that
// the server's counts are those of this process.
void CallAtRandom(const std::string& target, uint64_t seed,
                  const std::string& name, Tally* tally) {
  const auto channel = NewChannel(target);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + static_cast<uint64_t>(t));
      auto stub = Scripted::NewStub(channel);
      for (int i = 0; i < kCallsPerThread; ++i) {
        HandlerScript script(name);
        RandomCall(&random, &script).Run(stub.get(), tally);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  // Nothing of it hangs on to the connection.
  auto stub = Scripted::NewStub(channel);
  for (const CallKind kind : kCallKinds) {
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    EXPECT_TRUE(
        IsOk(MakeCall(stub.get(), kind, &context, ItemOf(300000)).status));
  }
}

std::string Summary(const Tally& tally) {
  return absl::StrCat(tally.ok.load(), " ok, ", tally.failed.load(),
                      " failed as told, ", tally.cancelled.load(),
                      " cancelled, ", tally.expired.load(), " expired, ",
                      tally.dropped.load(), " dropped");
}

// Arguments: target, seed, name. Writes its summary and waits for the end of
// stdin, so that the server is not told of its calls by its death.
SHMRPC_TEST_ROLE(random_caller) {
  uint64_t seed = 0;
  if (!absl::SimpleAtoi(args.at(1), &seed)) return 2;
  Tally tally;
  CallAtRandom(args.at(0), seed, args.at(2), &tally);
  SendLine(Summary(tally));
  std::string line;
  while (ReceiveLine(&line)) {
  }
  const bool good =
      tally.wrong == 0 && tally.total() == kThreads * kCallsPerThread;
  return good && !::testing::Test::HasFailure() ? 0 : 1;
}

TEST(StreamStress, EveryCallAndEveryHandlerIsAccountedFor) {
  const uint64_t seed = Seed();
  std::cout << "SHMRPC_TEST_SEED=" << seed << std::endl;
  SCOPED_TRACE(absl::StrCat("SHMRPC_TEST_SEED=", seed));
  ScriptedServer server;
  std::vector<Subprocess> clients;
  for (int p = 1; p <= kProcesses; ++p) {
    clients.push_back(SpawnRole(
        "random_caller", {server.process.target(),
                          absl::StrCat(seed + static_cast<uint64_t>(p) * 1000),
                          absl::StrCat("process ", p)}));
  }
  Tally tally;
  CallAtRandom(server.process.target(), seed, "process 0", &tally);
  std::cout << Summary(tally) << ", " << (MappedBytes() >> 20) << " MiB mapped"
            << std::endl;
  EXPECT_EQ(tally.total(), kThreads * kCallsPerThread);
  EXPECT_EQ(tally.wrong, 0);
  for (const auto* count : {&tally.ok, &tally.failed, &tally.cancelled,
                            &tally.expired, &tally.dropped}) {
    EXPECT_GT(*count, 0);
  }
  for (Subprocess& client : clients) {
    std::cout << client.ReadLine(100).value_or("(no summary)") << std::endl;
  }
  // Every handler that began ends, although the clients all live.
  for (int p = 0; p <= kProcesses; ++p) {
    const HandlerScript name(absl::StrCat("process ", p));
    int64_t started = name.AwaitStart(server.observer.get(), 0).started();
    EXPECT_GT(started, 0);
    const HandlerReport report = name.AwaitEnd(server.observer.get(), started);
    EXPECT_EQ(report.started(), report.ended());
    std::cout << "process " << p << ": " << report.ended() << " handlers, "
              << report.cancelled() << " cancelled" << std::endl;
    // A call that was answered had a handler.
    if (p == 0) {
      EXPECT_GE(report.ended(), tally.ok + tally.failed);
      EXPECT_LE(report.ended(), kThreads * kCallsPerThread);
    }
  }
  for (Subprocess& client : clients) {
    client.CloseStdin();
    EXPECT_TRUE(client.Wait().ok());
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
