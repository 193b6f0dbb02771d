#include "tests/support/probe_service.h"

#include <stdexcept>

#include "absl/time/time.h"
#include "tests/support/pattern.h"

namespace shmrpc {
namespace testing {

Status ProbeServiceImpl::Hold(ServerContext* context,
                              const HoldRequest* request, HoldReply* reply) {
  {
    absl::MutexLock lock(&mutex_);
    GateState& gate = gates_[request->gate()];
    gate.counts.set_started(gate.counts.started() + 1);
    const auto may_go = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return all_open_ || gate.open;
    };
    if (request->until_cancelled()) {
      // A handler can only ask; nothing tells it.
      while (!context->IsCancelled() && !all_open_) {
        mutex_.AwaitWithTimeout(absl::Condition(&all_open_),
                                absl::Milliseconds(1));
      }
    } else {
      mutex_.Await(absl::Condition(&may_go));
    }
    if (context->IsCancelled()) {
      gate.counts.set_cancelled(gate.counts.cancelled() + 1);
    }
    reply->set_cancelled(context->IsCancelled());
  }
  if (request->reply_size_bytes() == 0) {
    reply->set_payload(request->payload());
  } else {
    reply->set_payload(Repeated(
        request->payload(), static_cast<size_t>(request->reply_size_bytes())));
  }
  absl::MutexLock lock(&mutex_);
  GateState& gate = gates_[request->gate()];
  gate.counts.set_ended(gate.counts.ended() + 1);
  return Status::OK;
}

Status ProbeServiceImpl::OpenGate(ServerContext*, const Gate* request, Empty*) {
  Open(request->name());
  return Status::OK;
}

Status ProbeServiceImpl::Await(ServerContext* context,
                               const AwaitRequest* request, GateCounts* reply) {
  absl::MutexLock lock(&mutex_);
  const GateState& gate = gates_[request->gate()];
  const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return all_open_ || (gate.counts.started() >= request->started() &&
                         gate.counts.cancelled() >= request->cancelled() &&
                         gate.counts.ended() >= request->ended());
  };
  mutex_.Await(absl::Condition(&reached));
  *reply = gate.counts;
  return Status::OK;
}

Status ProbeServiceImpl::Fail(ServerContext*, const FailRequest* request,
                              FailReply* reply) {
  reply->set_payload(
      Repeated("filled in", static_cast<size_t>(request->reply_size_bytes())));
  return Status(static_cast<StatusCode>(request->code()), request->message(),
                request->details());
}

Status ProbeServiceImpl::Throw(ServerContext*, const ThrowRequest* request,
                               Empty*) {
  if (request->an_int()) throw 42;
  throw std::runtime_error("thrown by a test's handler");
}

Status ProbeServiceImpl::Digest(ServerContext*, const DigestRequest* request,
                                DigestReply* reply) {
  reply->set_size_bytes(static_cast<int64_t>(request->payload().size()));
  reply->set_digest(PatternDigest(request->payload()));
  return Status::OK;
}

void ProbeServiceImpl::Open(const std::string& gate) {
  absl::MutexLock lock(&mutex_);
  gates_[gate].open = true;
}

void ProbeServiceImpl::OpenAll() {
  absl::MutexLock lock(&mutex_);
  all_open_ = true;
}

}  // namespace testing
}  // namespace shmrpc
