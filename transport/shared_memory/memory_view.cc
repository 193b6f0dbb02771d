#include "shmrpc/memory_view.h"

#include <atomic>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/guard.h"
#include "transport/platform/store_point.h"
#include "transport/shared_memory/memory_view_impl.h"
#include "transport/shared_memory/shared_name.h"
#include "transport/shared_memory/touch.h"

namespace shmrpc {
namespace {

std::string Range(uint64_t offset_bytes, uint64_t size_bytes) {
  return absl::StrCat(size_bytes, " bytes at ", offset_bytes);
}

template <class Word>
void LoadWord(const uint8_t* address, void* value) {
  static_assert(sizeof(std::atomic<Word>) == sizeof(Word),
                "other processes see plain bits");
  // acquire: pairs with the release of the Store, in whichever process.
  const Word word = reinterpret_cast<const std::atomic<Word>*>(address)->load(
      std::memory_order_acquire);
  std::memcpy(value, &word, sizeof(word));  // not shared
}

template <class Word>
void StoreWord(uint8_t* address, const void* value) {
  Word word;
  std::memcpy(&word, value, sizeof(word));
  // release: what this thread wrote before is seen by who Loads this.
  reinterpret_cast<std::atomic<Word>*>(address)->store(
      word, std::memory_order_release);
  SHMRPC_STORE_POINT("view.stored");
}

// 1, 2, 4 or 8, as the header has checked.
void LoadSized(const uint8_t* address, void* value, uint64_t size_bytes) {
  TouchBeforeAtomic(address);
  switch (size_bytes) {
    case 1:
      return LoadWord<uint8_t>(address, value);
    case 2:
      return LoadWord<uint16_t>(address, value);
    case 4:
      return LoadWord<uint32_t>(address, value);
    default:
      return LoadWord<uint64_t>(address, value);
  }
}

void StoreSized(uint8_t* address, const void* value, uint64_t size_bytes) {
  TouchBeforeAtomic(address);
  switch (size_bytes) {
    case 1:
      return StoreWord<uint8_t>(address, value);
    case 2:
      return StoreWord<uint16_t>(address, value);
    case 4:
      return StoreWord<uint32_t>(address, value);
    default:
      return StoreWord<uint64_t>(address, value);
  }
}

absl::Status CheckAligned(absl::string_view verb, absl::string_view what,
                          const uint8_t* address, uint64_t offset_bytes,
                          uint64_t size_bytes) {
  if (reinterpret_cast<uintptr_t>(address) % size_bytes == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      verb, " ", Range(offset_bytes, size_bytes), " of ", what,
      ": atomic accesses need an address that is a multiple of their size; "
      "align the offset, or use Read and Write"));
}

}  // namespace

absl::Status MemoryView::Impl::CheckRange(absl::string_view verb,
                                          uint64_t offset_bytes,
                                          uint64_t size_bytes) const {
  const uint64_t all_bytes = view.size_bytes();
  // Subtracted, not added: a sum could wrap around.
  if (offset_bytes <= all_bytes && size_bytes <= all_bytes - offset_bytes) {
    return absl::OkStatus();
  }
  return absl::OutOfRangeError(
      absl::StrCat(verb, " ", Range(offset_bytes, size_bytes), " of ", what,
                   ": the view has ", all_bytes, " bytes"));
}

absl::Status MemoryView::Impl::CheckWritable(absl::string_view verb) const {
  if (access == MemoryAccess::kReadWrite) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(verb, " ", what,
                   ": the view is read-only; open and map it with kReadWrite"));
}

absl::Status MemoryView::Impl::Fault(absl::string_view verb,
                                     uint64_t offset_bytes,
                                     uint64_t size_bytes) const {
  return absl::DataLossError(absl::StrCat(
      verb, " ", Range(offset_bytes, size_bytes), " of ", what,
      ": the memory faulted: a process truncated the object, or the system "
      "could not supply a page; drop this view and open the object anew"));
}

