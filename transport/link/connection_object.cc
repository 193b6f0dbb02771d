#include "transport/link/connection_object.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "shmrpc/version.h"
#include "transport/memory/ring.h"
#include "transport/platform/clock.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"

namespace shmrpc {
namespace link {
namespace {

using memory::ConnectionHeader;
using platform::NamedMapping;

uint64_t SizeBytes(uint64_t ring_size_bytes) {
  // Of a knock: the first page.
  return memory::ConnectionSizeBytes(ring_size_bytes);
}

}  // namespace

absl::StatusOr<ConnectionObject> CreateConnectionObject(
    const platform::ObjectName& name, const ConnectionShape& shape,
    const platform::AccessPolicy& access) {
  const uint64_t size_bytes = SizeBytes(shape.ring_size_bytes);
  platform::CreateOptions options;
  options.access = access;
  options.fresh_name = true;
  if (shape.reserve_late) options.reserve_first_bytes = memory::kPage;
  const auto init = [&](uint8_t* data) {
    auto* header = reinterpret_cast<ConnectionHeader*>(data);
    header->layout_version = kLayoutVersion;
    SHMRPC_STORE_POINT("header.layout version");
    header->header_bytes = sizeof(ConnectionHeader);
    SHMRPC_STORE_POINT("header.header bytes");
    header->client_pid = shape.client.pid;
    SHMRPC_STORE_POINT("header.pid");
    header->client_start_time = shape.client.start_time;
    SHMRPC_STORE_POINT("header.start time");
    header->ring_size_bytes = shape.ring_size_bytes;
    SHMRPC_STORE_POINT("header.ring size");
    header->total_size_bytes = size_bytes;
    SHMRPC_STORE_POINT("header.total size");
    header->client_clock_ns = platform::MonotonicNowNs();
    SHMRPC_STORE_POINT("header.clock");
    header->slots_nonce_low = shape.slots_nonce.low;
    SHMRPC_STORE_POINT("header.slots nonce");
    // SYNC(connection-ready): release pairs with the acquire in ReadClaims.
    header->magic.store(memory::kConnectionMagic, std::memory_order_release);
    SHMRPC_STORE_POINT("header.magic");
    return absl::OkStatus();
  };
  ConnectionObject object;
  object.name = name;
  auto mapping =
      NamedMapping::CreateMapped(name, size_bytes, options, init, &object.view);
  if (!mapping.ok()) return mapping.status();
  object.mapping = *std::move(mapping);
  auto event = platform::Event::Create(
      name.WithSuffix(".w"), &object.page()->client_wake.word, access);
  if (!event.ok()) return event.status();
  object.client_event = *std::move(event);
  return object;
}

absl::StatusOr<ConnectionObject> OpenConnectionObject(
    const platform::ObjectName& name, const std::string& other_owner) {
  platform::OpenOptions options;
  options.hold = false;
  options.other_owner = other_owner;
  auto mapping = NamedMapping::Open(name, options);
  if (!mapping.ok()) return mapping.status();
  ConnectionObject object;
  object.name = name;
  object.mapping = *std::move(mapping);
  // Not mapped if it cannot be one: an enormous object would take the address
  // space, on Windows the memory, of everybody.
  const uint64_t size_bytes = object.mapping.size_bytes();
  if (size_bytes < SizeBytes(0) ||
      size_bytes > SizeBytes(memory::kMaxRingSizeBytes)) {
    return absl::DataLossError(absl::StrCat("connection ", name.name, " has ",
                                            size_bytes,
                                            " bytes: no connection has"));
  }
  auto view = object.mapping.Map(0, size_bytes, platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  object.view = *std::move(view);
  auto event = platform::Event::Open(name.WithSuffix(".w"),
                                     &object.page()->client_wake.word);
  if (!event.ok()) return event.status();
  object.client_event = *std::move(event);
  return object;
}

bool ReadClaims(const ConnectionObject& object, ConnectionClaims* claims) {
  return platform::Guarded(object.view, [&] {
    const memory::ConnectionPage& page = *object.page();
    const ConnectionHeader& h = page.header;
    // SYNC(connection-ready): acquire pairs with the maker's release.
    claims->magic = h.magic.load(std::memory_order_acquire);
    claims->layout_version = h.layout_version;
    claims->client = {h.client_pid, h.client_start_time};
    claims->ring_size_bytes = h.ring_size_bytes;
    claims->total_size_bytes = h.total_size_bytes;
    claims->client_clock_ns = h.client_clock_ns;
    claims->slots_nonce_low = h.slots_nonce_low;
    // Relaxed: the thread that asks is the one that answers.
    claims->answered = page.hello.state.load(std::memory_order_relaxed) !=
                       memory::kHelloPending;
  });
}

bool ConnectionClaims::SizesFit(const ConnectionObject& object) const {
  return (IsKnock() || memory::ValidRingSize(ring_size_bytes)) &&
         total_size_bytes == SizeBytes(ring_size_bytes) &&
         object.mapping.size_bytes() >= total_size_bytes;
}

}  // namespace link
}  // namespace shmrpc
