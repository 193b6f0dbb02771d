#include "transport/platform/object_file_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/platform/file_lock_posix.h"
#include "transport/platform/fork.h"
#include "transport/platform/random.h"

namespace shmrpc {
namespace platform {
namespace {

constexpr off_t kHolderByte = 0;
constexpr off_t kCreatorByte = 1;

// getpid() rather than a cached pid: it differs after a fork.
off_t ProcessByte() { return (off_t{1} << 32) + getpid(); }

constexpr mode_t kMode = 0600 | S_ISVTX;

// Without /proc a nameless file cannot be given a name. It may be mounted
// later, so that only "yes" is remembered.
bool CanNameNameless() {
  static std::atomic<bool> can{false};
  // Relaxed: a look that another thread makes as well.
  if (can.load(std::memory_order_relaxed)) return true;
  if (access("/proc/self/fd", F_OK) != 0) return false;
  can.store(true, std::memory_order_relaxed);
  return true;
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// A file of another library copy in this process, open until its creator goes.
struct Parked {
  int fd;
  struct stat stat;
  bool writable;
};

}  // namespace

// The files this process has open, for the fork handler and for Open(). The
// mutex is held throughout fork(), so a child finds the list whole.
class ObjectFileList {
 public:
  static ObjectFileList& Get() {
    static auto* list = new ObjectFileList;  // never destroyed: exit order
    return *list;
  }

  std::mutex& mutex() { return mutex_; }

  void Add(ObjectFile* file) {
    file->next_ = head_;
    if (head_ != nullptr) head_->previous_ = file;
    head_ = file;
  }

  void Remove(ObjectFile* file) {
    if (file->next_ != nullptr) file->next_->previous_ = file->previous_;
    if (file->previous_ != nullptr) {
      file->previous_->next_ = file->next_;
    } else {
      head_ = file->next_;
    }
  }

  // Null also while its last owner is destroying it.
  ObjectFile::Ptr FindCreatedHere(const struct stat& stat) {
    for (ObjectFile* file = head_; file != nullptr; file = file->next_) {
      if (file->created_here_ && SameFile(file->stat_, stat)) {
        return file->weak_from_this().lock();
      }
    }
    return nullptr;
  }

  void Park(const Parked& file) { parked_.push_back(file); }

  absl::optional<Parked> TakeParked(const struct stat& stat, bool writable) {
    for (size_t i = 0; i < parked_.size(); ++i) {
      if (!SameFile(parked_[i].stat, stat) || parked_[i].writable < writable) {
        continue;
      }
      const Parked found = parked_[i];
      parked_.erase(parked_.begin() + i);
      return found;
    }
    return absl::nullopt;
  }

  // Closes parked files whose creator has left.
  void SweepParked() {
    std::vector<Parked> kept;
    for (const Parked& file : parked_) {
      if (OthersLock(file.fd, ProcessByte()) != F_UNLCK) {
        kept.push_back(file);
      } else {
        close(file.fd);
      }
    }
    parked_ = std::move(kept);
  }

 private:
  ObjectFileList() { pthread_atfork(&Prepare, &InParent, &InChild); }

  static void Prepare() { Get().mutex_.lock(); }
  static void InParent() { Get().mutex_.unlock(); }
  static void InChild() {
    ObjectFileList& list = Get();
    for (ObjectFile* file = list.head_; file != nullptr; file = file->next_) {
      close(file->fd_);
    }
    for (const Parked& file : list.parked_) close(file.fd);
    list.parked_.clear();
    list.head_ = nullptr;
    list.mutex_.unlock();
  }

