// gRPC's default health service, checked and watched by clients.

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/health.shmrpc.pb.h"
#include "tests/support/client.h"
#include "tests/support/echo_service.h"
#include "tests/support/log_capture.h"
#include "tests/support/server_name.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

// Arguments: the target, the number of threads for handlers. Lines it reads:
// "set SERVICE", "clear SERVICE", "set all", "clear all", "health shutdown",
// "shutdown"; it answers each with "done". Ends when its stdin does.
SHMRPC_TEST_ROLE(health_server) {
  EnableDefaultHealthCheckService(true);
  ServerBuilder builder;
  builder.AddListeningPort(args.at(0), InsecureServerCredentials());
  builder.SetMaxThreads(std::stoi(args.at(1)));
  const std::unique_ptr<Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  HealthCheckServiceInterface* health = server->GetHealthCheckService();
  if (health == nullptr) return 2;
  SendLine("ready");
  std::string line;
  while (ReceiveLine(&line)) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (line == "shutdown") {
      server->Shutdown();
    } else if (line == "health shutdown") {
      health->Shutdown();
    } else if (words[1] == "all") {
      health->SetServingStatus(words[0] == "set");
    } else {
      health->SetServingStatus(words[1], words[0] == "set");
    }
    SendLine("done");
  }
  return 0;
}

class HealthServer {
 public:
  explicit HealthServer(int max_threads = 100)
      : target_(NewTarget()),
        process_(SpawnRole("health_server",
                           {target_, std::to_string(max_threads)})) {
    EXPECT_EQ(process_.ReadLine(), "ready");
  }
  ~HealthServer() {
    process_.CloseStdin();
    EXPECT_TRUE(process_.Wait().ok());
  }

  const std::string& target() const { return target_; }
  std::unique_ptr<Health::Stub> NewStub() const {
    return Health::NewStub(NewChannel(target_));
  }
  void Do(const std::string& line) {
    EXPECT_TRUE(process_.WriteLine(line));
    EXPECT_EQ(process_.ReadLine(), "done");
  }

 private:
  const std::string target_;
  Subprocess process_;
};

HealthCheckRequest RequestOf(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request;
}

HealthCheckResponse::ServingStatus Check(Health::Stub* stub,
                                         const std::string& service) {
  ClientContext context;
  HealthCheckResponse response;
  EXPECT_TRUE(IsOk(stub->Check(&context, RequestOf(service), &response)));
  return response.status();
}

// A watch, as the client has it.
class Watch {
 public:
  Watch(Health::Stub* stub, const std::string& service)
      : reader_(stub->Watch(&context_, RequestOf(service))) {}
  // With a deadline.
  Watch(Health::Stub* stub, const std::string& service,
        std::chrono::milliseconds time)
      : reader_((context_.set_deadline(FromNow(time)),
                 stub->Watch(&context_, RequestOf(service)))) {}

