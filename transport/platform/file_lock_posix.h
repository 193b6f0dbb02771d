// One-byte advisory locks of a file. Internal to object_file_posix.
//
// All functions return at once; none waits for a lock.

#ifndef SHMRPC_TRANSPORT_PLATFORM_FILE_LOCK_POSIX_H_
#define SHMRPC_TRANSPORT_PLATFORM_FILE_LOCK_POSIX_H_

#include <fcntl.h>
#include <sys/types.h>

namespace shmrpc {
namespace platform {

inline struct flock OneByte(short type, off_t byte) {
  struct flock lock = {};  // l_pid must be 0 for OFD locks
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

// `type`: F_RDLCK, F_WRLCK or F_UNLCK. False with errno, EAGAIN if another open
// file's lock is in the way.
inline bool SetOfdLock(int fd, short type, off_t byte) {
  struct flock lock = OneByte(type, byte);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// The lock that another open file (not a duplicate of this one) has there:
// F_RDLCK, F_WRLCK, or F_UNLCK for none.
inline short OthersLock(int fd, off_t byte) {
  struct flock lock = OneByte(F_WRLCK, byte);
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 ? lock.l_type : F_UNLCK;
}

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_FILE_LOCK_POSIX_H_
