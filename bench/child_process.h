// The server of an RPC peer: this program again, as a second process.
//
//   // client                                   // server, main(argc, argv)
//   ChildProcess server({"--serve=unix:/a/b"}); ... start it ...
//   if (server.ReadLine() != "ready") ...       ServeUntilParentEnds("ready");
//                                               ... shut it down ...
//
// The child's standard input and output are pipes. Its first line says that it
// serves; the end of its input says that it should stop, and that comes with
// the destructor or with the death of this process. Standard error is shared.
//
// Thread rule: one thread at a time. The destructor waits for the child to end.
// Failures: ok() and error(); a child that dies early gives "" from ReadLine.

#ifndef SHMRPC_BENCH_CHILD_PROCESS_H_
#define SHMRPC_BENCH_CHILD_PROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace shmrpc {
namespace bench {

class ChildProcess {
 public:
  // Runs this very executable with `arguments` (no spaces or quotes in them).
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }

  // The child's next line, without its end; "" once it closed its output.
  std::string ReadLine();

 private:
  // A byte of the child's output, or -1. One per OS.
  int ReadByte();

  // POSIX: pid and descriptors; Windows: handles.
  std::intptr_t process_ = 0;
  std::intptr_t to_child_ = 0;
  std::intptr_t from_child_ = 0;
  std::string error_;
};

// In the child: prints `ready_line`, returns when the parent is gone or done.
void ServeUntilParentEnds(const std::string& ready_line);

// The value of --serve=VALUE if this process is to be a server, else "".
std::string ServeArgument(int argc, char** argv);

// A short name no other run uses at the same time.
std::string UniqueName();

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_CHILD_PROCESS_H_
