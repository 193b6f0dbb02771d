// Which addresses are mapped views of ours. Internal to transport/platform.
//
// Writers add and remove views; the fault handler (a SIGBUS handler, an SEH
// filter) looks addresses up. Everything is lock-free, so that the handler may
// run at any point, and so that a fork at any point leaves no lock behind.
//
// Why a lookup may skip what is just being changed: it asks for an address that
// the calling thread is accessing right now, so the view around it was
// registered before and is deregistered after. Its entry does not change during
// the lookup, and entries that do are other views'.
//
// A view is registered after it is mapped and deregistered before it is
// unmapped: the system may give its addresses to somebody else at once.

#ifndef SHMRPC_TRANSPORT_PLATFORM_VIEW_REGISTRY_H_
#define SHMRPC_TRANSPORT_PLATFORM_VIEW_REGISTRY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shmrpc {
namespace platform {

struct AddressRange {
  uintptr_t begin = 0;
  uintptr_t end = 0;  // exclusive
};

// Returns the registration's number, or -1 when all 65536 are taken (or there
// is no memory for their table). Installs the fault handler the first time.
int RegisterView(const AddressRange& range);
void DeregisterView(int registration);

// The view around `address`, -1 if none is.
int FindView(uintptr_t address, AddressRange* range);

// Sticky until HealView, or until the number is deregistered.
// Async-signal-safe.
void PoisonView(int registration);
// The same, around what maps zeros there: until EndPoison nobody can heal it.
void BeginPoison(int registration);
void EndPoison(int registration);

// The object was mapped there again after `seen` was. False, and nothing is
// healed: since then, or before and not ended yet, a thread has poisoned it,
// and its zeros may lie over the object.
bool HealView(int registration, uint32_t seen);
uint32_t SeePoison(int registration);

bool ViewIsPoisoned(int registration);
// What it looks at: has kPoisonBit. Valid while the number is registered.
constexpr uint32_t kPoisonBit = 1;
const std::atomic<uint32_t>* PoisonMark(int registration);

// Linux: the SIGBUS handler, once per process, chained to the one before.
// Windows: nothing to install. Any thread.
void InstallFaultHandler();

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_VIEW_REGISTRY_H_
