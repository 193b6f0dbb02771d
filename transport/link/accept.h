// The server's half of the handshake: a thread that waits for offers in the
// accept slots, checks each connection object, and hands over a Connection.
//
//   Acceptor acceptor(lobby, [&](Acceptor::Accepted accepted) { ... });
//
// Thread rule: `on_accepted` runs on the acceptor's thread. The destructor ends
// and joins it. A client that lies or dies is logged and refused; it costs
// nobody else anything.

#ifndef SHMRPC_TRANSPORT_LINK_ACCEPT_H_
#define SHMRPC_TRANSPORT_LINK_ACCEPT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "transport/link/client_quotas.h"
#include "transport/link/connection.h"
#include "transport/link/lobby.h"
#include "transport/platform/event.h"

namespace shmrpc {
namespace link {

class Acceptor {
 public:
  struct Accepted {
    // Its place among the server's connections; null without quotas.
    std::unique_ptr<ClientQuotas::Seat> seat;
    std::unique_ptr<Connection> connection;
    // Add to a deadline of the client's to have it on this process's clock. 0
    // unless the two live in different time namespaces.
    int64_t clock_offset_ns = 0;
    // The lobby was made good (lobby_keeper.h): who sleeps on its words wakes,
    // since a client's ring may have been lost.
    bool lobby_restored = false;
  };
  // Takes the connection, which the client believes established when this
  // returns OK; otherwise the client is refused. Also called without a
  // connection after every round of accepting: time to look after those that
  // exist.
  using OnAccepted = std::function<absl::Status(Accepted accepted)>;

  // `quotas`: who may connect; null: everybody. Throws std::system_error if the
  // system starts no thread.
  Acceptor(Lobby* lobby, OnAccepted on_accepted,
           ClientQuotas* quotas = nullptr);
  ~Acceptor();

  // From now on whoever comes is refused, because the server is shutting down.
  // Any thread.
  void RefuseAll() {
    // Relaxed: says nothing of other memory; one that slips through is the
    // callback's to refuse.
    refusing_.store(true, std::memory_order_relaxed);
  }

  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  void Run();
  void TakeOffers();
  void AcceptOne(const Nonce& nonce, uint32_t claimed_pid);

  Lobby* const lobby_;
  const OnAccepted on_accepted_;
  ClientQuotas* const quotas_;  // may be null
  std::atomic<bool> stop_{false};
  std::atomic<bool> refusing_{false};
  platform::Waiter waiter_;
  std::thread thread_;
};

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_ACCEPT_H_
