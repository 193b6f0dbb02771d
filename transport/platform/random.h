// Unguessable bytes from the operating system: getrandom(2), BCryptGenRandom.

#ifndef SHMRPC_TRANSPORT_PLATFORM_RANDOM_H_
#define SHMRPC_TRANSPORT_PLATFORM_RANDOM_H_

#include <cstdint>
#include <string>

namespace shmrpc {
namespace platform {

// 64 random bits.
uint64_t RandomBits();

// 128 random bits as 32 lower-case hexadecimal digits, for names nobody else
// can guess.
std::string RandomName();

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_RANDOM_H_
