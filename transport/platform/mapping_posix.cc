#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/platform/access_posix.h"
#include "transport/platform/clock.h"
#include "transport/platform/mapping.h"
#include "transport/platform/object_file_posix.h"
#include "transport/platform/os_error.h"
#include "transport/platform/process.h"
#include "transport/platform/space_posix.h"
#include "transport/platform/user.h"
#include "transport/platform/view_registry.h"

namespace shmrpc {
namespace platform {
namespace {

// How often Create and Open look again at a name that changes under them. Each
// round means that another process got further, or has the exclusive lock for
// the length of an unlink; it may have been stopped just there.
constexpr int kAttempts = 200;
// For how long Restore meets with threads that fault beside it.
constexpr int64_t kRestorePatienceNs = 1000 * 1000 * 1000;

void Backoff(int attempt) {
  if (attempt < 10) return;
  const timespec pause = {0, 5000000};
  nanosleep(&pause, nullptr);
}

uint64_t PageBytes() {
  static const uint64_t bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::string Quoted(absl::string_view verb, const ObjectName& name) {
  return absl::StrCat(verb, " mapping \"", name.name, "\"");
}

std::string Directory(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status AlreadyExists(const ObjectName& name, const ObjectFile& holder) {
  const absl::optional<uint32_t> pid = holder.CreatorPid();
  std::string who = "a living process";
  if (pid.has_value() && *pid != 0) {
    who = absl::StrCat("process ", *pid, " (", ProcessName(*pid), ")");
  }
  return absl::AlreadyExistsError(
      absl::StrCat(Quoted("create", name), ": held by ", who,
                   "; stop it or choose another name"));
}

absl::Status CheckOwner(const ObjectName& name, const ObjectOwner& owner,
                        const std::string& other_owner) {
  if (owner.is_self || owner.is_privileged || other_owner == "*" ||
      other_owner == owner.user) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat(
      Quoted("open", name), ": it belongs to user ", owner.user,
      ", not to this process's user ", CurrentUser(),
      ": somebody else took the name, or the server runs as another user"));
}

// Makes `name` free if a crash left it. OK: try again to take it.
absl::Status ClearStaleName(const ObjectName& name) {
  const std::string path = name.OsName();
  const ObjectFile::Ptr old = ObjectFile::Open(path, /*writable=*/true);
  if (old == nullptr) {
    const int error = errno;
    if (error == ENOENT) return absl::OkStatus();  // gone by itself
    if (error == ENXIO) {
      return absl::AlreadyExistsError(absl::StrCat(
          Quoted("create", name), ": ", path, " is not a regular file"));
    }
    return OsError(Quoted("create", name), error,
                   absl::StrCat(path,
                                " exists and cannot be opened; it may be "
                                "another user's"));
  }
  if (old->HeldByAnyone()) return AlreadyExists(name, *old);
  if (!old->has_marker()) {
    return absl::AlreadyExistsError(
        absl::StrCat(Quoted("create", name), ": ", path,
                     " is a file that this library did not make; remove it or "
                     "choose another name"));
  }
  const int error = old->UnlinkIfAbandoned(path);
  if (error == 0 || error == ENOENT || error == EAGAIN) return absl::OkStatus();
  return OsError(Quoted("create", name), error,
                 absl::StrCat(path,
                              " is left from a process that has ended, "
                              "and this process may not remove it"));
}

}  // namespace

struct NamedMapping::Impl {
  ObjectName name;
  std::string path;
  ObjectFile::Ptr file;
  uint64_t size_bytes = 0;
  ObjectOwner owner;
  Access access = Access::kReadWrite;
  bool holds = false;
  bool creator = false;

  ~Impl() {
    if (holds) file->Release(path);
    if (creator) file->RetireCreator();
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
  View unused;
  return CreateMapped(name, size_bytes, options, init, &unused);
}

absl::StatusOr<NamedMapping> NamedMapping::CreateMapped(
    const ObjectName& name, uint64_t size_bytes, const CreateOptions& options,
    Init init, View* view) {
  if (absl::Status status = ValidateName(name); !status.ok()) return status;
  if (size_bytes == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted("create", name), ": size 0"));
  }
  const uint64_t page = PageBytes();
  if (size_bytes > static_cast<uint64_t>(INT64_MAX) - page) {
    return absl::ResourceExhaustedError(
        absl::StrCat(Quoted("create", name), " of ", size_bytes,
                     " bytes: no system has that much"));
  }
  size_bytes = (size_bytes + page - 1) / page * page;

