// The peers pipe and unix_socket: bytes to another process and back, through
// the kernel. No message format, no protobuf: each side knows the length.

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "bench/floors/floors.h"
#include "bench/floors/two_processes.h"
#include "bench/scenario.h"

namespace shmrpc {
namespace bench {
namespace {

// One side's descriptors; a socket's are the same one.
struct Ends {
  int in = -1;
  int out = -1;

  void Close() {
    close(in);
    if (out != in) close(out);
  }
};

using MakeEnds = bool (*)(Ends* here, Ends* there);

bool MakePipes(Ends* here, Ends* there) {
  int forth[2], back[2];
  if (pipe(forth) != 0 || pipe(back) != 0) return false;
  *here = {back[0], forth[1]};
  *there = {forth[0], back[1]};
  return true;
}

bool MakeSockets(Ends* here, Ends* there) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) return false;
  *here = {sockets[0], sockets[0]};
  *there = {sockets[1], sockets[1]};
  return true;
}

bool ReadAll(int descriptor, std::string* bytes) {
  for (size_t done = 0; done < bytes->size();) {
    const ssize_t n = read(descriptor, &(*bytes)[done], bytes->size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

bool WriteAll(int descriptor, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n =
        write(descriptor, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

// Makes the two processes and hands `measure` a round trip.
void WithRoundTrip(
    benchmark::State& state, size_t bytes, MakeEnds make,
    const std::function<void(const std::function<bool()>& round_trip)>&
        measure) {
  Ends here, there;
  if (!make(&here, &there)) return Fail(state, "no pipes or sockets");
  TwoProcesses peer(4096, [=](void*) mutable {
    here.Close();  // or the end of its input would never come
    std::string buffer(bytes, '\0');
    while (ReadAll(there.in, &buffer) && WriteAll(there.out, buffer)) {
    }
  });
  there.Close();
  const std::string sent = Payload(bytes);
  std::string received(bytes, '\0');
  bool ok = peer.ok() && WriteAll(here.out, sent) &&
            ReadAll(here.in, &received) && received == sent;
  if (ok) {
    measure([&] {
      ok = ok && WriteAll(here.out, sent) && ReadAll(here.in, &received);
      return ok;
    });
  }
  here.Close();
  if (!ok) Fail(state, "the echoed bytes differ " + peer.error());
}

void Register(const std::string& peer, MakeEnds make) {
  for (size_t bytes : kUnaryBytes) {
    if (bytes == 0) continue;  // nothing to wait for
    RegisterUnaryEcho(peer, bytes, [=](benchmark::State& state, size_t n) {
      WithRoundTrip(state, n, make, [&](const std::function<bool()>& call) {
        WarmUp(call);
        for (auto _ : state) call();
      });
    });
  }
  RegisterWindow("asleep_echo", peer, "", 0, [=](benchmark::State& state) {
    Window window;
    WithRoundTrip(state, 64, make, [&](const std::function<bool()>& call) {
      window = MeasureAsleep(state, call);
    });
    return window;
  });
}

}  // namespace

void RegisterRawEchoes() {
  Register("pipe", MakePipes);
  Register("unix_socket", MakeSockets);
}

}  // namespace bench
}  // namespace shmrpc
