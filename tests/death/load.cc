#include "tests/death/load.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/client.h"
#include "tests/support/script.h"

namespace shmrpc {
namespace testing {
namespace {

// How a call went.
struct Ending {
  Status status;
  bool as_sent = true;  // what came back, as far as it did
};

// time_out 0: none.
Ending OneUnary(Scripted::Stub* stub, size_t size_bytes, uint64_t seed,
                std::chrono::milliseconds time_out = {}) {
  HandlerScript script("load");
  script.Respond(static_cast<int64_t>(size_bytes), seed);
  ClientContext context;
  script.AddTo(&context);
  if (time_out.count() != 0) context.set_deadline(FromNow(time_out));
  Ending ending;
  Item response;
  ending.status = stub->Unary(&context, ItemOf(size_bytes, seed), &response);
  ending.as_sent = !ending.status.ok() || IsItemOf(response, size_bytes, seed);
  return ending;
}

// Some messages there and back, several under way at once.
Ending OneStream(Scripted::Stub* stub, std::mt19937* random) {
  HandlerScript script("load");
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub->Bidi(&context);
  std::vector<std::pair<size_t, uint64_t>> sent;
  const uint32_t count = 1 + (*random)() % 5;
  for (uint32_t i = 0; i < count; ++i) {
    const size_t size_bytes =
        (*random)() % 4 == 0 ? (*random)() % 60000 : (*random)() % 500;
    sent.emplace_back(size_bytes, i);
  }
  Ending ending;
  for (const auto& message : sent) {
    if (!stream->Write(ItemOf(message.first, message.second))) break;
  }
  stream->WritesDone();
  size_t read = 0;
  Item item;
  for (; stream->Read(&item); ++read) {
    if (read >= sent.size() ||
        !IsItemOf(item, sent[read].first, sent[read].second)) {
      ending.as_sent = false;
      break;
    }
  }
  ending.status = stream->Finish();
  if (ending.status.ok() && read != sent.size()) ending.as_sent = false;
  return ending;
}

}  // namespace

struct Load::Impl {
  struct Caller {
    std::thread thread;
    int64_t good = 0;
    bool ended = false;
  };

  // `code`: as well as OK and UNAVAILABLE.
  void Start(const char* what, std::function<Ending()> call,
             int code = StatusCode::OK) {
    callers.push_back(std::make_unique<Caller>());
    Caller* const caller = callers.back().get();
    caller->thread = std::thread([=, call = std::move(call)] {
      std::unique_lock<std::mutex> lock(mutex);
      while (!stop) {
        lock.unlock();
        const Ending ending = call();
        lock.lock();
        const int ended_with = ending.status.error_code();
        if (ending.as_sent && ending.status.ok()) {
          ++report.good;
          ++caller->good;
        } else if (ending.as_sent && ended_with == StatusCode::UNAVAILABLE) {
          ++report.told;
        } else if (ending.as_sent && ended_with == code) {
          ++report.late;
        } else {
          absl::StrAppend(&report.wrong, what, ": ",
                          ending.as_sent ? "" : "other bytes than sent, ",
                          ended_with, " ", ending.status.error_message(), "; ");
          break;
        }
        changed.notify_all();
      }
      caller->ended = true;
      changed.notify_all();
    });
  }

  std::mutex mutex;  // guards all, `callers` but for its threads
  std::condition_variable changed;
  bool stop = false;
  LoadReport report;
  std::vector<std::unique_ptr<Caller>> callers;
};

Load::Load(const std::string& target, uint32_t kinds, uint32_t seed)
    : impl_(std::make_unique<Impl>()) {
  std::shared_ptr<Scripted::Stub> shared =
      Scripted::NewStub(NewChannel(target));
  auto random = std::make_shared<std::mt19937>(seed);
  if (kinds & kSmall) {
    impl_->Start("small", [shared, n = uint64_t{0}]() mutable {
      return OneUnary(shared.get(), 20, ++n);
    });
  }
  if (kinds & kLarge) {
    impl_->Start("large", [shared, n = uint64_t{seed}]() mutable {
      ++n;
      return OneUnary(shared.get(), 20000 + n * 7919 % 200000, n);
    });
  }
  if (kinds & kStreams) {
    std::shared_ptr<Scripted::Stub> stub =
        Scripted::NewStub(NewChannel(target));
    impl_->Start("stream", [stub, random] {
      return OneStream(stub.get(), random.get());
    });
  }
  if (kinds & kDeadlines) {
    impl_->Start(
        "with deadline",
        [shared, n = uint64_t{0}]() mutable {
          return OneUnary(shared.get(), 20, ++n, std::chrono::milliseconds(50));
        },
        StatusCode::DEADLINE_EXCEEDED);
  }
  if (kinds & kConnecting) {
    impl_->Start("connecting", [target, n = uint64_t{0}]() mutable {
      auto stub = Scripted::NewStub(NewChannel(target));
      return OneUnary(stub.get(), 20, ++n);
    });
  }
}

Load::~Load() {
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->stop = true;
  }
  for (auto& caller : impl_->callers) {
    if (caller->thread.joinable()) caller->thread.join();
  }
}

void Load::AwaitProgress(int64_t more) {
  std::unique_lock<std::mutex> lock(impl_->mutex);
  for (auto& caller : impl_->callers) {
    // The first may have begun before.
    const int64_t enough = caller->good + 2 + more;
    impl_->changed.wait(
        lock, [&] { return caller->ended || caller->good >= enough; });
  }
}

LoadReport Load::Finish() {
  AwaitProgress();
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    impl_->stop = true;
  }
  for (auto& caller : impl_->callers) caller->thread.join();
  return impl_->report;
}

}  // namespace testing
}  // namespace shmrpc
