// The connection objects and arena segments that this process has open, mapped
// once more, as a hostile peer holds them.
//
//   LiveObjects others;  // those there are by now are left alone
//   ... connect ...
//   others.Look();
//   for (size_t i = 0; i < others.size(); ++i) others.words(i)[7].store(...)
//
// The second mapping stays valid when the library drops its own. Thread rule:
// one thread at a time.

#ifndef SHMRPC_TESTS_FUZZ_LIVE_OBJECTS_LINUX_H_
#define SHMRPC_TESTS_FUZZ_LIVE_OBJECTS_LINUX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace shmrpc {
namespace testing {

class LiveObjects {
 public:
  LiveObjects();
  ~LiveObjects();
  LiveObjects(const LiveObjects&) = delete;
  LiveObjects& operator=(const LiveObjects&) = delete;

  // Finds what has come and lets go of what is no longer open.
  void Look();

  size_t size() const { return live_.size(); }
  std::atomic<uint64_t>* words(size_t i) const { return live_[i].words; }
  size_t word_count(size_t i) const { return live_[i].bytes / 8; }
  // A connection; otherwise an arena segment.
  bool is_connection(size_t i) const { return live_[i].connection; }
  // Connections seen so far.
  uint64_t connections() const { return connections_; }

 private:
  struct Object {
    uint64_t inode = 0;
    std::atomic<uint64_t>* words = nullptr;
    size_t bytes = 0;
    bool connection = false;
  };
  // What is open: a descriptor by inode. (They were born without a name.)
  static std::map<uint64_t, int> OpenObjects();

  std::set<uint64_t> left_alone_;
  std::vector<Object> live_;
  uint64_t connections_ = 0;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_FUZZ_LIVE_OBJECTS_LINUX_H_
