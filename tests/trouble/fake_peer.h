// Peers that do not keep to the layout: a lobby or a connection object made by
// hand, through the same link and platform code that real ones use.
//
//   FakeClient fake(server.target());
//   fake.Offer(size_bytes, [](memory::ConnectionHeader* h) {
//     h->layout_version = 99;
//   });
//   EXPECT_EQ(fake.AwaitRefusal(), memory::kRefusedLayoutVersion);

#ifndef SHMRPC_TESTS_TROUBLE_FAKE_PEER_H_
#define SHMRPC_TESTS_TROUBLE_FAKE_PEER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "transport/link/address.h"
#include "transport/link/lobby.h"
#include "transport/memory/layout.h"
#include "transport/platform/event.h"
#include "transport/platform/mapping.h"

namespace shmrpc {
namespace testing {

// A correct connection header for a ring size and an object's size, as a real
// client of this process would write it, but for the server that it is for.
void FillHeader(uint64_t ring_size_bytes, uint64_t total_size_bytes,
                memory::ConnectionHeader* header);

// Offers connection objects to a server.
class FakeClient {
 public:
  // Aborts if there is none.
  explicit FakeClient(const std::string& target);
  static absl::StatusOr<FakeClient> Find(const std::string& target);

  // Makes an object of `size_bytes` with a correct header, changed by `edit`,
  // and puts it into an accept slot. The object before it is let go of.
  void Offer(uint64_t size_bytes,
             const std::function<void(memory::ConnectionHeader*)>& edit);
  // The same for an object of the usual size.
  void Offer(const std::function<void(memory::ConnectionHeader*)>& edit);
  // Puts a nonce into a slot that names no object at all.
  void OfferNothing();
  // Claims every slot that is free, as a client does that then stops or dies;
  // `pid` is written as the claimer's. Returns how many.
  int ClaimAllSlots(uint32_t pid);

  // The server's answer, kRefusedNone if it accepted.
  memory::Refusal AwaitAnswer();

  memory::LobbySlots* slots() {
    return reinterpret_cast<memory::LobbySlots*>(slots_view_.data());
  }
  std::string connection_name() const { return mapping_.name().name; }

 private:
  FakeClient() = default;

  void PutIntoSlot(const link::Nonce& nonce);

  link::ServerIdentity server_;
  platform::NamedMapping slots_mapping_;
  platform::View slots_view_;
  platform::Event accept_event_;

  platform::NamedMapping mapping_;
  platform::View view_;
  platform::Event own_event_;
};

// An object under the name where a server's identity would lie, with a correct
// identity of this process changed by `edit`.
platform::NamedMapping MakeFakeLobby(
    const std::string& target,
    const std::function<void(memory::LobbyIdentity*)>& edit);

// The address; aborts if it is none.
link::Address AddressOf(const std::string& target);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_TROUBLE_FAKE_PEER_H_
