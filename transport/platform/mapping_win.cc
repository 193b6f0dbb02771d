#include <windows.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/mapping.h"
#include "transport/platform/os_error.h"
#include "transport/platform/security_win.h"
#include "transport/platform/view_registry.h"

namespace shmrpc {
namespace platform {
namespace {

const SYSTEM_INFO& System() {
  static const SYSTEM_INFO info = [] {
    SYSTEM_INFO result;
    GetSystemInfo(&result);
    return result;
  }();
  return info;
}

std::string Quoted(absl::string_view verb, const ObjectName& name) {
  return absl::StrCat(verb, " mapping \"", name.name, "\"");
}

// Length in bytes from `address` to the end of the view it lies in, page by
// page whatever their state. 0 on failure.
uint64_t ViewBytes(const uint8_t* address) {
  MEMORY_BASIC_INFORMATION first;
  if (VirtualQuery(address, &first, sizeof(first)) == 0) return 0;
  uint64_t size_bytes = first.RegionSize;
  MEMORY_BASIC_INFORMATION next;
  // Regions end where the state changes (pages reserved, not committed).
  while (VirtualQuery(address + size_bytes, &next, sizeof(next)) != 0 &&
         next.State != MEM_FREE &&
         next.AllocationBase == first.AllocationBase) {
    size_bytes += next.RegionSize;
  }
  return size_bytes;
}

// The kernel's word on it: how much a view of everything spans.
absl::StatusOr<uint64_t> SectionBytes(absl::string_view what, HANDLE section) {
  void* const whole = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
  if (whole == nullptr) return OsError(what, LastOsError());
  const uint64_t size_bytes = ViewBytes(static_cast<const uint8_t*>(whole));
  const int error = LastOsError();
  UnmapViewOfFile(whole);
  if (size_bytes == 0) return OsError(what, error);
  return size_bytes;
}

// No-op for our own sections, which are committed from the start. One that
// another program made with SEC_RESERVE would fault at the first touch.
absl::Status CommitView(absl::string_view what, void* base, uint64_t size_bytes,
                        Access access) {
  MEMORY_BASIC_INFORMATION region;
  if (VirtualQuery(base, &region, sizeof(region)) != 0 &&
      region.State == MEM_COMMIT && region.RegionSize >= size_bytes) {
    return absl::OkStatus();
  }
  if (VirtualAlloc(base, static_cast<SIZE_T>(size_bytes), MEM_COMMIT,
                   access == Access::kReadWrite ? PAGE_READWRITE
                                                : PAGE_READONLY) == nullptr) {
    return OsError(absl::StrCat(what, ": commit ", size_bytes, " bytes"),
                   LastOsError());
  }
  return absl::OkStatus();
}

}  // namespace

struct NamedMapping::Impl {
  ObjectName name;
  HANDLE section = nullptr;
  uint64_t size_bytes = 0;
  ObjectOwner owner;
  Access access = Access::kReadWrite;

