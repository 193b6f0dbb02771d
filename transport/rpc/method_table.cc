#include "transport/rpc/method_table.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"

namespace shmrpc {
namespace internal {
namespace {

// Long messages may take longer: another thread, woken beside the two that
// copy, costs more than it relieves. Up to half a tick, so that nobody takes
// the lead over meanwhile.
constexpr uint64_t kFastBytesPerNs = 16;
constexpr int64_t kLongestFastRunNs = 500 * 1000;

bool MakesNone(google::protobuf::MessageLite* made) {
  return std::unique_ptr<google::protobuf::MessageLite>(made) == nullptr;
}

}  // namespace

ServedMethod::ServedMethod(const MethodHandler* handler)
    : handler_(handler),
      requests_stream_(MakesNone(handler->NewRequest())),
      responses_stream_(MakesNone(handler->NewResponse())) {}

bool ServedMethod::fast() const {
  // Relaxed: advice.
  return fast_runs_.load(std::memory_order_relaxed) >= kFastRunsNeeded;
}

void ServedMethod::NoteRun(int64_t duration_ns, uint64_t message_bytes) {
  const int64_t copies_ns = static_cast<int64_t>(
      std::min<uint64_t>(message_bytes, INT64_MAX / 2) / kFastBytesPerNs);
  if (duration_ns > std::min(kFastRunNs + copies_ns, kLongestFastRunNs)) {
    fast_runs_.store(0, std::memory_order_relaxed);
  } else if (!fast()) {
    fast_runs_.fetch_add(1, std::memory_order_relaxed);
  }
}

absl::Status MethodTable::AddService(const Service& service) {
  for (const auto& handler : service.methods()) {
    const bool added =
        methods_
            .try_emplace(handler->name(),
                         absl::make_unique<ServedMethod>(handler.get()))
            .second;
    if (!added) {
      return absl::AlreadyExistsError(
          absl::StrCat("method ", handler->name(),
                       " is registered twice; register each service once"));
    }
  }
  return absl::OkStatus();
}

ServedMethod* MethodTable::Find(absl::string_view name) const {
  auto found = methods_.find(name);
  return found == methods_.end() ? nullptr : found->second.get();
}

}  // namespace internal
}  // namespace shmrpc
