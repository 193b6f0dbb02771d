// One blocking call after the other.

#include <chrono>
#include <string>

#include "bench/rpc/scenarios.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

// One iteration is what a program does for one call: a new context, a request
// filled with the payload, and the blocking call; unless they are reused,
// request and response are new, too.
void MeasureUnaryEcho(benchmark::State& state, size_t bytes, Messages messages,
                      Peer* peer) {
  if (!peer->Start()) return Fail(state, "no server");
  const std::string payload = Payload(bytes);
  std::string error;
  const auto call_with = [&](EchoMessage* request, EchoMessage* response,
                             bool compare) {
    request->set_payload(payload);
    error = Call(peer->stub(), *request, response, compare);
    return error.empty();
  };
  EchoMessage kept_request, kept_response;
  const auto call = [&](bool compare) {
    if (messages == Messages::kReused) {
      return call_with(&kept_request, &kept_response, compare);
    }
    EchoMessage request, response;
    return call_with(&request, &response, compare);
  };
  if (!call(true) || !WarmUp([&] { return call(false); })) {
    return Fail(state, error);
  }
  for (auto _ : state) {
    if (!call(false)) {
      Fail(state, error);
      break;
    }
  }
}

// As above, fresh messages, and a deadline that is never reached: a look at the
// clock here, and its bookkeeping on both sides.
void MeasureDeadline(benchmark::State& state, size_t bytes, Peer* peer) {
  if (!peer->Start()) return Fail(state, "no server");
  const std::string payload = Payload(bytes);
  const auto call = [&] {
    rpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(10));
    EchoMessage request, response;
    request.set_payload(payload);
    return peer->stub()->Echo(&context, request, &response).ok() &&
           response.payload().size() == bytes;
  };
  bool ok = WarmUp(call);
  for (auto _ : state) ok = ok && call();
  if (!ok) Fail(state, "a call failed");
}

Window MeasureAsleepEcho(benchmark::State& state, Peer* peer) {
  if (!peer->Start()) return {};
  const std::string payload = Payload(64);
  std::string error;
  const Window window = MeasureAsleep(state, [&] {
    EchoMessage request, response;
    request.set_payload(payload);
    error = Call(peer->stub(), request, &response, true);
    return error.empty();
  });
  if (!error.empty()) Fail(state, error);
  return window;
}

}  // namespace

void RegisterUnaryScenarios(Peer* peer) {
  RegisterUnaryEcho(peer->name(), [=](benchmark::State& state, size_t bytes) {
    MeasureUnaryEcho(state, bytes, Messages::kFresh, peer);
  });
  RegisterWindow(
      "asleep_echo", peer->name(), "", 0,
      [=](benchmark::State& state) { return MeasureAsleepEcho(state, peer); });
}

void RegisterUnaryVariants(Peer* peer) {
  RegisterUnaryEcho(peer->name() + "_reused",
                    [=](benchmark::State& state, size_t bytes) {
                      MeasureUnaryEcho(state, bytes, Messages::kReused, peer);
                    });
  RegisterUnaryEcho(peer->name() + "_deadline", 64,
                    [=](benchmark::State& state, size_t bytes) {
                      MeasureDeadline(state, bytes, peer);
                    });
}

}  // namespace bench
}  // namespace shmrpc
