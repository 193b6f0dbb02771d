// A server's streaming calls, against a client made by hand: what each frame
// brings about, and what no frame may.

#include "transport/rpc/server_stream.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/auth_context.h"
#include "shmrpc/server_builder.h"
#include "transport/link/address.h"
#include "transport/link/connect.h"
#include "transport/link/flow_control.h"
#include "transport/link/metadata.h"
#include "transport/platform/clock.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/notification.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/rpc/context_access.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::StringValue;
using ::shmrpc::testing::Notification;
using ::shmrpc::testing::UniqueName;
using ::shmrpc::testing::Watchdog;
using ::testing::HasSubstr;

using Stream = ServerReaderWriter<StringValue, StringValue>;

StringValue Text(const std::string& value) {
  StringValue message;
  message.set_value(value);
  return message;
}

std::string Pair(const std::string& key, const std::string& value) {
  std::string bytes;
  link::AppendMetadata(key, value, &bytes);
  return bytes;
}

// One method of each kind; a test says what it does.
class TestService : public Service {
 public:
  TestService() {
    AddMethod(MakeMethodHandler("/test.S/Unary", &TestService::Unary, this));
    AddMethod(MakeMethodHandler("/test.S/Up", &TestService::Up, this));
    AddMethod(MakeMethodHandler("/test.S/Down", &TestService::Down, this));
    AddMethod(MakeMethodHandler("/test.S/Bidi", &TestService::Bidi, this));
  }

  Status Unary(ServerContext* context, const StringValue* request,
               StringValue* response) {
    return unary(context, request, response);
  }
  Status Up(ServerContext* context, ServerReader<StringValue>* reader,
            StringValue* response) {
    return up(context, reader, response);
  }
  Status Down(ServerContext* context, const StringValue* request,
              ServerWriter<StringValue>* writer) {
    return down(context, request, writer);
  }
  Status Bidi(ServerContext* context, Stream* stream) {
    return bidi(context, stream);
  }

  std::function<Status(ServerContext*, const StringValue*, StringValue*)> unary;
  std::function<Status(ServerContext*, ServerReader<StringValue>*,
                       StringValue*)>
      up;
  std::function<Status(ServerContext*, const StringValue*,
                       ServerWriter<StringValue>*)>
      down;
  std::function<Status(ServerContext*, Stream*)> bidi;
};

enum Method : uint32_t { kUnary, kUp, kDown, kBidi };

// A frame as it arrived, its block given back.
struct Got {
  uint8_t kind = 0;
  uint32_t call_id = 0;
  uint32_t aux = 0;
  bool initial = false;
  bool has_message = false;
  std::string metadata;
  std::string message;

  std::string text() const {
    StringValue value;
    EXPECT_TRUE(value.ParseFromString(message));
    return value.value();
  }
  std::string status_text() const {
    link::Metadata pairs;
    EXPECT_TRUE(link::ParseMetadata(metadata, &pairs).ok());
    return std::string(link::FindMetadata(pairs, "grpc-message"));
  }
};

class RawClient {
 public:
  explicit RawClient(const link::Address& address) {
    auto link = link::Connect(address);
    EXPECT_TRUE(link.ok()) << link.status();
    link_ = *std::move(link);
    const char* names[] = {"/test.S/Unary", "/test.S/Up", "/test.S/Down",
                           "/test.S/Bidi"};
    for (uint32_t i = 0; i < 4; ++i) Bind(i, names[i]);
  }
  ~RawClient() { link_.watch.reset(); }

  link::Connection& connection() { return *link_.connection; }

  void Send(link::OutgoingFrame frame, const std::string& message = "") {
    frame.message_bytes = message.size();
    EXPECT_TRUE(connection()
                    .Send(frame,
                          [&](uint8_t* to) {
                            std::memcpy(to, message.data(), message.size());
                          })
                    .ok());
  }
  void Bind(uint32_t method, const std::string& name) {
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameBind;
    frame.aux = method;
    frame.metadata = name;
    Send(frame);
  }
  // Without a message.
  void Open(uint32_t call_id, Method method, const std::string& metadata = "",
            bool last = false, int64_t deadline_ns = INT64_MAX) {
    link::OutgoingFrame frame = OpenFrame(call_id, method);
    frame.last = last;
    frame.metadata = metadata;
    frame.deadline_ns = deadline_ns;
    Send(frame);
  }
  // With one message, the only one if `last`.
  void OpenWith(uint32_t call_id, Method method, const std::string& text,
                bool last = true, const std::string& metadata = "") {
    link::OutgoingFrame frame = OpenFrame(call_id, method);
    frame.has_message = true;
    frame.last = last;
    frame.metadata = metadata;
    Send(frame, Text(text).SerializeAsString());
  }
  void Message(uint32_t call_id, const std::string& text, bool last = false) {
    RawMessage(call_id, Text(text).SerializeAsString(), last);
  }
  void RawMessage(uint32_t call_id, const std::string& bytes,
                  bool last = false) {
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameMessage;
    frame.call_id = call_id;
    frame.has_message = true;
    frame.last = last;
    Send(frame, bytes);
  }
  void HalfClose(uint32_t call_id) {
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameMessage;
    frame.call_id = call_id;
    frame.last = true;
    Send(frame);
  }
  void Credit(uint32_t call_id, uint64_t bytes) {
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameCredit;
    frame.call_id = call_id;
    frame.aux = static_cast<uint32_t>(bytes);
    Send(frame);
  }
  void Cancel(uint32_t call_id) {
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameCancel;
    frame.call_id = call_id;
    Send(frame);
  }

