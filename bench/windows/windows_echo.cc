// The peers named_pipe and tcp_loopback: bytes to another process and back,
// through Windows. And the floor under a call between two sleepers, floor_wake:
// two named auto-reset events, and nothing else.
//
// No message format, no protobuf: each side knows the length. The other side is
// this program, started with --serve=KIND,NAME,BYTES.

// Before windows.h, which has an older one in it.
#include <winsock2.h>
// The next two need the first.
#include <windows.h>
#include <ws2tcpip.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/child_process.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

constexpr char kServe[] = "--serve=";

// One side of a connection. The destructor closes it.
class Connection {
 public:
  virtual ~Connection() = default;
  // All of `bytes`, or false.
  virtual bool Send(const std::string& bytes) = 0;
  virtual bool Receive(std::string* bytes) = 0;
};

// The server's end. Made before the client may come; Connect waits for it.
class Listener {
 public:
  virtual ~Listener() = default;
  // What a client needs; "" if there is no listener.
  virtual std::string Address() = 0;
  virtual std::unique_ptr<Connection> Accept() = 0;
};

// --- named pipe --------------------------------------------------------------

class PipeConnection final : public Connection {
 public:
  explicit PipeConnection(HANDLE pipe) : pipe_(pipe) {}
  ~PipeConnection() override { CloseHandle(pipe_); }

  bool Send(const std::string& bytes) override {
    for (size_t done = 0; done < bytes.size();) {
      DWORD n = 0;
      if (!WriteFile(pipe_, bytes.data() + done,
                     static_cast<DWORD>(bytes.size() - done), &n, nullptr) ||
          n == 0) {
        return false;
      }
      done += n;
    }
    return true;
  }

  bool Receive(std::string* bytes) override {
    for (size_t done = 0; done < bytes->size();) {
      DWORD n = 0;
      if (!ReadFile(pipe_, &(*bytes)[done],
                    static_cast<DWORD>(bytes->size() - done), &n, nullptr) ||
          n == 0) {
        return false;
      }
      done += n;
    }
    return true;
  }

 private:
  const HANDLE pipe_;
};

class PipeListener final : public Listener {
 public:
  explicit PipeListener(const std::string& name)
      : path_("\\\\.\\pipe\\" + name),
        pipe_(CreateNamedPipeA(path_.c_str(), PIPE_ACCESS_DUPLEX,
                               PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT,
                               1, 64 << 10, 64 << 10, 0, nullptr)) {}

  std::string Address() override {
    return pipe_ == INVALID_HANDLE_VALUE ? "" : path_;
  }
  std::unique_ptr<Connection> Accept() override {
    // False as well if the client has come already; a broken pipe shows later.
    ConnectNamedPipe(pipe_, nullptr);
    return std::make_unique<PipeConnection>(pipe_);
  }

 private:
  const std::string path_;
  const HANDLE pipe_;  // the connection's, once accepted
};

std::unique_ptr<Connection> ConnectPipe(const std::string& address) {
  const HANDLE pipe = CreateFileA(address.c_str(), GENERIC_READ | GENERIC_WRITE,
                                  0, nullptr, OPEN_EXISTING, 0, nullptr);
  if (pipe == INVALID_HANDLE_VALUE) return nullptr;
  return std::make_unique<PipeConnection>(pipe);
}

// --- TCP on the loopback interface -------------------------------------------

class SocketConnection final : public Connection {
 public:
  explicit SocketConnection(SOCKET socket) : socket_(socket) {
    const BOOL on = TRUE;  // or small messages wait for company
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY,
               reinterpret_cast<const char*>(&on), sizeof(on));
  }
  ~SocketConnection() override { closesocket(socket_); }

  bool Send(const std::string& bytes) override {
    for (size_t done = 0; done < bytes.size();) {
      const int n = send(socket_, bytes.data() + done,
                         static_cast<int>(bytes.size() - done), 0);
      if (n <= 0) return false;
      done += static_cast<size_t>(n);
    }
    return true;
  }

  bool Receive(std::string* bytes) override {
    for (size_t done = 0; done < bytes->size();) {
      const int n = recv(socket_, &(*bytes)[done],
                         static_cast<int>(bytes->size() - done), 0);
      if (n <= 0) return false;
      done += static_cast<size_t>(n);
    }
    return true;
  }

 private:
  const SOCKET socket_;
};

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

class SocketListener final : public Listener {
 public:
  SocketListener() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    const sockaddr_in any_port = Loopback(0);
    listening_ = bind(socket_, reinterpret_cast<const sockaddr*>(&any_port),
                      sizeof(any_port)) == 0 &&
                 listen(socket_, 1) == 0;
  }
  ~SocketListener() override { closesocket(socket_); }

  std::string Address() override {
    sockaddr_in bound = {};
    int length = sizeof(bound);
    if (!listening_ ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&bound), &length)) {
      return "";
    }
    return std::to_string(ntohs(bound.sin_port));
  }
  std::unique_ptr<Connection> Accept() override {
    return std::make_unique<SocketConnection>(
        accept(socket_, nullptr, nullptr));
  }

 private:
  const SOCKET socket_;
  bool listening_ = false;
};

std::unique_ptr<Connection> ConnectSocket(const std::string& port) {
  const SOCKET client = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in server =
      Loopback(static_cast<uint16_t>(std::atoi(port.c_str())));
  if (connect(client, reinterpret_cast<const sockaddr*>(&server),
              sizeof(server)) != 0) {
    closesocket(client);
    return nullptr;
  }
  return std::make_unique<SocketConnection>(client);
}

