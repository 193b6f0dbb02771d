#include "shmrpc/shared_memory.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/mapping.h"
#include "transport/shared_memory/event_word.h"
#include "transport/shared_memory/memory_view_impl.h"
#include "transport/shared_memory/open_options.h"
#include "transport/shared_memory/shared_name.h"

namespace shmrpc {
namespace {

constexpr absl::string_view kKind = "shared memory";

absl::StatusOr<platform::NamedMapping> CreateMapping(
    const SharedName& name, uint64_t size_bytes, const AccessControl& access) {
  if (size_bytes == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(Describe("create shared memory", name.display),
                     ": size 0; give it at least one byte"));
  }
  platform::CreateOptions options;
  options.access = ToPlatform(access);
  return platform::NamedMapping::Create(name.object, size_bytes, options);
}

absl::StatusOr<platform::NamedMapping> OpenMapping(const SharedName& name,
                                                   const OpenOptions& options) {
  absl::StatusOr<platform::NamedMapping> mapping =
      platform::NamedMapping::Open(name.object, ToPlatform(options));
  if (mapping.ok() && EventWord::IsIn(*mapping)) {
    return absl::FailedPreconditionError(absl::StrCat(
        Describe("open shared memory", name.display),
        ": the name is an event's; events and memory share one space of "
        "names: choose another name"));
  }
  return mapping;
}

}  // namespace

struct SharedMemory::Impl {
  SharedName name;
  MemoryAccess access = MemoryAccess::kReadWrite;
  bool created = false;
  platform::NamedMapping mapping;
};

absl::StatusOr<SharedMemory> SharedMemory::Create(absl::string_view name,
                                                  uint64_t size_bytes,
                                                  const AccessControl& access) {
  absl::StatusOr<SharedName> parsed = ParseName("create shared memory", name);
  if (!parsed.ok()) return parsed.status();
  absl::StatusOr<platform::NamedMapping> mapping =
      CreateMapping(*parsed, size_bytes, access);
  if (!mapping.ok()) {
    return Explain(mapping.status(), kKind, *parsed,
                   "or use CreateOrOpen to share it");
  }
  return SharedMemory(std::make_shared<const Impl>(
      Impl{*std::move(parsed), MemoryAccess::kReadWrite, /*created=*/true,
           *std::move(mapping)}));
}

absl::StatusOr<SharedMemory> SharedMemory::Open(absl::string_view name,
                                                const OpenOptions& options) {
  absl::StatusOr<SharedName> parsed = ParseName("open shared memory", name);
  if (!parsed.ok()) return parsed.status();
  absl::StatusOr<platform::NamedMapping> mapping =
      OpenMapping(*parsed, options);
  if (!mapping.ok()) return Explain(mapping.status(), kKind, *parsed);
  return SharedMemory(std::make_shared<const Impl>(
      Impl{*std::move(parsed), options.access, /*created=*/false,
           *std::move(mapping)}));
}

absl::StatusOr<SharedMemory> SharedMemory::CreateOrOpen(
    absl::string_view name, uint64_t size_bytes, const AccessControl& access,
    const OpenOptions& options) {
  absl::Status status;
  for (int attempt = 0; attempt < kCreateOrOpenAttempts; ++attempt) {
    absl::StatusOr<SharedMemory> memory = Create(name, size_bytes, access);
    status = memory.status();
    if (status.code() != absl::StatusCode::kAlreadyExists) return memory;
    memory = Open(name, options);
    // The holder may have left in between.
    if (memory.status().code() == absl::StatusCode::kNotFound) {
      std::this_thread::yield();
      continue;
    }
    if (memory.ok() && memory->size_bytes() < size_bytes) {
      return absl::FailedPreconditionError(absl::StrCat(
          Describe("create or open shared memory", memory->name()), ": it has ",
          memory->size_bytes(), " bytes, fewer than the ", size_bytes,
          " asked for; its first holder decides the size"));
    }
    return memory;
  }
  // A file that nobody holds and that is not ours to replace (or processes that
  // come and go without end).
  return status;
}

SharedMemory::SharedMemory(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}
SharedMemory::SharedMemory() = default;
SharedMemory::SharedMemory(SharedMemory&&) noexcept = default;
SharedMemory& SharedMemory::operator=(SharedMemory&&) noexcept = default;
SharedMemory::~SharedMemory() = default;

absl::StatusOr<MemoryView> SharedMemory::Map() const { return Map(access()); }

absl::StatusOr<MemoryView> SharedMemory::Map(MemoryAccess access) const {
  return Map(0, size_bytes(), access);
}

absl::StatusOr<MemoryView> SharedMemory::Map(uint64_t offset_bytes,
                                             uint64_t size_bytes,
                                             MemoryAccess access) const {
  if (impl_ == nullptr) return EmptyObject("map shared memory");
  const std::string what = Describe(kKind, impl_->name.display);
  const uint64_t all_bytes = impl_->mapping.size_bytes();
  if (size_bytes == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("map ", what, ": size 0; Map() without a range maps all"));
  }
  if (offset_bytes > all_bytes || size_bytes > all_bytes - offset_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat("map ", what, ": ", size_bytes, " bytes at ", offset_bytes,
                     " are not within its ", all_bytes, " bytes"));
  }
  if (access == MemoryAccess::kReadWrite &&
      impl_->access == MemoryAccess::kReadOnly) {
    return absl::PermissionDeniedError(absl::StrCat(
        "map ", what,
        ": it was opened read-only; open it with OpenOptions::access = "
        "kReadWrite"));
  }
  absl::StatusOr<platform::View> view =
      impl_->mapping.Map(offset_bytes, size_bytes, ToPlatform(access));
  if (!view.ok()) return Explain(view.status(), kKind, impl_->name);
  auto impl = std::make_unique<MemoryView::Impl>();
  impl->object = impl_;
  impl->what = what;
  impl->access = access;
  impl->view = *std::move(view);
  return MemoryView(std::move(impl));
}

const std::string& SharedMemory::name() const {
  static const std::string* const none = new std::string;
  return impl_ == nullptr ? *none : impl_->name.display;
}

uint64_t SharedMemory::size_bytes() const {
  return impl_ == nullptr ? 0 : impl_->mapping.size_bytes();
}

MemoryAccess SharedMemory::access() const {
  return impl_ == nullptr ? MemoryAccess::kReadOnly : impl_->access;
}

bool SharedMemory::created() const {
  return impl_ != nullptr && impl_->created;
}

}  // namespace shmrpc