  // The next frame.
  Got Next() {
    link::Frame frame;
    Await([&] { return connection().Next(&frame); });
    EXPECT_TRUE(connection().status().ok()) << connection().status();
    Got got;
    if (connection().broken()) return got;
    got.kind = frame.fields.kind;
    got.call_id = frame.fields.call_id;
    got.aux = frame.fields.aux;
    got.initial = frame.initial();
    got.has_message = frame.has_message();
    got.metadata.assign(reinterpret_cast<const char*>(frame.metadata),
                        frame.fields.metadata_bytes);
    got.message.assign(reinterpret_cast<const char*>(frame.message),
                       frame.message_bytes);
    if (frame.in_block()) connection().GiveBackBlock(frame.block);
    return got;
  }
  Got NextMessage() {
    Got got = Next();
    EXPECT_EQ(got.kind, memory::kFrameMessage) << got.status_text();
    return got;
  }
  Got NextClose(uint32_t code) {
    Got got = Next();
    EXPECT_EQ(got.kind, memory::kFrameClose);
    EXPECT_EQ(got.aux, code) << got.status_text();
    return got;
  }
  void AwaitClosedByServer() {
    Await([&] {
      link::Frame frame;
      while (connection().Next(&frame)) {
      }
      return connection().PeerClosed();
    });
  }
  // The server has given back every block it was sent.
  void AwaitBlocksBack() {
    Await([&] {
      link::Frame frame;
      EXPECT_FALSE(connection().Next(&frame));
      return connection().Undelivered() == 0;
    });
  }

  template <class Condition>
  void Await(Condition condition) {
    for (;;) {
      connection().Flush();
      const bool closed = connection().PeerClosed();
      if (condition() || connection().broken()) return;
      if (closed) {
        ADD_FAILURE() << "the server has closed the connection";
        return;
      }
      connection().Park();
      const bool found = condition();
      if (!found && !connection().HasRecord()) {
        waiter_.Wait(&link_.own_event, platform::kNever);
      }
      connection().Unpark();
      if (found) return;
    }
  }

 private:
  static link::OutgoingFrame OpenFrame(uint32_t call_id, Method method) {
    link::OutgoingFrame frame;
    frame.kind = memory::kFrameOpen;
    frame.call_id = call_id;
    frame.aux = method;
    return frame;
  }

  link::ClientLink link_;
  platform::Waiter waiter_;
};

class ServerStreamTest : public ::testing::Test {
 protected:
  // After the handlers were set.
  void Start() {
    const std::string target = "shm:" + name_;
    builder_.AddListeningPort(target, InsecureServerCredentials());
    builder_.RegisterService(&service_);
    server_ = builder_.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    client_ = NewClient();
  }
  std::unique_ptr<RawClient> NewClient() {
    return std::make_unique<RawClient>(
        link::Address{platform::Scope::kLocal, name_});
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
  }

  Watchdog dog_{120, "server stream"};
  const std::string name_ = UniqueName("test.stream");
  ServerBuilder builder_;
  TestService service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<RawClient> client_;
};

Status EchoAll(ServerContext*, Stream* stream) {
  StringValue message;
  while (stream->Read(&message)) stream->Write(message);
  return Status();
}

// --- the ways of a call
// ------------------------------------------------------------

TEST_F(ServerStreamTest, BothSidesStreamUntilTheClientEnds) {
  service_.bidi = EchoAll;
  Start();
  client_->Open(7, kBidi);
  for (int i = 0; i < 100; ++i) {
    client_->Message(7, std::to_string(i));
    const Got got = client_->NextMessage();
    EXPECT_EQ(got.call_id, 7u);
    EXPECT_FALSE(got.initial);
    EXPECT_EQ(got.text(), std::to_string(i));
  }
  client_->HalfClose(7);
  const Got close = client_->NextClose(OK);
  EXPECT_FALSE(close.has_message);
  EXPECT_EQ(close.metadata, "");
}

