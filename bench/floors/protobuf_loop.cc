// Floor: the loop one would write by hand to send a protobuf message to another
// process through shared memory and get it back.
//
// Per call, with both processes spinning:
//
// * client: build the request, serialize it straight into shared memory,
// publish
// * server: parse it straight out of shared memory, copy its payload into a
//   response, serialize that straight into shared memory, publish
// * client: parse the response straight out of shared memory
//
// Each direction has one slot, allocated and resident up front.
//
// For a stream's ping-pong there is nothing else to do by hand: the same loop
// stands there, too. floor_protobuf makes fresh message objects for every call,
// as stubs and servers do. floor_protobuf_reused keeps one request and one
// response on each side for all calls, so that their strings keep their memory.

#include <cstdint>
#include <string>

#include "bench/bench_echo.pb.h"
#include "bench/floors/floors.h"
#include "bench/floors/slot.h"
#include "bench/floors/two_processes.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

class Loop {
 public:
  Loop(void* memory, size_t payload_bytes)
      : request_slot_(static_cast<Slot*>(memory)),
        response_slot_(reinterpret_cast<Slot*>(static_cast<char*>(memory) +
                                               SlotBytes(payload_bytes))) {}

  void Serve(Messages messages) {
    EchoMessage kept_request, kept_response;
    bool ok = true;
    for (uint64_t number = 1; ok && request_slot_->Wait(number); ++number) {
      if (messages == Messages::kReused) {
        ok = Answer(number, &kept_request, &kept_response);
      } else {
        EchoMessage request, response;
        ok = Answer(number, &request, &response);
      }
    }
    response_slot_->End();
  }

  bool Call(const std::string& payload, EchoMessage* request,
            EchoMessage* response) {
    request->set_payload(payload);
    request_slot_->Send(++number_, *request);
    return response_slot_->Wait(number_) && response_slot_->Receive(response);
  }

  void End() { request_slot_->End(); }

 private:
  bool Answer(uint64_t number, EchoMessage* request, EchoMessage* response) {
    if (!request_slot_->Receive(request)) return false;
    response->set_payload(request->payload());
    response_slot_->Send(number, *response);
    return true;
  }

  Slot* const request_slot_;
  Slot* const response_slot_;
  uint64_t number_ = 0;
};

void Measure(benchmark::State& state, size_t bytes, Messages messages) {
  TwoProcesses peer(2 * SlotBytes(bytes),
                    [=](void* memory) { Loop(memory, bytes).Serve(messages); });
  if (!peer.ok()) return Fail(state, peer.error());
  Loop loop(peer.memory(), bytes);
  const std::string payload = Payload(bytes);
  EchoMessage kept_request, kept_response;
  const auto call = [&] {
    if (messages == Messages::kReused) {
      return loop.Call(payload, &kept_request, &kept_response) &&
             kept_response.payload().size() == bytes;
    }
    EchoMessage request, response;
    return loop.Call(payload, &request, &response) &&
           response.payload().size() == bytes;
  };
  EchoMessage request, response;
  const bool sound = loop.Call(payload, &request, &response) &&
                     response.payload() == payload && WarmUp(call);
  bool ok = sound;
  for (auto _ : state) ok &= call();
  loop.End();
  if (!ok) Fail(state, "the echoed payload differs");
}

}  // namespace

void RegisterProtobufFloors() {
  const LoopBody fresh = [](benchmark::State& state, size_t bytes) {
    Measure(state, bytes, Messages::kFresh);
  };
  const LoopBody reused = [](benchmark::State& state, size_t bytes) {
    Measure(state, bytes, Messages::kReused);
  };
  RegisterUnaryEcho("floor_protobuf", fresh);
  RegisterUnaryEcho("floor_protobuf_reused", reused);
  RegisterStreamPingPong("floor_protobuf", fresh);
  RegisterStreamPingPong("floor_protobuf_reused", reused);
}

}  // namespace bench
}  // namespace shmrpc
