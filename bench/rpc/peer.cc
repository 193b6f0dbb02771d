#include "bench/rpc/peer.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

constexpr char kServe[] = "--serve=";
constexpr char kClient[] = "--client=";
constexpr size_t kClientBytes = 64;

class EchoService final : public BenchEcho::Service {
  rpc::Status Echo(rpc::ServerContext*, const EchoMessage* request,
                   EchoMessage* response) override {
    response->set_payload(request->payload());
    return rpc::Status::OK;
  }

  rpc::Status EchoStream(
      rpc::ServerContext*,
      rpc::ServerReaderWriter<EchoMessage, EchoMessage>* stream) override {
    for (EchoMessage message; stream->Read(&message);) {
      if (!stream->Write(message)) break;
    }
    return rpc::Status::OK;
  }

  rpc::Status Consume(rpc::ServerContext*,
                      rpc::ServerReader<EchoMessage>* reader,
                      StreamSummary* summary) override {
    uint64_t count = 0;
    uint64_t bytes = 0;
    for (EchoMessage message; reader->Read(&message); ++count) {
      bytes += message.payload().size();
    }
    summary->set_message_count(count);
    summary->set_payload_bytes(bytes);
    return rpc::Status::OK;
  }
};

// Null if it did not start. An empty address: for calls of this process only.
std::unique_ptr<rpc::Server> StartServer(EchoService* service,
                                         const std::string& address,
                                         int* port) {
  rpc::ServerBuilder builder;
  if (!address.empty()) {
    builder.AddListeningPort(address, rpc::InsecureServerCredentials(), port);
  }
  builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(-1);
  return builder.BuildAndStart();
}

rpc::ChannelArguments Arguments() {
  rpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return arguments;
}

std::shared_ptr<rpc::Channel> ChannelTo(const std::string& target) {
  rpc::ChannelArguments arguments = Arguments();
#ifdef SHMRPC_BENCH_GRPC
  // A new channel is to be a new connection, as it is with shmrpc: without
  // this, gRPC would find the one of another channel of this process.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
#endif
  return rpc::CreateCustomChannel(target, rpc::InsecureChannelCredentials(),
                                  arguments);
}

int Serve(const std::string& address,
          const std::function<std::string(const std::string&)>& answer) {
  EchoService service;
  int port = 0;
  std::unique_ptr<rpc::Server> server = StartServer(&service, address, &port);
  if (server == nullptr) return 1;
  // A port of 0 is one the system chooses.
  const size_t colon = address.size() < 2 ? 0 : address.size() - 2;
  AnswerParent(address.substr(colon) == ":0"
                   ? address.substr(0, colon + 1) + std::to_string(port)
                   : address,
               answer);
  server->Shutdown();
  return 0;
}

// Calls for `seconds`; what NewClient's processes answer.
std::string Run(BenchEcho::Stub* stub, double seconds) {
  const std::string payload = Payload(kClientBytes);
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed_s = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start)
        .count();
  };
  uint64_t count = 0;
  while (elapsed_s() < seconds) {
    EchoMessage request, response;
    request.set_payload(payload);
    const std::string error = Call(stub, request, &response, false);
    if (!error.empty()) return error;
    ++count;
  }
  return std::to_string(count) + " " + std::to_string(elapsed_s());
}

int BeClient(const std::string& target) {
  auto stub = BenchEcho::NewStub(ChannelTo(target));
  EchoMessage request, response;
  request.set_payload(Payload(kClientBytes));
  const std::string error = Call(stub.get(), request, &response, true);
  AnswerParent(error.empty() ? "ready" : error, [&](const std::string& line) {
    const std::string run = "run ";
    if (line.compare(0, run.size(), run) != 0) return std::string("what?");
    return Run(stub.get(), std::atof(line.c_str() + run.size()));
  });
  return 0;
}

}  // namespace

struct Peer::Local {
  EchoService service;
  std::unique_ptr<rpc::Server> server;
};

Peer::Peer(std::string name, std::string address, InProcess in_process)
    : name_(std::move(name)),
      address_(std::move(address)),
      in_process_(std::move(in_process)) {}

Peer::~Peer() = default;

bool Peer::Start() {
  if (stub_ != nullptr) return true;
  if (in_process_ != nullptr) {
    local_ = std::make_unique<Local>();
    local_->server = StartServer(&local_->service, "", nullptr);
    if (local_->server == nullptr) return false;
  } else {
    server_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{kServe + address_});
    if (server_->ok()) target_ = server_->ReadLine();
    if (target_.empty()) return false;
  }
  channel_ = NewChannel();
  stub_ = BenchEcho::NewStub(channel_);
  return true;
}

std::shared_ptr<rpc::Channel> Peer::NewChannel() {
  return in_process_ != nullptr ? in_process_(local_->server.get(), Arguments())
                                : ChannelTo(target_);
}

std::unique_ptr<ChildProcess> Peer::NewClient() {
  return std::make_unique<ChildProcess>(
      std::vector<std::string>{kClient + target_});
}

bool PlayRole(int argc, char** argv, int* exit_code,
              const std::function<std::string(const std::string&)>& answer) {
  const std::string address = RoleArgument(argc, argv, kServe);
  const std::string target = RoleArgument(argc, argv, kClient);
  if (!address.empty()) *exit_code = Serve(address, answer);
  if (!target.empty()) *exit_code = BeClient(target);
  return !address.empty() || !target.empty();
}

std::string Call(BenchEcho::Stub* stub, const EchoMessage& request,
                 EchoMessage* response, bool compare) {
  rpc::ClientContext context;
  const rpc::Status status = stub->Echo(&context, request, response);
  if (!status.ok()) {
    return "status " + std::to_string(static_cast<int>(status.error_code())) +
           ", " + status.error_message();
  }
  if (response->payload().size() != request.payload().size() ||
      (compare && response->payload() != request.payload())) {
    return "the echoed payload differs";
  }
  return "";
}

}  // namespace bench
}  // namespace shmrpc
