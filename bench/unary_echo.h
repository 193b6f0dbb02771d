// The measured call, the same text for every RPC peer.
//
// One iteration is what a program does for one call: a new context, a new
// request holding the payload, a new response, and the blocking call. The
// server's handler (Answer) copies the payload into its response.

#ifndef SHMRPC_BENCH_UNARY_ECHO_H_
#define SHMRPC_BENCH_UNARY_ECHO_H_

#include <cstddef>
#include <string>

#include "bench/scenario.h"

namespace shmrpc {
namespace bench {

template <class Message>
void Answer(const Message& request, Message* response) {
  response->set_payload(request.payload());
}

// `stub` calls a server in another process; the first call may connect.
template <class Context, class Message, class Stub>
void MeasureUnaryEcho(benchmark::State& state, size_t bytes, Messages messages,
                      Stub* stub) {
  const std::string payload = Payload(bytes);
  std::string error;
  const auto call_with = [&](Message& request, Message& response,
                             bool compare) {
    Context context;
    request.set_payload(payload);
    const auto status = stub->Echo(&context, request, &response);
    if (!status.ok()) {
      error = "status " +
              std::to_string(static_cast<int>(status.error_code())) + ", " +
              status.error_message();
    } else if (response.payload().size() != bytes ||
               (compare && response.payload() != payload)) {
      error = "the echoed payload differs";
    }
    return error.empty();
  };
  Message kept_request, kept_response;
  const auto call = [&](bool compare) {
    if (messages == Messages::kReused) {
      return call_with(kept_request, kept_response, compare);
    }
    Message request, response;
    return call_with(request, response, compare);
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

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_UNARY_ECHO_H_
