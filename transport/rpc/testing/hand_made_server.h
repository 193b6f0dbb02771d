// A server made of frames, for tests of a client: it says what the test tells
// it to say, true or not.
//
//   HandMadeServer server;
//   std::thread serving([&] {
//     link::Frame open = server.Take(memory::kFrameOpen);
//     server.Close(open.fields.call_id, StatusCode::OK, "", bytes);
//   });
//
// Thread rule: Take and the senders from one thread at a time.

#ifndef SHMRPC_TRANSPORT_RPC_TESTING_HAND_MADE_SERVER_H_
#define SHMRPC_TRANSPORT_RPC_TESTING_HAND_MADE_SERVER_H_

#include <cstdint>
#include <future>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "transport/link/accept.h"
#include "transport/link/connection.h"
#include "transport/link/lobby.h"
#include "transport/rpc/client_connection.h"

namespace shmrpc {
namespace testing {

class HandMadeServer {
 public:
  HandMadeServer();
  ~HandMadeServer();

  // Its one client.
  const std::shared_ptr<internal::ClientConnection>& client() const {
    return client_;
  }
  link::Connection& link() { return *link_; }

  // A frame, with private copies of what came with it.
  struct Taken {
    link::FrameFields fields;
    std::string metadata;
    std::string message;
    bool has_message = false;
    bool last = false;
  };
  // The next frame of that kind; others before it are passed over. Waits.
  Taken Take(memory::FrameKind kind);

  void Close(uint32_t call_id, uint32_t code, absl::string_view metadata,
             absl::string_view message, bool has_message = true);
  void Message(uint32_t call_id, absl::string_view message);
  void Initial(uint32_t call_id, absl::string_view metadata);
  void Credit(uint32_t call_id, uint32_t bytes);
  // Until the client has taken everything. What it sends is passed over.
  void Drain();

 private:
  void Send(const link::OutgoingFrame& frame, absl::string_view message);

  const link::Address address_;
  std::unique_ptr<link::Lobby> lobby_;
  std::unique_ptr<link::Connection> link_;
  std::promise<void> accepted_;
  std::unique_ptr<link::Acceptor> acceptor_;
  std::shared_ptr<internal::ClientConnection> client_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_TESTING_HAND_MADE_SERVER_H_
