// A channel's states against servers that are there, are not, come back, close
// and die. Attempts count themselves; those that must not end by themselves are
// fakes.

#include "transport/rpc/connector.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/time.h"
#include "transport/link/accept.h"
#include "transport/link/lobby.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace internal {
namespace {

using ::shmrpc::testing::Notification;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;
using ::testing::HasSubstr;

constexpr int64_t kMillisecondNs = 1000 * 1000;
constexpr int64_t kHourNs = 3600 * 1000 * kMillisecondNs;

int64_t In(int64_t ms) {
  return platform::MonotonicNowNs() + ms * kMillisecondNs;
}

// Accepts connections and does nothing with them.
class Server {
 public:
  explicit Server(const link::Address& address) {
    auto lobby = link::Lobby::Create({address}, {});
    EXPECT_TRUE(lobby.ok()) << lobby.status();
    lobby_ = *std::move(lobby);
    acceptor_ = std::make_unique<link::Acceptor>(
        lobby_.get(), [this](link::Acceptor::Accepted accepted) {
          absl::MutexLock lock(&mutex_);
          if (accepted.connection != nullptr) {
            connections_.push_back(std::move(accepted.connection));
          }
          return absl::OkStatus();
        });
  }

  ~Server() { CloseConnections(); }

  // The client may know of its connection earlier.
  void AwaitConnection() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Server::HasConnection));
  }

  void CloseConnections() {
    absl::MutexLock lock(&mutex_);
    for (const auto& connection : connections_) connection->Close();
  }

 private:
  bool HasConnection() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !connections_.empty();
  }

  std::unique_ptr<link::Lobby> lobby_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<link::Connection>> connections_
      ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<link::Acceptor> acceptor_;
};

SHMRPC_TEST_ROLE(server) {
  const Server server({platform::Scope::kLocal, args[0]});
  ::shmrpc::testing::SendLine("ready");
  std::string line;
  while (::shmrpc::testing::ReceiveLine(&line)) {
  }
  return 0;
}

class ConnectorTest : public ::testing::Test {
 protected:
  // No second attempt within any test's time, unless a call makes it.
  static Connector::Options Seldom() {
    Connector::Options options;
    options.backoff = {kHourNs, kHourNs, kHourNs};
    return options;
  }

  static Connector::Options Often() {
    Connector::Options options;
    options.backoff = {kMillisecondNs, 0, kMillisecondNs};
    return options;
  }

  std::unique_ptr<Connector> NewConnector(const Connector::Options& options) {
    return NewConnector(options, [](int) {});
  }

  // `before` runs at the beginning of each attempt and is told its number, from
  // 1.
  std::unique_ptr<Connector> NewConnector(const Connector::Options& options,
                                          std::function<void(int)> before) {
    return std::make_unique<Connector>(
        address_.ToString(),
        [this, before](link::ConnectOptions options) {
          before(++attempts_);
          options.on_server_death = [this, on_end = options.on_server_death] {
            on_end();
            ended_.Notify();
          };
          return ClientConnection::Connect(address_, std::move(options));
        },
        options);
  }

  static absl::StatusOr<Connector::Connection> Get(Connector* connector) {
    return connector->Get(kInfiniteFutureNs, false, nullptr);
  }

  // As Channel::WaitForConnected.
  static void AwaitReady(Connector* connector) {
    grpc_connectivity_state state;
    while ((state = connector->State(true)) != GRPC_CHANNEL_READY) {
      connector->WaitForChange(state, kInfiniteFutureNs);
    }
  }

  // Returns once no attempt is made any more; never, if they go on.
  static void AwaitQuiet(Connector* connector) {
    while (connector->WaitForChange(connector->State(false), In(50))) {
    }
  }

  Watchdog dog_{120, "connector"};
  const link::Address address_{platform::Scope::kLocal,
                               UniqueName("test.connector")};
  std::atomic<int> attempts_{0};
  Notification ended_;
};

TEST_F(ConnectorTest, NobodyAskedIsIdleAndDoesNothing) {
  const Server server(address_);
  const auto connector = NewConnector(Often());
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_IDLE);
  EXPECT_FALSE(connector->WaitForChange(GRPC_CHANNEL_IDLE, In(20)));
  EXPECT_TRUE(connector->WaitForChange(GRPC_CHANNEL_READY, kInfiniteFutureNs));
  EXPECT_EQ(attempts_, 0);
}

TEST_F(ConnectorTest, GetConnectsOnceAndIsReady) {
  const Server server(address_);
  Connector* raw = nullptr;
  grpc_connectivity_state during = GRPC_CHANNEL_IDLE;
  const auto connector =
      NewConnector(Seldom(), [&](int) { during = raw->State(false); });
  raw = connector.get();
  const auto first = Get(raw);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(during, GRPC_CHANNEL_CONNECTING);
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_READY);
  const auto second = Get(raw);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(attempts_, 1);
}

