#include "transport/shared_memory/event_word.h"

namespace shmrpc {

absl::StatusOr<EventWord> EventWord::Create(const SharedName&,
                                            const platform::AccessPolicy&) {
  return EventWord();
}

absl::StatusOr<EventWord> EventWord::Open(const SharedName&,
                                          const platform::OpenOptions&) {
  return EventWord();
}

bool EventWord::IsIn(const platform::NamedMapping&) { return false; }

std::atomic<uint32_t>* EventWord::word() const { return nullptr; }

bool EventWord::Guarded(absl::FunctionRef<void()> use) const {
  use();  // touches no memory of ours
  return true;
}

}  // namespace shmrpc
