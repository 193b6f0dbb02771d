#include "transport/rpc/testing/hand_made_client.h"

#include <cstring>
#include <utility>

#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "transport/link/metadata.h"
#include "transport/platform/clock.h"

namespace shmrpc {
namespace testing {
namespace {

using google::protobuf::StringValue;

std::string Serialized(const std::string& text) {
  StringValue message;
  message.set_value(text);
  return message.SerializeAsString();
}

link::OutgoingFrame OpenFrame(uint32_t call_id, HandMadeClient::Method method) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameOpen;
  frame.call_id = call_id;
  frame.aux = method;
  return frame;
}

}  // namespace

std::string MetadataPair(const std::string& key, const std::string& value) {
  std::string bytes;
  link::AppendMetadata(key, value, &bytes);
  return bytes;
}

HandMadeClient::HandMadeClient(const link::Address& address) {
  auto link = link::Connect(address);
  EXPECT_TRUE(link.ok()) << link.status();
  link_ = *std::move(link);
  const char* names[] = {"/test.S/Unary", "/test.S/Up", "/test.S/Down",
                         "/test.S/Bidi"};
  for (uint32_t i = 0; i < 4; ++i) Bind(i, names[i]);
}

HandMadeClient::~HandMadeClient() { link_.watch.reset(); }

void HandMadeClient::Send(link::OutgoingFrame frame,
                          const std::string& message) {
  frame.message_bytes = message.size();
  EXPECT_TRUE(connection()
                  .Send(frame,
                        [&](uint8_t* to) {
                          std::memcpy(to, message.data(), message.size());
                        })
                  .ok());
}

void HandMadeClient::Bind(uint32_t method, const std::string& name) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameBind;
  frame.aux = method;
  frame.metadata = name;
  Send(frame);
}

void HandMadeClient::Open(uint32_t call_id, Method method,
                          const std::string& metadata, bool last,
                          int64_t deadline_ns) {
  link::OutgoingFrame frame = OpenFrame(call_id, method);
  frame.last = last;
  frame.metadata = metadata;
  frame.deadline_ns = deadline_ns;
  Send(frame);
}

void HandMadeClient::OpenWith(uint32_t call_id, Method method,
                              const std::string& text, bool last,
                              const std::string& metadata) {
  link::OutgoingFrame frame = OpenFrame(call_id, method);
  frame.has_message = true;
  frame.last = last;
  frame.metadata = metadata;
  Send(frame, Serialized(text));
}

void HandMadeClient::Message(uint32_t call_id, const std::string& text,
                             bool last) {
  RawMessage(call_id, Serialized(text), last);
}

void HandMadeClient::RawMessage(uint32_t call_id, const std::string& bytes,
                                bool last) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameMessage;
  frame.call_id = call_id;
  frame.has_message = true;
  frame.last = last;
  Send(frame, bytes);
}

void HandMadeClient::HalfClose(uint32_t call_id) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameMessage;
  frame.call_id = call_id;
  frame.last = true;
  Send(frame);
}

void HandMadeClient::Credit(uint32_t call_id, uint64_t bytes) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameCredit;
  frame.call_id = call_id;
  frame.aux = static_cast<uint32_t>(bytes);
  Send(frame);
}

void HandMadeClient::Cancel(uint32_t call_id) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameCancel;
  frame.call_id = call_id;
  Send(frame);
}

std::string HandMadeClient::Got::text() const {
  StringValue value;
  EXPECT_TRUE(value.ParseFromString(message));
  return value.value();
}

std::string HandMadeClient::Got::status_text() const {
  link::Metadata pairs;
  EXPECT_TRUE(link::ParseMetadata(metadata, &pairs).ok());
  return std::string(link::FindMetadata(pairs, "grpc-message"));
}

HandMadeClient::Got HandMadeClient::Next() {
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

HandMadeClient::Got HandMadeClient::NextMessage() {
  Got got = Next();
  EXPECT_EQ(got.kind, memory::kFrameMessage) << got.status_text();
  return got;
}

HandMadeClient::Got HandMadeClient::NextClose(uint32_t code) {
  Got got = Next();
  EXPECT_EQ(got.kind, memory::kFrameClose);
  EXPECT_EQ(got.aux, code) << got.status_text();
  return got;
}

void HandMadeClient::AwaitClosedByServer() {
  Await([&] {
    link::Frame frame;
    while (connection().Next(&frame)) {
    }
    return connection().PeerClosed();
  });
}

void HandMadeClient::AwaitBlocksBack() {
  Await([&] {
    link::Frame frame;
    EXPECT_FALSE(connection().Next(&frame));
    return connection().Undelivered() == 0;
  });
}

void HandMadeClient::Await(absl::FunctionRef<bool()> condition) {
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

}  // namespace testing
}  // namespace shmrpc
