#include "tests/soak/soak_service.h"

#include <algorithm>

namespace shmrpc {
namespace testing {
namespace {

constexpr int kThrew = -1;

// RandomCall sends as much metadata as it wants back, all of one letter.
bool HasWrongMetadata(const ServerContext& context) {
  const auto found = context.client_metadata().find("x-c");
  if (found == context.client_metadata().end()) return false;
  const string_ref value = found->second;
  return value.empty() || std::any_of(value.begin(), value.end(),
                                      [](char c) { return c != 'c'; });
}

// In the ledger from its making to its end, also when the handler throws.
class Entry {
 public:
  Entry(Ledger* ledger, ServerContext* context)
      : ledger_(ledger), context_(context), id_(CallId::Of(*context)) {
    ledger_->Begin(id_, HasWrongMetadata(*context));
  }
  ~Entry() { ledger_->End(id_, code_, context_->IsCancelled()); }

  Status Returns(const Status& status) {
    code_ = status.error_code();
    return status;
  }

 private:
  Ledger* const ledger_;
  ServerContext* const context_;
  const CallId id_;
  int code_ = kThrew;
};

}  // namespace

Status SoakServiceImpl::Unary(ServerContext* context, const Item* request,
                              Item* response) {
  Entry entry(ledger_, context);
  return entry.Returns(script_.Unary(context, request, response));
}

Status SoakServiceImpl::ClientStream(ServerContext* context,
                                     ServerReader<Item>* reader,
                                     Item* response) {
  Entry entry(ledger_, context);
  return entry.Returns(script_.ClientStream(context, reader, response));
}

Status SoakServiceImpl::ServerStream(ServerContext* context,
                                     const Item* request,
                                     ServerWriter<Item>* writer) {
  Entry entry(ledger_, context);
  return entry.Returns(script_.ServerStream(context, request, writer));
}

Status SoakServiceImpl::Bidi(ServerContext* context,
                             ServerReaderWriter<Item, Item>* stream) {
  Entry entry(ledger_, context);
  return entry.Returns(script_.Bidi(context, stream));
}

Status LedgerServiceImpl::Begin(ServerContext*, const Session*,
                                Settlement* response) {
  response->set_generation(ledger_->generation());
  return Status::OK;
}

Status LedgerServiceImpl::Settle(ServerContext*, const Session* request,
                                 Settlement* response) {
  *response = ledger_->Settle(request->name());
  return Status::OK;
}

}  // namespace testing
}  // namespace shmrpc
