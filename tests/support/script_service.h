// Scripted (script.proto): handlers that follow the script of their caller.
//
// A call without a script, or whose script has a step that its kind cannot do,
// ends with INVALID_ARGUMENT. Reports and gates are
// kept as long as the service lives.
//
// Thread rule: any.

#ifndef SHMRPC_TESTS_SUPPORT_SCRIPT_SERVICE_H_
#define SHMRPC_TESTS_SUPPORT_SCRIPT_SERVICE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "shmrpc/shmrpc.h"
#include "tests/support/script.shmrpc.pb.h"

namespace shmrpc {
namespace testing {

// The client metadata that holds a serialized Script.
constexpr char kScriptKey[] = "x-script-bin";

class ScriptServiceImpl final : public Scripted::Service {
 public:
  Status Unary(ServerContext* context, const Item* request,
               Item* response) override;
  Status ClientStream(ServerContext* context, ServerReader<Item>* reader,
                      Item* response) override;
  Status ServerStream(ServerContext* context, const Item* request,
                      ServerWriter<Item>* writer) override;
  Status Bidi(ServerContext* context,
              ServerReaderWriter<Item, Item>* stream) override;
  Status AwaitReport(ServerContext* context, const ReportRequest* request,
                     HandlerReport* response) override;
  Status Pass(ServerContext* context, const GateName* request,
              Item* response) override;

  // What Pass does, from within the server's process.
  void Open(const std::string& gate) ABSL_LOCKS_EXCLUDED(mutex_);
  // Handlers that have begun and not ended, of all scripts.
  int64_t Running() ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets all go, those that hold until a cancel too.
  void OpenAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Play;
  // What a handler has to work with; null: its kind of call has no such thing.
  struct Ends {
    ServerStreamingInterface* stream = nullptr;
    ReaderInterface<Item>* reader = nullptr;
    WriterInterface<Item>* writer = nullptr;
    Item* response = nullptr;
  };
  struct Record {
    int64_t latest = 0;  // the number of the handler that began last
    HandlerReport report;
  };

  Status Run(ServerContext* context, const Ends& ends);

  absl::Mutex mutex_;
  std::map<std::string, Record> records_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> open_gates_ ABSL_GUARDED_BY(mutex_);
  bool all_open_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_SCRIPT_SERVICE_H_
