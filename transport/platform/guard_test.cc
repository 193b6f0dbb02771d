// Conformance of the guard: faults within our views, and faults elsewhere.

#include "transport/platform/guard.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "transport/platform/guard_test_faults.h"
#include "transport/platform/testing/fault.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::MakeViewFault;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;

constexpr uint64_t kSize = 64 << 10;

// An object of its own with one view of it.
struct Mapped {
  explicit Mapped(absl::string_view stem)
      : name{Scope::kLocal, UniqueName(absl::StrCat("shmrpc-test.", stem))},
        mapping(NamedMapping::Create(name, kSize, {}).value()),
        view(mapping.Map(0, kSize, Access::kReadWrite).value()) {}
  void Break() { MakeViewFault(name, view); }

  ObjectName name;
  NamedMapping mapping;
  View view;
};

uint8_t Load(const View& view, uint64_t index) {
  return *static_cast<volatile uint8_t*>(view.data() + index);
}

void Store(const View& view, uint64_t index, uint8_t value) {
  *static_cast<volatile uint8_t*>(view.data() + index) = value;
}

TEST(Guard, HealthyViewRunsToTheEnd) {
  Mapped mapped("healthy");
  uint8_t seen = 0;
  EXPECT_TRUE(Guarded(mapped.view, [&] { Store(mapped.view, 5, 17); }));
  EXPECT_TRUE(Guarded(mapped.view, [&] { seen = Load(mapped.view, 5); }));
  EXPECT_EQ(seen, 17);
  EXPECT_FALSE(mapped.view.poisoned());
}

TEST(Guard, ReadFaultIsReportedAndSticks) {
  Mapped mapped("read");
  Store(mapped.view, 0, 1);
  mapped.Break();
  bool ran_on = false;
  uint8_t seen = 99;
  EXPECT_FALSE(Guarded(mapped.view, [&] {
    seen = Load(mapped.view, 0);
    ran_on = true;
  }));
  EXPECT_TRUE(mapped.view.poisoned());
  EXPECT_EQ(ran_on, !kGuardUnwinds);
  EXPECT_EQ(seen, kGuardUnwinds ? 99 : 0);
  // Another page of it, and no access at all.
  EXPECT_FALSE(
      Guarded(mapped.view, [&] { seen = Load(mapped.view, kSize - 1); }));
  EXPECT_FALSE(Guarded(mapped.view, [] {}));
}

TEST(Guard, WriteFaultIsReported) {
  Mapped mapped("write");
  mapped.Break();
  EXPECT_FALSE(Guarded(mapped.view, [&] { Store(mapped.view, kSize / 2, 1); }));
  EXPECT_TRUE(mapped.view.poisoned());
}

TEST(Guard, ReadOnlyViewFaultIsReported) {
  Mapped mapped("readonly");
  auto reader = mapped.mapping.Map(0, kSize, Access::kReadOnly);
  ASSERT_TRUE(reader.ok());
  MakeViewFault(mapped.name, *reader);
  EXPECT_FALSE(Guarded(*reader, [&] { (void)Load(*reader, 0); }));
  EXPECT_TRUE(reader->poisoned());
}

TEST(Guard, OtherViewsStayHealthy) {
  Mapped broken("broken");
  Mapped healthy("other");
  Store(healthy.view, 0, 3);
  broken.Break();
  EXPECT_FALSE(Guarded(broken.view, [&] { (void)Load(broken.view, 0); }));
  EXPECT_TRUE(Guarded(healthy.view, [&] { (void)Load(healthy.view, 0); }));
  EXPECT_FALSE(healthy.view.poisoned());
}

TEST(Guard, FaultInAnotherViewPoisonsThatOne) {
  Mapped broken("inner");
  Mapped healthy("outer");
  broken.Break();
  // Cut short where faults unwind; run to its end on zeros where they do not.
  EXPECT_EQ(Guarded(healthy.view, [&] { (void)Load(broken.view, 0); }),
            !kGuardUnwinds);
  EXPECT_TRUE(broken.view.poisoned());
  EXPECT_FALSE(healthy.view.poisoned());
}

TEST(Guard, NestedCallsReportEachTheirOwn) {
  Mapped broken("nested1");
  Mapped healthy("nested2");
  broken.Break();
  bool inner = true;
  EXPECT_TRUE(Guarded(healthy.view, [&] {
    inner = Guarded(broken.view, [&] { (void)Load(broken.view, 0); });
    Store(healthy.view, 0, 1);
  }));
  EXPECT_FALSE(inner);
}

