// The health service without a server: what it answers and when a watch wakes.

#include "transport/rpc/health_service.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/cancel.h"
#include "shmrpc/generated.h"
#include "shmrpc/server_context.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/rpc/context_access.h"
#include "transport/rpc/server_call_state.h"

namespace shmrpc {
namespace internal {
namespace {

using ::shmrpc::testing::Watchdog;

constexpr int kServing = HealthService::kServing;
constexpr int kNotServing = HealthService::kNotServing;
constexpr int kServiceUnknown = HealthService::kServiceUnknown;

class FakeCall final : public ServerCallState {
 public:
  bool IsCancelled() const override { return false; }
  void TryCancel() override { group_->CancelAll(); }
  const std::string& peer() const override { return bytes_; }
  std::shared_ptr<const AuthContext> auth_context() const override {
    return nullptr;
  }
  const std::string& client_metadata() const override { return bytes_; }
  std::shared_ptr<CancelGroup> cancel_group() override { return group_; }

 private:
  const std::string bytes_;
  const std::shared_ptr<CancelGroup> group_ = std::make_shared<CancelGroup>();
};

// Keeps what a handler writes.
class FakeStream final : public ServerStream {
 public:
  void SendInitialMetadata() override {}
  bool NextMessageSize(uint32_t*) override { return false; }
  bool Read(MessageLite*) override { return false; }
  bool Write(const MessageLite& message, WriteOptions) override {
    HealthService::Response response;
    EXPECT_TRUE(response.ParseFromString(message.SerializeAsString()));
    absl::MutexLock lock(&mutex_);
    if (broken_) return false;
    written_.push_back(response.value());
    return true;
  }

  int AwaitStatus() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](std::deque<int>* written) { return !written->empty(); },
        &written_));
    const int status = written_.front();
    written_.pop_front();
    return status;
  }
  bool empty() {
    absl::MutexLock lock(&mutex_);
    return written_.empty();
  }
  void Break() {
    absl::MutexLock lock(&mutex_);
    broken_ = true;
  }

 private:
  absl::Mutex mutex_;
  std::deque<int> written_ ABSL_GUARDED_BY(mutex_);
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

// A watch on a thread of its own.
class Watch {
 public:
  Watch(HealthService* health, const std::string& name,
        int64_t deadline_ns = kInfiniteFutureNs) {
    request_.set_value(name);
    ServerContextAccess::Bind(&context_, &call_, deadline_ns);
    thread_ = std::thread([this, health] {
      ServerWriter<HealthService::Response> writer(&stream_);
      status_ = health->Watch(&context_, &request_, &writer);
    });
  }
  ~Watch() {
    if (thread_.joinable()) Cancel();
  }

  int AwaitStatus() { return stream_.AwaitStatus(); }
  // The call's outcome; what was written and not looked at is a failure.
  Status AwaitEnd() {
    thread_.join();
    EXPECT_TRUE(stream_.empty());
    return status_;
  }
  Status Cancel() {
    call_.TryCancel();
    return AwaitEnd();
  }
  void BreakStream() { stream_.Break(); }

 private:
  HealthService::Request request_;
  FakeCall call_;
  ServerContext context_;
  FakeStream stream_;
  Status status_;
  std::thread thread_;
};

class HealthServiceTest : public ::testing::Test {
 protected:
  Status Check(const std::string& name, int* serving_status) {
    HealthService::Request request;
    request.set_value(name);
    HealthService::Response response;
    ServerContext context;
    const Status status = health_.Check(&context, &request, &response);
    *serving_status = response.value();
    return status;
  }
  int StatusOf(const std::string& name) {
    int serving_status;
    EXPECT_TRUE(Check(name, &serving_status).ok());
    return serving_status;
  }

  Watchdog dog_{30, "health service"};
  HealthService health_;
};

