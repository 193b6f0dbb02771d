#include "tests/death/held_calls.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "transport/platform/clock.h"

namespace shmrpc {
namespace testing {
namespace {

enum Kind { kUnaryCall, kReader, kWriter, kArrived, kKinds };
constexpr const char* kKindNames[] = {"unary", "waiting reader",
                                      "waiting writer", "arrived messages"};
constexpr int kMessages = 3;
constexpr size_t kMessageBytes = 10;

}  // namespace

struct HeldCalls::Impl {
  struct Call {
    ClientContext context;
    std::thread thread;
    // Written before `ended` is set, under the mutex.
    Status status;
    std::string wrong;
    int64_t ended_ns = 0;
    bool ended = false;
  };

  explicit Impl(const std::string& name) : script_name(name) {}

  void Run(Kind kind) {
    Call& call = calls[kind];
    HandlerScript script(script_name);
    std::string wrong;
    Status status;
    switch (kind) {
      case kUnaryCall: {
        script.UntilCancelled().AddTo(&call.context);
        Item response;
        status = stub->Unary(&call.context, Item(), &response);
        break;
      }
      case kReader: {
        script.UntilCancelled().AddTo(&call.context);
        auto stream = stub->Bidi(&call.context);
        Item item;
        if (stream->Read(&item)) wrong = "a message that nobody sent";
        status = stream->Finish();
        break;
      }
      case kWriter: {
        script.UntilCancelled().AddTo(&call.context);
        auto stream = stub->Bidi(&call.context);
        const Item item = ItemOf(30000);
        while (stream->Write(item)) {
        }
        status = stream->Finish();
        break;
      }
      default:
        status = ReadLate(&call, &wrong);
    }
    std::lock_guard<std::mutex> lock(mutex);
    call.status = std::move(status);
    call.wrong = std::move(wrong);
    call.ended_ns = platform::MonotonicNowNs();
    call.ended = true;
    changed.notify_all();
  }

  // Reads one message at once, the others when told that the end has come.
  Status ReadLate(Call* call, std::string* wrong) {
    HandlerScript script(ArrivedName(script_name));
    script.Write(kMessageBytes, kMessages).UntilCancelled();
    script.AddTo(&call->context);
    auto stream = stub->Bidi(&call->context);
    int read = 0;
    Item item;
    const auto next = [&] {
      if (!stream->Read(&item)) return false;
      if (!IsItemOf(item, kMessageBytes, static_cast<uint64_t>(read))) {
        *wrong = absl::StrCat("message ", read, " is another");
      }
      ++read;
      std::lock_guard<std::mutex> lock(mutex);
      arrived_read = read;
      changed.notify_all();
      return true;
    };
    if (next()) {
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [this] { return finishing; });
    }
    while (next()) {
    }
    if (read < kMessages && all_arrived) {
      *wrong = absl::StrCat("only ", read, " of ", kMessages,
                            " messages that had arrived");
    }
    return stream->Finish();
  }

  // The handlers' own word that they run, and have written what they write;
  // false: the server is gone.
  bool HandlersRun() {
    ReportRequest blocked;
    blocked.set_name(script_name);
    blocked.set_started(kArrived);
    ReportRequest wrote;
    wrote.set_name(ArrivedName(script_name));
    wrote.set_steps(2);
    for (const ReportRequest& request : {blocked, wrote}) {
      ClientContext context;
      HandlerReport report;
      if (!observer->AwaitReport(&context, request, &report).ok()) return false;
    }
    return true;
  }

  std::string Expect(const char* situation, bool cancelled_too,
                     bool unavailable_too) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      finishing = true;
      changed.notify_all();
    }
    std::string wrong;
    for (int kind = 0; kind < kKinds; ++kind) {
      Call& call = calls[kind];
      call.thread.join();
      const int code = call.status.error_code();
      if (!(code == StatusCode::UNAVAILABLE && unavailable_too) &&
          !(code == StatusCode::CANCELLED && cancelled_too)) {
        absl::StrAppend(&wrong, situation, ": ", kKindNames[kind],
                        " ended with ", code, " ", call.status.error_message(),
                        "; ");
      }
      if (!call.wrong.empty()) {
        absl::StrAppend(&wrong, situation, ": ", kKindNames[kind], ": ",
                        call.wrong, "; ");
      }
      if (kind != kArrived) ended_ns = std::max(ended_ns, call.ended_ns);
    }
    joined = true;
    return wrong;
  }

  const std::string script_name;
  std::unique_ptr<Scripted::Stub> stub;  // nothing else uses its channel
  std::unique_ptr<Scripted::Stub> observer;
  std::mutex mutex;
  std::condition_variable changed;
  bool finishing = false;
  int arrived_read = 0;      // messages
  bool all_arrived = false;  // set before `finishing`
  bool joined = false;
  int64_t ended_ns = 0;
  Call calls[kKinds];
};

HeldCalls::HeldCalls(const std::string& target, const std::string& name)
    : impl_(std::make_unique<Impl>(name)) {
  impl_->stub = Scripted::NewStub(NewChannel(target));
  impl_->observer = Scripted::NewStub(NewChannel(target));
  for (int kind = 0; kind < kKinds; ++kind) {
    impl_->calls[kind].thread =
        std::thread([this, kind] { impl_->Run(static_cast<Kind>(kind)); });
  }
}

HeldCalls::~HeldCalls() {
  if (impl_->joined) return;
  for (Impl::Call& call : impl_->calls) call.context.TryCancel();
  impl_->Expect("left", /*cancelled_too=*/true, /*unavailable_too=*/true);
}

void HeldCalls::AwaitHeld() {
  const bool all_arrived = impl_->HandlersRun();
  std::unique_lock<std::mutex> lock(impl_->mutex);
  impl_->all_arrived = all_arrived;
  if (all_arrived) return;
  // None may be about to begin, with the next server.
  impl_->changed.wait(lock, [this] {
    for (int kind = 0; kind < kArrived; ++kind) {
      if (!impl_->calls[kind].ended) return false;
    }
    return impl_->calls[kArrived].ended || impl_->arrived_read > 0;
  });
}

std::string HeldCalls::ExpectKilled() {
  return impl_->Expect("killed", /*cancelled_too=*/false,
                       /*unavailable_too=*/true);
}

std::string HeldCalls::ExpectStopped() {
  return impl_->Expect("stopped", /*cancelled_too=*/true,
                       /*unavailable_too=*/true);
}

std::string HeldCalls::ExpectAlive() {
  std::string wrong;
  {
    std::unique_lock<std::mutex> lock(impl_->mutex);
    // What has arrived is read before the cancel, which would drop it.
    impl_->finishing = true;
    impl_->changed.notify_all();
    impl_->changed.wait(lock, [this] {
      return impl_->calls[kArrived].ended || impl_->arrived_read == kMessages;
    });
    for (int kind = 0; kind < kKinds; ++kind) {
      const Impl::Call& call = impl_->calls[kind];
      if (!call.ended) continue;
      absl::StrAppend(&wrong, kKindNames[kind], " ended with ",
                      call.status.error_code(), " ",
                      call.status.error_message(), " although nobody died; ");
    }
  }
  for (Impl::Call& call : impl_->calls) call.context.TryCancel();
  return wrong + impl_->Expect("cancelled", /*cancelled_too=*/true,
                               /*unavailable_too=*/false);
}

int64_t HeldCalls::ended_ns() const { return impl_->ended_ns; }

std::string HeldCalls::ArrivedName(const std::string& name) {
  return name + ".arrived";
}

}  // namespace testing
}  // namespace shmrpc