TEST_F(ConnectorTest, BorrowedConnectionOutlivesItsLoss) {
  Server server(address_);
  const auto connector = NewConnector(Seldom());
  EXPECT_EQ(connector->Borrow(), nullptr) << "nobody has connected yet";
  std::weak_ptr<ClientConnection> first;
  {
    const auto got = Get(connector.get());
    ASSERT_TRUE(got.ok()) << got.status();
    first = *got;
  }
  ClientConnection* const borrowed = connector->Borrow();
  EXPECT_EQ(borrowed, first.lock().get());
  EXPECT_EQ(connector->Borrow(), borrowed);
  connector->Return();
  server.AwaitConnection();
  server.CloseConnections();
  EXPECT_EQ(connector->Borrow(), nullptr) << "it is lost";
  const auto second = Get(connector.get());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(connector->Borrow(), nullptr) << "or the lost one might stay";
  EXPECT_FALSE(first.expired()) << "one that is borrowed";
  connector->Return();
  EXPECT_TRUE(first.expired());
  EXPECT_EQ(connector->Borrow(), second->get());
  connector->Return();
}

TEST_F(ConnectorTest, OneThreadConnectsForAll) {
  const Server server(address_);
  Notification joined;
  const auto connector = NewConnector(Seldom(), [&](int) { joined.Wait(); });
  std::thread first([&] { EXPECT_TRUE(Get(connector.get()).ok()); });
  connector->WaitForChange(GRPC_CHANNEL_IDLE, kInfiniteFutureNs);
  std::thread second([&] { EXPECT_TRUE(Get(connector.get()).ok()); });
  joined.Notify();
  first.join();
  second.join();
  EXPECT_EQ(attempts_, 1);
}

TEST_F(ConnectorTest, FailedGetSaysWhyAndIsATransientFailure) {
  const auto connector = NewConnector(Often());
  EXPECT_THAT(std::string(Get(connector.get()).status().message()),
              HasSubstr(address_.name));
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_TRANSIENT_FAILURE);
  // No thread: nobody waits.
  EXPECT_FALSE(
      connector->WaitForChange(GRPC_CHANNEL_TRANSIENT_FAILURE, In(50)));
  EXPECT_EQ(attempts_, 1);
}

TEST_F(ConnectorTest, GetTriesAtOnceDuringBackoff) {
  const auto connector = NewConnector(Seldom());
  connector->State(true);
  connector->WaitForChange(GRPC_CHANNEL_IDLE, kInfiniteFutureNs);
  EXPECT_FALSE(Get(connector.get()).ok());
  const int attempts = attempts_;
  EXPECT_FALSE(Get(connector.get()).ok());
  EXPECT_EQ(attempts_, attempts + 1);
  const Server server(address_);
  EXPECT_TRUE(Get(connector.get()).ok());
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_READY);
}

TEST_F(ConnectorTest, FailureOfAnAttemptFromBeforeTheCallIsNoAnswer) {
  Notification release;
  std::unique_ptr<Server> server;
  auto connector = std::make_unique<Connector>(
      address_.ToString(),
      [&](link::ConnectOptions options)
          -> absl::StatusOr<Connector::Connection> {
        if (++attempts_ == 1) {
          release.Wait();
          return absl::NotFoundError("there was no server then");
        }
        return ClientConnection::Connect(address_, std::move(options));
      },
      Seldom());
  std::thread before([&] { EXPECT_FALSE(Get(connector.get()).ok()); });
  connector->WaitForChange(GRPC_CHANNEL_IDLE, kInfiniteFutureNs);
  server = std::make_unique<Server>(address_);
  std::thread after([&] { EXPECT_TRUE(Get(connector.get()).ok()); });
  // Time for the second call to join the attempt.
  connector->WaitForChange(GRPC_CHANNEL_CONNECTING, In(20));
  release.Notify();
  before.join();
  after.join();
  EXPECT_EQ(attempts_, 2);
}

TEST_F(ConnectorTest, AskedForItConnectsInTheBackground) {
  const Server server(address_);
  const auto connector = NewConnector(Seldom());
  EXPECT_EQ(connector->State(true), GRPC_CHANNEL_IDLE);
  AwaitReady(connector.get());
  EXPECT_EQ(attempts_, 1);
}