  std::mutex mutex_;
  ObjectFile* head_ = nullptr;
  std::vector<Parked> parked_;
};

ObjectFile::ObjectFile(int fd, const struct stat& stat, bool writable)
    : fd_(fd), stat_(stat), writable_(writable), generation_(ForkGeneration()) {
  ObjectFileList::Get().Add(this);
}

ObjectFile::~ObjectFile() {
  if (inherited()) return;
  const int saved_errno = errno;  // destroyed on error paths, too
  ObjectFileList& list = ObjectFileList::Get();
  std::lock_guard<std::mutex> lock(list.mutex());
  list.Remove(this);
  if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
  if (CreatedByAnotherCopy()) {
    // Closing would drop the creator's lock on byte 1.
    SetOfdLock(fd_, F_UNLCK, kHolderByte);
    list.Park({fd_, stat_, writable_});
  } else {
    close(fd_);
  }
  errno = saved_errno;
}

// Another user's file is not this process's, whatever byte that user locks.
bool ObjectFile::CreatedByAnotherCopy() const {
  return !created_here_ && stat_.st_uid == geteuid() &&
         OthersLock(fd_, ProcessByte()) != F_UNLCK;
}

bool ObjectFile::inherited() const { return generation_ != ForkGeneration(); }

ObjectFile::Ptr ObjectFile::Create(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == 0 ? "/" : path.substr(0, slash);
  std::lock_guard<std::mutex> lock(ObjectFileList::Get().mutex());
  std::string temporary_path;
  int fd = -1;
  if (CanNameNameless()) {
    fd = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
  } else {
    errno = EOPNOTSUPP;
  }
  // EISDIR: a kernel that does not know O_TMPFILE takes it for O_DIRECTORY.
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
    // In the directory listing it stands under the object's own name, so that
    // ReclaimAbandoned finds what a crash leaves.
    temporary_path = absl::StrCat(path, ".", RandomName(), ".new");
    fd = open(temporary_path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
              kMode);
  }
  if (fd < 0) return nullptr;
  struct stat stat;
  // Marked from the start, unless a file mode mask is in the way. No failure of
  // these is known for a fresh own file.
  bool ok = fstat(fd, &stat) == 0;
  if (ok && (stat.st_mode & 07777) != kMode) {
    ok = fchmod(fd, kMode) == 0 && fstat(fd, &stat) == 0;
  }
  struct flock creator = OneByte(F_WRLCK, kCreatorByte);
  if (!ok || !SetOfdLock(fd, F_RDLCK, kHolderByte) ||
      !SetOfdLock(fd, F_RDLCK, ProcessByte()) ||
      fcntl(fd, F_SETLK, &creator) != 0) {
    const int error = errno;
    if (!temporary_path.empty()) unlink(temporary_path.c_str());
    close(fd);
    errno = error;
    return nullptr;
  }
  Ptr file(new ObjectFile(fd, stat, /*writable=*/true));
  file->created_here_ = true;
  file->holds_ = 1;
  file->temporary_path_ = std::move(temporary_path);
  return file;
}

ObjectFile::Ptr ObjectFile::Open(const std::string& path, bool writable) {
  ObjectFileList& list = ObjectFileList::Get();
  for (int attempt = 0; attempt < 100; ++attempt) {
    Ptr created_here;  // outlives the lock: its destructor takes it
    std::lock_guard<std::mutex> lock(list.mutex());
    list.SweepParked();
    struct stat named;
    if (lstat(path.c_str(), &named) != 0) return nullptr;
    if (!S_ISREG(named.st_mode)) {
      errno = ENXIO;
      return nullptr;
    }
    created_here = list.FindCreatedHere(named);
    if (created_here != nullptr) return created_here;
    if (const absl::optional<Parked> parked =
            list.TakeParked(named, writable)) {
      return Ptr(new ObjectFile(parked->fd, named, parked->writable));
    }
    // Files are created under the mutex. So if this opens the same inode, or
    // another file that has its number by now, it is not one that this process
    // created.
    // Not to be kept waiting: by the lease (F_SETLEASE) that another user has
    // on a file of his, or by a pipe that he puts there.
    constexpr int kFlags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    bool opened_writable = true;
    int fd = open(path.c_str(), O_RDWR | kFlags);
    if (fd < 0 && errno == EACCES && !writable) {
      opened_writable = false;
      fd = open(path.c_str(), O_RDONLY | kFlags);
    }
    if (fd < 0) return nullptr;
    struct stat stat;
    if (fstat(fd, &stat) == 0 && SameFile(stat, named)) {
      return Ptr(new ObjectFile(fd, stat, opened_writable));
    }
    // Another file by now. If it is another thread's creation, a descriptor of
    // it must not be closed here: it stays parked as long as it is locked.
    created_here = list.FindCreatedHere(stat);
    if (created_here != nullptr) {
      list.Park({fd, stat, opened_writable});
    } else {
      close(fd);
    }
  }
  errno = EAGAIN;  // somebody replaces the name without end
  return nullptr;
}

bool ObjectFile::Link(const std::string& path) {
  if (!temporary_path_.empty()) {
    if (link(temporary_path_.c_str(), path.c_str()) != 0) return false;
    unlink(temporary_path_.c_str());
    temporary_path_.clear();
    return true;
  }
  // The short way, which is root's alone before Linux 6.10 (ENOENT).
  if (linkat(fd_, "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH) == 0) return true;
  if (errno != ENOENT) return false;
  return linkat(AT_FDCWD, absl::StrCat("/proc/self/fd/", fd_).c_str(), AT_FDCWD,
                path.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

bool ObjectFile::IsNamed(const std::string& path) const {
  struct stat named;
  return lstat(path.c_str(), &named) == 0 && SameFile(named, stat_);
}

bool ObjectFile::Hold() {
  std::lock_guard<std::mutex> lock(ObjectFileList::Get().mutex());
  if (holds_ == 0 && !SetOfdLock(fd_, F_RDLCK, kHolderByte)) return false;
  ++holds_;
  return true;
}

void ObjectFile::Release(const std::string& path) {
  if (inherited()) return;
  std::lock_guard<std::mutex> lock(ObjectFileList::Get().mutex());
  if (--holds_ > 0) return;
  // First unlocked, then locked exclusively, not converted: when two leave at
  // once, a conversion fails for both. This way whoever locks last succeeds, or
  // fails against one that has the lock and does the same.
  SetOfdLock(fd_, F_UNLCK, kHolderByte);
  UnlinkUnderLock(path);
}

void ObjectFile::ReleaseHoldOnly() {
  if (inherited()) return;
  std::lock_guard<std::mutex> lock(ObjectFileList::Get().mutex());
  if (--holds_ == 0) SetOfdLock(fd_, F_UNLCK, kHolderByte);
}

bool ObjectFile::HeldByAnyone() const {
  if (inherited()) return false;
  std::lock_guard<std::mutex> lock(ObjectFileList::Get().mutex());
  // A write lock is somebody who is freeing the name, because nobody holds.
  return holds_ > 0 || OthersLock(fd_, kHolderByte) == F_RDLCK;
}

int ObjectFile::UnlinkIfAbandoned(const std::string& path) {
  std::lock_guard<std::mutex> lock(ObjectFileList::Get().mutex());
  return holds_ > 0 ? EAGAIN : UnlinkUnderLock(path);
}

// With the exclusive lock nobody holds, and nobody starts to. The name can
// change only through a holder of this lock, so that between the look at it and
// the unlink it stays what it is.
int ObjectFile::UnlinkUnderLock(const std::string& path) {
  if (!SetOfdLock(fd_, F_WRLCK, kHolderByte)) {
    return errno == EACCES ? EAGAIN : errno;
  }
  int error = 0;
  if (!IsNamed(path)) {
    error = ENOENT;
  } else if (unlink(path.c_str()) != 0) {
    error = errno;
  }
  SetOfdLock(fd_, F_UNLCK, kHolderByte);
  return error;
}

void ObjectFile::RetireCreator() {
  if (inherited()) return;
  std::lock_guard<std::mutex> lock(ObjectFileList::Get().mutex());
  struct flock creator = OneByte(F_UNLCK, kCreatorByte);
  fcntl(fd_, F_SETLK, &creator);
  SetOfdLock(fd_, F_UNLCK, ProcessByte());
}

absl::optional<uint32_t> ObjectFile::CreatorPid() const {
  if (inherited()) return absl::nullopt;
  // Asks for write locks only: somebody who may only read the object can lock
  // it for reading, which must not make him its creator.
  struct flock lock = OneByte(F_RDLCK, kCreatorByte);
  if (fcntl(fd_, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) {
    return absl::nullopt;
  }
  // 0: a process that has no pid in this namespace. Negative: an OFD lock,
  // which is not ours and vouches for nobody.
  return lock.l_pid > 0 ? static_cast<uint32_t>(lock.l_pid) : 0;
}

bool ObjectFile::CreatorIsGone() const {
  if (inherited()) return true;
  return !created_here_ && !CreatorPid().has_value() && !CreatedByAnotherCopy();
}

}  // namespace platform
}  // namespace shmrpc
