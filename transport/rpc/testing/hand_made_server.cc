#include "transport/rpc/testing/hand_made_server.h"

#include <cstring>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace testing {

HandMadeServer::HandMadeServer()
    : address_{platform::Scope::kLocal, UniqueName("test.client")} {
  auto lobby = link::Lobby::Create({address_}, {});
  EXPECT_TRUE(lobby.ok()) << lobby.status();
  lobby_ = *std::move(lobby);
  acceptor_ = std::make_unique<link::Acceptor>(
      lobby_.get(), [this](link::Acceptor::Accepted a) {
        if (a.connection == nullptr) return absl::OkStatus();
        link_ = std::move(a.connection);
        accepted_.set_value();
        return absl::OkStatus();
      });
  auto client = internal::ClientConnection::Connect(address_);
  EXPECT_TRUE(client.ok()) << client.status();
  client_ = *std::move(client);
  accepted_.get_future().wait();
}

HandMadeServer::~HandMadeServer() = default;

HandMadeServer::Taken HandMadeServer::Take(memory::FrameKind kind) {
  link::Frame frame;
  for (;;) {
    if (!link_->Next(&frame)) {
      link_->Flush();
      std::this_thread::yield();
      continue;
    }
    Taken taken;
    taken.fields = frame.fields;
    taken.metadata.assign(reinterpret_cast<const char*>(frame.metadata),
                          frame.fields.metadata_bytes);
    taken.message.assign(reinterpret_cast<const char*>(frame.message),
                         frame.message_bytes);
    taken.has_message = frame.has_message();
    taken.last = frame.last();
    if (frame.in_block()) link_->GiveBackBlock(frame.block);
    if (frame.fields.kind == kind) return taken;
  }
}

void HandMadeServer::Send(const link::OutgoingFrame& frame,
                          absl::string_view message) {
  const absl::Status sent = link_->Send(frame, [&](uint8_t* to) {
    std::memcpy(to, message.data(), message.size());
  });
  EXPECT_TRUE(sent.ok()) << sent;
}

void HandMadeServer::Close(uint32_t call_id, uint32_t code,
                           absl::string_view metadata,
                           absl::string_view message, bool has_message) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameClose;
  frame.call_id = call_id;
  frame.aux = code;
  frame.metadata = metadata;
  frame.has_message = has_message;
  frame.message_bytes = message.size();
  Send(frame, message);
}

void HandMadeServer::Message(uint32_t call_id, absl::string_view message) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameMessage;
  frame.call_id = call_id;
  frame.has_message = true;
  frame.message_bytes = message.size();
  Send(frame, message);
}

void HandMadeServer::Initial(uint32_t call_id, absl::string_view metadata) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameMessage;
  frame.call_id = call_id;
  frame.initial = true;
  frame.metadata = metadata;
  Send(frame, "");
}

void HandMadeServer::Drain() {
  link::Frame frame;
  while (link_->Undelivered() != 0 && !link_->broken()) {
    link_->Flush();
    // Blocks come back in frames of their own, or with others, which are
    // passed over.
    if (!link_->Next(&frame)) std::this_thread::yield();
  }
}

void HandMadeServer::Credit(uint32_t call_id, uint32_t bytes) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameCredit;
  frame.call_id = call_id;
  frame.aux = bytes;
  Send(frame, "");
}

}  // namespace testing
}  // namespace shmrpc
