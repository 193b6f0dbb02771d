#include "transport/rpc/health_service.h"

#include <atomic>
#include <cstdint>
#include <memory>

#include "shmrpc/cancel.h"
#include "shmrpc/generated.h"
#include "transport/platform/clock.h"
#include "transport/rpc/context_access.h"

namespace shmrpc {
namespace {

std::atomic<bool> enabled{false};

// gRPC's limit, and what it says of a name that is longer.
constexpr size_t kMaxServiceNameBytes = 200;
constexpr char kTooLong[] = "could not parse request";

}  // namespace

// Relaxed: a setting, ordered by whatever orders the threads that use it.
void EnableDefaultHealthCheckService(bool enable) {
  enabled.store(enable, std::memory_order_relaxed);
}

bool DefaultHealthCheckServiceEnabled() {
  return enabled.load(std::memory_order_relaxed);
}

namespace internal {

// One Watch while it is served: waits until there is something to tell, or
// nobody to tell it to.
class HealthService::Watcher final : public Cancellable {
 public:
  Watcher(HealthService* service, const std::string& name,
          const ServerContext& context)
      : service_(service),
        name_(name),
        deadline_ns_(ServerContextAccess::deadline_ns(context)),
        call_(ServerContextAccess::cancel_group(context)) {
    slot_.Begin(this);
    if (call_ != nullptr) call_->Add(&slot_);
  }
  // Without the service's lock, which a cancellation that is running wants.
  ~Watcher() {
    if (call_ != nullptr) call_->Remove(&slot_);
    slot_.End();
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void Cancel() override {
    absl::MutexLock lock(&service_->mutex_);
    cancelled_ = true;
    service_->news_.SignalAll();
  }

  // True: `*status` is to be sent. False: the watch is over, with `*end`.
  bool Next(ServingStatus* status, Status* end) {
    absl::MutexLock lock(&service_->mutex_);
    if (!AwaitNews() || cancelled_) {
      *end = Status::CANCELLED;  // which nobody is left to see
      return false;
    }
    *status = service_->StatusOf(name_);
    if (*status != told_) {
      told_ = *status;
      return true;
    }
    *end = Status(StatusCode::UNAVAILABLE, "Cancelling all calls");
    return false;
  }

 private:
  // False: the deadline is past.
  bool AwaitNews() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service_->mutex_) {
    while (!HasNews()) {
      if (deadline_ns_ != kInfiniteFutureNs &&
          platform::MonotonicNowNs() >= deadline_ns_) {
        return false;
      }
      service_->news_.Wait(&service_->mutex_, deadline_ns_);
    }
    return true;
  }
  bool HasNews() const ABSL_SHARED_LOCKS_REQUIRED(service_->mutex_) {
    return cancelled_ || service_->watches_end_ ||
           service_->StatusOf(name_) != told_;
  }

  HealthService* const service_;
  const std::string& name_;
  const int64_t deadline_ns_;
  const std::shared_ptr<CancelGroup> call_;  // may be null
  CancelSlot slot_;
  bool cancelled_ ABSL_GUARDED_BY(service_->mutex_) = false;
  int told_ ABSL_GUARDED_BY(service_->mutex_) = 0;  // a status; 0: none yet
};

HealthService::HealthService() : statuses_{{"", kServing}} {
  AddMethod(MakeMethodHandler("/grpc.health.v1.Health/Check",
                              &HealthService::Check, this));
  AddMethod(MakeMethodHandler("/grpc.health.v1.Health/Watch",
                              &HealthService::Watch, this));
}

void HealthService::SetServingStatus(const std::string& service_name,
                                     bool serving) {
  absl::MutexLock lock(&mutex_);
  statuses_[service_name] = serving && !shut_down_ ? kServing : kNotServing;
  news_.SignalAll();
}

void HealthService::SetServingStatus(bool serving) {
  absl::MutexLock lock(&mutex_);
  SetAll(serving && !shut_down_ ? kServing : kNotServing);
}

void HealthService::Shutdown() {
  absl::MutexLock lock(&mutex_);
  shut_down_ = true;
  SetAll(kNotServing);
}

void HealthService::EndWatches() {
  absl::MutexLock lock(&mutex_);
  shut_down_ = true;
  watches_end_ = true;
  SetAll(kNotServing);
}

Status HealthService::Check(ServerContext*, const Request* request,
                            Response* response) {
  if (request->value().size() > kMaxServiceNameBytes) {
    return Status(StatusCode::INVALID_ARGUMENT, kTooLong);
  }
  absl::ReaderMutexLock lock(&mutex_);
  const ServingStatus status = StatusOf(request->value());
  if (status == kServiceUnknown) {
    return Status(StatusCode::NOT_FOUND, "service name unknown");
  }
  response->set_value(status);
  return Status::OK;
}

Status HealthService::Watch(ServerContext* context, const Request* request,
                            ServerWriter<Response>* writer) {
  if (request->value().size() > kMaxServiceNameBytes) {
    return Status(StatusCode::INTERNAL, kTooLong);
  }
  Watcher watcher(this, request->value(), *context);
  ServingStatus status;
  Status end;
  while (watcher.Next(&status, &end)) {
    Response response;
    response.set_value(status);
    if (!writer->Write(response)) return Status::CANCELLED;
  }
  return end;
}

HealthService::ServingStatus HealthService::StatusOf(
    const std::string& service_name) const {
  const auto found = statuses_.find(service_name);
  return found == statuses_.end() ? kServiceUnknown : found->second;
}

void HealthService::SetAll(ServingStatus status) {
  for (auto& entry : statuses_) entry.second = status;
  news_.SignalAll();
}

}  // namespace internal
}  // namespace shmrpc
