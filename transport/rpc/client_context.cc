#include "shmrpc/client_context.h"

#include "transport/rpc/metadata_maps.h"

namespace shmrpc {

ClientContext::ClientContext() = default;

ClientContext::~ClientContext() {
  // The call has ended before; only the group still knows the slot.
  if (parent_ != nullptr) parent_->Remove(&cancel_);
}

void ClientContext::AddMetadata(const std::string& key,
                                const std::string& value) {
  internal::AddPair(key, value, &metadata_, &metadata_complaint_);
}

void ClientContext::TryCancel() { cancel_.Request(); }

}  // namespace shmrpc
