// Deadlines: what caller and handler see when one passes, or there is none.

#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/server_process.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr char kExpired[] = "Deadline Exceeded";

class Deadline : public ::testing::Test {
 protected:
  Deadline()
      : channel_(NewChannel(server_.target())),
        echo_(EchoService::NewStub(channel_)),
        probe_(Probe::NewStub(channel_)) {}

  // Another connection: what is asked over it waits for nothing on the first.
  std::unique_ptr<Probe::Stub> Observer() {
    return Probe::NewStub(NewChannel(server_.target()));
  }

  template <class TimePoint>
  Status Hold(const HoldRequest& request, TimePoint deadline,
              HoldReply* reply) {
    ClientContext context;
    context.set_deadline(deadline);
    return probe_->Hold(&context, request, reply);
  }

  ServerProcess server_;
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<EchoService::Stub> echo_;
  std::unique_ptr<Probe::Stub> probe_;
};

HoldRequest AtGate(const std::string& gate) {
  HoldRequest request;
  request.set_gate(gate);
  return request;
}

TEST_F(Deadline, PassedWhileServerHoldsTheCallIsDeadlineExceeded) {
  HoldReply reply;
  reply.set_payload("untouched");
  EXPECT_TRUE(Is(Hold(AtGate("shut"), FromNow(milliseconds(30)), &reply),
                 DEADLINE_EXCEEDED, kExpired));
  EXPECT_EQ(reply.payload(), "untouched");
}

TEST_F(Deadline, PassedIsSeenByHandler) {
  HoldRequest request = AtGate("cancel");
  request.set_until_cancelled(true);
  HoldReply reply;
  const auto observer = Observer();
  int64_t started = 0;
  // On a busy machine a call may be too late before its handler starts.
  while (started == 0) {
    EXPECT_TRUE(Is(Hold(request, FromNow(milliseconds(30)), &reply),
                   DEADLINE_EXCEEDED, kExpired));
    started = AwaitGate(observer.get(), "cancel", 0, 0, 0).started();
  }
  const GateCounts counts =
      AwaitGate(observer.get(), "cancel", started, started, started);
  EXPECT_EQ(counts.cancelled(), counts.started());
}

TEST_F(Deadline, OfSteadyClockWorksTheSame) {
  HoldReply reply;
  EXPECT_TRUE(
      Is(Hold(AtGate("shut"), steady_clock::now() + milliseconds(10), &reply),
         DEADLINE_EXCEEDED, kExpired));
}

TEST_F(Deadline, AlreadyPastNeverStartsHandler) {
  EXPECT_TRUE(EchoesBack(echo_.get(), "connected"));
  for (auto deadline :
       {FromNow(-milliseconds(1)), FromNow(-hours(24 * 365 * 60)),
        system_clock::time_point(), system_clock::time_point::min()}) {
    HoldReply reply;
    EXPECT_TRUE(Is(Hold(AtGate("past"), deadline, &reply), DEADLINE_EXCEEDED,
                   kExpired));
  }
  // Frames are taken in order, so what was sent before this was seen before.
  OpenGate(probe_.get(), "past");
  HoldReply reply;
  EXPECT_TRUE(IsOk(Hold(AtGate("past"), FromNow(hours(1)), &reply)));
  EXPECT_EQ(AwaitGate(probe_.get(), "past", 1).started(), 1);
}

TEST_F(Deadline, AlreadyPastBeforeConnectingIsDeadlineExceeded) {
  HoldReply reply;
  EXPECT_TRUE(Is(Hold(AtGate("past"), FromNow(-milliseconds(1)), &reply),
                 DEADLINE_EXCEEDED, kExpired));
}

TEST_F(Deadline, NoneIsInfinite) {
  ClientContext context;
  EXPECT_EQ(context.deadline(), system_clock::time_point::max());
  EchoReply reply;
  EXPECT_TRUE(IsOk(echo_->Echo(&context, EchoRequest(), &reply)));
  EXPECT_EQ(reply.deadline_remaining_ms(), -1);
}

TEST_F(Deadline, FarthestTimePointsAreInfinite) {
  ClientContext system, steady;
  system.set_deadline(system_clock::time_point::max());
  steady.set_deadline(steady_clock::time_point::max());
  for (ClientContext* context : {&system, &steady}) {
    EXPECT_EQ(context->deadline(), system_clock::time_point::max());
    EchoReply reply;
    EXPECT_TRUE(IsOk(echo_->Echo(context, EchoRequest(), &reply)));
    EXPECT_EQ(reply.deadline_remaining_ms(), -1);
  }
}

TEST_F(Deadline, TravelsToHandler) {
  ClientContext context;
  context.set_deadline(FromNow(hours(1)));
  EchoReply reply;
  EXPECT_TRUE(IsOk(echo_->Echo(&context, EchoRequest(), &reply)));
  EXPECT_GT(reply.deadline_remaining_ms(), 0);
  EXPECT_LE(reply.deadline_remaining_ms(), 3600 * 1000);
  EXPECT_FALSE(reply.was_cancelled());
}

