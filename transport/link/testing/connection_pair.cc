#include "transport/link/testing/connection_pair.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/statusor.h"
#include "transport/platform/process.h"
#include "transport/platform/testing/leftovers.h"

namespace shmrpc {
namespace testing {
namespace {

template <class T>
T OrDie(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "ConnectionPair: %s\n",
                 result.status().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

memory::ConnectionPage* PageOf(const platform::View& view) {
  return reinterpret_cast<memory::ConnectionPage*>(view.data());
}

}  // namespace

ConnectionPair::ConnectionPair(
    uint64_t ring_size_bytes,
    std::shared_ptr<memory::MemoryAccount> server_account)
    : ring_size_bytes_(ring_size_bytes),
      name_{platform::Scope::kLocal, UniqueName("shmrpc-test.pair")} {
  const uint64_t size_bytes = memory::ConnectionSizeBytes(ring_size_bytes);
  const auto access = platform::Access::kReadWrite;
  auto made = OrDie(platform::NamedMapping::Create(name_, size_bytes, {}));
  auto client_view = OrDie(made.Map(0, size_bytes, access));
  auto opened = OrDie(platform::NamedMapping::Open(name_, {}));
  auto server_view = OrDie(opened.Map(0, size_bytes, access));

  const auto client_wake = name_.WithSuffix(".w");
  const auto server_wake = name_.WithSuffix(".p");
  client_event_ = OrDie(platform::Event::Create(
      client_wake, &PageOf(client_view)->client_wake.word, {}));
  server_event_ =
      OrDie(platform::Event::Create(server_wake, &server_word_, {}));
  auto rings_client = OrDie(platform::Event::Open(
      client_wake, &PageOf(server_view)->client_wake.word));
  auto rings_server = OrDie(platform::Event::Open(server_wake, &server_word_));

  link::Connection::Parts client;
  client.mapping = std::move(made);
  client.view = std::move(client_view);
  client.peer_event = std::move(rings_server);
  link::Connection::Parts server;
  server.mapping = std::move(opened);
  server.view = std::move(server_view);
  server.peer_event = std::move(rings_client);
  server.memory_account = std::move(server_account);
  for (link::Connection::Parts* parts : {&client, &server}) {
    parts->name = name_;
    parts->ring_size_bytes = ring_size_bytes;
    parts->peer = platform::CurrentProcess();
  }
  client_ = std::make_unique<link::Connection>(memory::kClientSide,
                                               std::move(client));
  server_ = std::make_unique<link::Connection>(memory::kServerSide,
                                               std::move(server));
}

}  // namespace testing
}  // namespace shmrpc
