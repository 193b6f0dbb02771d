#include <setjmp.h>
#include <ucontext.h>

#include <utility>

#include "transport/platform/testing/fiber.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

}  // namespace

// A context only begins a body: switching to one asks the system for the signal
// mask each time. Between the first and the last switch it is _longjmp, from
// one stack to another (which a fortified longjmp takes for an error: see
// BUILD).
struct Fiber::Impl {
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  std::function<void()> body;
  ucontext_t beginning;
  jmp_buf own;
  jmp_buf resumer;
  bool begun = false;
  bool ended = true;

  static Impl* running;

  static void Main() {
    Impl* self = running;
    self->body();
    self->ended = true;
    _longjmp(self->resumer, 1);
  }
};

Fiber::Impl* Fiber::Impl::running = nullptr;

Fiber::Fiber() : impl_(new Impl) {}
Fiber::~Fiber() = default;

void Fiber::Start(std::function<void()> body) {
  impl_->body = std::move(body);
  impl_->begun = false;
  impl_->ended = false;
  getcontext(&impl_->beginning);
  impl_->beginning.uc_stack.ss_sp = impl_->stack.get();
  impl_->beginning.uc_stack.ss_size = kStackBytes;
  impl_->beginning.uc_link = nullptr;
  makecontext(&impl_->beginning, &Impl::Main, 0);
}

void Fiber::Resume() {
  Impl::running = impl_.get();
  if (_setjmp(impl_->resumer) != 0) return;
  if (impl_->begun) _longjmp(impl_->own, 1);
  impl_->begun = true;
  setcontext(&impl_->beginning);
}

bool Fiber::ended() const { return impl_->ended; }

void Fiber::Suspend() {
  Impl* self = Impl::running;
  if (_setjmp(self->own) == 0) _longjmp(self->resumer, 1);
}

}  // namespace testing
}  // namespace shmrpc