TEST_F(HealthServiceTest, ServerIsServingAndServicesAreUnknownAtFirst) {
  EXPECT_EQ(StatusOf(""), kServing);
  int serving_status;
  const Status unknown = Check("a", &serving_status);
  EXPECT_EQ(unknown.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(unknown.error_message(), "service name unknown");
}

TEST_F(HealthServiceTest, StatusIsWhatWasSetLast) {
  health_.SetServingStatus("a", true);
  EXPECT_EQ(StatusOf("a"), kServing);
  health_.SetServingStatus("a", false);
  EXPECT_EQ(StatusOf("a"), kNotServing);
  EXPECT_EQ(StatusOf(""), kServing);
  health_.SetServingStatus("", false);
  EXPECT_EQ(StatusOf(""), kNotServing);
  health_.SetServingStatus(true);
  EXPECT_EQ(StatusOf("a"), kServing);
  EXPECT_EQ(StatusOf(""), kServing);
  health_.SetServingStatus(false);
  EXPECT_EQ(StatusOf("a"), kNotServing);
  EXPECT_EQ(StatusOf(""), kNotServing);
}

TEST_F(HealthServiceTest, NameOfTooManyBytesIsRefused) {
  int serving_status;
  EXPECT_EQ(Check(std::string(200, 'x'), &serving_status).error_code(),
            StatusCode::NOT_FOUND);
  const Status check = Check(std::string(201, 'x'), &serving_status);
  EXPECT_EQ(check.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(check.error_message(), "could not parse request");
  const Status watch = Watch(&health_, std::string(201, 'x')).AwaitEnd();
  EXPECT_EQ(watch.error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(watch.error_message(), "could not parse request");
}

TEST_F(HealthServiceTest, ShutdownIsForGood) {
  health_.SetServingStatus("a", true);
  health_.Shutdown();
  EXPECT_EQ(StatusOf(""), kNotServing);
  EXPECT_EQ(StatusOf("a"), kNotServing);
  health_.SetServingStatus("a", true);
  health_.SetServingStatus("b", true);
  health_.SetServingStatus(true);
  EXPECT_EQ(StatusOf(""), kNotServing);
  EXPECT_EQ(StatusOf("a"), kNotServing);
  EXPECT_EQ(StatusOf("b"), kNotServing);
}

TEST_F(HealthServiceTest, WatchTellsEachChangeOnce) {
  Watch watch(&health_, "a");
  EXPECT_EQ(watch.AwaitStatus(), kServiceUnknown);
  health_.SetServingStatus("b", true);  // somebody else's
  health_.SetServingStatus("a", true);
  EXPECT_EQ(watch.AwaitStatus(), kServing);
  health_.SetServingStatus("a", true);  // no change
  health_.SetServingStatus(true);
  health_.SetServingStatus("a", false);
  EXPECT_EQ(watch.AwaitStatus(), kNotServing);
  health_.SetServingStatus(true);
  EXPECT_EQ(watch.AwaitStatus(), kServing);
  health_.Shutdown();
  EXPECT_EQ(watch.AwaitStatus(), kNotServing);
  // It goes on; only the end of the call is the end of the watch.
  EXPECT_EQ(watch.Cancel().error_code(), StatusCode::CANCELLED);
}

TEST_F(HealthServiceTest, EachWatchHearsOfItsService) {
  Watch server(&health_, "");
  Watch first(&health_, "a");
  Watch second(&health_, "a");
  EXPECT_EQ(server.AwaitStatus(), kServing);
  EXPECT_EQ(first.AwaitStatus(), kServiceUnknown);
  EXPECT_EQ(second.AwaitStatus(), kServiceUnknown);
  health_.SetServingStatus("a", false);
  EXPECT_EQ(first.AwaitStatus(), kNotServing);
  EXPECT_EQ(second.AwaitStatus(), kNotServing);
  first.Cancel();
  health_.SetServingStatus("a", true);
  EXPECT_EQ(second.AwaitStatus(), kServing);
}

TEST_F(HealthServiceTest, WatchEndsAtTheDeadline) {
  const int64_t deadline_ns = platform::MonotonicNowNs() + 10 * 1000 * 1000;
  Watch watch(&health_, "", deadline_ns);
  EXPECT_EQ(watch.AwaitStatus(), kServing);
  EXPECT_FALSE(watch.AwaitEnd().ok());
  EXPECT_GE(platform::MonotonicNowNs(), deadline_ns);
}

TEST_F(HealthServiceTest, WatchWithADeadlineHearsOfChangesAndCancel) {
  const int64_t hour_ns = 3600 * INT64_C(1000000000);
  Watch watch(&health_, "", platform::MonotonicNowNs() + hour_ns);
  EXPECT_EQ(watch.AwaitStatus(), kServing);
  health_.SetServingStatus(false);
  EXPECT_EQ(watch.AwaitStatus(), kNotServing);
  EXPECT_EQ(watch.Cancel().error_code(), StatusCode::CANCELLED);
}

TEST_F(HealthServiceTest, WatchEndsWhenNothingCanBeWritten) {
  Watch watch(&health_, "");
  EXPECT_EQ(watch.AwaitStatus(), kServing);
  watch.BreakStream();
  health_.SetServingStatus(false);
  EXPECT_FALSE(watch.AwaitEnd().ok());
}

TEST_F(HealthServiceTest, EndWatchesTellsAndEndsAllAndThoseToCome) {
  Watch early(&health_, "");
  EXPECT_EQ(early.AwaitStatus(), kServing);
  health_.EndWatches();
  Watch late(&health_, "");
  Watch unknown(&health_, "a");
  EXPECT_EQ(early.AwaitStatus(), kNotServing);
  EXPECT_EQ(late.AwaitStatus(), kNotServing);
  EXPECT_EQ(unknown.AwaitStatus(), kServiceUnknown);
  for (Watch* watch : {&early, &late, &unknown}) {
    const Status end = watch->AwaitEnd();
    EXPECT_EQ(end.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_EQ(end.error_message(), "Cancelling all calls");
  }
}

TEST(DefaultHealthCheckService, IsDisabledUntilItIsEnabled) {
  EXPECT_FALSE(DefaultHealthCheckServiceEnabled());
  EnableDefaultHealthCheckService(true);
  EXPECT_TRUE(DefaultHealthCheckServiceEnabled());
  EnableDefaultHealthCheckService(false);
  EXPECT_FALSE(DefaultHealthCheckServiceEnabled());
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
