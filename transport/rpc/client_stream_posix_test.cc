// Streams that a forked process has inherited.

#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "shmrpc/client_context.h"
#include "transport/platform/testing/watchdog.h"
#include "transport/rpc/client_stream.h"
#include "transport/rpc/testing/hand_made_server.h"

namespace shmrpc {
namespace internal {
namespace {

using google::protobuf::StringValue;
using ::shmrpc::testing::HandMadeServer;
using ::shmrpc::testing::Watchdog;

// In the child: 0, or which expectation failed.
int UseAndDrop(std::unique_ptr<LocalClientStream> stream,
               std::unique_ptr<ClientContext> context, bool finish) {
  alarm(30);  // no watchdog thread here
  StringValue message;
  if (stream->Write(message, {})) return 1;
  if (stream->Read(&message)) return 2;
  context->TryCancel();
  if (finish && stream->Finish().error_code() != StatusCode::UNAVAILABLE) {
    return 3;
  }
  stream.reset();
  context.reset();
  return 0;
}

TEST(ForkedClientStream, ChildLeavesTheParentsCallAlone) {
  Watchdog dog(60, "forked client stream");
  static const RpcMethod method("/test.Service/Stream");
  HandMadeServer server;
  for (const bool finish : {false, true}) {
    auto context = std::make_unique<ClientContext>();
    auto stream = std::make_unique<LocalClientStream>(
        server.client(), method, context.get(), CallOptions(), nullptr,
        nullptr);
    ASSERT_TRUE(stream->Start().ok());
    const uint32_t id = server.Take(memory::kFrameOpen).fields.call_id;
    const pid_t child = fork();
    if (child == 0) {
      _exit(UseAndDrop(std::move(stream), std::move(context), finish));
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    // The next frame is the parent's.
    EXPECT_TRUE(stream->WritesDone());
    link::Frame frame;
    ASSERT_TRUE(server.link().Next(&frame));
    EXPECT_EQ(frame.fields.kind, memory::kFrameMessage);
    EXPECT_TRUE(frame.last());
    server.Close(id, StatusCode::OK, "", "", false);
    EXPECT_TRUE(stream->Finish().ok());
  }
}

}  // namespace
}  // namespace internal
}  // namespace shmrpc