TEST_F(ServerStreamTest, FirstMessageMayComeWithTheOpenAndTheLastWithItsFlag) {
  service_.bidi = EchoAll;
  Start();
  client_->OpenWith(1, kBidi, "first", /*last=*/false);
  client_->Message(1, "last", /*last=*/true);
  EXPECT_EQ(client_->NextMessage().text(), "first");
  EXPECT_EQ(client_->NextMessage().text(), "last");
  client_->NextClose(OK);
  client_->OpenWith(1, kBidi, "only");
  EXPECT_EQ(client_->NextMessage().text(), "only");
  client_->NextClose(OK);
  client_->Open(1, kBidi, "", /*last=*/true);
  client_->NextClose(OK);
}

TEST_F(ServerStreamTest, ResponseOfAClientStreamComesWithTheClose) {
  service_.up = [](ServerContext*, ServerReader<StringValue>* reader,
                   StringValue* response) {
    StringValue message;
    uint32_t size_bytes = 0;
    while (reader->NextMessageSize(&size_bytes)) {
      EXPECT_TRUE(reader->Read(&message));
      EXPECT_GE(size_bytes, message.ByteSizeLong());
      response->set_value(response->value() + message.value());
    }
    EXPECT_FALSE(reader->Read(&message));
    return Status();
  };
  Start();
  client_->Open(1, kUp);
  client_->Message(1, "a");
  client_->Message(1, std::string(100000, 'b'));
  client_->Message(1, "c", /*last=*/true);
  const Got close = client_->NextClose(OK);
  EXPECT_EQ(close.text(), "a" + std::string(100000, 'b') + "c");
  client_->AwaitBlocksBack();
}

TEST_F(ServerStreamTest, RequestOfAServerStreamComesWithTheOpen) {
  service_.down = [](ServerContext*, const StringValue* request,
                     ServerWriter<StringValue>* writer) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(writer->Write(*request));
    return Status(StatusCode::NOT_FOUND, "no more", "details");
  };
  Start();
  for (const size_t size : {0, 10, 100000}) {
    client_->OpenWith(1, kDown, std::string(size, 'r'));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(client_->NextMessage().text(), std::string(size, 'r'));
    }
    EXPECT_EQ(client_->NextClose(NOT_FOUND).status_text(), "no more");
  }
  client_->AwaitBlocksBack();
}

TEST_F(ServerStreamTest, UnaryMethodNeedsItsRequestInTheOpen) {
  service_.unary = [](ServerContext*, const StringValue* request,
                      StringValue* response) {
    *response = *request;
    return Status();
  };
  Start();
  client_->Open(1, kUnary);
  EXPECT_THAT(client_->NextClose(INTERNAL).status_text(),
              HasSubstr("/test.S/Unary"));
  client_->Open(1, kDown, "", /*last=*/true);
  EXPECT_THAT(client_->NextClose(INTERNAL).status_text(),
              HasSubstr("/test.S/Down"));
  client_->OpenWith(1, kUnary, "x");
  EXPECT_EQ(client_->NextClose(OK).text(), "x");
}

