#include "tests/support/echo_service.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "transport/platform/process.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

// Returns false if it was left early because of a cancel.
bool Sleep(const ServerContext& context, const EchoRequest& request) {
  const auto end = steady_clock::now() + milliseconds(request.sleep_ms());
  while (steady_clock::now() < end) {
    if (!request.stop_when_cancelled()) {
      std::this_thread::sleep_until(end);
      continue;
    }
    if (context.IsCancelled()) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

void FillPayload(const EchoRequest& request, std::string* payload) {
  if (request.reply_size_bytes() == 0) {
    *payload = request.payload();
    return;
  }
  const size_t size = static_cast<size_t>(request.reply_size_bytes());
  if (request.payload().empty()) {
    payload->assign(size, '\0');
    return;
  }
  payload->reserve(size);
  while (payload->size() < size) {
    payload->append(request.payload(), 0, size - payload->size());
  }
}

}  // namespace

Status EchoServiceImpl::Echo(ServerContext* context, const EchoRequest* request,
                             EchoReply* reply) {
  const auto deadline = context->deadline();
  reply->set_deadline_remaining_ms(
      deadline == system_clock::time_point::max()
          ? -1
          : std::chrono::duration_cast<milliseconds>(deadline -
                                                     system_clock::now())
                .count());
  if (request->crash()) std::_Exit(kCrashExitCode);
  if (request->sleep_ms() > 0 && !Sleep(*context, *request)) {
    return Status::CANCELLED;
  }
  FillPayload(*request, reply->mutable_payload());
  reply->set_text(request->text());
  reply->set_server_pid(platform::CurrentProcess().pid);
  reply->set_peer(context->peer());
  reply->set_was_cancelled(context->IsCancelled());
  if (request->status_code() != 0) {
    return Status(static_cast<StatusCode>(request->status_code()),
                  request->status_message());
  }
  return Status::OK;
}

Status EchoServiceImpl::Empty(ServerContext*, const google::protobuf::Empty*,
                              google::protobuf::Empty*) {
  return Status::OK;
}

}  // namespace testing
}  // namespace shmrpc
