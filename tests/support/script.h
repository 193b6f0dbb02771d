// A client's side of Scripted (script.proto): scripts, and calls of every kind.
//
//   HandlerScript script;
//   script.Read(3).Write(100).UntilCancelled();
//   ClientContext context;
//   script.AddTo(&context);
//   auto stream = stub->Bidi(&context);
//   ...
//   EXPECT_TRUE(script.AwaitEnd(observer).was_cancelled());
//
// Thread rule: a script is set up by one thread; the rest from any.

#ifndef SHMRPC_TESTS_SUPPORT_SCRIPT_H_
#define SHMRPC_TESTS_SUPPORT_SCRIPT_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "shmrpc/shmrpc.h"
#include "tests/support/script.shmrpc.pb.h"

namespace shmrpc {
namespace testing {

// What a handler is to do, under a name no other script of any process has.
class HandlerScript {
 public:
  HandlerScript();
  // Under a name that others have as well: their counts add up.
  explicit HandlerScript(const std::string& name) { script_.set_name(name); }

  const std::string& name() const { return script_.name(); }
  const Script& script() const { return script_; }
  int size() const { return script_.steps_size(); }

  // See Step.
  HandlerScript& Write(int64_t size_bytes, int64_t count = 1,
                       uint64_t seed = 0);
  HandlerScript& WriteLast(int64_t size_bytes);
  HandlerScript& Read(int64_t count);
  HandlerScript& ReadAll() { return Read(0); }
  HandlerScript& Echo();
  HandlerScript& NextMessageSize();
  HandlerScript& HoldAt(const std::string& gate);
  HandlerScript& UntilCancelled();
  HandlerScript& InitialMetadata(const std::string& key,
                                 const std::string& value, int repeated = 1);
  HandlerScript& TrailingMetadata(const std::string& key,
                                  const std::string& value, int repeated = 1);
  HandlerScript& SendInitialMetadata();
  HandlerScript& TryCancel();
  HandlerScript& Throw(const std::string& text);
  HandlerScript& Respond(int64_t size_bytes, uint64_t seed = 0);
  HandlerScript& Call(const Child& child);
  HandlerScript& Pause(int64_t pause_us);
  HandlerScript& Return(int code, const std::string& message = "",
                        const std::string& details = "");

  void AddTo(ClientContext* context) const;

  // Waits for the handler, over `stub`, which had better be a connection of its
  // own.
  HandlerReport AwaitStart(Scripted::Stub* stub, int64_t started = 1) const;
  HandlerReport AwaitEnd(Scripted::Stub* stub, int64_t ended = 1) const;
  // Until the latest has begun with its `steps`th step (from 1), and this has
  // moved `messages`.
  HandlerReport AwaitStep(Scripted::Stub* stub, int64_t steps,
                          int64_t messages = 0) const;

 private:
  HandlerReport Await(Scripted::Stub* stub, const ReportRequest& request) const;

  Script script_;
};

// Opens a gate of scripts.
void PassGate(Scripted::Stub* stub, const std::string& gate);

// An item whose payload is Pattern(size_bytes, seed).
Item ItemOf(size_t size_bytes, uint64_t seed = 0);
bool IsItemOf(const Item& item, size_t size_bytes, uint64_t seed = 0);

enum class CallKind { kUnary, kClientStream, kServerStream, kBidi };
constexpr CallKind kCallKinds[] = {CallKind::kUnary, CallKind::kClientStream,
                                   CallKind::kServerStream, CallKind::kBidi};
constexpr bool ClientStreams(CallKind kind) {
  return kind == CallKind::kClientStream || kind == CallKind::kBidi;
}
constexpr bool ServerStreams(CallKind kind) {
  return kind == CallKind::kServerStream || kind == CallKind::kBidi;
}
const char* CallKindName(CallKind kind);
std::ostream& operator<<(std::ostream& out, CallKind kind);

// A whole call: the client's one message, all of the server's, the status.
struct CallResult {
  Status status;
  // Of a server that does not stream: the response, as the call left it; it was
  // "untouched" before.
  Item response;
  std::vector<Item> messages;  // of a server that streams
};
CallResult MakeCall(Scripted::Stub* stub, CallKind kind, ClientContext* context,
                    const Item& request = Item());

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_SCRIPT_H_
