#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport/platform/testing/fault.h"

namespace shmrpc {
namespace testing {

void MakeViewFault(const platform::ObjectName& name, const platform::View&) {
  // By name: opening and closing a descriptor would drop the creator's lock.
  if (truncate(name.OsName().c_str(), 0) == 0) return;
  perror("MakeViewFault: truncate");
  abort();
}

}  // namespace testing
}  // namespace shmrpc
