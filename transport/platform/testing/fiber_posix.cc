#include <ucontext.h>

#include <utility>

#include "transport/platform/testing/fiber.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

}  // namespace

struct Fiber::Impl {
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  std::function<void()> body;
  ucontext_t own;
  ucontext_t resumer;
  bool ended = true;

  static Impl* running;

  static void Main() {
    Impl* self = running;
    self->body();
    self->ended = true;
    swapcontext(&self->own, &self->resumer);
  }
};

Fiber::Impl* Fiber::Impl::running = nullptr;

Fiber::Fiber() : impl_(new Impl) {}
Fiber::~Fiber() = default;

void Fiber::Start(std::function<void()> body) {
  impl_->body = std::move(body);
  impl_->ended = false;
  getcontext(&impl_->own);
  impl_->own.uc_stack.ss_sp = impl_->stack.get();
  impl_->own.uc_stack.ss_size = kStackBytes;
  impl_->own.uc_link = nullptr;
  makecontext(&impl_->own, &Impl::Main, 0);
}

void Fiber::Resume() {
  Impl::running = impl_.get();
  swapcontext(&impl_->resumer, &impl_->own);
  Impl::running = nullptr;
}

bool Fiber::ended() const { return impl_->ended; }

void Fiber::Suspend() {
  Impl* self = Impl::running;
  swapcontext(&self->own, &self->resumer);
}

}  // namespace testing
}  // namespace shmrpc
