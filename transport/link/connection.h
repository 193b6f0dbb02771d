// An established link between one client and one server: send a frame, take a
// frame. Both sides use this class.
//
//   connection.Send(frame, [&](uint8_t* to) { ... write frame.message_bytes ...
//   },
//                   &rang);
//   Frame frame;
//   while (connection.Next(&frame)) { ... }
//   if (!connection.status().ok()) ... broken ...
//   connection.Park(); ... look once more, sleep ...; connection.Unpark();
//
// Send never blocks. A small frame is written into the ring itself, a large one
// into a block of the arena, outside any lock. What finds the ring full waits
// in a private backlog, in order, which Flush (or the next Send) moves into the
// ring; the peer rings when it has given space back. So that somebody hears
// that, a client's stream waits until its messages are in the ring; a server's
// poller looks at BacklogBytes (docs/decisions/0004). Messages in the backlog
// are charged to the peer's memory account; what must not fail is not.
//
// Thread rule: Send, GiveBackBlock, Flush, Fail, Close from any thread; HasNews
// too, but while another thread leads its answer is a guess. Next, HasRecord,
// Poll, Park and Unpark from one thread at a time, the one that leads.
// Ownership: owns its mapping, its arenas and the peer's event.
// Failures: the first failure sticks: a poisoned mapping or a peer that broke
// the protocol. From then on Send returns it and Next finds nothing.

#ifndef SHMRPC_TRANSPORT_LINK_CONNECTION_H_
#define SHMRPC_TRANSPORT_LINK_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "transport/link/frame.h"
#include "transport/memory/arena.h"
#include "transport/memory/layout.h"
#include "transport/memory/memory_account.h"
#include "transport/memory/ring.h"
#include "transport/platform/event.h"
#include "transport/platform/mapping.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace link {

// Frames whose metadata and message are together at most this long travel in
// the ring; a record may be a quarter of the ring, and leaves room for others.
// In small rings the limit is what fits a record.
constexpr uint64_t kMaxInlineBytes = 8 * 1024;

class Connection {
 public:
  // What it is made of. Filled in by name: connect.cc and accept.cc.
  struct Parts {
    platform::ObjectName name;
    platform::NamedMapping mapping;
    platform::View view;  // the whole object; validated size
    uint64_t ring_size_bytes = 0;
    platform::AccessPolicy segment_access;
    // What the client holds as long as it has the connection, if not `mapping`.
    platform::NamedMapping witness;

    platform::ProcessId peer;
    // Who the peer runs as (platform/user.h), as the system says, and whether
    // that is this process's user, too.
    std::string peer_user;
    bool same_user = true;
    // What may be held for the peer; null: no limit.
    std::shared_ptr<memory::MemoryAccount> memory_account;

    platform::Event peer_event;  // wakes the peer
    std::shared_ptr<void>
        peer_event_owner;  // what its word lies in; may be null
    // After the peer's word was truncated: true, it is there again. May be
    // null.
    std::function<bool()> restore_peer_event;
  };
  Connection(memory::Side side, Parts parts);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends `frame`; `write` is called once, guarded, with room for
  // frame.message_bytes. `*rang` (may be null): true if the peer was asleep.
  // RESOURCE_EXHAUSTED: no memory for the message, or more than may be held for
  // the peer; nothing was sent and the connection goes on. Other errors: the
  // connection is broken, and nothing was sent.
  absl::Status Send(const OutgoingFrame& frame, OutgoingFrame::Write write,
                    bool* rang = nullptr);
  absl::Status Send(const OutgoingFrame& frame, bool* rang = nullptr);

  // Returns a block that a frame arrived in, in a frame of its own.
  void GiveBackBlock(uint32_t block);

  // Moves the backlog into the ring as far as there is room. Cheap if empty.
  void Flush();

  // The next frame for the layer above; false: none now, or broken; then
  // `*frame` is unspecified. The previous frame's pointers into the ring become
  // invalid. `polls`: how often to look again, with a pause between, if there
  // is none.
  bool Next(Frame* frame, int polls = 0);

  // Is there a record that Next has not looked at? For the look after Park.
  bool HasRecord();

  // Is it worth while to lead: has a record come, or has the peer closed?
  bool HasNews();

  // Looks for one up to `polls` times, with a pause between. True: found.
  bool Poll(int polls);

  // Announces sleep (see doorbell.h) and gives back all taken ring space.
  // Afterwards the caller looks at HasRecord() and PeerClosed() once more.
  void Park();
  void Unpark();
  // Is the mark of Park still up? The peer takes it down when it rings: whoever
  // then goes on sleeping parks again, or the next frame rings nobody.
  bool MarkIsUp();

  // The peer said it will use the connection no more.
  bool PeerClosed();

  // Tells the peer so. Idempotent.
  void Close();

  // Before the destructor: payloads that are on their way stay where the peer
  // finds them, where the system can do that (Linux).
  void LeavePayloads() { arena_sender_.LeaveLent(); }

  // Whether messages are to be copied into private memory before a parser sees
  // them: the peer is not trusted to leave them alone. Nothing down here parses
  // messages; who does asks. True where the peer is another user;
  // CopyBeforeParse: for any peer, called before the first Next.
  bool copy_before_parse() const { return copy_before_parse_; }
  void CopyBeforeParse() { copy_before_parse_ = true; }

