// A forked process that shares one block of memory with this one, for floors.
//
//   TwoProcesses peer(bytes, [](void* memory) { ... serve until told ... });
//   if (!peer.ok()) return Fail(state, peer.error());
//   ... peer.memory() ...
//   ... tell it to end, in whatever way the floor uses ...
//
// The child is a process of its own (fork), the memory an anonymous MAP_SHARED
// mapping, zero at first and every page of it resident before the child starts:
// no page fault is left for the measured loop. Thread rule: fork, so only
// from a program with one thread. The destructor waits for the child, which
// must have been told to end; if this process dies, the kernel kills the child.

#ifndef SHMRPC_BENCH_FLOORS_TWO_PROCESSES_H_
#define SHMRPC_BENCH_FLOORS_TWO_PROCESSES_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>

namespace shmrpc {
namespace bench {

class TwoProcesses {
 public:
  TwoProcesses(size_t size_bytes, const std::function<void(void*)>& child);
  ~TwoProcesses();
  TwoProcesses(const TwoProcesses&) = delete;
  TwoProcesses& operator=(const TwoProcesses&) = delete;

  bool ok() const { return child_ > 0; }
  const std::string& error() const { return error_; }
  void* memory() const { return memory_; }

 private:
  size_t size_bytes_;
  void* memory_ = nullptr;
  pid_t child_ = -1;
  std::string error_;
};

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_FLOORS_TWO_PROCESSES_H_
