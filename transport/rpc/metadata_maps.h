// Metadata as programs see it, to and from the bytes that travel
// (link/metadata.h).
//
//   AddPair("x-user", "ada", &bytes, &complaint);   // what a context adds
//   if (!complaint.empty()) ... the call must not be made ...
//
//   std::string bytes = ...;                        // what arrived
//   std::multimap<string_ref, string_ref> map;
//   if (!ToMap(bytes, &map)) ... the peer lies ...
//
// Thread rule: none of their own.

#ifndef SHMRPC_TRANSPORT_RPC_METADATA_MAPS_H_
#define SHMRPC_TRANSPORT_RPC_METADATA_MAPS_H_

#include <map>
#include <string>

#include "shmrpc/string_ref.h"

namespace shmrpc {
namespace internal {

// Appends a pair to `*bytes`. Keys have letters of a to z, digits, '-', '_' and
// '.'; "grpc-message", "grpc-status" and "grpc-timeout" are the runtime's own.
// The values of keys that end in "-bin" are any bytes, others are ' ' to '~'.
// A pair that breaks a rule is left out; the first one is described in
// `*complaint`, which is empty until then.
void AddPair(const std::string& key, const std::string& value,
             std::string* bytes, std::string* complaint);

// Replaces `*map` by the pairs in `bytes`, which it then points into: the
// string must live as long, and neither change nor move. Equal keys keep their
// order. The status text, which travels as "grpc-message", is left out. False:
// `bytes` are no metadata; `*map` is empty.
bool ToMap(const std::string& bytes,
           std::multimap<string_ref, string_ref>* map);

}  // namespace internal
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_RPC_METADATA_MAPS_H_
