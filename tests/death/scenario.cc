#include "tests/death/scenario.h"

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/echo.shmrpc.pb.h"
#include "shmrpc/named_event.h"
#include "shmrpc/shared_memory.h"
#include "shmrpc/shmrpc.h"
#include "tests/death/break_own.h"
#include "tests/support/client.h"
#include "tests/support/script.h"
#include "tests/trouble/break_connection.h"
#include "tests/trouble/fake_peer.h"
#include "transport/memory/layout.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::milliseconds;

// More than travels in a record.
constexpr size_t kLarge = 100000;

class Scenario {
 public:
  explicit Scenario(const ScenarioSettings& settings) : settings_(settings) {}

  std::string Run() {
    Connect();
    UnaryCalls();
    Streams();
    CancelledCalls();
    FullRing();
    SleepAndWake();
    // Closes the connection, and makes the next.
    Connect();
    UnaryCalls();
    if (settings_.server_may_die) {
      RefusedOffers();
      BrokenLobby();
    }
    if (!settings_.deaf_target.empty()) GivenUpConnect();
    if (!settings_.object_name.empty()) {
      NamedObjects();
      BrokenConnection();
    }
    return wrong_;
  }

 private:
  void Connect() {
    echo_.reset();
    stub_.reset();
    auto channel = NewChannel(settings_.target);
    stub_ = Scripted::NewStub(channel);
    echo_ = EchoService::NewStub(channel);
  }

  // The call ended as `code`, or was told that its server is gone.
  bool Expect(const char* what, const Status& status,
              int code = StatusCode::OK) {
    if (settings_.server_may_die &&
        status.error_code() == StatusCode::UNAVAILABLE) {
      return false;
    }
    if (status.error_code() != code) {
      absl::StrAppend(&wrong_, what, ": ", status.error_code(), " ",
                      status.error_message(), "; ");
    }
    return status.error_code() == code;
  }
  void Expect(const char* what, bool as_expected) {
    if (!as_expected) absl::StrAppend(&wrong_, what, ": other content; ");
  }

  void UnaryCalls() {
    for (const size_t size_bytes : {size_t{10}, kLarge}) {
      HandlerScript script;
      script.InitialMetadata("first", "a", 50).TrailingMetadata("last", "b", 9);
      script.Respond(static_cast<int64_t>(size_bytes), 1);
      ClientContext context;
      script.AddTo(&context);
      Item response;
      if (Expect("unary",
                 stub_->Unary(&context, ItemOf(size_bytes, 2), &response))) {
        Expect("unary", IsItemOf(response, size_bytes, 1));
      }
    }
    EchoRequest request;
    request.set_text("small");
    EchoReply reply;
    if (Expect("echo", Echo(echo_.get(), request, &reply))) {
      Expect("echo", reply.text() == "small");
    }
  }

  void Streams() {
    {
      HandlerScript script;
      script.InitialMetadata("first", "a").SendInitialMetadata();
      script.Write(100, 3).Write(20000, 2, 3).WriteLast(100);
      ClientContext context;
      script.AddTo(&context);
      const CallResult result =
          MakeCall(stub_.get(), CallKind::kServerStream, &context);
      if (Expect("server stream", result.status)) {
        Expect("server stream", result.messages.size() == 6);
      }
    }
    {
      HandlerScript script;
      script.ReadAll().Respond(20000, 1);
      ClientContext context;
      script.AddTo(&context);
      Item response;
      auto writer = stub_->ClientStream(&context, &response);
      for (const size_t size_bytes : {100, 20000, 20000, 100}) {
        if (!writer->Write(ItemOf(size_bytes))) break;
      }
      writer->WritesDone();
      if (Expect("client stream", writer->Finish())) {
        Expect("client stream", IsItemOf(response, 20000, 1));
      }
    }
    {
      HandlerScript script;
      script.Echo();
      ClientContext context;
      script.AddTo(&context);
      auto stream = stub_->Bidi(&context);
      Item item;
      bool same = true;
      for (const size_t size_bytes : {1, 9000, 300}) {
        if (!stream->Write(ItemOf(size_bytes)) || !stream->Read(&item)) break;
        same = same && IsItemOf(item, size_bytes);
      }
      stream->WritesDone();
      if (Expect("both streams", stream->Finish())) {
        Expect("both streams", same);
      }
    }
  }

  void CancelledCalls() {
    {
      HandlerScript script;
      script.UntilCancelled();
      ClientContext context;
      script.AddTo(&context);
      auto stream = stub_->Bidi(&context);
      stream->Write(ItemOf(10));
      context.TryCancel();
      Expect("cancelled", stream->Finish(), StatusCode::CANCELLED);
    }
    {
      HandlerScript script;
      script.Return(StatusCode::INVALID_ARGUMENT, "early", "details");
      ClientContext context;
      script.AddTo(&context);
      Item response;
      auto writer = stub_->ClientStream(&context, &response);
      while (writer->Write(ItemOf(3000))) {
      }
      Expect("ended early", writer->Finish(), StatusCode::INVALID_ARGUMENT);
    }
  }

