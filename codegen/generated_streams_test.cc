// What the generated code of streaming methods does, and that of methods which
// are served as streams; against a channel that calls the service in place.

#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "codegen/testdata/no_methods.shmrpc.pb.h"
#include "codegen/testdata/streaming.shmrpc.pb.h"
#include "codegen/testing/direct_channel.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace golden {
namespace {

using codegen::testing::DirectChannel;
using codegen::testing::NamesOf;
using google::protobuf::MessageLite;
using streaming::Kinds;
using streaming::Number;
using streaming::Text_Line;

Number NumberOf(int value) {
  Number number;
  number.set_value(value);
  return number;
}

Text_Line LineOf(const std::string& text) {
  Text_Line line;
  line.set_text(text);
  return line;
}

class KindsImpl final : public Kinds::Service {
 public:
  Status Up(ServerContext* context, ServerReader<Number>* reader,
            Text_Line* response) override {
    Number number;
    while (reader->Read(&number)) {
      response->set_text(response->text() + std::to_string(number.value()));
    }
    return Status::OK;
  }
  Status Down(ServerContext* context, const Number* request,
              ServerWriter<Text_Line>* writer) override {
    for (int i = 0; i < request->value(); ++i) {
      writer->Write(LineOf(std::to_string(i)));
    }
    return Status(StatusCode::ABORTED, "down");
  }
  Status Both(ServerContext* context,
              ServerReaderWriter<Text_Line, Number>* stream) override {
    Number number;
    while (stream->Read(&number)) {
      stream->Write(LineOf(std::to_string(number.value())));
    }
    return Status::OK;
  }
};

class StreamingCall : public ::testing::Test {
 protected:
  const KindsImpl service_;
  const std::shared_ptr<DirectChannel> channel_ =
      std::make_shared<DirectChannel>(&service_);
  const std::unique_ptr<Kinds::Stub> stub_ = Kinds::NewStub(channel_);
  ClientContext context_;
};

TEST_F(StreamingCall, ClientsMessagesReachTheHandlerAndItsAnswerComesBack) {
  Text_Line response;
  const std::unique_ptr<ClientWriter<Number>> writer =
      stub_->Up(&context_, &response);
  EXPECT_EQ(channel_->last_call().method, "/shmrpc.golden.streaming.Kinds/Up");
  EXPECT_EQ(channel_->last_call().context, &context_);
  EXPECT_EQ(channel_->last_call().request, nullptr);
  EXPECT_EQ(channel_->last_call().response, &response);
  EXPECT_TRUE(writer->Write(NumberOf(1)));
  EXPECT_TRUE(writer->Write(NumberOf(2)));
  EXPECT_TRUE(writer->WritesDone());
  EXPECT_TRUE(writer->Finish().ok());
  EXPECT_EQ(response.text(), "12");
}

TEST_F(StreamingCall, HandlersMessagesReachTheClientAndThenItsStatus) {
  const Number request = NumberOf(2);
  const std::unique_ptr<ClientReader<Text_Line>> reader =
      stub_->Down(&context_, request);
  EXPECT_EQ(channel_->last_call().method,
            "/shmrpc.golden.streaming.Kinds/Down");
  EXPECT_EQ(channel_->last_call().context, &context_);
  EXPECT_EQ(channel_->last_call().request, &request);
  EXPECT_EQ(channel_->last_call().response, nullptr);
  Text_Line line;
  ASSERT_TRUE(reader->Read(&line));
  EXPECT_EQ(line.text(), "0");
  ASSERT_TRUE(reader->Read(&line));
  EXPECT_EQ(line.text(), "1");
  EXPECT_FALSE(reader->Read(&line));
  EXPECT_EQ(reader->Finish().error_message(), "down");
}

TEST_F(StreamingCall, BothSidesMessagesReachTheOther) {
  const std::unique_ptr<ClientReaderWriter<Number, Text_Line>> stream =
      stub_->Both(&context_);
  EXPECT_EQ(channel_->last_call().method,
            "/shmrpc.golden.streaming.Kinds/Both");
  EXPECT_EQ(channel_->last_call().context, &context_);
  EXPECT_EQ(channel_->last_call().request, nullptr);
  EXPECT_EQ(channel_->last_call().response, nullptr);
  EXPECT_TRUE(stream->Write(NumberOf(7)));
  stream->WriteLast(NumberOf(8), WriteOptions());
  Text_Line line;
  ASSERT_TRUE(stream->Read(&line));
  EXPECT_EQ(line.text(), "7");
  ASSERT_TRUE(stream->Read(&line));
  EXPECT_EQ(line.text(), "8");
  EXPECT_FALSE(stream->Read(&line));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(Streaming, StreamingMethodThatIsNotOverriddenIsUnimplemented) {
  const Kinds::Service service;
  const auto stub = Kinds::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext contexts[3];
  Text_Line response;
  for (const Status& status : {stub->Up(&contexts[0], &response)->Finish(),
                               stub->Down(&contexts[1], Number())->Finish(),
                               stub->Both(&contexts[2])->Finish()}) {
    EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
    EXPECT_EQ(status.error_message(), "");
  }
}

// The server must know without a message whether the handler wants one.
TEST(Streaming, HandlerMakesTheMessagesThatItsKindHasOneOf) {
  const Kinds::Service service;
  struct Expected {
    const char* name;
    bool request;
    bool response;
  };
  const Expected expected[] = {
      {"/shmrpc.golden.streaming.Kinds/Unary", true, true},
      {"/shmrpc.golden.streaming.Kinds/Up", false, true},
      {"/shmrpc.golden.streaming.Kinds/Down", true, false},
      {"/shmrpc.golden.streaming.Kinds/Both", false, false},
  };
  for (size_t i = 0; i < std::size(expected); ++i) {
    const internal::MethodHandler& handler = *service.methods().at(i);
    EXPECT_STREQ(handler.name(), expected[i].name);
    const std::unique_ptr<MessageLite> request(handler.NewRequest());
    const std::unique_ptr<MessageLite> response(handler.NewResponse());
    EXPECT_EQ(request != nullptr, expected[i].request) << handler.name();
    EXPECT_EQ(response != nullptr, expected[i].response) << handler.name();
  }
}

// Streams of a stub that is none, as a program's tests make them.
class FakeWriter final : public ClientWriterInterface<Number> {
 public:
  explicit FakeWriter(Text_Line* response) : response_(response) {}

  using WriterInterface<Number>::Write;
  bool Write(const Number& message, WriteOptions options) override {
    response_->set_text("fake " + std::to_string(message.value()));
    return true;
  }
  bool WritesDone() override { return true; }
  Status Finish() override { return Status::OK; }

 private:
  Text_Line* const response_;
};

class FakeReader final : public ClientReaderInterface<Text_Line> {
 public:
  explicit FakeReader(int messages) : left_(messages) {}

  void WaitForInitialMetadata() override {}
  bool NextMessageSize(uint32_t* size_bytes) override { return left_ > 0; }
  bool Read(Text_Line* message) override { return left_-- > 0; }
  Status Finish() override { return Status::OK; }

 private:
  int left_;
};

class FakeReaderWriter final
    : public ClientReaderWriterInterface<Number, Text_Line> {
 public:
  void WaitForInitialMetadata() override {}
  bool NextMessageSize(uint32_t* size_bytes) override { return false; }
  bool Read(Text_Line* message) override { return false; }
  using WriterInterface<Number>::Write;
  bool Write(const Number& message, WriteOptions options) override {
    return false;
  }
  bool WritesDone() override { return false; }
  Status Finish() override { return Status(StatusCode::UNAVAILABLE, "fake"); }
};

class FakeKindsStub final : public Kinds::StubInterface {
 public:
  Status Unary(ClientContext* context, const Number& request,
               Text_Line* response) override {
    return Status::OK;
  }
  Status SecondUnary(ClientContext* context, const Number& request,
                     Number* response) override {
    return Status::OK;
  }

 private:
  ClientWriterInterface<Number>* UpRaw(ClientContext* context,
                                       Text_Line* response) override {
    return new FakeWriter(response);
  }
  ClientReaderInterface<Text_Line>* DownRaw(ClientContext* context,
                                            const Number& request) override {
    return new FakeReader(request.value());
  }
  ClientReaderWriterInterface<Number, Text_Line>* BothRaw(
      ClientContext* context) override {
    return new FakeReaderWriter;
  }
  ClientReaderInterface<Number>* SecondDownRaw(ClientContext* context,
                                               const Number& request) override {
    return nullptr;
  }
};

TEST(Streaming, StreamsOfStubInterfaceCanBeReplaced) {
  FakeKindsStub fake;
  Kinds::StubInterface* const stub = &fake;
  ClientContext context;

  Text_Line response;
  const std::unique_ptr<ClientWriterInterface<Number>> writer =
      stub->Up(&context, &response);
  EXPECT_TRUE(writer->Write(NumberOf(3)));
  EXPECT_EQ(response.text(), "fake 3");

  const std::unique_ptr<ClientReaderInterface<Text_Line>> reader =
      stub->Down(&context, NumberOf(1));
  EXPECT_TRUE(reader->Read(&response));
  EXPECT_FALSE(reader->Read(&response));

  const std::unique_ptr<ClientReaderWriterInterface<Number, Text_Line>> stream =
      stub->Both(&context);
  EXPECT_EQ(stream->Finish().error_message(), "fake");
}

TEST(Streaming, StubIsUsableThroughItsInterface) {
  const KindsImpl service;
  const std::unique_ptr<Kinds::StubInterface> stub =
      Kinds::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext context;
  Text_Line response;
  const auto writer = stub->Up(&context, &response);
  EXPECT_TRUE(writer->Write(NumberOf(5)));
  EXPECT_TRUE(writer->Finish().ok());
  EXPECT_EQ(response.text(), "5");
}

// --- methods served as streams ----------------------------------------------

class StreamedImpl final : public Kinds::StreamedService {
 public:
  Status StreamedUnary(
      ServerContext* context,
      ServerUnaryStreamer<Number, Text_Line>* streamer) override {
    Number number;
    if (!streamer->Read(&number)) return Status(StatusCode::INTERNAL, "read");
    streamer->Write(LineOf("streamed " + std::to_string(number.value())));
    return Status::OK;
  }
  Status StreamedDown(
      ServerContext* context,
      ServerSplitStreamer<Number, Text_Line>* streamer) override {
    Number number;
    if (!streamer->Read(&number)) return Status(StatusCode::INTERNAL, "read");
    for (int i = 0; i < number.value(); ++i) {
      streamer->Write(LineOf("split " + std::to_string(i)));
    }
    return Status::OK;
  }
  Status StreamedSecondUnary(
      ServerContext* context,
      ServerUnaryStreamer<Number, Number>* streamer) override {
    return Status(StatusCode::ABORTED, "second unary");
  }
  Status StreamedSecondDown(
      ServerContext* context,
      ServerSplitStreamer<Number, Number>* streamer) override {
    return Status(StatusCode::ABORTED, "second down");
  }
};

TEST(Streamed, UnaryMethodIsServedByItsStreamedFunction) {
  const StreamedImpl service;
  const auto stub = Kinds::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext contexts[2];
  Text_Line response;
  EXPECT_TRUE(stub->Unary(&contexts[0], NumberOf(4), &response).ok());
  EXPECT_EQ(response.text(), "streamed 4");
  Number number;
  EXPECT_EQ(stub->SecondUnary(&contexts[1], Number(), &number).error_message(),
            "second unary");
}

TEST(Streamed, ServerStreamingMethodIsServedByItsStreamedFunction) {
  const StreamedImpl service;
  const auto stub = Kinds::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext contexts[2];
  const auto reader = stub->Down(&contexts[0], NumberOf(2));
  Text_Line line;
  ASSERT_TRUE(reader->Read(&line));
  EXPECT_EQ(line.text(), "split 0");
  ASSERT_TRUE(reader->Read(&line));
  EXPECT_EQ(line.text(), "split 1");
  EXPECT_FALSE(reader->Read(&line));
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(stub->SecondDown(&contexts[1], Number())->Finish().error_message(),
            "second down");
}

TEST(Streamed, EveryMethodIsRegisteredOnceAndInItsPlace) {
  EXPECT_EQ(NamesOf(StreamedImpl()), NamesOf(Kinds::Service()));
}

TEST(Streamed, OneMethodAloneLeavesTheOthersAsTheyAre) {
  class Impl final
      : public Kinds::WithStreamedUnaryMethod_SecondUnary<Kinds::Service> {
   public:
    Status Unary(ServerContext* context, const Number* request,
                 Text_Line* response) override {
      response->set_text("plain");
      return Status::OK;
    }
    Status StreamedSecondUnary(
        ServerContext* context,
        ServerUnaryStreamer<Number, Number>* streamer) override {
      Number number;
      streamer->Read(&number);
      streamer->Write(NumberOf(number.value() + 1));
      return Status::OK;
    }
  };
  const Impl service;
  const auto stub = Kinds::NewStub(std::make_shared<DirectChannel>(&service));
  ClientContext contexts[2];
  Text_Line line;
  EXPECT_TRUE(stub->Unary(&contexts[0], Number(), &line).ok());
  EXPECT_EQ(line.text(), "plain");
  Number number;
  EXPECT_TRUE(stub->SecondUnary(&contexts[1], NumberOf(1), &number).ok());
  EXPECT_EQ(number.value(), 2);
}

TEST(Streamed, ServicesHoldTheMethodsOfTheirKinds) {
  EXPECT_TRUE((std::is_same<Kinds::StreamedUnaryService,
                            Kinds::WithStreamedUnaryMethod_Unary<
                                Kinds::WithStreamedUnaryMethod_SecondUnary<
                                    Kinds::Service>>>::value));
  EXPECT_TRUE((std::is_same<Kinds::SplitStreamedService,
                            Kinds::WithSplitStreamingMethod_Down<
                                Kinds::WithSplitStreamingMethod_SecondDown<
                                    Kinds::Service>>>::value));
  using OnlyBoth = streaming::OnlyBoth;
  EXPECT_TRUE(
      (std::is_same<OnlyBoth::StreamedService, OnlyBoth::Service>::value));
  EXPECT_TRUE((std::is_same<NoMethods::StreamedUnaryService,
                            NoMethods::Service>::value));
}

class OtherHandlers final : public Service {
 public:
  OtherHandlers() {
    AddMethod(internal::MakeMethodHandler("/S/A", &OtherHandlers::A, this));
    AddMethod(internal::MakeMethodHandler("/S/B", &OtherHandlers::A, this));
    ReplaceMethod(
        internal::MakeMethodHandler("/S/A", &OtherHandlers::Down, this));
    ReplaceMethod(internal::MakeMethodHandler("/S/C", &OtherHandlers::A, this));
  }

 private:
  Status A(ServerContext* context, const Number* request, Number* response) {
    return Status::OK;
  }
  Status Down(ServerContext* context, const Number* request,
              ServerWriter<Number>* writer) {
    return Status::OK;
  }
};

TEST(ReplaceMethod, PutsTheHandlerInTheOldOnesPlaceOrAtTheEnd) {
  const OtherHandlers service;
  EXPECT_EQ(NamesOf(service),
            std::vector<std::string>({"/S/A", "/S/B", "/S/C"}));
  EXPECT_EQ(service.methods()[0]->NewResponse(), nullptr);
}

}  // namespace
}  // namespace golden
}  // namespace shmrpc