// --- events ------------------------------------------------------------------

// Moves no bytes: a message is that there was one.
class EventConnection final : public Connection {
 public:
  EventConnection(const std::string& in, const std::string& out)
      : in_(CreateEventA(nullptr, FALSE, FALSE, in.c_str())),
        out_(CreateEventA(nullptr, FALSE, FALSE, out.c_str())) {}
  ~EventConnection() override { CloseHandle(in_), CloseHandle(out_); }

  bool Send(const std::string&) override { return SetEvent(out_); }
  bool Receive(std::string*) override {
    return WaitForSingleObject(in_, INFINITE) == WAIT_OBJECT_0;
  }

 private:
  const HANDLE in_;
  const HANDLE out_;
};

class EventListener final : public Listener {
 public:
  // Made here and kept, so that the first signal is not lost.
  explicit EventListener(const std::string& name)
      : name_("Local\\" + name),
        connection_(std::make_unique<EventConnection>(name_ + ".ping",
                                                      name_ + ".pong")) {}

  std::string Address() override { return name_; }
  std::unique_ptr<Connection> Accept() override {
    return std::move(connection_);
  }

 private:
  const std::string name_;
  std::unique_ptr<Connection> connection_;
};

std::unique_ptr<Connection> ConnectEvents(const std::string& name) {
  return std::make_unique<EventConnection>(name + ".pong", name + ".ping");
}

// -----------------------------------------------------------------------------

struct Kind {
  const char* peer;
  std::unique_ptr<Listener> (*listen)(const std::string& name);
  std::unique_ptr<Connection> (*connect)(const std::string& address);
  bool moves_bytes;
};

const Kind kKinds[] = {
    {"named_pipe",
     [](const std::string& name) -> std::unique_ptr<Listener> {
       return std::make_unique<PipeListener>(name);
     },
     ConnectPipe, true},
    {"tcp_loopback",
     [](const std::string&) -> std::unique_ptr<Listener> {
       return std::make_unique<SocketListener>();
     },
     ConnectSocket, true},
    {"floor_wake",
     [](const std::string& name) -> std::unique_ptr<Listener> {
       return std::make_unique<EventListener>(name);
     },
     ConnectEvents, false},
};

// `what`: KIND,NAME,BYTES.
int Serve(const std::string& what) {
  const size_t first = what.find(','), last = what.rfind(',');
  const std::string peer = what.substr(0, first);
  const std::string name = what.substr(first + 1, last - first - 1);
  std::string buffer(std::strtoul(what.c_str() + last + 1, nullptr, 10), '\0');
  for (const Kind& kind : kKinds) {
    if (peer != kind.peer) continue;
    std::unique_ptr<Listener> listener = kind.listen(name);
    const std::string address = listener->Address();
    if (address.empty()) return 1;
    // The echo may sleep for ever; its process ends with its parent's wish.
    std::thread([address] {
      AnswerParent(address, [](const std::string&) { return ""; });
      std::_Exit(0);
    }).detach();
    std::unique_ptr<Connection> connection = listener->Accept();
    while (connection->Receive(&buffer) && connection->Send(buffer)) {
    }
    return 0;
  }
  return 1;
}

// Makes the other process and hands `measure` a round trip.
void WithRoundTrip(
    benchmark::State& state, size_t bytes, const Kind& kind,
    const std::function<void(const std::function<bool()>& round_trip)>&
        measure) {
  ChildProcess server({std::string(kServe) + kind.peer + "," + UniqueName() +
                       "," + std::to_string(bytes)});
  const std::string address = server.ok() ? server.ReadLine() : "";
  if (address.empty()) return Fail(state, "no server " + server.error());
  std::unique_ptr<Connection> connection = kind.connect(address);
  if (connection == nullptr) return Fail(state, "cannot connect");
  const std::string sent = Payload(bytes);
  std::string received(bytes, '\0');
  bool ok = connection->Send(sent) && connection->Receive(&received) &&
            (!kind.moves_bytes || received == sent);
  if (ok) {
    measure([&] {
      ok = ok && connection->Send(sent) && connection->Receive(&received);
      return ok;
    });
  }
  if (!ok) Fail(state, "the echoed bytes differ");
}

void Register(const Kind& kind) {
  for (size_t bytes : kUnaryBytes) {
    if (bytes == 0 || (bytes != 64 && !kind.moves_bytes)) continue;
    RegisterUnaryEcho(kind.peer, bytes, [&](benchmark::State& state, size_t n) {
      WithRoundTrip(state, n, kind, [&](const std::function<bool()>& call) {
        WarmUp(call);
        for (auto _ : state) call();
      });
    });
  }
  RegisterWindow("asleep_echo", kind.peer, "", 0, [&](benchmark::State& state) {
    Window window;
    WithRoundTrip(state, 64, kind, [&](const std::function<bool()>& call) {
      window = MeasureAsleep(state, call);
    });
    return window;
  });
}

}  // namespace
}  // namespace bench
}  // namespace shmrpc

int main(int argc, char** argv) {
  using namespace shmrpc::bench;
  WSADATA unused;
  if (WSAStartup(MAKEWORD(2, 2), &unused) != 0) return 1;
  const std::string serve = RoleArgument(argc, argv, kServe);
  if (!serve.empty()) return Serve(serve);
  for (const Kind& kind : kKinds) Register(kind);
  return RunBenchmarks(argc, argv);
}
