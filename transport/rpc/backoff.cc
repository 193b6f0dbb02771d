#include "transport/rpc/backoff.h"

#include <algorithm>

namespace shmrpc {
namespace internal {
namespace {

constexpr double kGrowth = 1.6;
constexpr double kJitter = 0.2;
constexpr int64_t kMillisecondNs = 1000 * 1000;

// In nanoseconds; -1 if it is not set.
int64_t Milliseconds(const ChannelArguments& arguments, const char* key) {
  const int ms = arguments.GetInt(key, -1);
  return ms < 0 ? -1 : std::max(ms, 1) * kMillisecondNs;
}

}  // namespace

BackoffOptions BackoffFromArguments(const ChannelArguments& arguments) {
  BackoffOptions options;
  const int64_t initial_ns =
      Milliseconds(arguments, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS);
  const int64_t min_ns =
      Milliseconds(arguments, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS);
  const int64_t max_ns =
      Milliseconds(arguments, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS);
  if (initial_ns >= 0) options.initial_ns = initial_ns;
  if (min_ns >= 0) options.min_ns = min_ns;
  if (max_ns >= 0) {
    options.max_ns = max_ns;
    options.initial_ns = std::min(options.initial_ns, max_ns);
  } else {
    options.max_ns = std::max(options.max_ns, options.initial_ns);
  }
  options.max_ns = std::max(options.max_ns, options.min_ns);
  options.initial_ns = std::max(options.initial_ns, options.min_ns);
  return options;
}

Backoff::Backoff(const BackoffOptions& options, uint32_t seed)
    : options_(options),
      pause_ns_(static_cast<double>(options.initial_ns)),
      random_(seed) {}

int64_t Backoff::NextNs() {
  std::uniform_real_distribution<double> jitter(1 - kJitter, 1 + kJitter);
  const auto pause_ns = static_cast<int64_t>(pause_ns_ * jitter(random_));
  pause_ns_ =
      std::min(pause_ns_ * kGrowth, static_cast<double>(options_.max_ns));
  return std::max(pause_ns, options_.min_ns);
}

}  // namespace internal
}  // namespace shmrpc