TEST_F(ConnectorTest,
       AskedForItWithoutAThreadIsATransientFailureUntilItHasOne) {
  const Server server(address_);
  // The system starts the third one.
  int asked = 0;
  Connector::Options options = Often();
  options.start_thread = [&](std::function<void()> run) {
    if (++asked < 3) {
      throw std::system_error(
          std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    return std::thread(std::move(run));
  };
  const auto connector = NewConnector(options);
  EXPECT_EQ(connector->State(true), GRPC_CHANNEL_IDLE);
  grpc_connectivity_state state = connector->State(false);
  ASSERT_EQ(state, GRPC_CHANNEL_TRANSIENT_FAILURE);
  EXPECT_EQ(attempts_, 0);
  // Whoever waits need not ask again.
  for (; state != GRPC_CHANNEL_READY; state = connector->State(false)) {
    EXPECT_TRUE(connector->WaitForChange(state, kInfiniteFutureNs));
  }
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(attempts_, 1);
}

TEST_F(ConnectorTest, AskedForItTriesUntilTheServerIsThere) {
  Notification some;
  const auto connector = NewConnector(Often(), [&](int number) {
    if (number == 5) some.Notify();
  });
  EXPECT_EQ(connector->State(true), GRPC_CHANNEL_IDLE);
  some.Wait();
  const Server server(address_);
  AwaitReady(connector.get());
  EXPECT_GE(attempts_, 5);
  AwaitQuiet(connector.get());
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_READY);
}

TEST_F(ConnectorTest, PausesAreAsLongAsTheArgumentsSay) {
  ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 20);
  Connector::Options options;
  options.backoff = BackoffFromArguments(arguments);
  Notification enough;
  std::vector<int64_t> times_ns;
  const auto connector = NewConnector(options, [&](int number) {
    if (number <= 4) times_ns.push_back(platform::MonotonicNowNs());
    if (number == 4) enough.Notify();
  });
  connector->State(true);
  enough.Wait();
  for (size_t i = 1; i < times_ns.size(); ++i) {
    EXPECT_GE(times_ns[i] - times_ns[i - 1], 20 * kMillisecondNs);
  }
}

TEST_F(ConnectorTest, WaitForReadySucceedsWhenTheServerComes) {
  Notification waiting;
  const auto connector = NewConnector(Often(), [&](int number) {
    if (number == 3) waiting.Notify();
  });
  std::thread caller([&] {
    const auto connection = connector->Get(kInfiniteFutureNs, true, nullptr);
    ASSERT_TRUE(connection.ok()) << connection.status();
    EXPECT_TRUE((*connection)->usable());
  });
  waiting.Wait();
  const Server server(address_);
  caller.join();
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_READY);
}

TEST_F(ConnectorTest, WaitForReadyEndsAtTheDeadlineAndThenNobodyTries) {
  const auto connector = NewConnector(Often());
  const int64_t deadline_ns = In(30);
  EXPECT_EQ(connector->Get(deadline_ns, true, nullptr).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(platform::MonotonicNowNs(), deadline_ns);
  AwaitQuiet(connector.get());
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_TRANSIENT_FAILURE);
}

TEST_F(ConnectorTest, CancelEndsWaitForReady) {
  Notification waiting;
  const auto connector = NewConnector(Often(), [&](int number) {
    if (number == 3) waiting.Notify();
  });
  CancelSlot slot;
  std::thread caller([&] {
    EXPECT_EQ(connector->Get(kInfiniteFutureNs, true, &slot).status().code(),
              absl::StatusCode::kCancelled);
  });
  waiting.Wait();
  slot.Request();
  caller.join();
  AwaitQuiet(connector.get());
}