TEST_F(ServerStreamTest, ReadsWhileAnotherThreadWrites) {
  static constexpr int kMessages = 2000;
  service_.bidi = [](ServerContext*, Stream* stream) {
    std::thread writer([&] {
      for (int i = 0; i < kMessages; ++i) {
        EXPECT_TRUE(stream->Write(Text(std::to_string(i))));
      }
    });
    StringValue message;
    int read = 0;
    while (stream->Read(&message)) {
      EXPECT_EQ(message.value(), std::to_string(read++));
    }
    EXPECT_EQ(read, kMessages);
    writer.join();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  int got = 0;
  for (int i = 0; i < kMessages; ++i) {
    client_->Message(1, std::to_string(i), i + 1 == kMessages);
  }
  for (Got frame = client_->Next(); frame.kind != memory::kFrameClose;
       frame = client_->Next()) {
    if (frame.kind == memory::kFrameCredit) continue;
    EXPECT_EQ(frame.text(), std::to_string(got++));
  }
  EXPECT_EQ(got, kMessages);
}

// --- metadata
// ------------------------------------------------------------

TEST_F(ServerStreamTest, MetadataTravelsBothWays) {
  service_.bidi = [](ServerContext* context, Stream* stream) {
    const auto& sent = context->client_metadata();
    EXPECT_TRUE(context->auth_context()->IsPeerAuthenticated());
    EXPECT_EQ(sent.size(), 2u);
    auto found = sent.find("k");
    EXPECT_NE(found, sent.end());
    if (found != sent.end()) {
      EXPECT_EQ(found->second, "v");
    }
    context->AddInitialMetadata("i", "1");
    EXPECT_TRUE(stream->Write(Text("a")));
    context->AddInitialMetadata("late", "2");
    EXPECT_TRUE(stream->Write(Text("b")));
    stream->SendInitialMetadata();
    context->AddTrailingMetadata("t", "3");
    return Status(StatusCode::ABORTED, "why");
  };
  Start();
  client_->Open(1, kBidi,
                Pair("k", "v") + Pair("k2-bin", std::string("\0", 1)));
  Got got = client_->NextMessage();
  EXPECT_TRUE(got.initial);
  EXPECT_EQ(got.metadata, Pair("i", "1"));
  EXPECT_EQ(got.text(), "a");
  got = client_->NextMessage();
  EXPECT_FALSE(got.initial);
  EXPECT_EQ(got.metadata, "");
  EXPECT_EQ(got.text(), "b");
  got = client_->NextClose(ABORTED);
  EXPECT_EQ(got.metadata, Pair("grpc-message", "why") + Pair("t", "3"));
}

TEST_F(ServerStreamTest, InitialMetadataIsSentWhenAsked) {
  Notification go;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    context->AddInitialMetadata("i", "1");
    stream->SendInitialMetadata();
    go.Wait();
    stream->SendInitialMetadata();  // once only
    stream->Write(Text("a"));
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  Got got = client_->NextMessage();
  EXPECT_TRUE(got.initial);
  EXPECT_FALSE(got.has_message);
  EXPECT_EQ(got.metadata, Pair("i", "1"));
  go.Notify();
  got = client_->NextMessage();
  EXPECT_FALSE(got.initial);
  EXPECT_EQ(got.text(), "a");
  client_->NextClose(OK);
}

TEST_F(ServerStreamTest, EmptyInitialMetadataIsSentWhenAsked) {
  service_.bidi = [](ServerContext*, Stream* stream) {
    stream->SendInitialMetadata();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  EXPECT_TRUE(client_->NextMessage().initial);
  client_->NextClose(OK);
}

TEST_F(ServerStreamTest, InitialMetadataPrecedesTheCloseOfAHandlerThatReturns) {
  service_.unary = [](ServerContext* context, const StringValue* request,
                      StringValue* response) {
    context->AddInitialMetadata("i", "1");
    context->AddTrailingMetadata("t", "2");
    response->set_value("r");
    return request->value().empty() ? Status()
                                    : Status(StatusCode::ABORTED, "");
  };
  Start();
  for (const std::string request : {"", "fail"}) {
    client_->OpenWith(1, kUnary, request);
    const Got initial = client_->NextMessage();
    EXPECT_TRUE(initial.initial);
    EXPECT_FALSE(initial.has_message);
    EXPECT_EQ(initial.metadata, Pair("i", "1"));
    const Got close = client_->NextClose(request.empty() ? OK : ABORTED);
    EXPECT_EQ(close.metadata, Pair("t", "2"));
    EXPECT_EQ(close.has_message, request.empty());
    if (close.has_message) {
      EXPECT_EQ(close.text(), "r");
    }
  }
}

TEST_F(ServerStreamTest, IllegalMetadataEndsTheCallAndNamesTheKey) {
  service_.unary = [](ServerContext* context, const StringValue*,
                      StringValue*) {
    context->AddTrailingMetadata("Upper", "1");
    return Status();
  };
  Start();
  client_->OpenWith(1, kUnary, "");
  EXPECT_THAT(client_->NextClose(INTERNAL).status_text(), HasSubstr("Upper"));
}

TEST_F(ServerStreamTest, TooMuchMetadataEndsTheCall) {
  const std::string large(memory::kMaxMetadataBytes, 'x');
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    context->AddInitialMetadata("i", large);
    EXPECT_FALSE(stream->Write(Text("a")));
    EXPECT_FALSE(stream->Write(Text("b")));
    return Status();
  };
  service_.unary = [&](ServerContext* context, const StringValue*,
                       StringValue*) {
    context->AddTrailingMetadata("t", large);
    return Status();
  };
  Start();
  const std::string size = std::to_string(Pair("i", large).size());
  const std::string text = "metadata of " + size + " bytes larger than max (" +
                           size + " vs. " +
                           std::to_string(memory::kMaxMetadataBytes) + ")";
  client_->Open(1, kBidi);
  EXPECT_EQ(client_->NextClose(RESOURCE_EXHAUSTED).status_text(), text);
  client_->OpenWith(1, kUnary, "");
  EXPECT_EQ(client_->NextClose(RESOURCE_EXHAUSTED).status_text(), text);
}

TEST_F(ServerStreamTest, MalformedMetadataCostsTheConnection) {
  Start();
  client_->Open(1, kBidi, "???");
  client_->AwaitClosedByServer();
}

// --- flow control
// ------------------------------------------------------------

constexpr uint64_t kQuarter = memory::kWindowBytes / 4;
// A message that costs a quarter of the window exactly: 4 bytes are the field's
// tag and length.
const std::string& QuarterMessage() {
  static const std::string message(kQuarter - memory::kMessageChargeBytes - 4,
                                   'q');
  return message;
}

TEST_F(ServerStreamTest, WriterStopsAtTheWindowAndGoesOnWithCredit) {
  std::atomic<int> written{0};
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    while (stream->Write(Text(QuarterMessage()))) ++written;
    EXPECT_TRUE(context->IsCancelled());
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(link::MessageCost(client_->NextMessage().message.size()),
              kQuarter);
  }
  client_->Credit(1, kQuarter);
  client_->NextMessage();
  client_->Credit(1, 2 * kQuarter);
  client_->NextMessage();
  client_->NextMessage();
  client_->Cancel(1);
  client_->NextClose(CANCELLED);
  server_->Shutdown();
  EXPECT_EQ(written, 7);
}