MemoryView::MemoryView(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MemoryView::MemoryView() = default;
MemoryView::MemoryView(MemoryView&&) noexcept = default;
MemoryView& MemoryView::operator=(MemoryView&&) noexcept = default;
MemoryView::~MemoryView() = default;

uint64_t MemoryView::size_bytes() const {
  return impl_ == nullptr ? 0 : impl_->view.size_bytes();
}

MemoryAccess MemoryView::access() const {
  return impl_ == nullptr ? MemoryAccess::kReadOnly : impl_->access;
}

const uint8_t* MemoryView::data() const {
  return impl_ == nullptr ? nullptr : impl_->view.data();
}

uint8_t* MemoryView::mutable_data() const {
  return access() == MemoryAccess::kReadWrite ? impl_->view.data() : nullptr;
}

bool MemoryView::poisoned() const {
  return impl_ != nullptr && impl_->view.poisoned();
}

absl::Status MemoryView::Read(uint64_t offset_bytes, void* buffer,
                              uint64_t size_bytes) const {
  if (impl_ == nullptr) return EmptyObject("read a view");
  absl::Status status = impl_->CheckRange("read", offset_bytes, size_bytes);
  if (!status.ok()) return status;
  if (!platform::Guarded(impl_->view, [&] {
        if (size_bytes == 0) return;  // buffer may be null
        std::memcpy(buffer, impl_->view.data() + offset_bytes,  // not shared
                    static_cast<size_t>(size_bytes));
      })) {
    return impl_->Fault("read", offset_bytes, size_bytes);
  }
  return absl::OkStatus();
}

absl::Status MemoryView::Write(uint64_t offset_bytes, const void* buffer,
                               uint64_t size_bytes) const {
  if (impl_ == nullptr) return EmptyObject("write to a view");
  absl::Status status = impl_->CheckWritable("write to");
  if (!status.ok()) return status;
  status = impl_->CheckRange("write", offset_bytes, size_bytes);
  if (!status.ok()) return status;
  if (!platform::Guarded(impl_->view, [&] {
        if (size_bytes == 0) return;
        std::memcpy(impl_->view.data() + offset_bytes, buffer,
                    static_cast<size_t>(size_bytes));
        SHMRPC_STORE_POINT("view.written");
      })) {
    return impl_->Fault("write", offset_bytes, size_bytes);
  }
  return absl::OkStatus();
}

absl::Status MemoryView::LoadBytes(uint64_t offset_bytes, void* value,
                                   uint64_t size_bytes) const {
  if (impl_ == nullptr) return EmptyObject("load from a view");
  absl::Status status = impl_->CheckRange("load", offset_bytes, size_bytes);
  if (!status.ok()) return status;
  const uint8_t* const address = impl_->view.data() + offset_bytes;
  status = CheckAligned("load", impl_->what, address, offset_bytes, size_bytes);
  if (!status.ok()) return status;
  if (!platform::Guarded(impl_->view,
                         [&] { LoadSized(address, value, size_bytes); })) {
    return impl_->Fault("load", offset_bytes, size_bytes);
  }
  return absl::OkStatus();
}

absl::Status MemoryView::StoreBytes(uint64_t offset_bytes, const void* value,
                                    uint64_t size_bytes) const {
  if (impl_ == nullptr) return EmptyObject("store to a view");
  absl::Status status = impl_->CheckWritable("store to");
  if (!status.ok()) return status;
  status = impl_->CheckRange("store", offset_bytes, size_bytes);
  if (!status.ok()) return status;
  uint8_t* const address = impl_->view.data() + offset_bytes;
  status =
      CheckAligned("store", impl_->what, address, offset_bytes, size_bytes);
  if (!status.ok()) return status;
  if (!platform::Guarded(impl_->view,
                         [&] { StoreSized(address, value, size_bytes); })) {
    return impl_->Fault("store", offset_bytes, size_bytes);
  }
  return absl::OkStatus();
}

absl::Status MemoryView::VisitBytes(uint64_t offset_bytes, uint64_t size_bytes,
                                    bool for_writing, Body body,
                                    void* f) const {
  if (impl_ == nullptr) return EmptyObject("visit a view");
  absl::Status status;
  if (for_writing) status = impl_->CheckWritable("visit for writing");
  if (!status.ok()) return status;
  status = impl_->CheckRange("visit", offset_bytes, size_bytes);
  if (!status.ok()) return status;
  if (!platform::Guarded(impl_->view, [&] {
        body(f, impl_->view.data() + offset_bytes, size_bytes);
      })) {
    return impl_->Fault("visit", offset_bytes, size_bytes);
  }
  return absl::OkStatus();
}

}  // namespace shmrpc
