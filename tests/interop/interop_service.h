// TestService (proto/interop.proto) as its schema says, and what a test wants
// to know of it.
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_INTEROP_INTEROP_SERVICE_H_
#define SHMRPC_TESTS_INTEROP_INTEROP_SERVICE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/interop.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"

namespace shmrpc {
namespace interop {

// Keys of the metadata that handlers send back.
constexpr char kEchoInitialKey[] = "x-grpc-test-echo-initial";
constexpr char kEchoTrailingKey[] = "x-grpc-test-echo-trailing-bin";

class InteropServiceImpl final : public TestService::Service {
 public:
  using Empty = google::protobuf::Empty;
  using OutputStream = ServerReaderWriter<StreamingOutputCallResponse,
                                          StreamingOutputCallRequest>;

  Status EmptyCall(ServerContext* context, const Empty* request,
                   Empty* response) override;
  Status UnaryCall(ServerContext* context, const SimpleRequest* request,
                   SimpleResponse* response) override;
  Status StreamingInputCall(ServerContext* context,
                            ServerReader<StreamingInputCallRequest>* reader,
                            StreamingInputCallResponse* response) override;
  Status StreamingOutputCall(
      ServerContext* context, const StreamingOutputCallRequest* request,
      ServerWriter<StreamingOutputCallResponse>* writer) override;
  Status FullDuplexCall(ServerContext* context, OutputStream* stream) override;
  Status HalfDuplexCall(ServerContext* context, OutputStream* stream) override;

  // Responses that streaming handlers of any call have begun to write. One that
  // is counted and not yet written waits for its reader.
  int64_t responses_begun() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Until so many streaming handlers found their call cancelled at their end.
  void AwaitCancelled(int64_t count) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Writes what the request asks for; false once the call has ended.
  bool Respond(const ServerContext& context,
               const StreamingOutputCallRequest& request,
               WriterInterface<StreamingOutputCallResponse>* writer);
  void NoteEnd(const ServerContext& context) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  int64_t responses_begun_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace interop
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_INTEROP_INTEROP_SERVICE_H_