TEST_F(Deadline, FarAwayTravelsToHandlerOrIsInfinite) {
  ClientContext context;
  context.set_deadline(FromNow(hours(24 * 365 * 50)));
  EchoReply reply;
  EXPECT_TRUE(IsOk(echo_->Echo(&context, EchoRequest(), &reply)));
  EXPECT_NE(reply.deadline_remaining_ms(), 0);
}

TEST_F(Deadline, StopsHandlerThatWatches) {
  EchoRequest request;
  request.set_sleep_ms(1000000);
  request.set_stop_when_cancelled(true);
  for (int i = 0; i < 5; ++i) {
    ClientContext context;
    context.set_deadline(FromNow(milliseconds(5)));
    EchoReply reply;
    EXPECT_TRUE(Is(echo_->Echo(&context, request, &reply), DEADLINE_EXCEEDED,
                   kExpired));
  }
  // The server ends, which it could not with a handler that still sleeps.
}

TEST_F(Deadline, OfOneCallLeavesOthersAlone) {
  Status held;
  HoldReply held_reply;
  std::thread holder([&] {
    ClientContext context;
    held = probe_->Hold(&context, AtGate("other"), &held_reply);
  });
  AwaitGate(Observer().get(), "other", 1);
  for (int i = 0; i < 20; ++i) {
    HoldReply reply;
    EXPECT_TRUE(Is(Hold(AtGate("shut"), FromNow(milliseconds(2)), &reply),
                   DEADLINE_EXCEEDED, kExpired));
    EXPECT_TRUE(EchoesBack(echo_.get(), "between"));
  }
  OpenGate(probe_.get(), "other");
  holder.join();
  EXPECT_TRUE(IsOk(held));
  EXPECT_FALSE(held_reply.cancelled());
}

TEST_F(Deadline, PassedInManyThreadsAtOnceIsSeenByEachAndEveryHandler) {
  constexpr int kThreads = 32;
  constexpr int kCalls = 4;
  std::atomic<int> expired{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) {
        HoldRequest request = AtGate("many");
        request.set_until_cancelled(true);
        HoldReply reply;
        const Status status =
            Hold(request, FromNow(milliseconds(20 + t)), &reply);
        EXPECT_TRUE(Is(status, DEADLINE_EXCEEDED, kExpired));
        if (status.error_code() == DEADLINE_EXCEEDED) ++expired;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(expired, kThreads * kCalls);
  // A call whose deadline passed on the way there need not have started; those
  // that started saw the cancel.
  auto observer = Observer();
  const int64_t started = AwaitGate(observer.get(), "many", 0).started();
  const GateCounts counts =
      AwaitGate(observer.get(), "many", 0, started, started);
  EXPECT_EQ(counts.cancelled(), counts.ended());
}

// Replies that nobody waits for any more when they are read. A server does not
// send one after the deadline, so this is a race: deadlines about as long as
// calls take, thousands of times.
TEST_F(Deadline, LateLargeRepliesAreGivenBack) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 800;
  constexpr int64_t kReplyBytes = 256 * 1024;
  std::atomic<int> ok{0};
  std::atomic<int> expired{0};
  const auto run = [&](int calls) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        int64_t usual_us = 1000;  // follows what calls take here and now
        for (int i = 0; i < calls; ++i) {
          EchoRequest request;
          request.set_reply_size_bytes(kReplyBytes);
          ClientContext context;
          context.set_deadline(
              FromNow(microseconds(random() % (2 * usual_us) + 1)));
          EchoReply reply;
          const Status status = echo_->Echo(&context, request, &reply);
          if (status.ok()) {
            EXPECT_EQ(reply.payload().size(), size_t{kReplyBytes});
            usual_us -= usual_us / 16;
            ++ok;
          } else {
            EXPECT_TRUE(Is(status, DEADLINE_EXCEEDED, kExpired));
            usual_us += usual_us / 16 + 1;
            ++expired;
          }
        }
      });
    }
    for (std::thread& t : threads) t.join();
    EXPECT_TRUE(EchoesBack(echo_.get(), "collects what came too late"));
  };
  run(50);
  const uint64_t before = MappedBytes();
  run(kCalls);
  EXPECT_GT(ok, 100);
  EXPECT_GT(expired, 100);
  // What is under way at one time, and holes between; not one for each call.
  EXPECT_LT(MappedBytes(), before + 64 * 1024 * 1024);
  // And the server has its blocks back: it need not wait for them to end.
}

TEST_F(Deadline, LateLargeRequestsAreGivenBack) {
  EchoRequest request;
  request.set_payload(std::string(64 * 1024, 'r'));
  request.set_sleep_ms(1000000);
  request.set_stop_when_cancelled(true);
  const auto run = [&](int calls) {
    for (int i = 0; i < calls; ++i) {
      ClientContext context;
      context.set_deadline(FromNow(milliseconds(1)));
      EchoReply reply;
      EXPECT_TRUE(Is(echo_->Echo(&context, request, &reply), DEADLINE_EXCEEDED,
                     kExpired));
      // A busy machine's server may be many calls behind: lets it catch up.
      if (i % 20 == 19) {
        EXPECT_TRUE(EchoesBack(echo_.get(), "comes after all of them"));
      }
    }
  };
  run(20);
  const uint64_t before = MappedBytes();
  run(1000);
  EXPECT_LT(MappedBytes(), before + 16 * 1024 * 1024);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
