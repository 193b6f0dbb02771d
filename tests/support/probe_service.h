// Probe (probe.proto): what a test needs to know of a server, or to hold in it,
// without waiting for time to pass.
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_SUPPORT_PROBE_SERVICE_H_
#define SHMRPC_TESTS_SUPPORT_PROBE_SERVICE_H_

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/probe.shmrpc.pb.h"

namespace shmrpc {
namespace testing {

class ProbeServiceImpl final : public Probe::Service {
 public:
  using Empty = google::protobuf::Empty;

  Status Hold(ServerContext* context, const HoldRequest* request,
              HoldReply* reply) override ABSL_LOCKS_EXCLUDED(mutex_);
  Status OpenGate(ServerContext* context, const Gate* request,
                  Empty* reply) override;
  Status Await(ServerContext* context, const AwaitRequest* request,
               GateCounts* reply) override ABSL_LOCKS_EXCLUDED(mutex_);
  Status Fail(ServerContext* context, const FailRequest* request,
              FailReply* reply) override;
  Status Throw(ServerContext* context, const ThrowRequest* request,
               Empty* reply) override;
  Status Digest(ServerContext* context, const DigestRequest* request,
                DigestReply* reply) override;

  // What OpenGate does, from within the server's process.
  void Open(const std::string& gate) ABSL_LOCKS_EXCLUDED(mutex_);
  void OpenAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct GateState {
    bool open = false;
    GateCounts counts;
  };

  absl::Mutex mutex_;
  std::map<std::string, GateState> gates_ ABSL_GUARDED_BY(mutex_);
  bool all_open_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_PROBE_SERVICE_H_