  // Nobody reads for a while: what the server sends is more than the ring.
  void FullRing() {
    constexpr int kStreams = 4;
    HandlerScript script;
    script.Write(4000, 20);
    ClientContext contexts[kStreams];
    std::unique_ptr<ClientReader<Item>> readers[kStreams];
    for (int i = 0; i < kStreams; ++i) {
      script.AddTo(&contexts[i]);
      readers[i] = stub_->ServerStream(&contexts[i], Item());
    }
    std::this_thread::sleep_for(milliseconds(2));
    for (auto& reader : readers) {
      int messages = 0;
      for (Item item; reader->Read(&item);) ++messages;
      if (Expect("full ring", reader->Finish())) {
        Expect("full ring", messages == 20);
      }
    }
  }

  // Long enough for both sides to have gone to sleep.
  void SleepAndWake() {
    std::this_thread::sleep_for(milliseconds(2));
    EchoRequest request;
    request.set_sleep_ms(2);
    EchoReply reply;
    Expect("woken", Echo(echo_.get(), request, &reply));
  }

  // One with a header of another version, and a slot that a dead client left.
  // And a knock, which the server answers with a connection of its making.
  void RefusedOffers() {
    auto fake = FakeClient::Find(settings_.target);
    if (!fake.ok()) return;  // the server is gone
    fake->slots()->slots[memory::kSlotCount - 1].state.store(
        uint64_t{0x7fffffff} << 32 | memory::kSlotClaimed,
        std::memory_order_relaxed);
    fake->Offer(
        [](memory::ConnectionHeader* header) { header->layout_version += 1; });
    auto knocker = FakeClient::Find(settings_.target);
    if (!knocker.ok()) return;
    knocker->Offer(memory::kPage, [](memory::ConnectionHeader* header) {
      header->ring_size_bytes = 0;
      header->total_size_bytes = memory::kPage;
    });
    // Its answer shows that it came by here.
    EchoRequest request;
    EchoReply reply;
    Connect();
    Expect("after a refusal", Echo(echo_.get(), request, &reply));
  }

  // Truncated by somebody: the server makes them good. Where that can be done.
  void BrokenLobby() {
    if (!CanBreak(Memory::kIdentity) || !CanBreak(Memory::kSlots)) return;
    for (const Memory memory : {Memory::kSlots, Memory::kIdentity}) {
      Break(memory, settings_.target, 0, 0);
      // Until it is good again or its server has died; at last somebody else
      // finds what is wrong.
      for (int i = 0; i < 400; ++i) {
        const absl::Status found = FakeClient::Find(settings_.target).status();
        Connect();
        EchoReply reply;
        const bool works = Echo(echo_.get(), EchoRequest(), &reply).ok();
        if (works && found.ok()) break;
        if (absl::IsNotFound(found)) return;
        std::this_thread::sleep_for(milliseconds(5));
      }
    }
  }

  // Of this client: its calls end, and it connects again.
  void BrokenConnection() {
    if (!BreakOwnConnections()) return;
    EchoReply reply;
    const Status status = Echo(echo_.get(), EchoRequest(), &reply);
    if (!status.ok()) {
      Expect("broken connection", status, StatusCode::UNAVAILABLE);
    }
    Expect("after it", Echo(echo_.get(), EchoRequest(), &reply));
  }

  void GivenUpConnect() {
    auto stub = EchoService::NewStub(NewChannel(settings_.deaf_target));
    ClientContext context;
    context.set_deadline(FromNow(milliseconds(3)));
    EchoReply reply;
    Expect("given up", stub->Echo(&context, EchoRequest(), &reply),
           StatusCode::DEADLINE_EXCEEDED);
  }

  void NamedObjects() {
    const std::string memory_name = settings_.object_name + ".memory";
    auto memory = SharedMemory::Create(memory_name, 4096);
    auto event = NamedEvent::Create(settings_.object_name + ".event");
    if (!memory.ok() || !event.ok()) {
      absl::StrAppend(&wrong_, "objects: ", memory.status().ToString(), " ",
                      event.status().ToString(), "; ");
      return;
    }
    auto view = memory->Map();
    const char text[] = "written";
    Expect("memory", view.ok() && view->Write(0, text, sizeof(text)).ok() &&
                         view->Store(64, uint64_t{1}).ok());
    Expect("event", event->Signal().ok() && event->Wait().ok());
  }

  const ScenarioSettings settings_;
  std::unique_ptr<Scripted::Stub> stub_;
  std::unique_ptr<EchoService::Stub> echo_;
  std::string wrong_;
};

}  // namespace

std::string RunScenario(const ScenarioSettings& settings) {
  return Scenario(settings).Run();
}

}  // namespace testing
}  // namespace shmrpc
