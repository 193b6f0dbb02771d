// The server of an RPC peer, or one more client: this program again, as another
// process.
//
//   // client                                   // server, main(argc, argv)
//   ChildProcess server({"--serve=unix:/a/b"}); ... start it ...
//   if (server.ReadLine() != "ready") ...       AnswerParent("ready", answer);
//   server.WriteLine("question");               // answer("question")
//   ... server.ReadLine() ...                   ... shut it down ...
//
// The child's standard input and output are pipes. Its first line says that it
// is there; after that it answers each line of its input with one; the end of
// its input says that it should stop, and that comes with the destructor or
// with the death of this process. Standard error is shared.
//
// Thread rule: one thread at a time. The destructor waits for the child to end.
// Failures: ok() and error(); a child that dies early gives "" from ReadLine.

#ifndef SHMRPC_BENCH_CHILD_PROCESS_H_
#define SHMRPC_BENCH_CHILD_PROCESS_H_

#include <cstdint>
#include <functional>
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

  uint32_t pid() const;

  // The child's next line, without its end; "" once it closed its output.
  std::string ReadLine();

  // A line of the child's input. A child that is gone shows at the next
  // ReadLine.
  void WriteLine(const std::string& line);

  // The end of its input: it stops, and the destructor has less to wait for.
  void CloseInput();

 private:
  // A byte of the child's output, or -1. One per OS.
  int ReadByte();
  void WriteBytes(const std::string& bytes);

  // POSIX: pid and descriptors; Windows: handles.
  std::intptr_t process_ = 0;
  std::intptr_t to_child_ = 0;
  std::intptr_t from_child_ = 0;
  std::string error_;
};

// In the child: prints `ready_line` and then answer(line) for each line of the
// parent's; returns when the parent is gone or done.
void AnswerParent(
    const std::string& ready_line,
    const std::function<std::string(const std::string& line)>& answer);

// VALUE if the first argument is `flag` and VALUE ("--serve=VALUE"), else "".
std::string RoleArgument(int argc, char** argv, const std::string& flag);

// A short name no other run uses at the same time.
std::string UniqueName();

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_CHILD_PROCESS_H_
