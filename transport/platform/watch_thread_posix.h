// One more descriptor for the thread that watches deaths. Internal to
// transport/platform.

#ifndef SHMRPC_TRANSPORT_PLATFORM_WATCH_THREAD_POSIX_H_
#define SHMRPC_TRANSPORT_PLATFORM_WATCH_THREAD_POSIX_H_

#include <functional>

namespace shmrpc {
namespace platform {

// `on_readable` is called on the watching thread when `fd`, one per process and
// never closed, can be read; then not again for a tenth of a second, whatever
// comes, so that nobody who writes without end keeps the thread busy. False
// with errno on failure. A forked child starts anew, with a descriptor of its
// own.
bool WatchReadable(int fd, std::function<void()> on_readable);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_WATCH_THREAD_POSIX_H_
