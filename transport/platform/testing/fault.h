// Makes accesses to a mapped view fault, as a hostile or dying peer can.

#ifndef SHMRPC_TRANSPORT_PLATFORM_TESTING_FAULT_H_
#define SHMRPC_TRANSPORT_PLATFORM_TESTING_FAULT_H_

#include "transport/platform/mapping.h"
#include "transport/platform/object_name.h"

namespace shmrpc {
namespace testing {

// From now on every first touch of a page of `view`, which maps the object
// called `name`, faults. Linux: the object is truncated to nothing, for every
// process that has it. Windows: the view's pages, in this process, are made
// inaccessible. Aborts if it cannot.
void MakeViewFault(const platform::ObjectName& name,
                   const platform::View& view);

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_TESTING_FAULT_H_
