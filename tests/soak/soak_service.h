// The services of a soak's server: Scripted, with every handler in the ledger;
// and the ledger for its clients.
//
// Thread rule: any, as for every service. They outlive the server; the ledger
// outlives them.

#ifndef SHMRPC_TESTS_SOAK_SOAK_SERVICE_H_
#define SHMRPC_TESTS_SOAK_SOAK_SERVICE_H_

#include "shmrpc/shmrpc.h"
#include "tests/soak/ledger.h"
#include "tests/soak/ledger.shmrpc.pb.h"
#include "tests/support/script_service.h"

namespace shmrpc {
namespace testing {

class SoakServiceImpl final : public Scripted::Service {
 public:
  explicit SoakServiceImpl(Ledger* ledger) : ledger_(ledger) {}

  Status Unary(ServerContext* context, const Item* request,
               Item* response) override;
  Status ClientStream(ServerContext* context, ServerReader<Item>* reader,
                      Item* response) override;
  Status ServerStream(ServerContext* context, const Item* request,
                      ServerWriter<Item>* writer) override;
  Status Bidi(ServerContext* context,
              ServerReaderWriter<Item, Item>* stream) override;

  // Handlers that wait for their cancel end.
  void OpenAll() { script_.OpenAll(); }

 private:
  Ledger* const ledger_;
  ScriptServiceImpl script_;
};

class LedgerServiceImpl final : public LedgerService::Service {
 public:
  explicit LedgerServiceImpl(Ledger* ledger) : ledger_(ledger) {}

  Status Begin(ServerContext* context, const Session* request,
               Settlement* response) override;
  Status Settle(ServerContext* context, const Session* request,
                Settlement* response) override;

 private:
  Ledger* const ledger_;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_SOAK_SERVICE_H_
