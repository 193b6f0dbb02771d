// Streams of messages. Each side keeps its message for the whole stream, as
// stream programs do: compare with floors that do so (_reused).

#include <chrono>
#include <memory>
#include <string>

#include "bench/rpc/scenarios.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

std::string TextOf(const rpc::Status& status) {
  return "status " + std::to_string(static_cast<int>(status.error_code())) +
         ", " + status.error_message();
}

// One iteration: a message written, and its echo read.
void MeasurePingPong(benchmark::State& state, size_t bytes, Peer* peer) {
  if (!peer->Start()) return Fail(state, "no server");
  rpc::ClientContext context;
  auto stream = peer->stub()->EchoStream(&context);
  EchoMessage sent, received;
  sent.set_payload(Payload(bytes));
  const auto exchange = [&] {
    return stream->Write(sent) && stream->Read(&received) &&
           received.payload().size() == bytes;
  };
  bool ok = exchange() && received.payload() == sent.payload();
  ok = ok && WarmUp(exchange);
  for (auto _ : state) ok = ok && exchange();
  stream->WritesDone();
  // A reply too short is no end of the stream.
  if (!ok) context.TryCancel();
  const rpc::Status status = stream->Finish();
  if (!ok || !status.ok()) Fail(state, "stream broken: " + TextOf(status));
}

// Messages as fast as they are taken, until the time is over and the reader has
// said that it has them all.
Window WriteFor(benchmark::State& state, double seconds,
                const EchoMessage& message, const rpc::WriteOptions& options,
                Peer* peer) {
  using Clock = std::chrono::steady_clock;
  rpc::ClientContext context;
  StreamSummary summary;
  Window window;
  const auto start = Clock::now();
  const auto elapsed_s = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  auto writer = peer->stub()->Consume(&context, &summary);
  // A look at the clock costs as much as a quarter of a small message.
  const int batch = message.payload().size() < 4096 ? 64 : 1;
  bool open = true;
  do {
    for (int i = 0; open && i < batch; ++i, ++window.count) {
      open = writer->Write(message, options);
    }
  } while (open && elapsed_s() < seconds);
  writer->WritesDone();
  const rpc::Status status = writer->Finish();
  window.seconds = elapsed_s();
  if (!status.ok()) {
    Fail(state, "stream broken: " + TextOf(status));
    return {};
  }
  if (summary.message_count() != window.count ||
      summary.payload_bytes() != window.count * message.payload().size()) {
    Fail(state, "the reader has seen other messages than were written");
    return {};
  }
  return window;
}

Window MeasureOneWay(benchmark::State& state, size_t bytes,
                     const rpc::WriteOptions& options, Peer* peer) {
  if (!peer->Start()) return {};
  EchoMessage message;
  message.set_payload(Payload(bytes));
  if (WriteFor(state, 0.05, message, options, peer).count == 0) return {};
  return WriteFor(state, WindowSeconds(), message, options, peer);
}

void RegisterOneWay(const std::string& scenario, size_t bytes,
                    const rpc::WriteOptions& options, Peer* peer) {
  RegisterWindow(scenario, peer->name(), std::to_string(bytes), bytes,
                 [=](benchmark::State& state) {
                   return MeasureOneWay(state, bytes, options, peer);
                 });
}

}  // namespace

void RegisterStreamScenarios(Peer* peer) {
  RegisterStreamPingPong(peer->name(),
                         [=](benchmark::State& state, size_t bytes) {
                           MeasurePingPong(state, bytes, peer);
                         });
  for (size_t bytes : kStreamBytes) {
    RegisterOneWay("stream_one_way", bytes, rpc::WriteOptions(), peer);
  }
  RegisterOneWay("stream_one_way_hint", 64,
                 rpc::WriteOptions().set_buffer_hint(), peer);
}

}  // namespace bench
}  // namespace shmrpc
