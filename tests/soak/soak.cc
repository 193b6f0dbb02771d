#include "tests/soak/soak.h"

#include <algorithm>
#include <iostream>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/support/server_name.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr char kResident[] = "resident";
// Clients that come and go send less: what all send at once has to fit.
constexpr int kComingBits = 24;
// A line of a client; longer than a call may hang, which it says itself.
constexpr int kLineSeconds = 180;
// Before the end of a client or server that nothing would end otherwise.
constexpr int kSpareSeconds = 600;

std::chrono::microseconds UpTo(std::mt19937_64* random, int64_t us) {
  return std::chrono::microseconds((*random)() % static_cast<uint64_t>(us));
}

Subprocess::Environment EnvironmentFor(const SoakOptions& options) {
  return {
      {"SHMRPC_TEST_ROLE_SECONDS",
       absl::StrCat(options.seconds * 3 + kSpareSeconds)},
      // glibc otherwise learns to keep up to 64 MiB in each of its arenas,
      // which would hide a leak. (Given one, it learns neither.)
      {"MALLOC_TRIM_THRESHOLD_", "131072"},
      {"MALLOC_MMAP_THRESHOLD_", "131072"},
  };
}

// A server keeps the messages of its last large calls (docs/architecture.md,
// "What is kept"). Afterwards these are the smallest that it keeps.
void MakeItKeepLittle(const std::string& target) {
  constexpr int kCalls = 600;
  auto stub = Scripted::NewStub(NewChannel(target));
  const Item request = ItemOf(70000);
  for (int i = 0; i < kCalls; ++i) {
    HandlerScript script("keep");
    ClientContext context;
    script.AddTo(&context);
    Item response;
    EXPECT_TRUE(IsOk(stub->Unary(&context, request, &response)));
  }
}

}  // namespace

Soak::Soak(const SoakOptions& options)
    : options_(options),
      environment_(EnvironmentFor(options)),
      begin_(Clock::now()),
      random_(options.seed),
      server_(NewTarget(), environment_),
      other_(NewTarget(), environment_),
      resident_(std::make_unique<Subprocess>(
          StartClient(kResident, random_(), options.largest_bits))),
      server_flat_("the server", options.limits),
      resident_flat_("the client that stays", options.limits) {}

Soak::~Soak() = default;

double Soak::Second() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

Subprocess Soak::StartClient(const std::string& name, uint64_t seed,
                             int largest_bits) {
  return SpawnRole("soak_client",
                   {name, absl::StrCat(seed), absl::StrCat(largest_bits),
                    server_.target(), other_.target()},
                   environment_);
}

void Soak::Wrong(std::string what) {
  absl::MutexLock lock(&mutex_);
  wrong_.push_back(std::move(what));
}

void Soak::Run() {
  // A minute each, but some even in a short run.
  const int rounds = std::max(3, options_.seconds / 60);
  const auto length = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(options_.seconds) / (rounds + 1));
  for (int i = 0; i <= rounds && wrong_.empty(); ++i) {
    RunRound(length);
    Rest();
  }
  resident_->CloseStdin();
  if (!resident_->Wait(kLineSeconds).ok()) {
    Wrong("the client that stays did not end with 0");
  }
  int64_t ended = 0;
  server_.CountHandlers(&handlers_, &ended);
  for (SoakServer* server : {&server_, &other_}) {
    server->End();
    for (std::string& what : server->wrong()) Wrong(std::move(what));
  }
  for (const Flatness* flat : {&server_flat_, &resident_flat_}) {
    for (std::string& what : flat->Complaints()) Wrong(std::move(what));
  }
}

void Soak::RunRound(Clock::duration length) {
  round_end_ = Clock::now() + length;
  std::vector<std::thread> threads;
  threads.emplace_back([this] { ResidentRound(); });
  for (int i = 0; i < options_.coming_clients; ++i) {
    threads.emplace_back([this, seed = random_()] { ComeAndGo(seed); });
  }
  threads.emplace_back([this, seed = random_()] { RestartNowAndThen(seed); });
  for (std::thread& thread : threads) thread.join();
}

void Soak::Rest() {
  // Removes the names that those who were killed have left.
  other_.Restart(Stop::kShutDown, 0);
  MakeItKeepLittle(server_.target());
  const Consumption server =
      Settled(server_flat_, [this] { return server_.Look(); });
  server_flat_.Add(Second(), server);
  std::cout << absl::StreamFormat("at %.0f s, %d calls: ", Second(),
                                  tally_.total())
            << server << std::endl;
  resident_flat_.Add(
      Second(), Settled(resident_flat_, [this] { return LookAtResident(); }));
}

// The end of the last connection may still be on its way: everything is given
// back when there is nothing that was not there before, and two looks in a row
// agree. If that never comes, Flatness complains.
Consumption Soak::Settled(const Flatness& flat,
                          const std::function<Consumption()>& look) {
  Consumption now = look();
  for (const auto end = Clock::now() + std::chrono::minutes(1);
       Clock::now() < end;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const Consumption before = std::exchange(now, look());
    if (flat.IsBack(now.footprint) && now.footprint == before.footprint) break;
  }
  return now;
}

