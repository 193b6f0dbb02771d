// What a server serves: methods by name, each with what has been learnt of it.
//
//   MethodTable table;
//   absl::Status status = table.AddService(service);
//   ServedMethod* method = table.Find("/helloworld.Greeter/SayHello");
//
// Thread rule: filled before the server starts, then read by any thread.

#ifndef SHMRPC_TRANSPORT_RPC_METHOD_TABLE_H_
#define SHMRPC_TRANSPORT_RPC_METHOD_TABLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "shmrpc/service.h"

namespace shmrpc {
namespace internal {

// What takes a handler at most this keeps the lead with the thread that polls:
// a run of a unary one, a streaming one's work on a message. Handing either to
// another thread costs two wake-ups, about as much.
constexpr int64_t kFastRunNs = 50 * 1000;
// So many in a row before it is believed.
constexpr int kFastRunsNeeded = 3;

class ServedMethod {
 public:
  explicit ServedMethod(const MethodHandler* handler);

  const MethodHandler& handler() const { return *handler_; }

  // Does the client, the server, one of both, send messages as a stream?
  bool requests_stream() const { return requests_stream_; }
  bool responses_stream() const { return responses_stream_; }
  bool streams() const { return requests_stream_ || responses_stream_; }

  // May a polling thread run the handler itself? Once the last few runs were
  // fast for the length of their messages, until one was not; never where
  // messages stream, since such a handler waits for its client and is not
  // noted. Any thread; a stale answer costs a hop or a tick.
  bool fast() const;
  // `message_bytes`: of request and response together.
  void NoteRun(int64_t duration_ns, uint64_t message_bytes);
  void NoteSlow() { NoteRun(INT64_MAX, 0); }

  // How many pairs of its messages the server's MessageStore has.
  std::atomic<int>& stored() { return stored_; }

 private:
  const MethodHandler* const handler_;
  const bool requests_stream_;
  const bool responses_stream_;
  std::atomic<int> fast_runs_{0};  // in a row
  std::atomic<int> stored_{0};
};

class MethodTable {
 public:
  // ALREADY_EXISTS if a method of that name is there.
  absl::Status AddService(const Service& service);
  // null: not served.
  ServedMethod* Find(absl::string_view name) const;

 private:
  absl::flat_hash_map<std::string, std::unique_ptr<ServedMethod>> methods_;
};

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_METHOD_TABLE_H_