  // The system frees the section with its last handle and view, anyone's.
  ~Impl() {
    if (section != nullptr) CloseHandle(section);
  }
};

absl::StatusOr<NamedMapping> NamedMapping::Create(
    const ObjectName& name, uint64_t size_bytes, const CreateOptions& options) {
  return Create(name, size_bytes, options,
                [](uint8_t*) { return absl::OkStatus(); });
}

absl::StatusOr<NamedMapping> NamedMapping::Create(const ObjectName& name,
                                                  uint64_t size_bytes,
                                                  const CreateOptions& options,
                                                  Init init) {
  if (absl::Status status = ValidateName(name); !status.ok()) return status;
  const std::string what = Quoted("create", name);
  if (size_bytes == 0) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": size 0"));
  }
  const uint64_t page_bytes = System().dwPageSize;
  if (size_bytes > static_cast<uint64_t>(INT64_MAX) - page_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        what, " of ", size_bytes, " bytes: no system has that much"));
  }
  const uint64_t wanted_bytes = size_bytes;
  size_bytes = (size_bytes + page_bytes - 1) / page_bytes * page_bytes;

  absl::StatusOr<SecurityAttributes> security =
      SecurityAttributes::Make(what, options.access);
  if (!security.ok()) return security.status();
  auto impl = std::make_unique<Impl>();
  impl->name = name;
  impl->size_bytes = size_bytes;
  SetLastError(ERROR_SUCCESS);
  impl->section = CreateFileMappingW(
      INVALID_HANDLE_VALUE, security->get(), PAGE_READWRITE | SEC_COMMIT,
      static_cast<DWORD>(size_bytes >> 32), static_cast<DWORD>(size_bytes),
      Wide(name.OsName()).c_str());
  const int error = LastOsError();
  if (error == ERROR_ALREADY_EXISTS) {
    // What was returned is a handle of the existing section.
    return absl::AlreadyExistsError(
        absl::StrCat(what, ": ", DescribeOsError(error),
                     ": a living process holds it; stop it or choose another "
                     "name"));
  }
  if (impl->section == nullptr) {
    if (error == ERROR_INVALID_HANDLE) {
      return absl::AlreadyExistsError(
          absl::StrCat(what, ": ", DescribeOsError(error)));
    }
    absl::string_view advice = "";
    if (error == ERROR_ACCESS_DENIED) {
      advice = name.scope == Scope::kGlobal
                   ? "sections in Global\\ need SeCreateGlobalPrivilege "
                     "(services have it); or another user has the name"
                   : "another user's process has the name";
    } else if (OsErrorCode(error) == absl::StatusCode::kResourceExhausted) {
      advice = "use less, close programs, or enlarge the page file";
    }
    return OsError(absl::StrCat(what, " of ", wanted_bytes, " bytes"), error,
                   advice);
  }
  void* const data = MapViewOfFile(impl->section, FILE_MAP_WRITE, 0, 0, 0);
  if (data == nullptr) {
    return OsError(absl::StrCat(what, " of ", wanted_bytes, " bytes"),
                   LastOsError());
  }
  absl::Status status = init(static_cast<uint8_t*>(data));
  UnmapViewOfFile(data);
  if (!status.ok()) return status;
  return NamedMapping(std::move(impl));
}

absl::StatusOr<NamedMapping> NamedMapping::Open(const ObjectName& name,
                                                const OpenOptions& options) {
  if (absl::Status status = ValidateName(name); !status.ok()) return status;
  const std::string what = Quoted("open", name);
  auto impl = std::make_unique<Impl>();
  impl->name = name;
  impl->access = options.access;
  DWORD access = FILE_MAP_READ;
  if (options.access == Access::kReadWrite) access |= FILE_MAP_WRITE;
  if (options.require_same_owner) access |= READ_CONTROL;
  impl->section = OpenFileMappingW(access, FALSE, Wide(name.OsName()).c_str());
  if (impl->section == nullptr) {
    const int error = LastOsError();
    absl::string_view advice = "";
    if (error == ERROR_FILE_NOT_FOUND) {
      advice = "no server is running; start it or check the name";
    } else if (error == ERROR_ACCESS_DENIED) {
      advice = "it is another user's";
    }
    return OsError(what, error, advice);
  }
  if (options.require_same_owner) {
    auto owner = OwnerOf(what, impl->section);
    if (!owner.ok()) return owner.status();
    if (!owner->is_self && !owner->is_privileged &&
        options.other_owner != "*" && options.other_owner != owner->user) {
      return absl::PermissionDeniedError(absl::StrCat(
          what, ": it belongs to user ", owner->user,
          ", not to this process's user ", CurrentUserText(),
          ": somebody else took the name, or the server runs as another user"));
    }
    impl->owner = {std::move(owner->user), owner->is_self,
                   owner->is_privileged};
  }
  absl::StatusOr<uint64_t> size_bytes = SectionBytes(what, impl->section);
  if (!size_bytes.ok()) return size_bytes.status();
  impl->size_bytes = *size_bytes;
  return NamedMapping(std::move(impl));
}

absl::StatusOr<NamedMapping> NamedMapping::CreateMapped(
    const ObjectName& name, uint64_t size_bytes, const CreateOptions& options,
    Init init, View* view) {
  auto mapping = Create(name, size_bytes, options, init);
  if (!mapping.ok()) return mapping;
  auto mapped = mapping->Map(0, mapping->size_bytes(), Access::kReadWrite);
  if (!mapped.ok()) return mapped.status();
  *view = *std::move(mapped);
  return mapping;
}