Consumption Soak::LookAtResident() {
  resident_->WriteLine("look");
  const std::string line =
      resident_->ReadLine(kLineSeconds).value_or("(it has ended)");
  absl::string_view rest = line;
  Consumption consumption;
  if (!absl::ConsumePrefix(&rest, "resting ") || !consumption.FromLine(rest)) {
    Wrong(absl::StrCat("the client that stays, asked what it has: ", line));
  }
  return consumption;
}

bool Soak::Take(const std::string& line, bool cut_off) {
  absl::string_view rest = line;
  absl::MutexLock lock(&mutex_);
  Tally tally;
  if (absl::ConsumePrefix(&rest, "session ") && tally.FromLine(rest)) {
    tally_.Add(tally);
    return true;
  }
  // A line of a client that was killed may lack its end.
  if (absl::ConsumePrefix(&rest, "wrong ") || !cut_off) {
    wrong_.push_back(std::string(rest));
  }
  return false;
}

void Soak::ResidentRound() {
  // It began by itself in the first round.
  if (std::exchange(resident_rests_, false)) resident_->WriteLine("on");
  while (const auto line = resident_->ReadLine(kLineSeconds)) {
    if (absl::StartsWith(*line, "resting ")) {
      resident_rests_ = true;
      return;
    }
    if (Take(*line, false)) resident_->WriteLine(Over() ? "rest" : "on");
  }
  Wrong("the client that stays has ended");
}

void Soak::ComeAndGo(uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!Over()) OneClient(&random);
}

void Soak::OneClient(std::mt19937_64* random) {
  std::string name;
  {
    absl::MutexLock lock(&mutex_);
    name = absl::StrCat("client", ++next_client_);
  }
  const Life life = static_cast<Life>((*random)() % 3);
  int sessions = 1 + static_cast<int>((*random)() % 6);
  Subprocess client = StartClient(name, (*random)(),
                                  std::min(kComingBits, options_.largest_bits));
  bool ending = false;  // as its life says
  while (const auto line = client.ReadLine(kLineSeconds)) {
    if (absl::StartsWith(*line, "resting ")) {
      client.CloseStdin();
      continue;
    }
    if (!Take(*line, ending)) continue;
    if (ending) {
      client.WriteLine("on");
    } else if (Over() || (--sessions <= 0 && life == Life::kPeace)) {
      client.WriteLine("rest");
    } else if (sessions > 0) {
      client.WriteLine("on");
    } else if (life == Life::kExit) {
      ending = true;
      client.WriteLine(absl::StrCat((*random)() % 2 == 0 ? "quit " : "exit ",
                                    UpTo(random, 100000).count()));
    } else {
      ending = true;
      client.WriteLine("on");
      std::this_thread::sleep_for(UpTo(random, 100000));  // the random moment
      client.Kill();
    }
  }
  const ExitStatus status = client.Wait(kLineSeconds);
  const bool killed = ending && life == Life::kKill;
  if (!killed && !status.ok()) {
    Wrong(absl::StrCat(name, " ended with exit code ", status.code, ", signal ",
                       status.signal));
  }
  for (SoakServer* server : {&server_, &other_}) server->Forget(name);
  absl::MutexLock lock(&mutex_);
  ++lives_.clients;
  ++(killed ? lives_.killed : ending ? lives_.exited : lives_.in_peace);
}

void Soak::RestartNowAndThen(uint64_t seed) {
  std::mt19937_64 random(seed);
  while (true) {
    // A few times in a short round, every few seconds in a long one.
    const auto left = round_end_ - Clock::now();
    const auto pause = std::min<Clock::duration>(
        left / 2, std::chrono::milliseconds(500) + UpTo(&random, 8000000));
    if (pause < std::chrono::milliseconds(100)) return;
    std::this_thread::sleep_for(pause);
    const Stop stop = static_cast<Stop>(random() % 3);
    other_.Restart(stop, static_cast<int>(random() % 300));
    absl::MutexLock lock(&mutex_);
    ++(stop == Stop::kKill ? lives_.server_kills : lives_.server_shutdowns);
  }
}

std::string Soak::Report() const {
  return absl::StrFormat(
      "%s\n"
      "soak: %d calls in %d sessions (%d across a restart), %d found in the "
      "server's books\n"
      "  %.1f MiB of payloads, %d handlers of the server that stayed\n"
      "  %d clients: %d ended in peace, %d exited in their calls, %d killed\n"
      "  the other server: %d times killed, %d times shut down\n"
      "  %s\n  %s\n"
      "soak: %d wrong, %.0f s, SHMRPC_TEST_SEED=%d",
      tally_.ToTable(), tally_.total(), tally_.sessions, tally_.interrupted,
      tally_.settled, static_cast<double>(tally_.bytes) / (1 << 20), handlers_,
      lives_.clients, lives_.in_peace, lives_.exited, lives_.killed,
      lives_.server_kills, lives_.server_shutdowns, server_flat_.Report(),
      resident_flat_.Report(), wrong_.size(), Second(), options_.seed);
}

}  // namespace testing
}  // namespace shmrpc
