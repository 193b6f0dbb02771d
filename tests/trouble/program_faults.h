// A program's own faults and its own handlers of them, as the system has them.

#ifndef SHMRPC_TESTS_TROUBLE_PROGRAM_FAULTS_H_
#define SHMRPC_TESTS_TROUBLE_PROGRAM_FAULTS_H_

#include <string>
#include <vector>

namespace shmrpc {
namespace testing {

// Linux: "sigbus", "sigsegv". Windows: "access-violation".
std::vector<std::string> ProgramFaults();
// What ends the process with this code if it gets one of those. Linux:
// "sigaction", and "chaining", which gives what it does not know to the handler
// before it. Windows: "filter" (SetUnhandledExceptionFilter) and "vectored"
// (AddVectoredExceptionHandler), which looks at the address.
std::vector<std::string> ProgramHandlers();
// Whether such a handler may come after the library's and leaves it its own
// faults.
bool LeavesOthersFaults(const std::string& handler);

constexpr int kHandlerExitCode = 23;

void InstallProgramHandler(const std::string& handler);

// Does not return, unless somebody has swallowed the fault.
void FaultLikeAProgram(const std::string& fault);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_TROUBLE_PROGRAM_FAULTS_H_
