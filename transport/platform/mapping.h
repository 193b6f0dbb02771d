// Named shared memory with one lifetime rule on both systems: the object exists
// while a process holds it, and a name whose holders are all gone is free.
//
//   const ObjectName name{Scope::kLocal, "numbers"};
//   auto mapping = NamedMapping::Create(name, 1 << 20, {});
//   auto view = mapping->Map(0, 1 << 20, Access::kReadWrite);
//   // another process
//   auto mapping = NamedMapping::Open(name, {});
//
// Windows: a section on the page file (SEC_COMMIT); the kernel drops it with
// the last handle. Linux: a file on tmpfs. It is born nameless (O_TMPFILE), its
// space is reserved (fallocate), `init` fills it, it is locked, and only then
// linked under its name, so nobody ever sees half an object. Holding it is an
// open-file-description lock (F_OFD_SETLK), which the kernel drops when the
// process ends however it ends; the last holder unlinks the name. A name whose
// lock nobody holds is what a crash left: Create replaces it, Open reports
// NOT_FOUND.
//
// Thread rule: const members from any thread; others from one at a time.
// Ownership: a View keeps its memory mapped beyond the NamedMapping's life.
// Failures: an absl::Status from os_error.h, naming the object:
//   ALREADY_EXISTS      the name is held by a living process
//   NOT_FOUND           no such name, or only a dead process's
//   PERMISSION_DENIED   not this user's, or read-only
//   RESOURCE_EXHAUSTED  no memory: /dev/shm is full (64 MiB in a default
//                       container), or the commit limit is reached
//   INVALID_ARGUMENT    size 0, bad name, range outside the mapping

#ifndef SHMRPC_TRANSPORT_PLATFORM_MAPPING_H_
#define SHMRPC_TRANSPORT_PLATFORM_MAPPING_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "transport/platform/access_policy.h"
#include "transport/platform/object_name.h"

namespace shmrpc {
namespace platform {

enum class Access { kReadOnly, kReadWrite };

struct CreateOptions {
  AccessPolicy access;
  // The name is random: that nobody has it need not be found out beforehand.
  bool fresh_name = false;
  // Linux: how much memory is reserved before the object gets its name; the
  // creator reserves the rest (Reserve) before it uses it. 0: all.
  uint64_t reserve_first_bytes = 0;
};

struct OpenOptions {
  Access access = Access::kReadWrite;
  // true: this process becomes a holder; the object lives on when its creator
  // leaves. false: a guest, which neither keeps the object alive nor unlinks
  // it. (On Windows every open handle holds the object; guests close theirs
  // early.)
  bool hold = true;
  // Refuse (PERMISSION_DENIED) an object whose owner is another user than this
  // process's: a squatted name. root's and Administrators' objects pass.
  bool require_same_owner = true;
  // With require_same_owner: objects of this user (user.h) pass, too; "*":
  // anybody's, and owner() tells whose it is.
  std::string other_owner;
  // Open also an object that nobody holds any more, because its holders were
  // killed or left its name (LeaveName): for what is worth having from the
  // dead. Only for guests. (Windows has no such objects.)
  bool abandoned_too = false;
};

// Whom an object belongs to, as the kernel says.
struct ObjectOwner {
  std::string user;      // as in user.h
  bool is_self = false;  // this process's user
  // Who may do anything to this process anyway: root; the Administrators, the
  // system.
  bool is_privileged = false;
};

// A mapped range. Registered with the guard while it exists. Move-only.
class View {
 public:
  View() = default;
  View(View&& other) noexcept;
  View& operator=(View&& other) noexcept;
  ~View();

  uint8_t* data() const { return data_; }  // null: empty
  uint64_t size_bytes() const { return size_bytes_; }
  Access access() const { return access_; }

  // True once an access to this view has faulted. What was read since may be
  // zeros. Stays true, unless NamedMapping::Restore succeeds.
  bool poisoned() const {
    // Acquire: pairs with the release in PoisonView and BeginPoison
    // (view_registry.cc).
    return poison_mark_ != nullptr &&
           (poison_mark_->load(std::memory_order_acquire) & kPoisonBit) != 0;
  }

 private:
  friend class NamedMapping;
  static constexpr uint32_t kPoisonBit = 1;  // as in view_registry.h
  View(uint8_t* data, uint64_t size_bytes, Access access, int registration);
  void Unmap();

  uint8_t* data_ = nullptr;
  uint64_t size_bytes_ = 0;
  Access access_ = Access::kReadOnly;
  int registration_ = -1;
  const std::atomic<uint32_t>* poison_mark_ = nullptr;  // the registration's
};

class NamedMapping {
 public:
  using Init = absl::FunctionRef<absl::Status(uint8_t* data)>;

