// What is read and written of a record, access by access: the ring's page is
// closed, so that each access faults, and is opened for one instruction (x86's
// trap flag). So a second look, or a store behind the publication, is seen even
// if nobody is there to make use of it, which double_fetch_test needs luck for.

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"
#include "transport/link/connection.h"
#include "transport/link/testing/connection_pair.h"
#include "transport/memory/layout.h"

namespace shmrpc {
namespace testing {
namespace {

using link::Frame;
using memory::kClientSide;
using memory::kServerSide;

constexpr greg_t kTrapFlag = 0x100;
constexpr greg_t kWriteError = 2;
constexpr size_t kMostAccesses = 1000;

// Where an access begins, in the page.
using Offsets = std::vector<uint64_t>;
struct Accesses {
  Offsets reads;
  Offsets writes;
};

// For the handlers; one trace at a time.
uint8_t* traced = nullptr;  // a page
struct {
  uint64_t offset;
  bool write;
} seen[kMostAccesses];
size_t seen_count = 0;

void Protect(int protection) { mprotect(traced, memory::kPage, protection); }

void OnFault(int, siginfo_t* info, void* context) {
  const uint64_t offset =
      static_cast<uint64_t>(static_cast<uint8_t*>(info->si_addr) - traced);
  if (offset >= memory::kPage) {
    signal(SIGSEGV, SIG_DFL);  // not ours: it faults once more
    return;
  }
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  if (seen_count < kMostAccesses) {
    seen[seen_count++] = {offset, (registers[REG_ERR] & kWriteError) != 0};
  }
  Protect(PROT_READ | PROT_WRITE);
  registers[REG_EFL] |= kTrapFlag;
}

void OnStep(int, siginfo_t*, void* context) {
  Protect(PROT_NONE);
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
}

// What `action` does to `page`.
template <class Action>
Accesses AccessesOf(uint8_t* page, Action action) {
  struct sigaction before[2];
  struct sigaction handler = {};
  handler.sa_flags = SA_SIGINFO;
  handler.sa_sigaction = &OnFault;
  sigaction(SIGSEGV, &handler, &before[0]);
  handler.sa_sigaction = &OnStep;
  sigaction(SIGTRAP, &handler, &before[1]);
  traced = page;
  seen_count = 0;
  Protect(PROT_NONE);
  action();
  Protect(PROT_READ | PROT_WRITE);
  sigaction(SIGSEGV, &before[0], nullptr);
  sigaction(SIGTRAP, &before[1], nullptr);
  EXPECT_LT(seen_count, kMostAccesses);
  Accesses accesses;
  for (size_t i = 0; i < seen_count; ++i) {
    (seen[i].write ? accesses.writes : accesses.reads)
        .push_back(seen[i].offset);
  }
  return accesses;
}

// An offset that stands there twice, or -1.
int64_t Twice(Offsets offsets) {
  std::sort(offsets.begin(), offsets.end());
  const auto twice = std::adjacent_find(offsets.begin(), offsets.end());
  return twice == offsets.end() ? -1 : static_cast<int64_t>(*twice);
}

void Send(link::Connection* from, uint64_t message_bytes) {
  link::OutgoingFrame frame;
  frame.kind = memory::kFrameOpen;
  frame.metadata = "metadata";
  frame.has_message = true;
  frame.message_bytes = message_bytes;
  const absl::Status sent = from->Send(
      frame, [&](uint8_t* to) { std::memset(to, 7, message_bytes); });
  ASSERT_TRUE(sent.ok()) << sent;
}

// In the ring, shorter and longer than a line; in a block, the first time
// behind the record of its segment.
constexpr uint64_t kSizes[] = {0, 8, 300, 20000, 20000};
constexpr size_t kFrames = sizeof(kSizes) / sizeof(kSizes[0]);

TEST(RecordAccess, NoWordIsReadTwice) {
  ConnectionPair pair(memory::kMinRingSizeBytes);
  for (const uint64_t size : kSizes) Send(&pair.client(), size);
  Frame frames[kFrames];
  size_t taken = 0;
  const Offsets reads =
      AccessesOf(pair.ring(kServerSide, kClientSide), [&] {
        while (taken < kFrames && pair.server().Next(&frames[taken])) ++taken;
      }).reads;
  ASSERT_EQ(taken, kFrames) << pair.server().status();
  EXPECT_TRUE(frames[kFrames - 1].in_block());
  EXPECT_EQ(reads[0], 0u);
  EXPECT_GT(reads.size(), 2 * kFrames);
  EXPECT_EQ(Twice(reads), -1);
}

TEST(RecordAccess, PublicationIsTheLastWrite) {
  for (const uint64_t size : {0, 8, 300}) {
    ConnectionPair pair(memory::kMinRingSizeBytes);
    const Offsets writes = AccessesOf(pair.ring(kClientSide, kClientSide), [&] {
                             Send(&pair.client(), size);
                           }).writes;
    EXPECT_GT(writes.size(), 2u);
    EXPECT_EQ(std::count(writes.begin(), writes.end(), 0), 1);
    EXPECT_EQ(writes.back(), 0u);
  }
}

TEST(RecordAccess, SecondLookIsSeen) {
  ConnectionPair pair(memory::kMinRingSizeBytes);
  uint8_t* ring = pair.ring(kServerSide, kClientSide);
  const volatile uint32_t& word = *reinterpret_cast<uint32_t*>(ring + 24);
  EXPECT_EQ(Twice(AccessesOf(ring, [&] { (void)word; }).reads), -1);
  const auto look_twice = [&] {
    (void)word;
    (void)word;
  };
  EXPECT_EQ(Twice(AccessesOf(ring, look_twice).reads), 24);
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