TEST_F(ServerStreamTest, ReaderGivesCreditWithEachQuarterItTakes) {
  service_.bidi = [](ServerContext*, Stream* stream) {
    StringValue message;
    while (stream->Read(&message)) {
    }
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  for (int i = 0; i < 20; ++i) {
    client_->Message(1, QuarterMessage());
    const Got got = client_->Next();
    EXPECT_EQ(got.kind, memory::kFrameCredit);
    EXPECT_EQ(got.aux, kQuarter);
  }
  client_->HalfClose(1);
  client_->NextClose(OK);
}

TEST_F(ServerStreamTest, SenderBeyondItsWindowLosesTheConnection) {
  Notification go;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    go.Wait();
    // Its calls end a little after the client was told.
    while (!context->IsCancelled()) std::this_thread::yield();
    StringValue message;
    // What had come is dropped.
    EXPECT_FALSE(stream->Read(&message));
    return Status();
  };
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  for (int i = 0; i < 4; ++i) client_->Message(1, QuarterMessage());
  // Not yet: the connection goes on.
  client_->OpenWith(2, kUnary, "");
  EXPECT_EQ(client_->NextClose(OK).call_id, 2u);
  client_->Message(1, "");
  client_->AwaitClosedByServer();
  go.Notify();
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, OneMessageOfAnyLengthFitsTheWindow) {
  builder_.SetMaxReceiveMessageSize(-1);
  service_.bidi = EchoAll;
  Start();
  const std::string large(3 * memory::kWindowBytes, 'l');
  client_->Open(1, kBidi);
  client_->Message(1, large);
  Got got = client_->Next();
  EXPECT_EQ(got.kind, memory::kFrameCredit);
  EXPECT_EQ(client_->NextMessage().text(), large);
  client_->HalfClose(1);
  client_->NextClose(OK);
  client_->AwaitBlocksBack();
}

// --- lies
// ------------------------------------------------------------

