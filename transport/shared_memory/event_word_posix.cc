#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"
#include "transport/shared_memory/event_word.h"
#include "transport/shared_memory/touch.h"

namespace shmrpc {
namespace {

// An event's page. [who] writes the field. Processes of different versions of
// this library meet here: a change needs another magic.
struct EventPage {
  uint8_t magic[16];            // [creator] kMagic, before the page has a name
  std::atomic<uint32_t> word;   // [all] 0 quiet, 1 signalled; a futex
  uint8_t reserved[4096 - 20];  // zero
};
static_assert(sizeof(EventPage) == 4096, "shared between processes");
static_assert(offsetof(EventPage, word) == 16, "shared between processes");

// Random beyond the text: nobody's memory begins like this by accident.
constexpr uint8_t kMagic[16] = {'s',  'h',  'm',  'e',  'v',  'e',  'n',  't',
                                0x9d, 0x41, 0xe3, 0x07, 0xb8, 0x5c, 0x2a, 0x01};

}  // namespace

absl::StatusOr<EventWord> EventWord::Create(
    const SharedName& name, const platform::AccessPolicy& access) {
  platform::CreateOptions options;
  options.access = access;
  absl::StatusOr<platform::NamedMapping> mapping =
      platform::NamedMapping::Create(
          name.object, sizeof(EventPage), options, [](uint8_t* data) {
            std::memcpy(data, kMagic, sizeof(kMagic));
            SHMRPC_STORE_POINT("named event.magic");
            return absl::OkStatus();
          });
  if (!mapping.ok()) return mapping.status();
  absl::StatusOr<platform::View> view =
      mapping->Map(0, sizeof(EventPage), platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  EventWord result;
  result.mapping_ = *std::move(mapping);
  result.view_ = *std::move(view);
  return result;
}

absl::StatusOr<EventWord> EventWord::Open(
    const SharedName& name, const platform::OpenOptions& options) {
  platform::OpenOptions writable = options;
  writable.access = platform::Access::kReadWrite;  // a wait writes, too
  absl::StatusOr<platform::NamedMapping> mapping =
      platform::NamedMapping::Open(name.object, writable);
  if (!mapping.ok()) return mapping.status();
  if (!IsIn(*mapping)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "open event \"", name.object.name,
        "\": the name is shared memory's; events and memory share one space of "
        "names: choose another name"));
  }
  absl::StatusOr<platform::View> view =
      mapping->Map(0, sizeof(EventPage), platform::Access::kReadWrite);
  if (!view.ok()) return view.status();
  EventWord result;
  result.mapping_ = *std::move(mapping);
  result.view_ = *std::move(view);
  return result;
}

bool EventWord::IsIn(const platform::NamedMapping& mapping) {
  if (mapping.size_bytes() != sizeof(EventPage)) return false;
  absl::StatusOr<platform::View> view =
      mapping.Map(0, sizeof(kMagic), platform::Access::kReadOnly);
  if (!view.ok()) return false;
  uint8_t magic[sizeof(kMagic)] = {};
  // A copy that is not shared.
  return platform::Guarded(
             *view, [&] { std::memcpy(magic, view->data(), sizeof(magic)); }) &&
         std::memcmp(magic, kMagic, sizeof(kMagic)) == 0;
}

std::atomic<uint32_t>* EventWord::word() const {
  return &reinterpret_cast<EventPage*>(view_.data())->word;
}

bool EventWord::Guarded(absl::FunctionRef<void()> use) const {
  // No unwinding on this system: `use` may own what it likes.
  return platform::Guarded(view_, [&] {
    TouchBeforeAtomic(word());
    use();
  });
}

}  // namespace shmrpc
