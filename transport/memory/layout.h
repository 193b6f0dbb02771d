// Every byte that two processes share. Offsets, never pointers; fixed widths;
// the same for 32-bit and 64-bit processes. [who] writes the field.
//
// Any change here: bump shmrpc::kLayoutVersion and docs/layout.md. The first 16
// bytes of LobbyIdentity and ConnectionHeader keep their meaning in all
// versions, so that different ones can tell each other so.
//
// Objects:
//   shmrpc.srv.<service>  LobbyIdentity; clients map it read-only
//   shmrpc.slots.<nonce>  LobbySlots; clients write it
//   shmrpc.conn.<nonce>   ConnectionPage and 2 rings: one client, the server
//   shmrpc.conn.<nonce>.c<N>.<nonce>
//                         arena segment N of the client (.s<N> of the server)

#ifndef SHMRPC_TRANSPORT_MEMORY_LAYOUT_H_
#define SHMRPC_TRANSPORT_MEMORY_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shmrpc {
namespace memory {

constexpr uint64_t kCacheLine = 64;
constexpr uint64_t kPage = 4096;

static_assert(std::atomic<uint32_t>::is_always_lock_free &&
                  std::atomic<uint64_t>::is_always_lock_free,
              "shared atomics must be plain words");
static_assert(sizeof(std::atomic<uint32_t>) == 4 &&
                  sizeof(std::atomic<uint64_t>) == 8,
              "shared atomics must have no hidden state");

constexpr uint64_t kLobbyMagic = 0x79626f4c63707253;       // "SrpcLoby"
constexpr uint64_t kConnectionMagic = 0x6e6e6f4363707253;  // "SrpcConn"

// --- lobby
// --------------------------------------------------------------------

constexpr uint32_t kServerNameBytes = 64;

// What a server says of itself. Constant once the object has its name.
struct LobbyIdentity {
  std::atomic<uint64_t> magic;  // [server] kLobbyMagic, stored last
  uint32_t layout_version;      // [server] shmrpc::kLayoutVersion
  uint32_t identity_bytes;      // [server] sizeof(LobbyIdentity)
  uint32_t feature_bits;        // [server] none defined yet: 0
  uint32_t pid;                 // [server]
  uint64_t start_time;          // [server] of the process, opaque
  uint64_t slots_nonce[2];      // [server] names the LobbySlots object
  uint32_t slots_global;        // [server] 1: it is in the global scope
  uint32_t slot_count;          // [server] kSlotCount
  char version[16];             // [server] "0.1.0", NUL-padded, for messages
  char name[kServerNameBytes];  // [server] the service's name, NUL-padded
  uint8_t reserved[56];         // zero
};
static_assert(sizeof(LobbyIdentity) == 192, "layout");
static_assert(offsetof(LobbyIdentity, layout_version) == 8, "layout");
static_assert(offsetof(LobbyIdentity, identity_bytes) == 12, "layout");
static_assert(offsetof(LobbyIdentity, feature_bits) == 16, "layout");
static_assert(offsetof(LobbyIdentity, pid) == 20, "layout");
static_assert(offsetof(LobbyIdentity, start_time) == 24, "layout");
static_assert(offsetof(LobbyIdentity, slots_nonce) == 32, "layout");
static_assert(offsetof(LobbyIdentity, slots_global) == 48, "layout");
static_assert(offsetof(LobbyIdentity, slot_count) == 52, "layout");
static_assert(offsetof(LobbyIdentity, version) == 56, "layout");
static_assert(offsetof(LobbyIdentity, name) == 72, "layout");
static_assert(offsetof(LobbyIdentity, reserved) == 136, "layout");

// AcceptSlot::state: one of these in the low 32 bits, a pid in the high ones.
enum SlotState : uint32_t {
  kSlotFree = 0,
  kSlotClaimed = 1,  // a client fills it
  kSlotOffered = 2,  // it names a connection object
};

// Where one client announces one connection.
struct alignas(64) AcceptSlot {
  // [client] Free -> Claimed (compare-exchange) -> Offered; [server] -> Free.
  std::atomic<uint64_t> state;
  std::atomic<uint64_t> nonce[2];  // [client] while Claimed
  uint8_t reserved[40];            // zero
};
static_assert(sizeof(AcceptSlot) == 64, "layout");
static_assert(offsetof(AcceptSlot, nonce) == 8, "layout");
static_assert(offsetof(AcceptSlot, reserved) == 24, "layout");

// A word that a sleeper of the server's waits on; alone in its cache line.
struct alignas(64) WakeLine {
  std::atomic<uint32_t> word;  // [both] platform::Event's
  uint8_t reserved[60];        // zero
};
static_assert(sizeof(WakeLine) == 64, "layout");

constexpr uint32_t kSlotCount = 60;

// Shared by all clients of a server: any of them may spoil a connect, none of
// it matters to a connection that is established.
struct LobbySlots {
  std::atomic<uint64_t> magic;  // [server] kLobbyMagic, stored last
  uint8_t reserved[56];         // zero
  WakeLine accept_wake;         // wakes the thread that accepts
  WakeLine poller_wake;         // wakes the threads that poll connections
  uint8_t reserved2[64];        // zero
  AcceptSlot slots[kSlotCount];
};
static_assert(sizeof(LobbySlots) == 4096, "layout");
static_assert(offsetof(LobbySlots, accept_wake) == 64, "layout");
static_assert(offsetof(LobbySlots, poller_wake) == 128, "layout");
static_assert(offsetof(LobbySlots, slots) == 256, "layout");

// --- connection
// ---------------------------------------------------------------

// ServerHello::state.
enum HelloState : uint32_t {
  kHelloPending = 0,
  kHelloAccepted = 1,
  kHelloRefused = 2,
};

// Why a server refused (ServerHello::refusal).
enum Refusal : uint32_t {
  kRefusedNone = 0,
  kRefusedLayoutVersion = 1,  // header has another layout version
  kRefusedHeader = 2,         // header or size do not make sense
  kRefusedPidNamespace = 3,   // the client's pid means nothing to the server
  kRefusedIdentity = 4,       // pid, start time or owner are not the opener's
  kRefusedNoMemory = 5,       // the server could not map or watch it
  kRefusedShuttingDown = 6,
  kRefusedClientConnections = 7,  // `limit` connections of this process
  kRefusedConnections = 8,        // `limit` connections of all clients
  kRefusedClientMemory = 9,       // `limit` bytes for this process
  kRefusedNotMade = 10,  // the server could not make the connection: its log
};

// [client] Constant once announced.
struct alignas(64) ConnectionHeader {
  std::atomic<uint64_t> magic;  // kConnectionMagic, stored last
  uint32_t layout_version;      // shmrpc::kLayoutVersion
  uint32_t header_bytes;        // sizeof(ConnectionHeader)
  uint32_t feature_bits;        // none defined yet: 0
  uint32_t client_pid;
  uint64_t client_start_time;  // opaque
  // Of each direction: a power of two. 0: a knock, see connection_nonce.
  uint64_t ring_size_bytes;
  uint64_t total_size_bytes;  // of the object
  int64_t client_clock_ns;    // MonotonicNowNs() when written
  uint64_t slots_nonce_low;   // LobbyIdentity::slots_nonce[1]: whom it is for
};
static_assert(sizeof(ConnectionHeader) == 64, "layout");
static_assert(offsetof(ConnectionHeader, layout_version) == 8, "layout");
static_assert(offsetof(ConnectionHeader, header_bytes) == 12, "layout");
static_assert(offsetof(ConnectionHeader, feature_bits) == 16, "layout");
static_assert(offsetof(ConnectionHeader, client_pid) == 20, "layout");
static_assert(offsetof(ConnectionHeader, client_start_time) == 24, "layout");
static_assert(offsetof(ConnectionHeader, ring_size_bytes) == 32, "layout");
static_assert(offsetof(ConnectionHeader, total_size_bytes) == 40, "layout");
static_assert(offsetof(ConnectionHeader, client_clock_ns) == 48, "layout");
static_assert(offsetof(ConnectionHeader, slots_nonce_low) == 56, "layout");

// [server] Its answer. To a knock (an object of the first page only, which a
// client makes that is another user's, or whose server is in the global scope):
// which connection object the server has made.
struct alignas(64) ServerHello {
  std::atomic<uint32_t> state;   // HelloState, stored last
  uint32_t refusal;              // Refusal
  int64_t server_clock_ns;       // MonotonicNowNs() when written
  uint64_t limit;                // what `refusal` says of it; else 0
  uint8_t reserved[24];          // zero
  uint64_t connection_nonce[2];  // names it
};
static_assert(sizeof(ServerHello) == 64, "layout");
static_assert(offsetof(ServerHello, limit) == 16, "layout");
static_assert(offsetof(ServerHello, refusal) == 4, "layout");
static_assert(offsetof(ServerHello, server_clock_ns) == 8, "layout");
static_assert(offsetof(ServerHello, reserved) == 24, "layout");
static_assert(offsetof(ServerHello, connection_nonce) == 48, "layout");

// What one side says of its own sleeping.
struct alignas(64) SideControl {
  std::atomic<uint32_t> parked;  // [side] 1 asleep; [peer] 1 -> 0 as it rings
  std::atomic<uint32_t>
      wants_space;               // [side] 1: ring me when you have consumed
  std::atomic<uint32_t> closed;  // [side] 1: I use this connection no more
  uint8_t reserved[52];          // zero
};
static_assert(sizeof(SideControl) == 64, "layout");
static_assert(offsetof(SideControl, wants_space) == 4, "layout");
static_assert(offsetof(SideControl, closed) == 8, "layout");

// One direction of a connection, beside its data.
struct alignas(64) RingControl {
  std::atomic<uint64_t> consumed;  // [consumer] bytes given back since creation
  uint8_t reserved[56];            // zero
};
static_assert(sizeof(RingControl) == 64, "layout");

enum Side : uint32_t { kClientSide = 0, kServerSide = 1 };

// The first page of a connection object. Ring data follows: client to server at
// kPage, server to client at kPage + ring_size_bytes.
struct ConnectionPage {
  ConnectionHeader header;
  ServerHello hello;
  SideControl side[2];              // by Side
  RingControl ring[2];              // by producing Side
  WakeLine client_wake;             // wakes the client's leading thread
  uint8_t reserved[4096 - 7 * 64];  // zero
};
static_assert(sizeof(ConnectionPage) == kPage, "layout");
static_assert(offsetof(ConnectionPage, hello) == 64, "layout");
static_assert(offsetof(ConnectionPage, side) == 128, "layout");
static_assert(offsetof(ConnectionPage, ring) == 256, "layout");
static_assert(offsetof(ConnectionPage, client_wake) == 384, "layout");

constexpr uint64_t kRingSizeBytes = 64 * 1024;
constexpr uint64_t kMinRingSizeBytes = 4 * 1024;
constexpr uint64_t kMaxRingSizeBytes = 16 * 1024 * 1024;

constexpr uint64_t ConnectionSizeBytes(uint64_t ring_size_bytes) {
  return kPage + 2 * ring_size_bytes;
}

// --- records
// ------------------------------------------------------------------

enum FrameKind : uint8_t {
  kFramePad = 1,      // fills the end of the ring
  kFrameBind = 2,     // client: method number `aux` is the name in the metadata
  kFrameOpen = 3,     // client: starts call `call_id` of method `aux`
  kFrameClose = 4,    // server: ends it with status code `aux`
  kFrameCancel = 5,   // client: nobody waits for `call_id` any more
  kFrameSegment = 6,  // `aux` is a segment's number, a SegmentInfo follows
  kFrameReturn = 7,   // gives back `returned_block` and nothing else
  kFrameMessage = 8,  // a message of call `call_id`, or what a flag says
  kFrameCredit = 9,   // `aux` bytes of call `call_id` were taken by its reader
  kFrameRefuse = 10,  // the peer's segment `aux` is not kept: use it no more
  kFrameDrop = 11,    // this side's segment `aux` is gone, no block of it lent
};

enum FrameFlags : uint8_t {
  kFlagMessage = 1,  // there is a message (it may be empty)
  kFlagBlock = 2,    // metadata and message lie in a block; a BlockRef follows
  kFlagLast = 4,     // client, open and message: no message follows
  kFlagInitial = 8,  // server, message: the metadata is the initial metadata
};

// Flow control, per call and direction. A message costs its bytes and
// kMessageChargeBytes. Its sender may send while what it sent and has no credit
// for costs less than kWindowBytes (so one message of any length may go beyond
// it); more breaks the protocol. The receiver gives credit back once its reader
// has taken a quarter of the window, and need not once it knows that no message
// follows.
constexpr uint64_t kWindowBytes = 2 * 1024 * 1024;
constexpr uint64_t kMessageChargeBytes = 64;

// Most metadata of one frame, whoever sends it.
constexpr uint32_t kMaxMetadataBytes = 16 * 1024 * 1024;

// The first bytes of every record. `size_kind_flags` is the publication flag: 0
// until the record is complete.
struct FrameHeader {
  std::atomic<uint64_t>
      size_kind_flags;  // bits 0-31 record size, 32-39 kind, 40-47 flags
  uint32_t call_id;
  uint32_t aux;         // see FrameKind
  int64_t deadline_ns;  // kFrameOpen: MonotonicNowNs() scale; INT64_MAX none
  uint32_t metadata_bytes;  // of the section before the message
  uint32_t returned_block;  // 1 + number of a block given back, 0 none
};
static_assert(sizeof(FrameHeader) == 32, "layout");
static_assert(offsetof(FrameHeader, call_id) == 8, "layout");
static_assert(offsetof(FrameHeader, aux) == 12, "layout");
static_assert(offsetof(FrameHeader, deadline_ns) == 16, "layout");
static_assert(offsetof(FrameHeader, metadata_bytes) == 24, "layout");
static_assert(offsetof(FrameHeader, returned_block) == 28, "layout");

// Where the body of a record of `record_bytes` (header and body) begins. A body
// that does not fit beside the header in the first cache line begins in the
// second one: the consumer polls the first, and what is written slowly must not
// lie there, or each look of the consumer's takes the line away from the
// producer.
constexpr uint64_t BodyOffset(uint64_t record_bytes) {
  return record_bytes <= kCacheLine ? sizeof(FrameHeader) : kCacheLine;
}
// Bytes that such a record takes in the ring.
constexpr uint64_t SpaceBytes(uint64_t record_bytes) {
  return BodyOffset(record_bytes) + record_bytes - sizeof(FrameHeader);
}

// Where metadata and message lie, if not in the record.
struct BlockRef {
  uint32_t segment;
  uint32_t block;         // number the receiver gives it back by
  uint64_t offset_bytes;  // in the segment
  uint64_t size_bytes;    // metadata_bytes + message
};
static_assert(sizeof(BlockRef) == 24, "layout");

// All but the size are of the segment's name.
struct SegmentInfo {
  uint64_t size_bytes;
  uint64_t nonce;                // random: nobody knows it beforehand
  uint64_t receiver_start_time;  // of the process it is kept for if its sender
  uint32_t receiver_pid;         // goes; 0: for none
  uint32_t reserved;             // zero
};
static_assert(sizeof(SegmentInfo) == 32, "layout");
static_assert(offsetof(SegmentInfo, nonce) == 8, "layout");
static_assert(offsetof(SegmentInfo, receiver_start_time) == 16, "layout");
static_assert(offsetof(SegmentInfo, receiver_pid) == 24, "layout");

}  // namespace memory
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_MEMORY_LAYOUT_H_