  // Breaks the connection on this side, and closes it. The first reason is
  // kept.
  void Fail(absl::Status reason);
  bool broken() const {
    // Acquire: whoever sees true may read status_, written before.
    return broken_.load(std::memory_order_acquire);
  }
  absl::Status status() const;

  // Rings the peer whatever its mark says, and all of its threads, since one
  // wake-up may have been taken by somebody else: for a look-again after a
  // time-out.
  // Breaks the connection if the word to ring is gone and has not come back for
  // a second: nobody would ever hear. By the leading thread.
  void RingPeer();

  // Frames that are not in the ring yet, and blocks the peer has yet to give
  // back. Closing and destroying the connection loses those.
  uint64_t Undelivered() ABSL_LOCKS_EXCLUDED(send_mutex_);

  // What frames in the backlog take, without the payloads in blocks. Any
  // thread; after a Flush it is not older than that.
  uint64_t BacklogBytes() const {
    // Relaxed: a number and nothing else; Flush's lock orders it where it
    // matters.
    return backlog_bytes_.load(std::memory_order_relaxed);
  }

  // Bytes of the object and of both sides' segments as far as known here.
  uint64_t SizeBytes() const;

  // What is held for the peer; null: nobody counts.
  const std::shared_ptr<memory::MemoryAccount>& memory_account() const {
    return parts_.memory_account;
  }

  const platform::ObjectName& name() const { return parts_.name; }
  const platform::ProcessId& peer() const { return parts_.peer; }
  const platform::NamedMapping& mapping() const { return parts_.mapping; }
  const std::string& peer_user() const { return parts_.peer_user; }
  bool peer_trusted() const { return parts_.same_user; }
  // Has the client not let go of it? For the server. A system call.
  bool HeldByClient() const {
    return (parts_.witness ? parts_.witness : parts_.mapping).HeldByAnyone();
  }
  memory::ConnectionPage* page() const { return page_; }
  const platform::View& view() const { return parts_.view; }

 private:
  // An honest sender makes a segment for a frame that follows, and drops it
  // once: two frames about segments for each other one, and beyond that those
  // about the segments that exist, or are made by threads that have not sent
  // their frame yet.
  static constexpr int64_t kSegmentFramesPerFrame = 2;
  static constexpr int64_t kMostSegmentFramesLeft = 4 * memory::kMaxSegments;

  enum class PushResult { kPushed, kFull, kBroken };
  struct Record;

  // connection.cc
  PushResult Push(const Record& record, bool* rang)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);
  // An error: the record was neither pushed nor kept. RESOURCE_EXHAUSTED: no
  // room to keep its message; others: broken.
  absl::Status PushOrKeep(const Record& record, bool* rang)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);
  void FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);
  void Announce(bool* rang) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);
  // What taking back a block, or a refusal, has left to tell the peer.
  void AnnounceDropped() ABSL_LOCKS_EXCLUDED(send_mutex_);

  // connection_receive.cc
  // `frame` has its fields, and `message` where its body lies. False: it is one
  // of the link's own and has been dealt with.
  bool Interpret(const memory::BlockRef& ref,
                 const memory::SegmentInfo& segment, Frame* frame);
  // A frame about a segment. An error: a lie.
  absl::Status TakeSegmentFrame(const FrameFields& fields,
                                const memory::SegmentInfo& segment);
  void GiveBackSpace();

  // connection_end.cc
  void FailPoisoned();
  void CloseWithoutView();
  // True: the peer has been rung, as far as can be known here. One of its
  // threads, which is enough and costs less, or `all` of them.
  bool Ring(bool all = false);

  const memory::Side side_;
  const memory::Side peer_side_;
  const uint32_t fork_generation_;
  Parts parts_;
  const uint64_t max_inline_bytes_;
  memory::ConnectionPage* const page_;

  absl::Mutex send_mutex_;
  memory::RingProducer producer_ ABSL_GUARDED_BY(send_mutex_);
  // A record that waits for room in the ring.
  struct Kept {
    std::string bytes;
    memory::Charge charge;  // for its message
  };
  std::deque<Kept> backlog_ ABSL_GUARDED_BY(send_mutex_);
  // 0 if and only if there is none. Written under send_mutex_.
  std::atomic<uint64_t> backlog_bytes_{0};

  // The leading thread's, both.
  int64_t ring_lost_since_ns_ = 0;  // RingPeer's; 0: the last one was not lost
  memory::RingConsumer consumer_;
  // Frames about segments that may still come, before one of another
  // kind has to. Next's.
  int64_t segment_frames_left_ = kMostSegmentFramesLeft;
  memory::ArenaSender arena_sender_;
  memory::ArenaReceiver arena_receiver_;
  bool copy_before_parse_;

  std::atomic<bool> closed_without_view_{false};
  std::atomic<bool> broken_{false};
  mutable absl::Mutex status_mutex_;
  absl::Status status_ ABSL_GUARDED_BY(status_mutex_);
};

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_CONNECTION_H_
