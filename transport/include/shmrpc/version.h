// The version of this library. Two programs built from different versions work
// together while kLayoutVersion is the same; a client that meets another layout
// says so in the status of the call.

#ifndef SHMRPC_VERSION_H_
#define SHMRPC_VERSION_H_

#define SHMRPC_VERSION_MAJOR 0
#define SHMRPC_VERSION_MINOR 1
#define SHMRPC_VERSION_PATCH 0
#define SHMRPC_VERSION_STRING "0.1.0"

#include <cstdint>
#include <string>

namespace shmrpc {

// Version of the bytes two processes share (docs/layout.md).
constexpr uint32_t kLayoutVersion = 4;

// "0.1.0", as compiled into the library (the macros are the header's).
std::string Version();

}  // namespace shmrpc

#endif  // SHMRPC_VERSION_H_
