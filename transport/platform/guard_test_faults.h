// The system-dependent halves of guard_test.

#ifndef SHMRPC_TRANSPORT_PLATFORM_GUARD_TEST_FAULTS_H_
#define SHMRPC_TRANSPORT_PLATFORM_GUARD_TEST_FAULTS_H_

#include <cstdint>

namespace shmrpc {
namespace platform {

// Installs the program's own handler: SIGBUS, or the unhandled-exception
// filter.
void ExitWithCodeOnFault(int code);

// A fault of the kind the guard handles (SIGBUS, access violation) at an
// address that no view has.
void FaultOutsideAnyView();

// Memory at `data`, where nothing is mapped now, that faults in that way.
void ReplaceByFaultingMemory(uint8_t* data, uint64_t size_bytes);

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_GUARD_TEST_FAULTS_H_
