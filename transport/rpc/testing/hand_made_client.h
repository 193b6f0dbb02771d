// A client made of frames, for tests of a server: it says what the test tells
// it to say, allowed or not. Its counterpart: hand_made_server.h.
//
//   HandMadeClient client(address);
//   client.Open(7, HandMadeClient::kBidi);
//   client.Message(7, "text");
//   EXPECT_EQ(client.NextMessage().text(), "text");
//
// The methods are those of server_stream_fixture.h; messages are
// google.protobuf.StringValue.
//
// Thread rule: one thread at a time. Failures are the test's.

#ifndef SHMRPC_TRANSPORT_RPC_TESTING_HAND_MADE_CLIENT_H_
#define SHMRPC_TRANSPORT_RPC_TESTING_HAND_MADE_CLIENT_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "transport/link/address.h"
#include "transport/link/connect.h"
#include "transport/platform/event.h"

namespace shmrpc {
namespace testing {

// A key and its value, as they travel.
std::string MetadataPair(const std::string& key, const std::string& value);

class HandMadeClient {
 public:
  enum Method : uint32_t { kUnary, kUp, kDown, kBidi };

  explicit HandMadeClient(const link::Address& address);
  ~HandMadeClient();

  link::Connection& connection() { return *link_.connection; }

  void Send(link::OutgoingFrame frame, const std::string& message = "");
  void Bind(uint32_t method, const std::string& name);
  // Without a message.
  void Open(uint32_t call_id, Method method, const std::string& metadata = "",
            bool last = false, int64_t deadline_ns = INT64_MAX);
  // With one message, the only one if `last`.
  void OpenWith(uint32_t call_id, Method method, const std::string& text,
                bool last = true, const std::string& metadata = "");
  void Message(uint32_t call_id, const std::string& text, bool last = false);
  void RawMessage(uint32_t call_id, const std::string& bytes,
                  bool last = false);
  void HalfClose(uint32_t call_id);
  void Credit(uint32_t call_id, uint64_t bytes);
  void Cancel(uint32_t call_id);

  // A frame as it arrived, its block given back.
  struct Got {
    uint8_t kind = 0;
    uint32_t call_id = 0;
    uint32_t aux = 0;
    bool initial = false;
    bool has_message = false;
    std::string metadata;
    std::string message;

    std::string text() const;
    std::string status_text() const;
  };
  // The next frame. Waits.
  Got Next();
  // The next frame, which has to be one.
  Got NextMessage();
  Got NextClose(uint32_t code);
  void AwaitClosedByServer();
  // The server has given back every block it was sent.
  void AwaitBlocksBack();

 private:
  void Await(absl::FunctionRef<bool()> condition);

  link::ClientLink link_;
  platform::Waiter waiter_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_TESTING_HAND_MADE_CLIENT_H_
