// Both ends of a connection in one process, made by hand: no lobby, no
// handshake. Each end has its own view of the object, as two processes have.
//
//   ConnectionPair pair;
//   pair.client().Send(frame);
//   Frame got;
//   ASSERT_TRUE(pair.server().Next(&got));
//
// A hostile peer is either end's raw memory: page() and ring().
//
// Thread rule: each end as Connection says. Failures abort the test program.

#ifndef SHMRPC_TRANSPORT_LINK_TESTING_CONNECTION_PAIR_H_
#define SHMRPC_TRANSPORT_LINK_TESTING_CONNECTION_PAIR_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "transport/link/connection.h"
#include "transport/memory/layout.h"
#include "transport/memory/memory_account.h"
#include "transport/platform/event.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace testing {

class ConnectionPair {
 public:
  // `server_account`: what the server's end may hold for the client's.
  explicit ConnectionPair(
      uint64_t ring_size_bytes = memory::kRingSizeBytes,
      std::shared_ptr<memory::MemoryAccount> server_account = nullptr);

  link::Connection& client() { return *client_; }
  link::Connection& server() { return *server_; }
  link::Connection& side(memory::Side side) {
    return side == memory::kClientSide ? *client_ : *server_;
  }

  // What that side sleeps on.
  platform::Event* client_event() { return &client_event_; }
  platform::Event* server_event() { return &server_event_; }

  // The object as `side` maps it, and in it the ring that `producer` fills.
  memory::ConnectionPage* page(memory::Side side) {
    return this->side(side).page();
  }
  uint8_t* ring(memory::Side side, memory::Side producer) {
    return reinterpret_cast<uint8_t*>(page(side)) + memory::kPage +
           producer * ring_size_bytes_;
  }
  uint64_t ring_size_bytes() const { return ring_size_bytes_; }
  const platform::ObjectName& name() const { return name_; }

 private:
  const uint64_t ring_size_bytes_;
  const platform::ObjectName name_;
  std::unique_ptr<link::Connection> client_;
  std::unique_ptr<link::Connection> server_;
  std::atomic<uint32_t> server_word_{0};  // of the server's poller
  platform::Event client_event_;
  platform::Event server_event_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_TESTING_CONNECTION_PAIR_H_