TEST_F(ServerStreamTest, MessageAfterTheLastLosesTheConnection) {
  service_.bidi = [](ServerContext* context, Stream*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status();
  };
  service_.unary = [&](ServerContext* context, const StringValue*,
                       StringValue*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->HalfClose(1);
  client_->Message(1, "x");
  client_->AwaitClosedByServer();
  auto another = NewClient();
  another->Open(1, kBidi);
  another->HalfClose(1);
  another->HalfClose(1);
  another->AwaitClosedByServer();
  another = NewClient();
  another->OpenWith(1, kUnary, "x");
  another->Message(1, "x");
  another->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, CreditBeyondWhatWasSentLosesTheConnection) {
  service_.bidi = [](ServerContext* context, Stream* stream) {
    stream->Write(Text("abc"));
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  const uint64_t cost =
      link::MessageCost(client_->NextMessage().message.size());
  client_->Credit(1, cost);
  client_->Credit(1, 1);
  client_->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, OpenOfACallThatIsOpenLosesTheConnection) {
  service_.bidi = [](ServerContext* context, Stream*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->Open(1, kBidi);
  client_->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, MethodsBeyondTheLimitsLoseTheConnection) {
  constexpr uint32_t kMethods = 64 * 1024;
  constexpr size_t kNameBytes = 4096;
  Start();
  client_->Bind(kMethods - 1, std::string(kNameBytes, 'n'));
  client_->OpenWith(1, static_cast<Method>(kMethods - 1), "");
  client_->NextClose(UNIMPLEMENTED);
  client_->Bind(kMethods, "/test.S/Unary");
  client_->AwaitClosedByServer();
  auto another = NewClient();
  another->Bind(4, std::string(kNameBytes + 1, 'n'));
  another->AwaitClosedByServer();
}

TEST_F(ServerStreamTest, FramesOfACallThatIsNoMoreAreIgnored) {
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  client_->Message(9, "x");
  client_->Message(9, std::string(100000, 'x'), /*last=*/true);
  client_->HalfClose(9);
  client_->Credit(9, 1000);
  client_->Cancel(9);
  client_->OpenWith(1, kUnary, "");
  client_->NextClose(OK);
  client_->AwaitBlocksBack();
}

// --- the end of a call
// ------------------------------------------------------------

TEST_F(ServerStreamTest, CancelReleasesTheHandlerAndDropsWhatHadCome) {
  Notification reading;
  Notification cancelled;
  Notification ended;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    StringValue message;
    EXPECT_TRUE(stream->Read(&message));
    reading.Notify();
    cancelled.Wait();
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Write(message));
    EXPECT_TRUE(context->IsCancelled());
    ended.Notify();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->Message(1, "x");
  client_->Message(1, std::string(100000, 'x'));
  client_->Message(1, "y");
  reading.Wait();
  client_->Cancel(1);
  // The close does not wait for the handler, nor do the blocks.
  client_->NextClose(CANCELLED);
  client_->AwaitBlocksBack();
  cancelled.Notify();
  ended.Wait();
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, CancelWakesAReaderThatWaits) {
  service_.bidi = [](ServerContext* context, Stream* stream) {
    StringValue message;
    stream->SendInitialMetadata();
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_TRUE(context->IsCancelled());
    return Status();
  };
  Start();
  for (int i = 0; i < 100; ++i) {
    client_->Open(1, kBidi);
    client_->NextMessage();
    client_->Cancel(1);
    client_->NextClose(CANCELLED);
  }
}

TEST_F(ServerStreamTest, ClientThatGoesReleasesTheHandler) {
  Notification ended;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    StringValue message;
    stream->Write(message);
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_TRUE(context->IsCancelled());
    ended.Notify();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->NextMessage();
  client_.reset();
  ended.Wait();
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, WriteThatBreaksTheLinkReleasesTheReader) {
  Notification go;
  Notification ended;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    std::thread reader([&] {
      StringValue message;
      EXPECT_FALSE(stream->Read(&message));
    });
    stream->SendInitialMetadata();
    go.Wait();
    while (stream->Write(Text(std::string(4000, 'w')))) {
    }
    reader.join();
    EXPECT_TRUE(context->IsCancelled());
    ended.Notify();
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->NextMessage();
  memory::ConnectionPage* page = client_->connection().page();
  // More than was ever sent; and the thread that polls sleeps.
  page->ring[memory::kServerSide].consumed = 1ull << 40;
  while (page->side[memory::kServerSide].parked == 0) {
    std::this_thread::yield();
  }
  go.Notify();
  ended.Wait();
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, DeadlineReleasesReaderAndWriter) {
  service_.bidi = [](ServerContext* context, Stream* stream) {
    StringValue message;
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_TRUE(context->IsCancelled());
    return Status();
  };
  service_.down = [](ServerContext* context, const StringValue*,
                     ServerWriter<StringValue>* writer) {
    while (writer->Write(Text(QuarterMessage()))) {
    }
    EXPECT_TRUE(context->IsCancelled());
    return Status();
  };
  Start();
  client_->Open(1, kBidi, "", false,
                platform::MonotonicNowNs() + 50 * 1000 * 1000);
  EXPECT_EQ(client_->NextClose(DEADLINE_EXCEEDED).status_text(),
            "Deadline Exceeded");
  link::OutgoingFrame open;
  open.kind = memory::kFrameOpen;
  open.call_id = 1;
  open.aux = kDown;
  open.has_message = true;
  open.last = true;
  open.deadline_ns = platform::MonotonicNowNs() + 50 * 1000 * 1000;
  client_->Send(open);
  Got got = client_->Next();
  while (got.kind == memory::kFrameMessage) got = client_->Next();
  EXPECT_EQ(got.aux, static_cast<uint32_t>(DEADLINE_EXCEEDED));
}

TEST_F(ServerStreamTest, TryCancelEndsTheCallAtOnce) {
  Notification go;
  Notification ended;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    StringValue message;
    if (!stream->Read(&message)) return Status();
    context->TryCancel();
    EXPECT_TRUE(context->IsCancelled());
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Write(message));
    go.Wait();
    ended.Notify();
    return Status(StatusCode::ABORTED, "nobody hears this");
  };
  service_.unary = [](ServerContext* context, const StringValue*,
                      StringValue*) {
    context->TryCancel();
    return Status();
  };
  Start();
  client_->OpenWith(1, kBidi, "x", /*last=*/false);
  EXPECT_EQ(client_->NextClose(CANCELLED).status_text(),
            "Cancelled on the server side");
  // The number is free while the first handler still runs.
  client_->Open(1, kBidi);
  go.Notify();
  ended.Wait();
  client_->HalfClose(1);
  client_->NextClose(OK);
  client_->OpenWith(1, kUnary, "x");
  EXPECT_EQ(client_->NextClose(CANCELLED).status_text(),
            "Cancelled on the server side");
  server_->Shutdown();  // before what handlers refer to
}

