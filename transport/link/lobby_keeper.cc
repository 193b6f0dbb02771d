#include "transport/link/lobby_keeper.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/log/log.h"
#include "transport/platform/clock.h"

namespace shmrpc {
namespace link {
namespace {

constexpr int64_t kSecondNs = 1000 * 1000 * 1000;
// Between two lines in the log.
constexpr int64_t kLogPauseNs = 10 * kSecondNs;

}  // namespace

LobbyKeeper::LobbyKeeper(Lobby* lobby, platform::Waiter* waiter)
    : lobby_(lobby),
      last_repair_ns_(platform::MonotonicNowNs() - kPauseNs),
      last_log_ns_(last_repair_ns_ - kLogPauseNs) {
  for (const platform::NamedMapping* object : lobby->objects()) {
    auto watch = platform::ShrinkWatch::Start(*object, [this, waiter] {
      // Relaxed: Interrupt and the wait it ends order it.
      changed_.store(true, std::memory_order_relaxed);
      waiter->Interrupt();
    });
    if (watch.ok()) {
      watches_.push_back(*std::move(watch));
      continue;
    }
    SHMRPC_LOG(kWarning) << lobby->addresses()[0].ToString()
                         << ": looks each second whether it was truncated: "
                         << watch.status().message();
    watched_ = false;
    look_ns_ = 0;
    break;
  }
}

bool LobbyKeeper::Look() {
  if (usable_ && lobby_->slots_view().poisoned()) usable_ = false;
  // Relaxed: see the constructor.
  if (usable_ && look_ns_ == platform::kNever &&
      !changed_.load(std::memory_order_relaxed)) {
    return false;
  }
  const int64_t now_ns = platform::MonotonicNowNs();
  if (now_ns - last_repair_ns_ < kPauseNs) {
    look_ns_ = last_repair_ns_ + kPauseNs;
    return false;
  }
  // Before the look, so that what comes during it is looked at next.
  changed_.store(false, std::memory_order_relaxed);
  const auto made_good = lobby_->MakeGood();
  usable_ = !lobby_->slots_view().poisoned();
  look_ns_ = !usable_   ? now_ns + kPauseNs
             : watched_ ? platform::kNever
                        : now_ns + kSecondNs;
  if (!made_good.ok()) {
    look_ns_ = now_ns + kSecondNs;
    Log(absl::StrCat("cannot be made good now: ", made_good.status().message()),
        now_ns);
    return false;
  }
  if (!*made_good) return false;
  last_repair_ns_ = now_ns;
  Log("made good", now_ns);
  return true;
}

void LobbyKeeper::Log(const std::string& what, int64_t now_ns) {
  ++unlogged_;
  if (now_ns - last_log_ns_ < kLogPauseNs) return;
  SHMRPC_LOG(kWarning) << lobby_->addresses()[0].ToString()
                       << ": its identity or accept slots were truncated by "
                          "some process of this user, "
                       << unlogged_ << " times: " << what;
  last_log_ns_ = now_ns;
  unlogged_ = 0;
}

}  // namespace link
}  // namespace shmrpc
