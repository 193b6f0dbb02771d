// A function that can be left in its middle and gone on with later, on the
// thread that runs everything else too.
//
//   Fiber fiber;
//   fiber.Start([] { ...; Fiber::Suspend(); ...; });
//   fiber.Resume();  // up to Suspend
//   fiber.Resume();  // to its end; now fiber.ended()
//
// Start while the previous function is suspended abandons that one: its frames
// are forgotten without their destructors. So a function that may be abandoned
// owns nothing while it is suspended.
//
// Thread rule: one thread uses all fibers.

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_FIBER_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_FIBER_H_

#include <functional>
#include <memory>

namespace shmrpc {
namespace testing {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void Start(std::function<void()> body);
  // Not from inside a fiber.
  void Resume();
  bool ended() const;

  // Inside of a fiber: back to whoever called Resume.
  static void Suspend();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_FIBER_H_
