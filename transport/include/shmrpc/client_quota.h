// What one client may take of a server, so that a client that means harm, or
// has a bug, costs the others nothing. Not in gRPC.
//
//   shmrpc::ClientQuota quota;
//   quota.max_memory_bytes = 64 << 20;
//   builder.SetClientQuota(quota);
//
// A client is a process, known by what the system says of it (pid and start
// time); its channels share the quota. Whatever goes beyond it ends with
// RESOURCE_EXHAUSTED for that process alone, and works again once it has less.

#ifndef SHMRPC_CLIENT_QUOTA_H_
#define SHMRPC_CLIENT_QUOTA_H_

#include <cstdint>

namespace shmrpc {

// Beside the largest message of each direction (2 GiB, protobuf's limit) there
// is room for its parsed form; a 32-bit process has less address space.
constexpr int64_t kDefaultMaxPeerMemoryBytes =
    sizeof(void*) == 4 ? int64_t{512} << 20 : int64_t{8} << 30;

struct ClientQuota {
  // Channels that are connected at once; each costs the server two handles and
  // some 200 KiB. One more is refused as it connects. -1: no limit.
  int max_connections = 256;

  // What the server maps, allocates or keeps for it: connections, memory of
  // large messages in both directions, copies of large requests while their
  // calls last, messages that no handler has read yet. A call for which there
  // is no room ends. Not counted: what handlers allocate, and for each
  // connection at most 16 MiB of small replies that the client does not take.
  // -1: no limit.
  int64_t max_memory_bytes = kDefaultMaxPeerMemoryBytes;

  // Calls whose handlers run, so also threads that it has of SetMaxThreads. One
  // more ends at once. One that was cancelled counts until its handler returns.
  // 0: all but a sixteenth of SetMaxThreads, so that others find some; -1, and
  // 0 with less than 16 threads: no limit.
  int max_calls = 0;
};

}  // namespace shmrpc

#endif  // SHMRPC_CLIENT_QUOTA_H_
