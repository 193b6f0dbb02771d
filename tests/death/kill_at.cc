#include "tests/death/kill_at.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/store_point.h"
#include "transport/platform/testing/role.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr const char* kNames[] = {
#include "tests/death/store_point_names.inc"
};
constexpr int kCount = sizeof(kNames) / sizeof(kNames[0]);

// Relaxed everywhere: counts, of which each value is given out once.
std::atomic<int64_t> counts[kCount];
std::atomic<int64_t> total{0};
// Set before the hook is.
int victim = -1;  // index of a name; -1: any
int64_t at = 0;   // 0: never

void AtPoint(const char* name) {
  int index = 0;
  while (index < kCount && std::strcmp(kNames[index], name) != 0) ++index;
  if (index == kCount) {
    std::fprintf(stderr, "store point \"%s\" is not in the sources\n", name);
    std::abort();
  }
  const int64_t of_name =
      counts[index].fetch_add(1, std::memory_order_relaxed) + 1;
  const int64_t of_all = total.fetch_add(1, std::memory_order_relaxed) + 1;
  if (at == 0 || (victim < 0 ? of_all : index == victim ? of_name : 0) != at) {
    return;
  }
  SendLine(absl::StrCat("died ", name));
  EndThisProcess();
}

}  // namespace

const std::vector<std::string>& StorePointNames() {
  static const auto* const names =
      new std::vector<std::string>(kNames, kNames + kCount);
  return *names;
}

void ArmKill(const std::string& where) {
  const size_t space = where.rfind(' ');
  if (space != std::string::npos) {
    const std::string name = where.substr(0, space);
    if (!absl::SimpleAtoi(where.substr(space + 1), &at)) std::abort();
    if (name != "any") {
      victim =
          static_cast<int>(std::find(kNames, kNames + kCount, name) - kNames);
      if (victim == kCount) std::abort();
    }
  } else if (where != "none") {
    std::abort();
  }
  platform::SetStorePointHook(&AtPoint);
}

std::string CountedPoints() {
  std::string line = "counts ";
  for (int i = 0; i < kCount; ++i) {
    absl::StrAppend(&line, i == 0 ? "" : ",", kNames[i], "=",
                    counts[i].load(std::memory_order_relaxed));
  }
  return line;
}

}  // namespace testing
}  // namespace shmrpc
