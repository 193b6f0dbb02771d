// With the option no parser ever sees shared memory, on either side and for
// every kind of message: in the ring, kept for its reader, in a block. Without
// it, some do.

#include <atomic>
#include <memory>
#include <string>

#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/shmrpc.h"
#include "transport/platform/testing/in_view.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::BytesValue;
using ::shmrpc::testing::InSharedMemory;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;

// Where parsers found what they parsed. Relaxed: read when the call is over.
struct Sightings {
  std::atomic<int> shared{0};
  std::atomic<int> copied{0};
};

// A BytesValue that notes where it is parsed.
template <Sightings& sightings>
class Spy final : public MessageLite {
 public:
  Spy() = default;
  Spy(const Spy& other) : MessageLite() { inner = other.inner; }

  BytesValue inner;

  std::string GetTypeName() const override { return "Spy"; }
  MessageLite* New(google::protobuf::Arena*) const override { return new Spy; }
  void Clear() override { inner.Clear(); }
  bool IsInitialized() const override { return true; }
  void CheckTypeAndMergeFrom(const MessageLite& other) override {
    inner.MergeFrom(static_cast<const Spy&>(other).inner);
  }
  size_t ByteSizeLong() const override { return inner.ByteSizeLong(); }
  int GetCachedSize() const override { return inner.GetCachedSize(); }
  uint8_t* _InternalSerialize(
      uint8_t* to,
      google::protobuf::io::EpsCopyOutputStream* s) const override {
    return inner._InternalSerialize(to, s);
  }
  const char* _InternalParse(
      const char* at, google::protobuf::internal::ParseContext* c) override {
    (InSharedMemory(at) ? sightings.shared : sightings.copied)
        .fetch_add(1, std::memory_order_relaxed);
    return inner._InternalParse(at, c);
  }
};

Sightings on_server;
Sightings on_client;
using Request = Spy<on_server>;
using Response = Spy<on_client>;

constexpr char kUnary[] = "/spy.Spies/Unary";
constexpr char kBidi[] = "/spy.Spies/Bidi";

class Spies final : public Service {
 public:
  Spies() {
    AddMethod(MakeMethodHandler<Spies, Request, Response>(kUnary, &Spies::Unary,
                                                          this));
    AddMethod(MakeMethodHandler<Spies, ServerReaderWriter<Response, Request>>(
        kBidi, &Spies::Bidi, this));
  }

 private:
  Status Unary(ServerContext*, const Request* request, Response* response) {
    response->inner = request->inner;
    return Status::OK;
  }
  Status Bidi(ServerContext*, ServerReaderWriter<Response, Request>* stream) {
    Request request;
    while (stream->Read(&request)) {
      Response response;
      response.inner = request.inner;
      stream->Write(response);
    }
    return Status::OK;
  }
};

class CopyBeforeParse : public ::testing::TestWithParam<bool> {
 protected:
  CopyBeforeParse() {
    for (Sightings* s : {&on_server, &on_client}) s->shared = s->copied = 0;
    const std::string target = "shm:" + UniqueName("spies");
    ServerBuilder builder;
    builder.AddListeningPort(target, InsecureServerCredentials());
    builder.RegisterService(&service_);
    builder.SetCopyBeforeParse(GetParam());
    builder.SetMaxReceiveMessageSize(-1);
    server_ = builder.BuildAndStart();
    ChannelArguments arguments;
    arguments.SetInt(SHMRPC_ARG_COPY_BEFORE_PARSE, GetParam() ? 1 : 0);
    channel_ =
        CreateCustomChannel(target, InsecureChannelCredentials(), arguments);
  }

  // Nothing was parsed where it must not be, and the test saw something.
  void CheckSightings() {
    EXPECT_GT(on_server.shared + on_server.copied, 0);
    EXPECT_GT(on_client.shared + on_client.copied, 0);
    if (GetParam()) {
      EXPECT_EQ(on_server.shared, 0);
      EXPECT_EQ(on_client.shared, 0);
    } else {
      EXPECT_GT(on_server.shared, 0);
      EXPECT_GT(on_client.shared, 0);
    }
  }

  Watchdog dog_;
  Spies service_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Channel> channel_;
};

// In the ring, in a block of one piece, in a block of many.
constexpr size_t kSizes[] = {100, 5000, 12 * 1024, 3000000};

TEST_P(CopyBeforeParse, HoldsForUnaryCalls) {
  ASSERT_NE(server_, nullptr);
  static const RpcMethod method(kUnary);
  for (const size_t bytes : kSizes) {
    SCOPED_TRACE(bytes);
    for (int i = 0; i < 20; ++i) {
      ClientContext context;
      Request request;
      request.inner.set_value(std::string(bytes, static_cast<char>('a' + i)));
      Response response;
      const Status status =
          channel_->BlockingUnaryCall(method, &context, request, &response);
      ASSERT_TRUE(status.ok()) << status.error_message();
      ASSERT_EQ(response.inner.value(), request.inner.value());
    }
  }
  CheckSightings();
}

// One after the other, which both sides may take in place, and several at
// once, which they keep.
TEST_P(CopyBeforeParse, HoldsForStreams) {
  ASSERT_NE(server_, nullptr);
  static const RpcMethod method(kBidi);
  for (const size_t bytes : kSizes) {
    SCOPED_TRACE(bytes);
    for (const int at_once : {1, 4}) {
      ClientContext context;
      auto stream = channel_->StartStream(method, &context, nullptr, nullptr);
      Request request;
      request.inner.set_value(std::string(bytes, 's'));
      for (int round = 0; round < 20; ++round) {
        // More than a window's worth would wait for the reader.
        for (int i = 0; i < (bytes > 100000 ? 1 : at_once); ++i) {
          ASSERT_TRUE(stream->Write(request, WriteOptions()));
        }
        for (int i = 0; i < (bytes > 100000 ? 1 : at_once); ++i) {
          Response response;
          ASSERT_TRUE(stream->Read(&response));
          ASSERT_EQ(response.inner.value(), request.inner.value());
        }
      }
      EXPECT_TRUE(stream->WritesDone());
      Response none;
      EXPECT_FALSE(stream->Read(&none));
      EXPECT_TRUE(stream->Finish().ok());
    }
  }
  CheckSightings();
}

INSTANTIATE_TEST_SUITE_P(Option, CopyBeforeParse, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& info) {
                           return info.param ? "On" : "Off";
                         });

}  // namespace
}  // namespace internal
}  // namespace shmrpc
