// Calls without pause of several kinds, each checked: it was answered with what
// was to be answered, or its caller was told that the server is gone.
//
//   Load load(target, kSmall | kStreams, seed);
//   ... somebody is killed ...
//   load.AwaitProgress();                // each kind succeeds again
//   LoadReport report = load.Finish();   // after that, too
//   if (!report.wrong.empty()) ...
//
// Thread rule: one thread. Ownership: a thread and a channel for each kind but
// kSmall and kLarge, which share theirs.

#ifndef SHMRPC_TESTS_DEATH_LOAD_H_
#define SHMRPC_TESTS_DEATH_LOAD_H_

#include <cstdint>
#include <memory>
#include <string>

namespace shmrpc {
namespace testing {

enum LoadKind : uint32_t {
  kSmall = 1,       // unary, in the ring
  kLarge = 2,       // unary, in the arena, both ways
  kStreams = 4,     // in both directions, messages of all sizes
  kConnecting = 8,  // a new channel for each call
  // Small, with deadlines that whoever is held up misses.
  kDeadlines = 16,
};
constexpr uint32_t kAllLoads = 15;  // that no deadline ends

struct LoadReport {
  int64_t good = 0;   // calls that were answered
  int64_t told = 0;   // calls that ended with UNAVAILABLE
  int64_t late = 0;   // of kDeadlines, with DEADLINE_EXCEEDED
  std::string wrong;  // "": neither more nor less
};

class Load {
 public:
  Load(const std::string& target, uint32_t kinds, uint32_t seed);
  ~Load();

  // Until each kind had a success that began after this did, and so many more.
  void AwaitProgress(int64_t more = 0);
  // Does so and ends.
  LoadReport Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_DEATH_LOAD_H_