TEST_F(ServerStreamTest, MessageOverALimitEndsTheCall) {
  builder_.SetMaxReceiveMessageSize(100);
  builder_.SetMaxSendMessageSize(50);
  service_.bidi = [](ServerContext*, Stream* stream) {
    StringValue message;
    EXPECT_TRUE(stream->Read(&message));
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Read(&message));
    return Status();
  };
  service_.down = [](ServerContext*, const StringValue*,
                     ServerWriter<StringValue>* writer) {
    EXPECT_TRUE(writer->Write(Text(std::string(48, 'x'))));
    EXPECT_FALSE(writer->Write(Text(std::string(49, 'x'))));
    EXPECT_FALSE(writer->Write(Text("")));
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->Message(1, std::string(98, 'x'));
  client_->Message(1, std::string(99, 'x'));
  EXPECT_EQ(client_->NextClose(RESOURCE_EXHAUSTED).status_text(),
            "Received message larger than max (101 vs. 100)");
  client_->OpenWith(1, kDown, "");
  client_->NextMessage();
  EXPECT_EQ(client_->NextClose(RESOURCE_EXHAUSTED).status_text(),
            "Sent message larger than max (51 vs. 50)");
}

TEST_F(ServerStreamTest, UnparseableMessageEndsTheCall) {
  service_.bidi = [](ServerContext*, Stream* stream) {
    StringValue message;
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Read(&message));
    return Status();
  };
  Start();
  for (const size_t size : {1, 100000}) {
    client_->Open(1, kBidi);
    client_->RawMessage(1, std::string(size, '\xff'));
    EXPECT_EQ(client_->NextClose(INTERNAL).status_text(), "");
  }
  client_->AwaitBlocksBack();
}

TEST_F(ServerStreamTest, NothingIsWrittenAfterTheLast) {
  service_.bidi = [](ServerContext*, Stream* stream) {
    stream->WriteLast(Text("last"), WriteOptions());
    EXPECT_FALSE(stream->Write(Text("more")));
    EXPECT_FALSE(stream->Write(Text("more")));
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  EXPECT_EQ(client_->NextMessage().text(), "last");
  client_->NextClose(OK);
}

// What a client's call made for a server's one would be.
class Target final : public Cancellable {
 public:
  void Cancel() override { cancelled.Notify(); }
  Notification cancelled;
};

TEST_F(ServerStreamTest, CallsMadeForACallEndWithIt) {
  Target target;
  CancelSlot slot;
  CancelSlot at_the_end;
  std::shared_ptr<CancelGroup> group;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    EXPECT_FALSE(slot.Begin(&target));
    ServerContextAccess::cancel_group(*context)->Add(&slot);
    stream->SendInitialMetadata();
    target.cancelled.Wait();
    slot.End();
    ServerContextAccess::cancel_group(*context)->Remove(&slot);
    return Status();
  };
  service_.unary = [&](ServerContext* context, const StringValue*,
                       StringValue*) {
    group = ServerContextAccess::cancel_group(*context);
    group->Add(&at_the_end);
    EXPECT_FALSE(at_the_end.requested());
    return Status();
  };
  Start();
  client_->Open(1, kBidi);
  client_->NextMessage();
  client_->Cancel(1);
  client_->NextClose(CANCELLED);
  client_->OpenWith(2, kUnary, "");
  client_->NextClose(OK);
  EXPECT_TRUE(at_the_end.requested());
  group->Remove(&at_the_end);
  server_->Shutdown();  // before what handlers refer to
}

