// Calls counted by their kind and ending, and what else a client process
// counts.
//
//   Tally tally;
//   tally.Count(CallKind::kUnary, Ending::kOk, bytes);
//   SendLine(tally.ToLine());           // to the test, which adds it up
//
// Thread rule: one thread at a time.

#ifndef SHMRPC_TESTS_SOAK_TALLY_H_
#define SHMRPC_TESTS_SOAK_TALLY_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/support/random_call.h"
#include "tests/support/script.h"

namespace shmrpc {
namespace testing {

constexpr int kCallKindCount = 4;

struct Tally {
  int64_t calls[kCallKindCount][kEndings] = {};
  int64_t bytes = 0;
  int64_t sessions = 0;     // each with a channel of its own
  int64_t interrupted = 0;  // of these: the server was another at the end
  int64_t settled = 0;      // calls found in the server's ledger as they should

  void Count(CallKind kind, Ending ending, int64_t payload_bytes);
  void Add(const Tally& other);

  int64_t total() const;
  int64_t total(Ending ending) const;

  std::string ToLine() const;
  // False if `line` is none.
  bool FromLine(absl::string_view line);

  // A row per kind, a column per ending.
  std::string ToTable() const;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SOAK_TALLY_H_
