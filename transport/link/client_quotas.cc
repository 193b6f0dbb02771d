#include "transport/link/client_quotas.h"

#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace shmrpc {
namespace link {
namespace {

struct ById {
  bool operator()(const platform::ProcessId& a,
                  const platform::ProcessId& b) const {
    return a.pid != b.pid ? a.pid < b.pid : a.start_time < b.start_time;
  }
};

}  // namespace

struct ClientQuotas::Shared {
  explicit Shared(Limits l) : limits(std::move(l)) {}

  const Limits limits;
  absl::Mutex mutex;
  uint32_t connections ABSL_GUARDED_BY(mutex) = 0;
  // Only those that have a connection: as bounded as these are.
  std::map<platform::ProcessId, std::unique_ptr<Client>, ById> clients
      ABSL_GUARDED_BY(mutex);
  uint32_t refusals ABSL_GUARDED_BY(mutex) = 0;  // of newcomers
};

ClientQuotas::Seat::Seat(std::shared_ptr<Shared> shared,
                         platform::ProcessId process, Client* client)
    : shared_(std::move(shared)),
      process_(process),
      client_(client),
      max_calls_(shared_->limits.client_calls) {}

ClientQuotas::Seat::~Seat() {
  connection_.Release();
  absl::MutexLock lock(&shared_->mutex);
  --shared_->connections;
  client_->refusals = 0;
  if (--client_->connections == 0) shared_->clients.erase(process_);
}

// Relaxed, both: a count and nothing else. It is this process's, not shared.
bool ClientQuotas::Seat::TryBeginCall() {
  uint32_t calls = client_->calls.load(std::memory_order_relaxed);
  do {
    if (calls >= max_calls_) return false;
  } while (!client_->calls.compare_exchange_weak(calls,
                                                 calls + 1,  // not shared
                                                 std::memory_order_relaxed));
  return true;
}

void ClientQuotas::Seat::EndCall() {
  client_->calls.fetch_sub(1, std::memory_order_relaxed);  // not shared
}

ClientQuotas::ClientQuotas(Limits limits)
    : shared_(std::make_shared<Shared>(std::move(limits))) {}

ClientQuotas::~ClientQuotas() = default;

ClientQuotas::Admitted ClientQuotas::Admit(const platform::ProcessId& process,
                                           uint64_t connection_bytes) {
  Admitted admitted;
  Shared* const s = shared_.get();
  const Limits& limits = s->limits;
  absl::MutexLock lock(&s->mutex);
  const auto found = s->clients.find(process);
  Client* client = found == s->clients.end() ? nullptr : found->second.get();
  const auto refuse = [&](memory::Refusal refusal, uint64_t limit) {
    s->mutex.AssertHeld();
    uint32_t* const before =
        client == nullptr ? &s->refusals : &client->refusals;
    ++*before;
    admitted.log = (*before & (*before - 1)) == 0;  // 1, 2, 4, 8 ...
    admitted.refusal = refusal;
    admitted.limit = limit;
    return std::move(admitted);
  };
  if (client != nullptr && client->connections >= limits.client_connections) {
    return refuse(memory::kRefusedClientConnections, limits.client_connections);
  }
  if (s->connections >= limits.connections) {
    return refuse(memory::kRefusedConnections, limits.connections);
  }
  std::unique_ptr<Client> fresh;
  if (client == nullptr) {
    fresh = std::make_unique<Client>(limits.client_memory_bytes, limits.memory);
  }
  memory::Charge charge;
  const auto& account = fresh != nullptr ? fresh->memory : client->memory;
  if (!charge.Take(account, connection_bytes)) {
    return refuse(memory::kRefusedClientMemory, limits.client_memory_bytes);
  }
  if (fresh != nullptr) {
    client = fresh.get();
    s->clients[process] = std::move(fresh);
    s->refusals = 0;
  }
  ++s->connections;
  ++client->connections;
  admitted.seat = std::make_unique<Seat>(shared_, process, client);
  admitted.seat->connection_ = std::move(charge);
  return admitted;
}

size_t ClientQuotas::clients() const {
  absl::MutexLock lock(&shared_->mutex);
  return shared_->clients.size();
}

}  // namespace link
}  // namespace shmrpc
