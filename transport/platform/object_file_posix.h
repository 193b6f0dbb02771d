// The file behind a shared object on Linux: its locks, its name, and what
// becomes of both when processes leave, crash or fork. Internal to mapping.
//
// Three locks per file, on bytes that hold no data of theirs:
//
//   byte 0         holders: an open-file-description (OFD) read lock each. A
//                  write lock is taken only to free the name, and only got when
//                  nobody holds.
//   byte 1         the creator: a classic POSIX record lock, because only those
//                  make F_GETLK name the owner's pid.
//   2^32 + pid     the creator's process: an OFD lock that tells another copy
//   of
//                  this library in the same process whose file this is (the
//                  kernel never reports a process its own POSIX locks).
//
// POSIX locks have a trap: closing *any* descriptor of a file drops all that
// the process has on it. So a file this process created is never opened a
// second time: Open() looks it up by name (lstat) in a process-wide list by
// (device, inode) before it opens anything. A file created by another
// copy of this library in this process is opened, but not closed before its
// creator has left ("parked").
//
// Fork: OFD locks belong to the open file, which a child shares. Its copies are
// closed in the child as part of fork(), or a child could keep the objects of a
// dead parent held. A child's ObjectFile does nothing any more.
//
// A file is marked as one of ours by the sticky bit (S_ISVTX), which has no
// other meaning for files: a file of somebody else's, which nobody locks, must
// not be mistaken for a crash's leftover and unlinked.
//
// Thread rule: any thread. Every method that combines lock and name holds one
// process-wide mutex, because locks do not separate threads that share a file.

#ifndef SHMRPC_TRANSPORT_PLATFORM_OBJECT_FILE_POSIX_H_
#define SHMRPC_TRANSPORT_PLATFORM_OBJECT_FILE_POSIX_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/types/optional.h"

namespace shmrpc {
namespace platform {

class ObjectFile : public std::enable_shared_from_this<ObjectFile> {
 public:
  // Functions that return a pointer return null on failure, with errno set.
  using Ptr = std::shared_ptr<ObjectFile>;

  // A new file beside `path`, mode 0600: nameless where the system can, else
  // under a temporary name. Locked as this process's creation and held once.
  static Ptr Create(const std::string& path);

  // The file named `path`, without holding it. ENXIO: not a regular file.
  // `writable`: not opened at all rather than read-only.
  static Ptr Open(const std::string& path, bool writable);

  ~ObjectFile();
  ObjectFile(const ObjectFile&) = delete;
  ObjectFile& operator=(const ObjectFile&) = delete;

  int fd() const { return fd_; }
  // A forked copy of the parent's: `fd()` is closed.
  bool inherited() const;
  const struct stat& stat_at_open() const { return stat_; }
  bool has_marker() const { return (stat_.st_mode & S_ISVTX) != 0; }

  // Gives it its name. False with errno; EEXIST: the name is taken.
  bool Link(const std::string& path);

  // Is this the file called `path`?
  bool IsNamed(const std::string& path) const;

  // Becomes a holder. False if the file is just losing its name.
  bool Hold();
  // Undoes one Hold (or Create's). The last holder of all frees the name.
  void Release(const std::string& path);
  // The same, but the name stays.
  void ReleaseHoldOnly();
  // Does any process hold it?
  bool HeldByAnyone() const;
  // Unlinks `path` if that is this file and nobody holds it. 0, or an errno:
  // EAGAIN if somebody holds it or is unlinking it, ENOENT if the name is not
  // this file's.
  int UnlinkIfAbandoned(const std::string& path);

  // No longer its creator's (the creating NamedMapping goes).
  void RetireCreator();
  absl::optional<uint32_t> CreatorPid() const;
  // See NamedMapping.
  bool CreatorIsGone() const;

 private:
  // Made by another copy of this library in this process.
  bool CreatedByAnotherCopy() const;

  ObjectFile(int fd, const struct stat& stat, bool writable);
  int UnlinkUnderLock(const std::string& path);

  int fd_;
  struct stat stat_;
  bool writable_;
  uint32_t generation_;
  bool created_here_ = false;
  int holds_ = 0;               // by this process; under the mutex
  std::string temporary_path_;  // "": nameless, or linked

  // The list of this process's files; under the mutex.
  ObjectFile* next_ = nullptr;
  ObjectFile* previous_ = nullptr;
  friend class ObjectFileList;
};

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_OBJECT_FILE_POSIX_H_
