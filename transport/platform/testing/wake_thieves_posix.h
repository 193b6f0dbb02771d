// Threads that sleep on a futex word, as whoever may map it can, and take the
// wake-ups and signals of those who sleep there for good.
//
//   WakeThieves thieves(word, 5);    // all asleep by now
//   ... who falls asleep from now on is woken after them ...
//
// Thread rule: any. Ownership: the word outlives it; the destructor joins.

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_WAKE_THIEVES_POSIX_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_WAKE_THIEVES_POSIX_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace shmrpc {
namespace testing {

class WakeThieves {
 public:
  WakeThieves(std::atomic<uint32_t>* word, int count);
  ~WakeThieves();
  WakeThieves(const WakeThieves&) = delete;
  WakeThieves& operator=(const WakeThieves&) = delete;

 private:
  std::atomic<uint32_t>* const word_;
  std::atomic<bool> stop_{false};
  std::atomic<int> running_;
  std::vector<std::thread> threads_;
};

// How many sleep on the word now, of all processes.
int SleepersOn(std::atomic<uint32_t>* word);
// Wakes all of them, and leaves no signal. How many.
int WakeWithoutSignal(std::atomic<uint32_t>* word);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_WAKE_THIEVES_POSIX_H_
