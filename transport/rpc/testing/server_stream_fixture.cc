#include "transport/rpc/testing/server_stream_fixture.h"

#include "transport/link/address.h"
#include "transport/memory/layout.h"

namespace shmrpc {
namespace testing {

HandMadeService::HandMadeService() {
  using internal::MakeMethodHandler;
  AddMethod(MakeMethodHandler("/test.S/Unary", &HandMadeService::Unary, this));
  AddMethod(MakeMethodHandler("/test.S/Up", &HandMadeService::Up, this));
  AddMethod(MakeMethodHandler("/test.S/Down", &HandMadeService::Down, this));
  AddMethod(MakeMethodHandler("/test.S/Bidi", &HandMadeService::Bidi, this));
}

Status HandMadeService::EchoAll(ServerContext*, Stream* stream) {
  StringValue message;
  while (stream->Read(&message)) stream->Write(message);
  return Status();
}

ServerStreamTest::StringValue ServerStreamTest::Text(const std::string& value) {
  StringValue message;
  message.set_value(value);
  return message;
}

const std::string& ServerStreamTest::QuarterMessage() {
  // 4 bytes are the field's tag and length.
  static const std::string message(kQuarter - memory::kMessageChargeBytes - 4,
                                   'q');
  return message;
}

void ServerStreamTest::Start() {
  const std::string target = "shm:" + name_;
  builder_.AddListeningPort(target, InsecureServerCredentials());
  builder_.RegisterService(&service_);
  server_ = builder_.BuildAndStart();
  ASSERT_NE(server_, nullptr);
  client_ = NewClient();
}

std::unique_ptr<HandMadeClient> ServerStreamTest::NewClient() {
  return std::make_unique<HandMadeClient>(
      link::Address{platform::Scope::kLocal, name_});
}

void ServerStreamTest::TearDown() {
  client_.reset();
  server_.reset();
}

}  // namespace testing
}  // namespace shmrpc
