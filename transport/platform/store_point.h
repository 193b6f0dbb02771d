// Where this process has just stored into memory that other processes share:
// what the other side finds if we die here.
//
//   word->store(1, std::memory_order_release);
//   SHMRPC_STORE_POINT("ring.published");
//
// One such line follows every store of ours to shared memory (not what protobuf
// writes as a payload), with a name of its own. In every build but one it is
// nothing. Under --config=store-points, which defines SHMRPC_STORE_POINTS for
// the files of transport/, it calls the hook that a test has set, which may end
// the process there (tests/death).
//
// Thread rule: a hook is called by any thread, at any point: it must not touch
// shared memory through this library, nor take a lock that its caller may hold.

#ifndef SHMRPC_TRANSPORT_PLATFORM_STORE_POINT_H_
#define SHMRPC_TRANSPORT_PLATFORM_STORE_POINT_H_

namespace shmrpc {
namespace platform {

// True in a build with store points.
extern const bool kHaveStorePoints;

using StorePointHook = void (*)(const char* name);

// Calls `hook` at every store point from now on; null: none.
void SetStorePointHook(StorePointHook hook);

// What SHMRPC_STORE_POINT calls.
void StorePoint(const char* name);

}  // namespace platform
}  // namespace shmrpc

#ifdef SHMRPC_STORE_POINTS
#define SHMRPC_STORE_POINT(name) ::shmrpc::platform::StorePoint(name)
#else
#define SHMRPC_STORE_POINT(name) static_cast<void>(0)
#endif

#endif  // SHMRPC_TRANSPORT_PLATFORM_STORE_POINT_H_
