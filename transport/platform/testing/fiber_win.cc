#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "transport/platform/testing/fiber.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

// The thread itself as a fiber; made at the first use, kept for ever.
void* ThreadFiber() {
  static void* const fiber = ConvertThreadToFiber(nullptr);
  return fiber;
}

}  // namespace

struct Fiber::Impl {
  std::function<void()> body;
  void* own = nullptr;
  bool ended = true;

  ~Impl() {
    if (own != nullptr) DeleteFiber(own);
  }

  // Goes on with the next body when one has ended: only an abandoned fiber has
  // to be made anew.
  static void CALLBACK Main(void* impl) {
    Impl* self = static_cast<Impl*>(impl);
    for (;;) {
      self->body();
      self->ended = true;
      SwitchToFiber(ThreadFiber());
    }
  }
};

Fiber::Fiber() : impl_(new Impl) {}
Fiber::~Fiber() = default;

void Fiber::Start(std::function<void()> body) {
  ThreadFiber();
  if (!impl_->ended && impl_->own != nullptr) {
    DeleteFiber(impl_->own);
    impl_->own = nullptr;
  }
  if (impl_->own == nullptr) {
    impl_->own = CreateFiber(kStackBytes, &Impl::Main, impl_.get());
    if (impl_->own == nullptr) {
      std::fprintf(stderr, "CreateFiber: error %lu\n", GetLastError());
      std::abort();
    }
  }
  impl_->body = std::move(body);
  impl_->ended = false;
}

void Fiber::Resume() { SwitchToFiber(impl_->own); }

bool Fiber::ended() const { return impl_->ended; }

void Fiber::Suspend() { SwitchToFiber(ThreadFiber()); }

}  // namespace testing
}  // namespace shmrpc
