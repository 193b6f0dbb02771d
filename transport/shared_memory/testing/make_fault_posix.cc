#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "transport/shared_memory/testing/test_memory.h"

namespace shmrpc {
namespace testing {

void MakeFault(absl::string_view plain_name, const MemoryView&) {
  if (truncate(absl::StrCat("/dev/shm/", plain_name).c_str(), 0) == 0) return;
  perror("MakeFault: truncate");
  abort();
}

}  // namespace testing
}  // namespace shmrpc
