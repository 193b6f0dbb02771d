// A server with one method of each kind, of which a test says what they do, and
// a client made by hand (hand_made_client.h).
//
//   TEST_F(ServerStreamTest, ...) {
//     service_.bidi = [](ServerContext*, Stream* stream) { ... };
//     Start();
//     client_->Open(1, kBidi);
//     ...
//   }
//
// Where a handler refers to what the test has on its stack, the test shuts the
// server down before that goes.

#ifndef SHMRPC_TRANSPORT_RPC_TESTING_SERVER_STREAM_FIXTURE_H_
#define SHMRPC_TRANSPORT_RPC_TESTING_SERVER_STREAM_FIXTURE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/server_builder.h"
#include "transport/memory/layout.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/rpc/testing/hand_made_client.h"

namespace shmrpc {
namespace testing {

// What HandMadeClient calls.
class HandMadeService : public Service {
 public:
  using StringValue = google::protobuf::StringValue;
  using Stream = ServerReaderWriter<StringValue, StringValue>;

  HandMadeService();

  std::function<Status(ServerContext*, const StringValue*, StringValue*)> unary;
  std::function<Status(ServerContext*, ServerReader<StringValue>*,
                       StringValue*)>
      up;
  std::function<Status(ServerContext*, const StringValue*,
                       ServerWriter<StringValue>*)>
      down;
  std::function<Status(ServerContext*, Stream*)> bidi;

  // As `bidi`.
  static Status EchoAll(ServerContext*, Stream* stream);

 private:
  Status Unary(ServerContext* context, const StringValue* request,
               StringValue* response) {
    return unary(context, request, response);
  }
  Status Up(ServerContext* context, ServerReader<StringValue>* reader,
            StringValue* response) {
    return up(context, reader, response);
  }
  Status Down(ServerContext* context, const StringValue* request,
              ServerWriter<StringValue>* writer) {
    return down(context, request, writer);
  }
  Status Bidi(ServerContext* context, Stream* stream) {
    return bidi(context, stream);
  }
};

class ServerStreamTest : public ::testing::Test {
 protected:
  using StringValue = HandMadeService::StringValue;
  using Stream = HandMadeService::Stream;
  using Got = HandMadeClient::Got;
  using Method = HandMadeClient::Method;
  static constexpr Method kUnary = HandMadeClient::kUnary;
  static constexpr Method kUp = HandMadeClient::kUp;
  static constexpr Method kDown = HandMadeClient::kDown;
  static constexpr Method kBidi = HandMadeClient::kBidi;

  static StringValue Text(const std::string& value);
  // A quarter of a stream's window, and the text of a message that costs that
  // much exactly.
  static constexpr uint64_t kQuarter = memory::kWindowBytes / 4;
  static const std::string& QuarterMessage();

  // After the handlers were set.
  void Start();
  std::unique_ptr<HandMadeClient> NewClient();
  void TearDown() override;

  Watchdog dog_{120, "server stream"};
  const std::string name_ = UniqueName("test.stream");
  ServerBuilder builder_;
  HandMadeService service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<HandMadeClient> client_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_TESTING_SERVER_STREAM_FIXTURE_H_
