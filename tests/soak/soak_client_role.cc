// The role "soak_client": sessions without end, in two lanes at a time.
//
// Arguments: name, seed, largest payload as a power of two, and the targets,
// the first of which nobody restarts.
//
// Lines it writes:
//   session TALLY       a session is over; waits for an answer:
//     on                  the lane goes on with another session
//     rest                it does not
//     quit US             goes on; the process ends so many us later, by _Exit
//     exit US             the same by exit
//   wrong TEXT          something that should not be
//   resting CONSUMPTION no lane runs; goes on when told "on", says it
//                       again when told "look", and ends with 0 at the
//                       end of its stdin

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "tests/soak/call_watch.h"
#include "tests/soak/consumption.h"
#include "tests/soak/session.h"
#include "tests/soak/tally.h"
#include "transport/platform/testing/role.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr int kLanes = 2;

CallMix MixUpTo(int largest_bits) {
  CallMix mix;
  mix.size_bits = std::min(15, largest_bits);
  mix.large_bits = largest_bits;
  mix.large_one_in = 25;
  mix.many_one_in = 30;
  mix.pauses_one_in = 10;
  mix.held_one_in = 8;
  mix.throws_one_in = 20;
  mix.far_deadline_one_in = 4;
  mix.ready_one_in = 10;
  mix.metadata_one_in = 6;
  return mix;
}

// Ends the process in the middle of what it does.
void EndSoon(int64_t us, bool at_once) {
  std::thread([us, at_once] {
    std::this_thread::sleep_for(std::chrono::microseconds(us));
    if (at_once) std::_Exit(0);
    std::exit(0);
  }).detach();
}

class SoakClient {
 public:
  explicit SoakClient(const RoleArgs& args)
      : name_(args.at(0)), targets_(args.begin() + 3, args.end()) {
    uint64_t seed = 0;
    int largest_bits = 0;
    if (!absl::SimpleAtoi(args.at(1), &seed) ||
        !absl::SimpleAtoi(args.at(2), &largest_bits)) {
      std::abort();
    }
    random_.seed(seed);
    mix_ = MixUpTo(largest_bits);
  }

  void RunLanes() {
    std::vector<std::thread> lanes;
    for (int i = 0; i < kLanes; ++i) {
      lanes.emplace_back([this] {
        do {
        } while (RunOneSession());
      });
    }
    for (std::thread& lane : lanes) lane.join();
  }

 private:
  SessionPlan NextPlan() {
    std::lock_guard<std::mutex> lock(mutex_);
    SessionPlan plan;
    const size_t target = random_() % 3 == 0 ? random_() % targets_.size() : 0;
    plan.target = targets_[target];
    plan.may_be_interrupted = target != 0;
    plan.name = absl::StrCat(name_, ".", ++sessions_);
    plan.seed = random_();
    plan.threads = 1 + static_cast<int>(random_() % 4);
    plan.calls = 5 + static_cast<int>(random_() % 30);
    plan.mix = mix_;
    return plan;
  }

  // False: was told to rest.
  bool RunOneSession() {
    std::vector<std::string> wrong;
    const Tally tally = RunSession(NextPlan(), &watch_, &wrong);
    std::lock_guard<std::mutex> lock(mutex_);
    for (const std::string& what : wrong) {
      SendLine(
          absl::StrCat("wrong ", absl::StrReplaceAll(what, {{"\n", " "}})));
    }
    SendLine(absl::StrCat("session ", tally.ToLine()));
    std::string answer;
    ReceiveLine(&answer);
    absl::string_view rest = answer;
    const bool at_once = absl::ConsumePrefix(&rest, "quit ");
    if (at_once || absl::ConsumePrefix(&rest, "exit ")) {
      int64_t us = 0;
      if (absl::SimpleAtoi(rest, &us)) EndSoon(us, at_once);
      return true;
    }
    return answer == "on";
  }

  const std::string name_;
  const std::vector<std::string> targets_;
  CallMix mix_;
  CallWatch watch_;
  std::mutex mutex_;  // of all below, and of the lines
  std::mt19937_64 random_;
  int64_t sessions_ = 0;
};

SHMRPC_TEST_ROLE(soak_client) {
  SoakClient client(args);
  std::string answer;
  do {
    if (answer != "look") client.RunLanes();
    SendLine(absl::StrCat("resting ", OwnConsumption().ToLine()));
  } while (ReceiveLine(&answer));
  return 0;
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