  // A zeroed object of `size_bytes` (rounded up to whole pages), held by this
  // process. `init`, if given, fills it before anyone can open it (Linux; on
  // Windows the name appears first, so publish a magic number last).
  static absl::StatusOr<NamedMapping> Create(const ObjectName& name,
                                             uint64_t size_bytes,
                                             const CreateOptions& options);
  static absl::StatusOr<NamedMapping> Create(const ObjectName& name,
                                             uint64_t size_bytes,
                                             const CreateOptions& options,
                                             Init init);

  // The same, and the whole of it mapped for reading and writing: `*view`.
  static absl::StatusOr<NamedMapping> CreateMapped(const ObjectName& name,
                                                   uint64_t size_bytes,
                                                   const CreateOptions& options,
                                                   Init init, View* view);

  static absl::StatusOr<NamedMapping> Open(const ObjectName& name,
                                           const OpenOptions& options);

  NamedMapping();  // empty
  NamedMapping(NamedMapping&&) noexcept;
  NamedMapping& operator=(NamedMapping&&) noexcept;
  ~NamedMapping();  // the last holder frees the name

  explicit operator bool() const { return impl_ != nullptr; }
  const ObjectName& name() const;
  // As the kernel reports it, not as the object claims (st_size;
  // NtQuerySection or the size of the whole-section view).
  uint64_t size_bytes() const;

  // Windows commits the range, Linux has reserved it already.
  absl::StatusOr<View> Map(uint64_t offset_bytes, uint64_t size_bytes,
                           Access access) const;

  // Of an object that was opened with require_same_owner; empty otherwise.
  const ObjectOwner& owner() const;

  // Reserves what `reserve_first_bytes` left. RESOURCE_EXHAUSTED: there is no
  // memory for it. No-op on Windows, which has committed it already.
  absl::Status Reserve() const;

  // As size_bytes(), but as it is now: another process may have truncated it
  // (Linux).
  uint64_t SizeNowBytes() const;

  // Makes a truncated object as large again as it was when it was created or
  // opened; what was cut off is zeros now. RESOURCE_EXHAUSTED: there is no
  // memory for it. No-op where nothing was cut off, and on Windows.
  absl::Status Regrow() const;

  // After a fault in `view`, which begins at the object's first byte, and after
  // a Regrow in whatever process: the same addresses map the object again, and
  // the poison is gone. Any thread, beside others that use the view: those may
  // take zeros for what stands there once more, so it is for views of hints
  // only. FAILED_PRECONDITION: it is too short still. ABORTED: others fault in
  // it all the time; try again.
  absl::Status Restore(const View& view) const;

  // Linux: its file, for other primitives of this folder; must not be closed.
  // -1 on Windows.
  int descriptor() const;

  // Frees the name now: nobody else can open the object any more, those who
  // have it keep it. No-op on Windows, where the last handle does it.
  void Unlink() const;

  // Ends this process's hold without freeing the name, as if it had been
  // killed: guests can still open the object (abandoned_too), until one of them
  // unlinks it or ReclaimAbandoned does. No-op on Windows.
  void LeaveName();

  // The pid of the process that created the object and holds it, as the kernel
  // vouches for it (Linux: the owner of a POSIX record lock, F_GETLK; 0 if it
  // lives in a pid namespace this process can't see). nullopt: it holds it no
  // longer, or is this very process, or the system has no such witness
  // (Windows).
  absl::optional<uint32_t> CreatorPid() const;

  // True: no process, this one neither, says with a lock that it has made the
  // object; it has let go of it, or ended, or never said so. False on Windows.
  bool CreatorIsGone() const;

  // Does any process hold the object? Linux asks the kernel (F_OFD_GETLK); true
  // on Windows, where an open handle is a hold.
  bool HeldByAnyone() const;

  // Is this still the object that its name stands for, and held by somebody?
  // For a guest that comes back: two cheap system calls instead of Open.
  bool Stands() const;

  // Whether a guest may stay without keeping name and object alive (Linux). Not
  // on Windows, where an open handle is a hold.
  static bool GuestsMayStay();

 private:
  struct Impl;
  explicit NamedMapping(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Unlinks every object whose name starts with `prefix`, belongs to this user
// (for root: to anybody) and is held by nobody: what crashed processes left.
// Returns how many.
// Objects of the calling process are never touched, nor are those that `spare`
// is true for. No-op (0) on Windows.
int ReclaimAbandoned(Scope scope, absl::string_view prefix,
                     absl::FunctionRef<bool(absl::string_view name)> spare);
int ReclaimAbandoned(Scope scope, absl::string_view prefix);

// The names in `prefix`'s scope that begin with its name, in no order; whose
// objects they are is not looked at. None on Windows, where no name outlives
// the last that has its object open.
std::vector<ObjectName> NamesWithPrefix(const ObjectName& prefix);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_MAPPING_H_