  auto impl = std::make_unique<Impl>();
  impl->name = name;
  impl->path = name.OsName();
  impl->size_bytes = size_bytes;
  // A living holder is found before memory is reserved for nothing.
  if (!options.fresh_name) {
    if (absl::Status status = ClearStaleName(name); !status.ok()) return status;
  }

  impl->file = ObjectFile::Create(impl->path);
  if (impl->file == nullptr) {
    const int error = errno;
    if (error == ENOSPC) return NoSpaceError(name, size_bytes, error);
    return OsError(
        Quoted("create", name), error,
        absl::StrCat("no file can be made in ", Directory(impl->path)));
  }
  impl->holds = true;
  impl->creator = true;
  const int fd = impl->file->fd();
  const uint64_t first_bytes = options.reserve_first_bytes;
  const bool in_parts = first_bytes != 0 && first_bytes < size_bytes;
  absl::Status status =
      ReserveSpace(fd, name, in_parts ? first_bytes : size_bytes);
  if (!status.ok()) return status;
  if (in_parts && ftruncate(fd, static_cast<off_t>(size_bytes)) != 0) {
    return OsError(Quoted("size", name), errno);
  }
  NamedMapping mapping(std::move(impl));
  auto mapped = mapping.Map(0, size_bytes, Access::kReadWrite);
  if (!mapped.ok()) return mapped.status();
  // No guard: nobody else has the file, and its space is reserved.
  status = init(mapped->data());
  if (status.ok()) {
    const ObjectFile& file = *mapping.impl_->file;
    status = ApplyAccess(file.fd(), absl::StrCat("mapping \"", name.name, "\""),
                         file.stat_at_open().st_mode, options.access);
  }
  if (!status.ok()) return status;

  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (mapping.impl_->file->Link(mapping.impl_->path)) {
      *view = *std::move(mapped);
      return mapping;
    }
    const int error = errno;
    if (error == ENOSPC) return NoSpaceError(name, size_bytes, error);
    if (error != EEXIST) return OsError(Quoted("name", name), error);
    status = ClearStaleName(name);
    if (!status.ok()) return status;
    Backoff(attempt);
  }
  return absl::AlreadyExistsError(absl::StrCat(
      Quoted("create", name), ": other processes keep taking the name"));
}

absl::StatusOr<NamedMapping> NamedMapping::Open(const ObjectName& name,
                                                const OpenOptions& options) {
  if (absl::Status status = ValidateName(name); !status.ok()) return status;
  const std::string path = name.OsName();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Backoff(attempt);
    const ObjectFile::Ptr file =
        ObjectFile::Open(path, options.access == Access::kReadWrite);
    if (file == nullptr) {
      const int error = errno;
      return OsError(Quoted("open", name), error,
                     error == ENOENT
                         ? "no server is running; start it or check the name"
                         : "");
    }
    struct stat stat;
    if (fstat(file->fd(), &stat) != 0) {
      return OsError(Quoted("open", name), errno);
    }
    ObjectOwner owner;
    if (options.require_same_owner) {
      owner = {absl::StrCat(stat.st_uid), stat.st_uid == geteuid(),
               stat.st_uid == 0};
      absl::Status status = CheckOwner(name, owner, options.other_owner);
      if (!status.ok()) return status;
    }
    if (!options.abandoned_too && !file->HeldByAnyone()) {
      // Left by a crash, unless it has just been replaced.
      if (!file->IsNamed(path)) continue;
      return absl::NotFoundError(absl::StrCat(
          Quoted("open", name),
          ": the process that made it has ended; start the server again"));
    }
    // Held by somebody who is unlinking it: look again.
    if (options.hold && !file->Hold()) continue;
    auto impl = std::make_unique<Impl>();
    impl->name = name;
    impl->path = path;
    impl->file = file;
    impl->access = options.access;
    impl->owner = std::move(owner);
    impl->holds = options.hold;
    // Only now it cannot lose its name to others any more (Unlink() apart). A
    // guest has no such assurance anyway.
    if (options.hold && !file->IsNamed(path)) continue;
    impl->size_bytes = static_cast<uint64_t>(stat.st_size);
    return NamedMapping(std::move(impl));
  }
  return absl::NotFoundError(absl::StrCat(
      Quoted("open", name), ": other processes keep replacing it"));
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
  if (impl_->file->inherited()) {
    return absl::FailedPreconditionError(
        absl::StrCat(what,
                     ": it was opened by the process before fork(); "
                     "open it again in this one"));
  }
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
  const uint64_t skip_bytes = offset_bytes % PageBytes();
  const uint64_t mapped_bytes = size_bytes + skip_bytes;
  void* const base =
      mmap(nullptr, mapped_bytes,
           access == Access::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ,
           MAP_SHARED, impl_->file->fd(),
           static_cast<off_t>(offset_bytes - skip_bytes));
  if (base == MAP_FAILED) return OsError(what, errno);
  const uintptr_t begin = reinterpret_cast<uintptr_t>(base);
  const uint64_t page = PageBytes();
  const int registration =
      RegisterView({begin, begin + (mapped_bytes + page - 1) / page * page});
  if (registration < 0) {
    munmap(base, mapped_bytes);
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": this process has too many views"));
  }
  return View(static_cast<uint8_t*>(base) + skip_bytes, size_bytes, access,
              registration);
}

