#include "tests/soak/tally.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace shmrpc {
namespace testing {
namespace {

// Every number of `tally`, always in the same order.
std::vector<int64_t*> Numbers(Tally* tally) {
  std::vector<int64_t*> numbers;
  for (auto& of_kind : tally->calls) {
    for (int64_t& count : of_kind) numbers.push_back(&count);
  }
  numbers.insert(numbers.end(), {&tally->bytes, &tally->sessions,
                                 &tally->interrupted, &tally->settled});
  return numbers;
}

}  // namespace

void Tally::Count(CallKind kind, Ending ending, int64_t payload_bytes) {
  ++calls[static_cast<int>(kind)][static_cast<int>(ending)];
  bytes += payload_bytes;
}

void Tally::Add(const Tally& other) {
  Tally copy = other;
  const std::vector<int64_t*> from = Numbers(&copy);
  const std::vector<int64_t*> to = Numbers(this);
  for (size_t i = 0; i < to.size(); ++i) *to[i] += *from[i];
}

int64_t Tally::total() const {
  int64_t sum = 0;
  for (int i = 0; i < kEndings; ++i) sum += total(static_cast<Ending>(i));
  return sum;
}

int64_t Tally::total(Ending ending) const {
  int64_t sum = 0;
  for (const auto& of_kind : calls) sum += of_kind[static_cast<int>(ending)];
  return sum;
}

std::string Tally::ToLine() const {
  Tally copy = *this;
  return absl::StrJoin(Numbers(&copy), " ",
                       [](std::string* out, const int64_t* number) {
                         out->append(std::to_string(*number));
                       });
}

bool Tally::FromLine(absl::string_view line) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  const std::vector<int64_t*> numbers = Numbers(this);
  if (words.size() != numbers.size()) return false;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!absl::SimpleAtoi(words[i], numbers[i])) return false;
  }
  return true;
}

std::string Tally::ToTable() const {
  std::string table = absl::StrFormat("%-14s", "calls");
  for (int i = 0; i < kEndings; ++i) {
    absl::StrAppendFormat(&table, "%15s", EndingName(static_cast<Ending>(i)));
  }
  for (const CallKind kind : kCallKinds) {
    absl::StrAppendFormat(&table, "\n%-14s", CallKindName(kind));
    for (const int64_t count : calls[static_cast<int>(kind)]) {
      absl::StrAppendFormat(&table, "%15d", count);
    }
  }
  return table;
}

}  // namespace testing
}  // namespace shmrpc
