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
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/message_lite.h"
#include "shmrpc/service.h"

namespace shmrpc {
namespace internal {

// Request and response of one call; reused, so that their buffers are.
struct MessagePair {
  std::unique_ptr<google::protobuf::MessageLite> request;
  std::unique_ptr<google::protobuf::MessageLite> response;
  uint64_t used_bytes = 0;  // most that passed through since it was new
};

class ServedMethod {
 public:
  explicit ServedMethod(const MethodHandler* handler) : handler_(handler) {}

  const MethodHandler& handler() const { return *handler_; }

  // Empty messages, new or used before. Any thread.
  std::unique_ptr<MessagePair> TakeMessages() ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveMessages(std::unique_ptr<MessagePair> messages)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // May a polling thread run the handler itself? Once the last few runs were
  // fast, until one was not. Any thread; a stale answer costs a hop or a tick.
  bool fast() const;
  void NoteRun(int64_t duration_ns);
  void NoteSlow() { NoteRun(INT64_MAX); }

 private:
  const MethodHandler* const handler_;
  std::atomic<int> fast_runs_{0};  // in a row
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<MessagePair>> spare_ ABSL_GUARDED_BY(mutex_);
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