// --- threads and shutdown
// ------------------------------------------------------------

TEST_F(ServerStreamTest, CallBeyondTheThreadsIsRefusedAndTheOthersGoOn) {
  constexpr uint32_t kThreads = 3;
  builder_.SetMaxThreads(kThreads);
  service_.bidi = EchoAll;
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  for (uint32_t i = 0; i < kThreads; ++i) client_->Open(i, kBidi);
  for (uint32_t i = 0; i < kThreads; ++i) {
    client_->Message(i, "running");
    EXPECT_EQ(client_->NextMessage().call_id, i);
  }
  for (const Method method : {kBidi, kUnary}) {
    client_->OpenWith(100, method, "x");
    const Got refused = client_->NextClose(RESOURCE_EXHAUSTED);
    EXPECT_EQ(refused.call_id, 100u);
    EXPECT_EQ(refused.status_text(), "Server Threadpool Exhausted");
  }
  for (uint32_t i = 0; i < kThreads; ++i) {
    client_->Message(i, "still");
    EXPECT_EQ(client_->NextMessage().text(), "still");
  }
  client_->HalfClose(1);
  client_->NextClose(OK);
  client_->Open(1, kBidi);
  client_->HalfClose(1);
  client_->NextClose(OK);
  for (const uint32_t i : {0u, 2u}) {
    client_->Cancel(i);
    EXPECT_EQ(client_->NextClose(CANCELLED).call_id, i);
  }
}

TEST_F(ServerStreamTest, ThreadIsFreeAgainWhenTheCloseHasCome) {
  builder_.SetMaxThreads(1);
  service_.bidi = EchoAll;
  service_.unary = [](ServerContext*, const StringValue*, StringValue*) {
    return Status();
  };
  Start();
  for (int i = 0; i < 500; ++i) {
    client_->OpenWith(1, i % 3 == 0 ? kUnary : kBidi, "x");
    Got got = client_->Next();
    while (got.kind == memory::kFrameMessage) got = client_->Next();
    ASSERT_EQ(got.aux, static_cast<uint32_t>(OK)) << i << got.status_text();
  }
}

TEST_F(ServerStreamTest, ShutdownCancelsWhatIsInFlightAtItsDeadline) {
  std::atomic<int> seen{0};
  Notification go;
  service_.bidi = [&](ServerContext* context, Stream* stream) {
    StringValue message;
    stream->Write(message);
    EXPECT_FALSE(stream->Read(&message));
    EXPECT_FALSE(stream->Write(message));
    EXPECT_TRUE(context->IsCancelled());
    ++seen;
    return Status();
  };
  service_.unary = [&](ServerContext* context, const StringValue*,
                       StringValue*) {
    go.Wait();
    EXPECT_TRUE(context->IsCancelled());
    ++seen;
    return Status();
  };
  Start();
  client_->OpenWith(1, kUnary, "");
  client_->Open(2, kBidi);
  client_->NextMessage();
  std::thread first([&] { server_->Shutdown(); });
  // From here on only the second one's deadline ends it.
  std::thread second([&] {
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::milliseconds(20));
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client_->NextClose(UNAVAILABLE).status_text(),
              "Cancelling all calls");
  }
  go.Notify();
  first.join();
  second.join();
  EXPECT_EQ(seen, 2);
}

// --- memory
// ------------------------------------------------------------

TEST_F(ServerStreamTest, ClientThatTakesNothingIsNotListenedTo) {
  constexpr int kReplyBytes = 8000;
  constexpr int kMost = 16 * 1024 * 1024 / kReplyBytes + 200;
  constexpr int kCalls = 2 * kMost;
  std::atomic<int> runs{0};
  service_.unary = [&](ServerContext*, const StringValue*,
                       StringValue* response) {
    ++runs;
    response->set_value(std::string(kReplyBytes, 'r'));
    return Status();
  };
  Start();
  for (int i = 0; i < kCalls; ++i) {
    client_->OpenWith(static_cast<uint32_t>(i), kUnary, "");
    while (i < kMost / 2 && runs < i - 100) {
      client_->connection().Flush();
      std::this_thread::yield();
    }
  }
  while (runs < kMost - 300) {
    client_->connection().Flush();
    std::this_thread::yield();
  }
  // It had the time to run them all, if it would.
  for (int i = 0; i < 20000; ++i) {
    client_->connection().Flush();
    std::this_thread::yield();
  }
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_LE(runs - i, kMost);
    client_->NextClose(OK);
  }
  EXPECT_EQ(runs, kCalls);
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
