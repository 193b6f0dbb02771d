// The server's side of the books: which handlers of which call have begun and
// ended, by the numbers that clients give their calls.
//
//   const CallId id = CallId::Of(*context);
//   ledger.Begin(id);  ...  ledger.End(id, code, cancelled);
//   Settlement settlement = ledger.Settle("client 3, session 7");
//
// A call's number travels as metadata and is in nothing that shmrpc looks at:
// two handlers for one call, or one for a call nobody made, show here.
//
// Thread rule: any. What is settled, or forgotten with its client, is kept no
// longer: the ledger itself does not grow.

#ifndef SHMRPC_TESTS_SOAK_LEDGER_H_
#define SHMRPC_TESTS_SOAK_LEDGER_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/shmrpc.h"
#include "tests/soak/ledger.pb.h"

namespace shmrpc {
namespace testing {

// Of a call: the session it belongs to ("CLIENT.SESSION") and its number there.
struct CallId {
  std::string session;
  int64_t call = 0;

  void AddTo(ClientContext* context) const;
  // Session "" if the caller gave none.
  static CallId Of(const ServerContext& context);
};

class Ledger {
 public:
  explicit Ledger(uint64_t generation) : generation_(generation) {}

  void Begin(const CallId& id, bool wrong_metadata) ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const CallId& id, int code, bool cancelled)
      ABSL_LOCKS_EXCLUDED(mutex_);

  Settlement Settle(const std::string& session) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until no handler of that client's calls runs, and forgets them.
  // False: not within a minute.
  bool Forget(const std::string& client) ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t generation() const { return generation_; }
  int64_t begun() const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t ended() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Calls {
    int running = 0;
    std::map<int64_t, Account> accounts;
  };

  const uint64_t generation_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Calls> sessions_ ABSL_GUARDED_BY(mutex_);
  int64_t begun_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t ended_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_LEDGER_H_