TEST(Guard, MovedViewStaysGuarded) {
  Mapped mapped("moved");
  View moved = std::move(mapped.view);
  MakeViewFault(mapped.name, moved);
  EXPECT_FALSE(Guarded(moved, [&] { (void)Load(moved, 0); }));
  EXPECT_TRUE(moved.poisoned());
  EXPECT_FALSE(mapped.view.poisoned());
}

TEST(Guard, NewViewAfterAPoisonedOneIsHealthy) {
  for (int i = 0; i < 3; ++i) {
    Mapped mapped("again");
    EXPECT_FALSE(mapped.view.poisoned());
    EXPECT_TRUE(Guarded(mapped.view, [&] { (void)Load(mapped.view, 0); }));
    mapped.Break();
    EXPECT_FALSE(Guarded(mapped.view, [&] { (void)Load(mapped.view, 0); }));
  }
}

TEST(Guard, ThousandViewsAreAllGuarded) {
  Mapped mapped("thousand");
  std::vector<View> views;
  for (int i = 0; i < 1000; ++i) {
    views.push_back(mapped.mapping.Map(0, 4096, Access::kReadWrite).value());
  }
  for (const View& view : views) MakeViewFault(mapped.name, view);
  for (const View& view : views) {
    ASSERT_FALSE(Guarded(view, [&] { (void)Load(view, 0); }));
  }
}

// There is room for 65536 at a time.
TEST(Guard, RegistrationsAreUsedAgain) {
  Mapped mapped("reused");
  for (int i = 0; i < 70000; ++i) {
    auto view = mapped.mapping.Map(0, 4096, Access::kReadOnly);
    ASSERT_TRUE(view.ok()) << i << ": " << view.status();
  }
}

TEST(Guard, ManyThreadsFaultAtOnceAndAllAreTold) {
  Mapped mapped("threads");
  mapped.Break();
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int page = 0; page < 16; ++page) {
        const uint64_t index = static_cast<uint64_t>((page + t) % 16) * 4096;
        failures +=
            !Guarded(mapped.view, [&] { (void)Load(mapped.view, index); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 8 * 16);
}

// Views come and go on some threads while others look theirs up.
TEST(Guard, RegistryStandsChangesDuringFaults) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 100; ++i) {
        Mapped mapped("registry");
        if (t % 2 == 0) continue;
        mapped.Break();
        EXPECT_FALSE(Guarded(mapped.view, [&] { (void)Load(mapped.view, 0); }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Faults where nothing of ours is, below a guard, in a process of its own.
SHMRPC_TEST_ROLE(fault_elsewhere) {
  if (!args.empty() && args[0] == "own_handler") ExitWithCodeOnFault(23);
  Mapped mapped("elsewhere");
  mapped.mapping.Unlink();  // no name is left when this process dies
  SendLine("about to fault");
  Guarded(mapped.view, [] { FaultOutsideAnyView(); });
  SendLine("still here");
  return 0;
}

TEST(Guard, FaultElsewhereEndsTheProcess) {
  Subprocess child = SpawnRole("fault_elsewhere");
  EXPECT_EQ(child.ReadLine(), "about to fault");
  EXPECT_EQ(child.ReadLine(), absl::nullopt);
  EXPECT_FALSE(child.Wait().ok());
}

TEST(Guard, FaultElsewhereReachesTheProgramsOwnHandler) {
  Subprocess child = SpawnRole("fault_elsewhere", {"own_handler"});
  EXPECT_EQ(child.ReadLine(), "about to fault");
  EXPECT_EQ(child.ReadLine(), absl::nullopt);
  EXPECT_EQ(child.Wait().code, 23);
}

// The addresses of a view that is gone are not ours any more.
SHMRPC_TEST_ROLE(fault_after_unmap) {
  Mapped mapped("gone");
  mapped.mapping.Unlink();
  volatile uint8_t* const data = mapped.view.data();
  mapped.view = View();
  ReplaceByFaultingMemory(const_cast<uint8_t*>(data), kSize);
  auto other = mapped.mapping.Map(0, 4096, Access::kReadWrite);
  SendLine("about to fault");
  Guarded(*other, [&] { (void)data[0]; });
  SendLine("still here");
  return 0;
}

TEST(Guard, FaultWhereAViewWasEndsTheProcess) {
  Subprocess child = SpawnRole("fault_after_unmap");
  EXPECT_EQ(child.ReadLine(), "about to fault");
  EXPECT_EQ(child.ReadLine(), absl::nullopt);
  EXPECT_FALSE(child.Wait().ok());
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