NamedMapping::NamedMapping(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
NamedMapping::NamedMapping() = default;
NamedMapping::NamedMapping(NamedMapping&&) noexcept = default;
NamedMapping& NamedMapping::operator=(NamedMapping&&) noexcept = default;
NamedMapping::~NamedMapping() = default;

const ObjectName& NamedMapping::name() const { return impl_->name; }
uint64_t NamedMapping::size_bytes() const { return impl_->size_bytes; }
const ObjectOwner& NamedMapping::owner() const { return impl_->owner; }

absl::StatusOr<View> NamedMapping::Map(uint64_t offset_bytes,
                                       uint64_t size_bytes,
                                       Access access) const {
  const std::string what = Quoted("map", impl_->name);
  if (size_bytes == 0 || offset_bytes > impl_->size_bytes ||
      size_bytes > impl_->size_bytes - offset_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": ", size_bytes, " bytes at ", offset_bytes,
        " are not a range within its ", impl_->size_bytes, " bytes"));
  }
  if (access == Access::kReadWrite && impl_->access == Access::kReadOnly) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, ": it was opened read-only"));
  }
  // Views begin at multiples of 64 KiB.
  const uint64_t skip_bytes = offset_bytes % System().dwAllocationGranularity;
  const uint64_t begin_bytes = offset_bytes - skip_bytes;
  const uint64_t mapped_bytes = size_bytes + skip_bytes;
  if (mapped_bytes > SIZE_MAX) {
    return absl::ResourceExhaustedError(absl::StrCat(
        what, ": ", mapped_bytes, " bytes exceed the address space"));
  }
  void* const base = MapViewOfFile(
      impl_->section,
      access == Access::kReadWrite ? FILE_MAP_READ | FILE_MAP_WRITE
                                   : FILE_MAP_READ,
      static_cast<DWORD>(begin_bytes >> 32), static_cast<DWORD>(begin_bytes),
      static_cast<SIZE_T>(mapped_bytes));
  if (base == nullptr) return OsError(what, LastOsError());
  absl::Status status = CommitView(what, base, mapped_bytes, access);
  if (!status.ok()) {
    UnmapViewOfFile(base);
    return status;
  }
  const uintptr_t begin = reinterpret_cast<uintptr_t>(base);
  const uintptr_t page_bytes = System().dwPageSize;
  const int registration = RegisterView(
      {begin, begin + (static_cast<uintptr_t>(mapped_bytes) + page_bytes - 1) /
                          page_bytes * page_bytes});
  if (registration < 0) {
    UnmapViewOfFile(base);
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": this process has too many views"));
  }
  return View(static_cast<uint8_t*>(base) + skip_bytes, size_bytes, access,
              registration);
}

void View::Unmap() {
  if (data_ == nullptr) return;
  DeregisterView(registration_);
  const uintptr_t skip_bytes =
      reinterpret_cast<uintptr_t>(data_) % System().dwAllocationGranularity;
  UnmapViewOfFile(data_ - skip_bytes);
  data_ = nullptr;
  size_bytes_ = 0;
  registration_ = -1;
}

absl::Status NamedMapping::Reserve() const { return absl::OkStatus(); }

uint64_t NamedMapping::SizeNowBytes() const { return impl_->size_bytes; }

absl::Status NamedMapping::Regrow() const { return absl::OkStatus(); }

// Sections do not shrink: the pages failed to come, or this process protected
// them. They stay mapped, so access is all that has to be given back.
absl::Status NamedMapping::Restore(const View& view) const {
  const uint32_t seen = SeePoison(view.registration_);
  DWORD before = 0;
  if (!VirtualProtect(
          view.data(), static_cast<SIZE_T>(view.size_bytes()),
          view.access() == Access::kReadWrite ? PAGE_READWRITE : PAGE_READONLY,
          &before)) {
    return OsError(Quoted("map again", impl_->name), LastOsError());
  }
  // One that faulted before that may mark it afterwards; then it is restored
  // once more.
  HealView(view.registration_, seen);
  return absl::OkStatus();
}

int NamedMapping::descriptor() const { return -1; }

void NamedMapping::Unlink() const {}
void NamedMapping::LeaveName() {}

absl::optional<uint32_t> NamedMapping::CreatorPid() const {
  return absl::nullopt;
}

bool NamedMapping::CreatorIsGone() const { return false; }

bool NamedMapping::HeldByAnyone() const { return true; }

bool NamedMapping::Stands() const { return true; }

bool NamedMapping::GuestsMayStay() { return false; }

int ReclaimAbandoned(Scope, absl::string_view,
                     absl::FunctionRef<bool(absl::string_view)>) {
  return 0;
}

int ReclaimAbandoned(Scope, absl::string_view) { return 0; }

std::vector<ObjectName> NamesWithPrefix(const ObjectName&) { return {}; }

}  // namespace platform
}  // namespace shmrpc
