// Access to views: ranges, copies, atomics, visits, and faults.

#include "shmrpc/memory_view.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/shared_memory.h"
#include "transport/platform/guard.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/shared_memory/testing/test_memory.h"

namespace shmrpc {
namespace {

using ::shmrpc::testing::MakeFault;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::TestName;
using ::testing::HasSubstr;

constexpr uint64_t kSize = 64 << 10;

struct Mapped {
  explicit Mapped(absl::string_view stem)
      : name(stem),
        memory(SharedMemory::Create(name, kSize).value()),
        view(memory.Map().value()) {}
  void Break() { MakeFault(name, view); }

  TestName name;
  SharedMemory memory;
  MemoryView view;
};

absl::StatusCode Code(const absl::Status& status) { return status.code(); }

TEST(MemoryView, WrittenBytesAreRead) {
  Mapped mapped("bytes");
  const std::string text = "hello, memory";
  ASSERT_TRUE(
      mapped.view.Write(kSize - text.size(), text.data(), text.size()).ok());
  std::string seen(text.size(), '?');
  ASSERT_TRUE(
      mapped.view.Read(kSize - text.size(), &seen[0], seen.size()).ok());
  EXPECT_EQ(seen, text);
}

struct Header {
  uint32_t version;
  double ratio;
  std::array<uint16_t, 3> sizes;
};

TEST(MemoryView, TypedValuesGoAnywhere) {
  Mapped mapped("typed");
  ASSERT_TRUE(mapped.view.Write(13, Header{3, 0.5, {{1, 2, 3}}}).ok());
  const absl::StatusOr<Header> header = mapped.view.Read<Header>(13);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->version, 3u);
  EXPECT_EQ(header->ratio, 0.5);
  EXPECT_EQ(header->sizes[2], 3);
  EXPECT_EQ(*mapped.view.Read<int>(0), 0);
}

TEST(MemoryView, StoredIsLoaded) {
  Mapped mapped("atomic");
  ASSERT_TRUE(mapped.view.Store<uint8_t>(1, 1).ok());
  ASSERT_TRUE(mapped.view.Store<int16_t>(2, -2).ok());
  ASSERT_TRUE(mapped.view.Store<float>(4, 4.5f).ok());
  ASSERT_TRUE(mapped.view.Store<uint64_t>(8, UINT64_MAX - 8).ok());
  EXPECT_EQ(*mapped.view.Load<uint8_t>(1), 1);
  EXPECT_EQ(*mapped.view.Load<int16_t>(2), -2);
  EXPECT_EQ(*mapped.view.Load<float>(4), 4.5f);
  EXPECT_EQ(*mapped.view.Load<uint64_t>(8), UINT64_MAX - 8);
  EXPECT_EQ(*mapped.view.Read<uint8_t>(0), 0);
}

// What stands before a Store is there after the Load that sees it.
TEST(MemoryView, StorePublishesWhatWasWrittenBefore) {
  Mapped mapped("publish");
  constexpr uint64_t kRounds = 2000;
  const auto slot = [](uint64_t i) { return 128 + i % 100 * sizeof(i); };
  std::thread writer([&] {
    for (uint64_t i = 1; i <= kRounds; ++i) {
      EXPECT_TRUE(mapped.view.Write(slot(i), i * i).ok());
      EXPECT_TRUE(mapped.view.Store<uint64_t>(0, i).ok());
      while (*mapped.view.Load<uint64_t>(64) < i) std::this_thread::yield();
    }
  });
  for (uint64_t i = 1; i <= kRounds; ++i) {
    while (*mapped.view.Load<uint64_t>(0) < i) std::this_thread::yield();
    EXPECT_EQ(*mapped.view.Read<uint64_t>(slot(i)), i * i);
    EXPECT_TRUE(mapped.view.Store<uint64_t>(64, i).ok());
  }
  writer.join();
}

TEST(MemoryView, RangeOutsideIsOutOfRange) {
  Mapped mapped("range");
  const MemoryView& view = mapped.view;
  char buffer[16] = {};
  for (const uint64_t offset :
       {kSize - 15, kSize, kSize + 1, UINT64_MAX - 15, UINT64_MAX}) {
    EXPECT_EQ(Code(view.Read(offset, buffer, 16)),
              absl::StatusCode::kOutOfRange)
        << offset;
    EXPECT_EQ(Code(view.Write(offset, buffer, 16)),
              absl::StatusCode::kOutOfRange);
    EXPECT_EQ(Code(view.Visit(offset, 16, [](absl::Span<uint8_t>) {})),
              absl::StatusCode::kOutOfRange);
  }
  EXPECT_EQ(Code(view.Read(1, buffer, UINT64_MAX)),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Code(view.Load<uint64_t>(kSize).status()),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Code(view.Store<uint64_t>(kSize - 4, 1)),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(view.Read<uint64_t>(kSize - 4).status(),
            absl::OutOfRangeError("read 8 bytes at 65532 of shared memory \"" +
                                  mapped.name.local() +
                                  "\": the view has 65536 bytes"));
  // To the very end, and nothing at the end.
  EXPECT_TRUE(view.Read(kSize - 16, buffer, 16).ok());
  EXPECT_TRUE(view.Read(kSize, nullptr, 0).ok());
  EXPECT_TRUE(view.Write(kSize, nullptr, 0).ok());
  EXPECT_FALSE(view.poisoned());
}

TEST(MemoryView, UnalignedAtomicIsInvalid) {
  Mapped mapped("unaligned");
  EXPECT_EQ(Code(mapped.view.Load<uint32_t>(2).status()),
            absl::StatusCode::kInvalidArgument);
  const absl::Status status = mapped.view.Store<uint64_t>(12, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("store 8 bytes at 12 of shared memory"));
  // It is the address that counts: a view may begin anywhere.
  auto odd = mapped.memory.Map(1, 100, MemoryAccess::kReadWrite);
  ASSERT_TRUE(odd.ok()) << odd.status();
  EXPECT_TRUE(odd->Store<uint32_t>(3, 7).ok());
  EXPECT_EQ(*mapped.view.Load<uint32_t>(4), 7u);
  EXPECT_FALSE(odd->Load<uint32_t>(0).ok());
}

TEST(MemoryView, VisitSeesAndChangesTheMemoryItself) {
  Mapped mapped("visit");
  EXPECT_TRUE(mapped.view
                  .Visit([](absl::Span<uint8_t> bytes) {
                    for (uint8_t& byte : bytes) byte = 3;
                  })
                  .ok());
  uint64_t sum = 0;
  EXPECT_TRUE(mapped.view
                  .Visit(10, 20,
                         [&](absl::Span<const uint8_t> bytes) {
                           for (const uint8_t byte : bytes) sum += byte;
                         })
                  .ok());
  EXPECT_EQ(sum, 60u);
  const auto named = [&sum](absl::Span<const uint8_t> bytes) {
    sum = bytes.size();
  };
  EXPECT_TRUE(mapped.view.Visit(named).ok());
  EXPECT_EQ(sum, kSize);
}

TEST(MemoryView, ReadOnlyRefusesWriting) {
  Mapped mapped("readonly");
  ASSERT_TRUE(mapped.view.Write(0, 42).ok());
  auto view = mapped.memory.Map(MemoryAccess::kReadOnly);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->access(), MemoryAccess::kReadOnly);
  EXPECT_EQ(view->mutable_data(), nullptr);
  EXPECT_EQ(*view->Read<int>(0), 42);
  EXPECT_EQ(*view->Load<int>(0), 42);
  EXPECT_TRUE(view->Visit([](absl::Span<const uint8_t>) {}).ok());
  bool visited = false;
  EXPECT_EQ(Code(view->Visit([&](absl::Span<uint8_t>) { visited = true; })),
            absl::StatusCode::kPermissionDenied);
  EXPECT_FALSE(visited);
  EXPECT_EQ(Code(view->Store(0, 1)), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(view->Write(0, 1),
            absl::PermissionDeniedError(
                "write to shared memory \"" + mapped.name.local() +
                "\": the view is read-only; open and map it with kReadWrite"));
  EXPECT_EQ(*mapped.view.Read<int>(0), 42);
}

// The system enforces it, too. On Windows the guard reports what it did; on
// Linux it guards against SIGBUS, and this is SIGSEGV.
SHMRPC_TEST_ROLE(writer_through_read_only) {
  auto memory = SharedMemory::Open(args.at(0));
  auto view = memory->Map(MemoryAccess::kReadOnly);
  SendLine("about to write");
  const absl::Status status = view->Visit([](absl::Span<const uint8_t> bytes) {
    *const_cast<volatile uint8_t*>(bytes.data()) = 1;
  });
  SendLine(absl::StatusCodeToString(status.code()));
  return 0;
}

TEST(MemoryView, WriteThroughReadOnlyPointerDoesNotArrive) {
  Mapped mapped("rawwrite");
  Subprocess child =
      SpawnRole("writer_through_read_only", {mapped.name.plain()});
  EXPECT_EQ(child.ReadLine(), "about to write");
  if (platform::kGuardUnwinds) {
    EXPECT_EQ(child.ReadLine(), "DATA_LOSS");
    EXPECT_TRUE(child.Wait().ok());
  } else {
    EXPECT_EQ(child.ReadLine(), absl::nullopt);
    EXPECT_FALSE(child.Wait().ok());
  }
  EXPECT_EQ(*mapped.view.Read<uint8_t>(0), 0);
}

TEST(MemoryView, EveryAccessToFaultingMemoryIsDataLoss) {
  const std::vector<absl::Status (*)(const MemoryView&)> accesses = {
      [](const MemoryView& v) { return v.Read<int>(0).status(); },
      [](const MemoryView& v) { return v.Write(kSize - 4, 1); },
      [](const MemoryView& v) { return v.Load<uint64_t>(8).status(); },
      [](const MemoryView& v) { return v.Store<uint64_t>(8, 1); },
      [](const MemoryView& v) {
        return v.Visit([](absl::Span<const uint8_t> bytes) {
          (void)*const_cast<const volatile uint8_t*>(&bytes[5000]);
        });
      },
      [](const MemoryView& v) {
        return v.Visit([](absl::Span<uint8_t> bytes) {
          *const_cast<volatile uint8_t*>(&bytes[0]) = 1;
        });
      }};
  for (const auto access : accesses) {
    Mapped mapped("fault");
    EXPECT_TRUE(access(mapped.view).ok());
    EXPECT_FALSE(mapped.view.poisoned());
    mapped.Break();
    EXPECT_EQ(Code(access(mapped.view)), absl::StatusCode::kDataLoss);
    EXPECT_TRUE(mapped.view.poisoned());
    // From now on all others.
    for (const auto other : accesses) {
      EXPECT_EQ(Code(other(mapped.view)), absl::StatusCode::kDataLoss);
    }
  }
}

TEST(MemoryView, FaultTextSaysWhatAndWhatToDo) {
  Mapped mapped("faulttext");
  mapped.Break();
  EXPECT_EQ(mapped.view.Read<int>(16).status(),
            absl::DataLossError(
                "read 4 bytes at 16 of shared memory \"" + mapped.name.local() +
                "\": the memory faulted: a process truncated the object, or "
                "the system could not supply a page; drop this view and open "
                "the object anew"));
}

TEST(MemoryView, OtherViewsStayHealthyAfterAFault) {
  Mapped broken("broken");
  Mapped healthy("healthy");
  broken.Break();
  EXPECT_FALSE(broken.view.Read<int>(0).ok());
  EXPECT_TRUE(healthy.view.Read<int>(0).ok());
  EXPECT_FALSE(healthy.view.poisoned());
}

TEST(MemoryView, EmptyAndMovedFromRefuse) {
  Mapped mapped("moved");
  ASSERT_TRUE(mapped.view.Write(0, 5).ok());
  MemoryView moved = std::move(mapped.view);
  EXPECT_EQ(*moved.Read<int>(0), 5);
  for (const MemoryView* view :
       {static_cast<const MemoryView*>(&mapped.view),
        static_cast<const MemoryView*>(new MemoryView)}) {
    EXPECT_EQ(view->size_bytes(), 0u);
    EXPECT_EQ(view->data(), nullptr);
    EXPECT_EQ(view->mutable_data(), nullptr);
    EXPECT_FALSE(view->poisoned());
    EXPECT_EQ(view->access(), MemoryAccess::kReadOnly);
    const absl::StatusCode refused = absl::StatusCode::kFailedPrecondition;
    EXPECT_EQ(Code(view->Read<int>(0).status()), refused);
    EXPECT_EQ(Code(view->Write(0, 1)), refused);
    EXPECT_EQ(Code(view->Load<int>(0).status()), refused);
    EXPECT_EQ(Code(view->Store(0, 1)), refused);
    EXPECT_EQ(Code(view->Visit([](absl::Span<const uint8_t>) {})), refused);
    if (view != &mapped.view) delete view;
  }
  mapped.view = std::move(moved);
  EXPECT_EQ(*mapped.view.Read<int>(0), 5);
}

static_assert(!std::is_copy_constructible<MemoryView>::value, "move-only");
static_assert(!std::is_copy_constructible<SharedMemory>::value, "move-only");

}  // namespace
}  // namespace shmrpc
