// What one client process may take of a server: connections, memory, calls.
//
//   ClientQuotas quotas(limits);
//   auto admitted = quotas.Admit(process, connection_bytes);
//   if (admitted.seat == nullptr) ... refuse with admitted.refusal ...
//   ... connection.memory = seat->memory_account(); ... seat->TryBeginCall()
//   ...
//
// A client is a process as the system vouches for it: pid and start time. All
// its connections share one set of counts, which lives as long as one of them.
// Another process is never refused for what this one has, but for the limits of
// the whole server.
//
// Thread rule: any. Ownership: a seat belongs to its connection and may outlive
// the ClientQuotas. Failures: none but a refusal.

#ifndef SHMRPC_TRANSPORT_LINK_CLIENT_QUOTAS_H_
#define SHMRPC_TRANSPORT_LINK_CLIENT_QUOTAS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "transport/memory/layout.h"
#include "transport/memory/memory_account.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace link {

class ClientQuotas {
 public:
  struct Limits {
    uint32_t client_connections = UINT32_MAX;
    uint32_t connections = UINT32_MAX;  // of all clients
    uint64_t client_memory_bytes = UINT64_MAX;
    uint32_t client_calls = UINT32_MAX;
    std::shared_ptr<memory::MemoryAccount> memory;  // of all; may be null
  };

 private:
  struct Shared;

  // One process.
  struct Client {
    Client(uint64_t memory_limit_bytes,
           std::shared_ptr<memory::MemoryAccount> whole)
        : memory(std::make_shared<memory::MemoryAccount>(memory_limit_bytes,
                                                         std::move(whole))) {}
    const std::shared_ptr<memory::MemoryAccount> memory;
    // Relaxed everywhere: a count and nothing else.
    std::atomic<uint32_t> calls{0};
    uint32_t connections = 0;  // under Shared::mutex
    uint32_t refusals = 0;     // likewise
  };

 public:
  // One connection's place; given back by the destructor.
  class Seat {
   public:
    Seat(std::shared_ptr<Shared> shared, platform::ProcessId process,
         Client* client);
    ~Seat();
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

    const std::shared_ptr<memory::MemoryAccount>& memory_account() const {
      return client_->memory;
    }
    // False: the process has as many calls as it may. A call counts until
    // EndCall, however it ends for the client.
    bool TryBeginCall();
    void EndCall();
    uint32_t max_calls() const { return max_calls_; }

   private:
    const std::shared_ptr<Shared> shared_;
    const platform::ProcessId process_;
    Client* const client_;  // lives while a seat does
    const uint32_t max_calls_;
    memory::Charge connection_;

    friend class ClientQuotas;
  };

  explicit ClientQuotas(Limits limits);
  ~ClientQuotas();

  struct Admitted {
    std::unique_ptr<Seat> seat;  // null: refused
    memory::Refusal refusal = memory::kRefusedNone;
    uint64_t limit = 0;  // that stood in the way
    // Worth a line in the log: not each of a client that tries all the time.
    bool log = false;
  };
  Admitted Admit(const platform::ProcessId& process, uint64_t connection_bytes);

  // Processes that have a connection.
  size_t clients() const;

 private:
  const std::shared_ptr<Shared> shared_;
};

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_CLIENT_QUOTAS_H_
