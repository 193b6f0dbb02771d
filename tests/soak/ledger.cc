#include "tests/soak/ledger.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr char kCallKey[] = "x-soak-call";

}  // namespace

void CallId::AddTo(ClientContext* context) const {
  context->AddMetadata(kCallKey, absl::StrCat(session, "/", call));
}

CallId CallId::Of(const ServerContext& context) {
  CallId id;
  const auto found = context.client_metadata().find(kCallKey);
  if (found == context.client_metadata().end()) return id;
  const std::vector<std::string> parts = absl::StrSplit(
      absl::string_view(found->second.data(), found->second.size()), '/');
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &id.call)) return id;
  id.session = parts[0];
  return id;
}

void Ledger::Begin(const CallId& id, bool wrong_metadata) {
  absl::MutexLock lock(&mutex_);
  ++begun_;
  Calls& calls = sessions_[id.session];
  ++calls.running;
  Account& account = calls.accounts[id.call];
  account.set_call(id.call);
  account.set_begun(account.begun() + 1);
  if (wrong_metadata) account.set_wrong_metadata(true);
}

void Ledger::End(const CallId& id, int code, bool cancelled) {
  absl::MutexLock lock(&mutex_);
  ++ended_;
  // There: neither Settle nor Forget takes a session with a handler away.
  Calls& calls = sessions_[id.session];
  --calls.running;
  Account& account = calls.accounts[id.call];
  account.set_ended(account.ended() + 1);
  account.set_code(code);
  account.set_cancelled(cancelled);
}

Settlement Ledger::Settle(const std::string& session) {
  Settlement settlement;
  settlement.set_generation(generation_);
  absl::MutexLock lock(&mutex_);
  const auto rests = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto found = sessions_.find(session);
    return found == sessions_.end() || found->second.running == 0;
  };
  mutex_.Await(absl::Condition(&rests));
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return settlement;
  for (auto& account : found->second.accounts) {
    *settlement.add_accounts() = std::move(account.second);
  }
  sessions_.erase(found);
  return settlement;
}

bool Ledger::Forget(const std::string& client) {
  const std::string prefix = client + ".";
  absl::MutexLock lock(&mutex_);
  const auto rests = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (auto it = sessions_.lower_bound(prefix);
         it != sessions_.end() && absl::StartsWith(it->first, prefix); ++it) {
      if (it->second.running != 0) return false;
    }
    return true;
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&rests), absl::Minutes(1))) {
    return false;
  }
  auto it = sessions_.lower_bound(prefix);
  while (it != sessions_.end() && absl::StartsWith(it->first, prefix)) {
    it = sessions_.erase(it);
  }
  return true;
}

int64_t Ledger::begun() const {
  absl::MutexLock lock(&mutex_);
  return begun_;
}

int64_t Ledger::ended() const {
  absl::MutexLock lock(&mutex_);
  return ended_;
}

}  // namespace testing
}  // namespace shmrpc