  // The next status; -1: there is none.
  int Next() {
    HealthCheckResponse response;
    return reader_->Read(&response) ? response.status() : -1;
  }
  Status Finish() { return reader_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  ClientContext context_;
  const std::unique_ptr<ClientReader<HealthCheckResponse>> reader_;
};

// Has a server with one thread for handlers that thread free again?
void ExpectThreadComesFree(Health::Stub* stub) {
  for (;;) {
    Watch watch(stub, "");
    if (watch.Next() == HealthCheckResponse::SERVING) {
      watch.Cancel();
      return;
    }
    ASSERT_EQ(watch.Finish().error_code(), RESOURCE_EXHAUSTED);
    std::this_thread::yield();
  }
}

TEST(Health, CheckTellsTheStatus) {
  HealthServer server;
  const auto stub = server.NewStub();
  EXPECT_EQ(Check(stub.get(), ""), HealthCheckResponse::SERVING);
  ClientContext context;
  HealthCheckResponse response;
  EXPECT_TRUE(Is(stub->Check(&context, RequestOf("a.B"), &response), NOT_FOUND,
                 "service name unknown"));
  server.Do("clear a.B");
  EXPECT_EQ(Check(stub.get(), "a.B"), HealthCheckResponse::NOT_SERVING);
  server.Do("set a.B");
  EXPECT_EQ(Check(stub.get(), "a.B"), HealthCheckResponse::SERVING);
  server.Do("health shutdown");
  server.Do("set all");
  EXPECT_EQ(Check(stub.get(), "a.B"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(stub.get(), ""), HealthCheckResponse::NOT_SERVING);
}

TEST(Health, WatchTellsChanges) {
  Watchdog dog(60, "a watch");
  HealthServer server;
  const auto stub = server.NewStub();
  Watch whole(stub.get(), "");
  Watch service(stub.get(), "a.B");
  EXPECT_EQ(whole.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(service.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  server.Do("clear a.B");
  EXPECT_EQ(service.Next(), HealthCheckResponse::NOT_SERVING);
  server.Do("clear a.B");
  server.Do("set all");
  EXPECT_EQ(service.Next(), HealthCheckResponse::SERVING);
  server.Do("clear all");
  EXPECT_EQ(service.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(whole.Next(), HealthCheckResponse::NOT_SERVING);
}

TEST(Health, ShutdownTellsAndEndsWatches) {
  Watchdog dog(60, "a shutdown with watches");
  HealthServer server;
  const auto stub = server.NewStub();
  Watch whole(stub.get(), "");
  Watch service(stub.get(), "a.B");
  EXPECT_EQ(whole.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(service.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  server.Do("shutdown");  // without a deadline; it returns
  EXPECT_EQ(whole.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(whole.Next(), -1);
  EXPECT_TRUE(Is(whole.Finish(), UNAVAILABLE, "Cancelling all calls"));
  EXPECT_EQ(service.Next(), -1);
  EXPECT_TRUE(Is(service.Finish(), UNAVAILABLE, "Cancelling all calls"));
}

TEST(Health, WatchEndsWithItsCall) {
  Watchdog dog(60, "the end of a watch");
  HealthServer server(/*max_threads=*/1);
  const auto stub = server.NewStub();
  {
    Watch watch(stub.get(), "");
    EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
    watch.Cancel();
    EXPECT_TRUE(Is(watch.Finish(), CANCELLED, "CANCELLED"));
  }
  ExpectThreadComesFree(stub.get());
  {
    // One that is over before its handler runs is begun anew.
    for (int status = -1; status == -1;) {
      Watch watch(stub.get(), "", std::chrono::milliseconds(50));
      status = watch.Next();
      if (status == -1) continue;
      EXPECT_EQ(status, HealthCheckResponse::SERVING);
      EXPECT_EQ(watch.Next(), -1);
      EXPECT_TRUE(Is(watch.Finish(), DEADLINE_EXCEEDED, "Deadline Exceeded"));
    }
  }
  ExpectThreadComesFree(stub.get());
}

// Watches until its stdin ends or it is killed.
SHMRPC_TEST_ROLE(health_watcher) {
  const auto stub = Health::NewStub(NewChannel(args.at(0)));
  Watch watch(stub.get(), "");
  if (watch.Next() != HealthCheckResponse::SERVING) return 1;
  SendLine("watching");
  std::string line;
  while (ReceiveLine(&line)) {
  }
  return 0;
}

TEST(Health, WatchEndsWithItsClient) {
  Watchdog dog(60, "the death of a client that watches");
  HealthServer server(/*max_threads=*/1);
  Subprocess client = SpawnRole("health_watcher", {server.target()});
  ASSERT_EQ(client.ReadLine(), "watching");
  const auto stub = server.NewStub();
  Watch refused(stub.get(), "");
  EXPECT_EQ(refused.Next(), -1);
  EXPECT_TRUE(
      Is(refused.Finish(), RESOURCE_EXHAUSTED, "Server Threadpool Exhausted"));
  client.Kill();
  client.Wait();
  ExpectThreadComesFree(stub.get());
}

class OwnHealth final : public Health::Service {
 public:
  Status Check(ServerContext*, const HealthCheckRequest*,
               HealthCheckResponse*) override {
    return Status(StatusCode::DATA_LOSS, "its own");
  }
};

std::unique_ptr<Server> Start(const std::string& target, Service* service) {
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  builder.RegisterService(service);
  return builder.BuildAndStart();
}

TEST(Health, IsNotServedUnlessEnabled) {
  EchoServiceImpl echo;
  const std::string target = NewTarget();
  const auto server = Start(target, &echo);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->GetHealthCheckService(), nullptr);
  const auto stub = Health::NewStub(NewChannel(target));
  ClientContext context;
  HealthCheckResponse response;
  EXPECT_TRUE(Is(stub->Check(&context, HealthCheckRequest(), &response),
                 UNIMPLEMENTED, ""));
}

TEST(Health, ServiceOfTheProgramItselfIsServedInstead) {
  OwnHealth own;
  const std::string target = NewTarget();
  LogCapture log(LogSeverity::kWarning);
  EnableDefaultHealthCheckService(true);
  const auto server = Start(target, &own);
  EnableDefaultHealthCheckService(false);
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(log.Text(), HasSubstr("/grpc.health.v1.Health/Check"));
  ASSERT_NE(server->GetHealthCheckService(), nullptr);
  server->GetHealthCheckService()->SetServingStatus(false);
  const auto stub = Health::NewStub(NewChannel(target));
  ClientContext context;
  HealthCheckResponse response;
  EXPECT_TRUE(Is(stub->Check(&context, HealthCheckRequest(), &response),
                 DATA_LOSS, "its own"));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
