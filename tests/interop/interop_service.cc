#include "tests/interop/interop_service.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace shmrpc {
namespace interop {
namespace {

std::string ToString(string_ref s) { return std::string(s.data(), s.size()); }

void EchoMetadata(ServerContext* context) {
  const auto& metadata = context->client_metadata();
  const auto initial = metadata.find(kEchoInitialKey);
  if (initial != metadata.end()) {
    context->AddInitialMetadata(kEchoInitialKey, ToString(initial->second));
  }
  const auto trailing = metadata.find(kEchoTrailingKey);
  if (trailing != metadata.end()) {
    context->AddTrailingMetadata(kEchoTrailingKey, ToString(trailing->second));
  }
}

Status ToStatus(const EchoStatus& status) {
  return Status(static_cast<StatusCode>(status.code()), status.message());
}

// A negative length makes none: it comes from the client.
std::string Body(int32_t size_bytes) {
  return std::string(size_bytes > 0 ? static_cast<size_t>(size_bytes) : 0,
                     '\0');
}

// Returns false if it was left early because of a cancel. A handler can only
// ask for that; nothing tells it.
bool Sleep(const ServerContext& context, std::chrono::microseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) {
    if (context.IsCancelled()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace

Status InteropServiceImpl::EmptyCall(ServerContext* context, const Empty*,
                                     Empty*) {
  EchoMetadata(context);
  return Status::OK;
}

Status InteropServiceImpl::UnaryCall(ServerContext* context,
                                     const SimpleRequest* request,
                                     SimpleResponse* response) {
  EchoMetadata(context);
  if (request->response_status().code() != 0) {
    return ToStatus(request->response_status());
  }
  response->mutable_payload()->set_body(Body(request->response_size()));
  return Status::OK;
}

Status InteropServiceImpl::StreamingInputCall(
    ServerContext* context, ServerReader<StreamingInputCallRequest>* reader,
    StreamingInputCallResponse* response) {
  EchoMetadata(context);
  StreamingInputCallRequest request;
  int64_t size = 0;
  while (reader->Read(&request)) {
    size += static_cast<int64_t>(request.payload().body().size());
  }
  response->set_aggregated_payload_size(size);
  NoteEnd(*context);
  return Status::OK;
}

Status InteropServiceImpl::StreamingOutputCall(
    ServerContext* context, const StreamingOutputCallRequest* request,
    ServerWriter<StreamingOutputCallResponse>* writer) {
  EchoMetadata(context);
  if (request->response_status().code() != 0) {
    return ToStatus(request->response_status());
  }
  Respond(*context, *request, writer);
  NoteEnd(*context);
  return Status::OK;
}

Status InteropServiceImpl::FullDuplexCall(ServerContext* context,
                                          OutputStream* stream) {
  EchoMetadata(context);
  StreamingOutputCallRequest request;
  while (stream->Read(&request)) {
    if (request.response_status().code() != 0) {
      return ToStatus(request.response_status());
    }
    if (!Respond(*context, request, stream)) break;
  }
  NoteEnd(*context);
  return Status::OK;
}

Status InteropServiceImpl::HalfDuplexCall(ServerContext* context,
                                          OutputStream* stream) {
  EchoMetadata(context);
  std::vector<StreamingOutputCallRequest> requests;
  for (StreamingOutputCallRequest request; stream->Read(&request);) {
    requests.push_back(request);
  }
  for (const StreamingOutputCallRequest& request : requests) {
    if (request.response_status().code() != 0) {
      return ToStatus(request.response_status());
    }
    if (!Respond(*context, request, stream)) break;
  }
  NoteEnd(*context);
  return Status::OK;
}

bool InteropServiceImpl::Respond(
    const ServerContext& context, const StreamingOutputCallRequest& request,
    WriterInterface<StreamingOutputCallResponse>* writer) {
  for (const ResponseParameters& parameters : request.response_parameters()) {
    const std::chrono::microseconds interval(parameters.interval_us());
    if (!Sleep(context, interval)) return false;
    StreamingOutputCallResponse response;
    response.mutable_payload()->set_body(Body(parameters.size()));
    {
      absl::MutexLock lock(&mutex_);
      ++responses_begun_;
    }
    if (!writer->Write(response)) return false;
  }
  return true;
}

void InteropServiceImpl::NoteEnd(const ServerContext& context) {
  if (!context.IsCancelled()) return;
  absl::MutexLock lock(&mutex_);
  ++cancelled_;
}

int64_t InteropServiceImpl::responses_begun() const {
  absl::MutexLock lock(&mutex_);
  return responses_begun_;
}

void InteropServiceImpl::AwaitCancelled(int64_t count) {
  absl::MutexLock lock(&mutex_);
  const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return cancelled_ >= count;
  };
  mutex_.Await(absl::Condition(&reached));
}

}  // namespace interop
}  // namespace shmrpc