TEST_F(ConnectorTest, CancelBeforeMakesNoAttempt) {
  const Server server(address_);
  const auto connector = NewConnector(Seldom());
  CancelSlot slot;
  slot.Request();
  EXPECT_EQ(connector->Get(kInfiniteFutureNs, false, &slot).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(attempts_, 0);
}

TEST_F(ConnectorTest, CancelEndsTheWaitForAnothersAttempt) {
  Notification release;
  const auto connector = NewConnector(Seldom(), [&](int) { release.Wait(); });
  std::thread first([&] { EXPECT_FALSE(Get(connector.get()).ok()); });
  connector->WaitForChange(GRPC_CHANNEL_IDLE, kInfiniteFutureNs);
  CancelSlot slot;
  std::thread second([&] {
    EXPECT_EQ(connector->Get(kInfiniteFutureNs, false, &slot).status().code(),
              absl::StatusCode::kCancelled);
  });
  // Time for the second call to join the attempt.
  connector->WaitForChange(GRPC_CHANNEL_CONNECTING, In(20));
  slot.Request();
  second.join();
  release.Notify();
  first.join();
  EXPECT_EQ(attempts_, 1);
}

TEST_F(ConnectorTest, DeadlineEndsTheWaitForAnothersAttempt) {
  Notification release;
  const auto connector = NewConnector(Seldom(), [&](int) { release.Wait(); });
  std::thread first([&] { EXPECT_FALSE(Get(connector.get()).ok()); });
  connector->WaitForChange(GRPC_CHANNEL_IDLE, kInfiniteFutureNs);
  EXPECT_EQ(connector->Get(In(10), false, nullptr).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  release.Notify();
  first.join();
}

TEST_F(ConnectorTest, CancelEndsTheHandshakeWithASilentServer) {
  auto lobby = link::Lobby::Create({address_}, {});
  ASSERT_TRUE(lobby.ok()) << lobby.status();
  const auto connector = NewConnector(Seldom());
  CancelSlot slot;
  std::thread caller([&] {
    EXPECT_EQ(connector->Get(kInfiniteFutureNs, false, &slot).status().code(),
              absl::StatusCode::kCancelled);
  });
  connector->WaitForChange(GRPC_CHANNEL_IDLE, kInfiniteFutureNs);
  // Time to offer the connection.
  connector->WaitForChange(GRPC_CHANNEL_CONNECTING, In(20));
  slot.Request();
  caller.join();
  // An attempt that was given up says nothing of the server.
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_IDLE);
}

TEST_F(ConnectorTest, SilentServerIsATransientFailureAtTheDeadline) {
  auto lobby = link::Lobby::Create({address_}, {});
  ASSERT_TRUE(lobby.ok()) << lobby.status();
  const auto connector = NewConnector(Seldom());
  EXPECT_EQ(connector->Get(In(20), false, nullptr).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_TRANSIENT_FAILURE);
}

TEST_F(ConnectorTest, DestructorEndsTheThreadsAttempt) {
  Notification begun;
  auto connector = std::make_unique<Connector>(
      "shm:fake",
      [&](const link::ConnectOptions& options)
          -> absl::StatusOr<Connector::Connection> {
        begun.Notify();
        while (!options.cancel->cancelled()) std::this_thread::yield();
        return absl::CancelledError("");
      },
      Seldom());
  connector->State(true);
  begun.Wait();
  connector = nullptr;
}

TEST_F(ConnectorTest, DestructorEndsTheThreadsPause) {
  const auto connector = NewConnector(Seldom());
  connector->State(true);
  while (connector->State(false) != GRPC_CHANNEL_TRANSIENT_FAILURE) {
    connector->WaitForChange(GRPC_CHANNEL_IDLE, kInfiniteFutureNs);
  }
}

TEST_F(ConnectorTest, LivingServerThatClosesIsIdleAndTheNextGetReconnects) {
  Server server(address_);
  const auto connector = NewConnector(Seldom());
  const auto first = Get(connector.get());
  ASSERT_TRUE(first.ok()) << first.status();
  Notification watching;
  std::thread watcher([&] {
    watching.Notify();
    EXPECT_TRUE(
        connector->WaitForChange(GRPC_CHANNEL_READY, kInfiniteFutureNs));
  });
  watching.Wait();
  // Time for the watcher to fall asleep.
  EXPECT_FALSE(connector->WaitForChange(GRPC_CHANNEL_READY, In(20)));
  server.CloseConnections();
  watcher.join();
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_IDLE);
  const auto second = Get(connector.get());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(*first, *second);
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_READY);
}

TEST_F(ConnectorTest, DeathOfTheServerIsSeenAndItsSuccessorIsFound) {
  Subprocess child = SpawnRole("server", {address_.name});
  ASSERT_EQ(child.ReadLine(), "ready");
  Connector::Options options = Seldom();
  options.look_ns = kInfiniteFutureNs;  // nobody looks: it is told
  const auto connector = NewConnector(options);
  ASSERT_TRUE(Get(connector.get()).ok());
  Notification watching;
  std::thread watcher([&] {
    watching.Notify();
    EXPECT_TRUE(
        connector->WaitForChange(GRPC_CHANNEL_READY, kInfiniteFutureNs));
  });
  watching.Wait();
  // Time for the watcher to fall asleep.
  EXPECT_FALSE(connector->WaitForChange(GRPC_CHANNEL_READY, In(20)));
  child.Kill();
  ended_.Wait();
  watcher.join();
  child.Wait();
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_IDLE);
  EXPECT_FALSE(Get(connector.get()).ok());
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_TRANSIENT_FAILURE);
  const Server successor(address_);
  EXPECT_TRUE(Get(connector.get()).ok());
  EXPECT_EQ(connector->State(false), GRPC_CHANNEL_READY);
}

TEST_F(ConnectorTest, ConnectionOutlivesTheConnector) {
  Subprocess child = SpawnRole("server", {address_.name});
  ASSERT_EQ(child.ReadLine(), "ready");
  auto connector = NewConnector(Seldom());
  auto connection = Get(connector.get());
  ASSERT_TRUE(connection.ok()) << connection.status();
  connector = nullptr;
  child.Kill();
  ended_.Wait();
  EXPECT_FALSE((*connection)->usable());
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