void View::Unmap() {
  if (data_ == nullptr) return;
  DeregisterView(registration_);
  const uintptr_t skip_bytes = reinterpret_cast<uintptr_t>(data_) % PageBytes();
  munmap(data_ - skip_bytes, size_bytes_ + skip_bytes);
  data_ = nullptr;
  size_bytes_ = 0;
  registration_ = -1;
}

absl::Status NamedMapping::Reserve() const {
  return ReserveSpace(impl_->file->fd(), impl_->name, impl_->size_bytes);
}

uint64_t NamedMapping::SizeNowBytes() const {
  struct stat now;
  if (impl_->file->inherited() || fstat(impl_->file->fd(), &now) != 0) return 0;
  return static_cast<uint64_t>(now.st_size);
}

absl::Status NamedMapping::Regrow() const {
  if (SizeNowBytes() >= impl_->size_bytes) return absl::OkStatus();
  return Reserve();
}

absl::Status NamedMapping::Restore(const View& view) const {
  const std::string what = Quoted("map again", impl_->name);
  if (SizeNowBytes() < view.size_bytes()) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": it has ", SizeNowBytes(),
                     " bytes only; some process has truncated it"));
  }
  const int protection =
      view.access() == Access::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
  const int64_t give_up_ns = MonotonicNowNs() + kRestorePatienceNs;
  for (;;) {
    const uint32_t seen = SeePoison(view.registration_);
    if (mmap(view.data(), view.size_bytes(), protection, MAP_SHARED | MAP_FIXED,
             impl_->file->fd(), 0) == MAP_FAILED) {
      return OsError(what, errno);
    }
    if (HealView(view.registration_, seen)) return absl::OkStatus();
    // A thread that faulted is about to map its zeros, or just has.
    if (MonotonicNowNs() >= give_up_ns) {
      return absl::AbortedError(absl::StrCat(
          what, ": other threads fault in it all the time; try again"));
    }
    sched_yield();
  }
}

int NamedMapping::descriptor() const { return impl_->file->fd(); }

void NamedMapping::Unlink() const {
  if (impl_->file->inherited()) return;
  // Who holds it keeps the name from changing; a guest's look may be outdated
  // by the time of the unlink, which only a wanton replacement would make
  // matter.
  if (impl_->file->IsNamed(impl_->path)) unlink(impl_->path.c_str());
}

void NamedMapping::LeaveName() {
  if (!impl_->holds) return;
  impl_->holds = false;
  impl_->file->ReleaseHoldOnly();
}

absl::optional<uint32_t> NamedMapping::CreatorPid() const {
  return impl_->file->CreatorPid();
}

bool NamedMapping::CreatorIsGone() const {
  return impl_->file->CreatorIsGone();
}

bool NamedMapping::HeldByAnyone() const { return impl_->file->HeldByAnyone(); }

bool NamedMapping::Stands() const {
  return impl_->file->IsNamed(impl_->path) && HeldByAnyone();
}

bool NamedMapping::GuestsMayStay() { return true; }

}  // namespace platform
}  // namespace shmrpc
