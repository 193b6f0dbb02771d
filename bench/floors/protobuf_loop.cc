// Floor: the loop one would write by hand to send a protobuf message to another
// process through shared memory and get it back.
//
// Per call, with both processes spinning:
//   client: build the request, serialize it straight into shared memory,
//   publish server: parse it straight out of shared memory, copy its payload
//   into a
//           response, serialize that straight into shared memory, publish
//   client: parse the response straight out of shared memory
//
// Each direction has one slot, allocated and resident up front: a sequence
// number, which is the flag, directly followed by the size and the bytes, so
// that a small message moves in as few cache lines as can be.
//
// floor_protobuf makes fresh message objects for every call, as stubs and
// servers do. floor_protobuf_reused keeps one request and one response on each
// side for all calls, so that their strings keep their memory.

#include <immintrin.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "bench/bench_echo.pb.h"
#include "bench/floors/floors.h"
#include "bench/floors/two_processes.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

constexpr uint64_t kEnd = ~uint64_t{0};

// One direction. Written by its sending process only.
struct alignas(64) Slot {
  std::atomic<uint64_t> sequence;  // of the message in the slot; 0: none yet
  uint64_t size_bytes;

  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this) + 16; }

  void Send(uint64_t number, const EchoMessage& message) {
    size_bytes = message.ByteSizeLong();
    message.SerializeWithCachedSizesToArray(bytes());
    // Orders the bytes before the number that announces them.
    sequence.store(number, std::memory_order_release);
  }

  void End() { sequence.store(kEnd, std::memory_order_release); }

  // False if the other side ended instead.
  bool Wait(uint64_t number) {
    uint64_t seen;
    // Acquire: the bytes are read after the number.
    while ((seen = sequence.load(std::memory_order_acquire)) != number) {
      if (seen == kEnd) return false;
      _mm_pause();
    }
    return true;
  }

  bool Receive(EchoMessage* message) {
    return message->ParseFromArray(bytes(), static_cast<int>(size_bytes));
  }
};

// Header, field tag and length; then to the next page, so that the two slots do
// not share a line with each other, or a prefetcher's pair of lines.
size_t SlotBytes(size_t payload_bytes) {
  return (payload_bytes + 64 + 4095) / 4096 * 4096;
}

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

  void End() { request_slot_->sequence.store(kEnd, std::memory_order_release); }

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
  RegisterUnaryEcho("floor_protobuf", [](benchmark::State& state, size_t n) {
    Measure(state, n, Messages::kFresh);
  });
  RegisterUnaryEcho("floor_protobuf_reused",
                    [](benchmark::State& state, size_t n) {
                      Measure(state, n, Messages::kReused);
                    });
}

}  // namespace bench
}  // namespace shmrpc
