// Conformance of NamedMapping: both systems, several processes.

#include "transport/platform/mapping.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace platform {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::ReceiveLine;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A name of this run alone. What killed children leave under it goes with it.
struct TestName : ObjectName {
  explicit TestName(absl::string_view stem)
      : ObjectName{Scope::kLocal,
                   UniqueName(absl::StrCat("shmrpc-test.", stem))} {}
  ~TestName() { ReclaimAbandoned(scope, name); }
};

// Creates args[0] of 4096 bytes, says "ready", keeps it until told "leave".
SHMRPC_TEST_ROLE(creator) {
  auto mapping = NamedMapping::Create({Scope::kLocal, args.at(0)}, 4096, {});
  if (!mapping.ok()) {
    SendLine(absl::StatusCodeToString(mapping.status().code()));
    return 1;
  }
  auto view = mapping->Map(0, 4096, Access::kReadWrite);
  if (!view.ok()) return 2;
  std::strcpy(reinterpret_cast<char*>(view->data()), "from the creator");
  SendLine("ready");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// Opens args[0] ("hold" or "guest" in args[1]) and does as it is told.
SHMRPC_TEST_ROLE(opener) {
  OpenOptions options;
  options.hold = args.at(1) == "hold";
  auto mapping = NamedMapping::Open({Scope::kLocal, args.at(0)}, options);
  SendLine(absl::StatusCodeToString(mapping.status().code()));
  if (!mapping.ok()) return 1;
  std::string line;
  while (ReceiveLine(&line)) {
    if (line == "read") {
      auto view = mapping->Map(0, 4096, Access::kReadOnly);
      SendLine(reinterpret_cast<const char*>(view->data()));
    } else if (line == "creator") {
      const auto pid = mapping->CreatorPid();
      SendLine(pid.has_value() ? absl::StrCat(*pid) : "none");
    } else if (line == "held") {
      SendLine(mapping->HeldByAnyone() ? "yes" : "no");
    } else if (line == "leave") {
      mapping = NamedMapping();
      SendLine("left");
    }
  }
  return 0;
}

// The words of an object by which leavers meet.
struct Meeting {
  std::atomic<int> arrived;
  std::atomic<int> go;
};

// Holds args[0] + "." + round, waits there for all, and leaves, args[1] times.
SHMRPC_TEST_ROLE(leaver) {
  int rounds = 0;
  if (!absl::SimpleAtoi(args.at(1), &rounds)) return 2;
  for (int round = 0; round < rounds; ++round) {
    const ObjectName name{Scope::kLocal, absl::StrCat(args.at(0), ".", round)};
    auto mapping = NamedMapping::Open(name, {});
    while (!mapping.ok()) mapping = NamedMapping::Open(name, {});
    auto view = mapping->Map(0, 4096, Access::kReadWrite);
    if (!view.ok()) return 3;
    auto* const meeting = reinterpret_cast<Meeting*>(view->data());
    ++meeting->arrived;
    while (meeting->go == 0) std::this_thread::yield();
    mapping = NamedMapping();
    SendLine("left");
  }
  return 0;
}

// Creates and leaves args[0] as fast as it can, args[1] times.
SHMRPC_TEST_ROLE(churner) {
  int rounds = 0;
  if (!absl::SimpleAtoi(args.at(1), &rounds)) return 2;
  int created = 0;
  for (int i = 0; i < rounds; ++i) {
    const ObjectName name{Scope::kLocal, args.at(0)};
    if (i % 2 == 0) {
      created += NamedMapping::Create(name, 4096, {}).ok();
    } else if (auto held = NamedMapping::Open(name, {}); held.ok()) {
      // As long as it is held, nobody else gets the name.
      if (NamedMapping::Create(name, 4096, {}).ok()) return 3;
    }
  }
  SendLine(absl::StrCat(created));
  return 0;
}

TEST(NamedMapping, FreshObjectIsZeroedAndPageSized) {
  const TestName name("fresh");
  auto mapping = NamedMapping::Create(name, 5000, {});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(mapping->size_bytes(), 8192u);
  EXPECT_EQ(mapping->name().name, name.name);
  auto view = mapping->Map(0, 8192, Access::kReadWrite);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->size_bytes(), 8192u);
  for (int i = 0; i < 8192; ++i) ASSERT_EQ(view->data()[i], 0) << i;
}

TEST(NamedMapping, WrittenInOneViewIsReadInAnother) {
  const TestName name("views");
  auto creator = NamedMapping::Create(name, 1 << 20, {});
  ASSERT_TRUE(creator.ok()) << creator.status();
  auto opener = NamedMapping::Open(name, {});
  ASSERT_TRUE(opener.ok()) << opener.status();
  EXPECT_EQ(opener->size_bytes(), 1u << 20);
  auto writer = creator->Map(0, 1 << 20, Access::kReadWrite);
  auto reader = opener->Map(0, 1 << 20, Access::kReadOnly);
  ASSERT_TRUE(writer.ok() && reader.ok());
  writer->data()[70000] = 42;
  EXPECT_EQ(reader->data()[70000], 42);
}

TEST(NamedMapping, OffsetNotOnAPageMapsThoseBytes) {
  auto mapping = NamedMapping::Create(TestName("offset"), 1 << 20, {});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  auto whole = mapping->Map(0, 1 << 20, Access::kReadWrite);
  auto part = mapping->Map(70001, 130000, Access::kReadWrite);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_TRUE(part.ok()) << part.status();
  whole->data()[70001] = 1;
  whole->data()[70001 + 129999] = 2;
  EXPECT_EQ(part->size_bytes(), 130000u);
  EXPECT_EQ(part->data()[0], 1);
  EXPECT_EQ(part->data()[129999], 2);
}

TEST(NamedMapping, RangeOutsideIsInvalid) {
  auto mapping = NamedMapping::Create(TestName("range"), 4096, {});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  const auto code = [&](uint64_t offset, uint64_t size) {
    return mapping->Map(offset, size, Access::kReadOnly).status().code();
  };
  EXPECT_EQ(code(0, 0), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(0, 4097), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(4096, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1, UINT64_MAX), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(UINT64_MAX, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(4095, 1), absl::StatusCode::kOk);
}

TEST(NamedMapping, BadNameOrSizeIsInvalid) {
  EXPECT_EQ(
      NamedMapping::Create({Scope::kLocal, "a/b"}, 4096, {}).status().code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NamedMapping::Open({Scope::kLocal, ""}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NamedMapping::Create(TestName("empty"), 0, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(NamedMapping, MoreMemoryThanThereIsIsResourceExhausted) {
  for (const uint64_t size : {uint64_t{1} << 46, UINT64_MAX}) {
    const auto mapping = NamedMapping::Create(TestName("huge"), size, {});
    EXPECT_EQ(mapping.status().code(), absl::StatusCode::kResourceExhausted)
        << mapping.status();
    EXPECT_THAT(std::string(mapping.status().message()), HasSubstr("huge"));
    EXPECT_THAT(std::string(mapping.status().message()),
                HasSubstr(absl::StrCat(size)));
  }
}

TEST(NamedMapping, UnknownNameIsNotFound) {
  const auto mapping = NamedMapping::Open(TestName("unknown"), {});
  EXPECT_EQ(mapping.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(mapping.status().message()), HasSubstr("unknown"));
}

TEST(NamedMapping, HeldNameAlreadyExists) {
  const TestName name("taken");
  auto first = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(NamedMapping::Create(name, 4096, {}).status().code(),
            absl::StatusCode::kAlreadyExists);
  first = NamedMapping();
  EXPECT_TRUE(NamedMapping::Create(name, 4096, {}).ok());
  EXPECT_THAT(Leftovers(name.name), IsEmpty());
}

TEST(NamedMapping, ScopesAreApart) {
  const std::string name = UniqueName("shmrpc-test.scope");
  auto local = NamedMapping::Create({Scope::kLocal, name}, 4096, {});
  auto global = NamedMapping::Create({Scope::kGlobal, name}, 8192, {});
  ASSERT_TRUE(local.ok()) << local.status();
  ASSERT_TRUE(global.ok()) << global.status();
  auto opened = NamedMapping::Open({Scope::kGlobal, name}, {});
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->size_bytes(), 8192u);
}

TEST(NamedMapping, ReadOnlyOpenedCannotBeMappedWritable) {
  const TestName name("readonly");
  auto creator = NamedMapping::Create(name, 4096, {});
  OpenOptions options;
  options.access = Access::kReadOnly;
  auto opener = NamedMapping::Open(name, options);
  ASSERT_TRUE(opener.ok()) << opener.status();
  EXPECT_EQ(opener->Map(0, 4096, Access::kReadWrite).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(opener->Map(0, 4096, Access::kReadOnly).ok());
}

TEST(NamedMapping, InitFillsTheObject) {
  const TestName name("init");
  auto mapping = NamedMapping::Create(name, 4096, {}, [](uint8_t* data) {
    data[4095] = 7;
    return absl::OkStatus();
  });
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(mapping->Map(0, 4096, Access::kReadOnly)->data()[4095], 7);
}

TEST(NamedMapping, InitThatFailsLeavesNoName) {
  const TestName name("initfails");
  const auto mapping = NamedMapping::Create(name, 4096, {}, [](uint8_t*) {
    return absl::AbortedError("changed my mind");
  });
  EXPECT_EQ(mapping.status(), absl::AbortedError("changed my mind"));
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(NamedMapping, CreatedMappedIsWhatOthersOpen) {
  const TestName name("mapped");
  CreateOptions options;
  options.fresh_name = true;
  options.reserve_first_bytes = 4096;
  View view;
  auto mapping = NamedMapping::CreateMapped(
      name, 65536, options,
      [](uint8_t* data) {
        data[0] = 7;
        return absl::OkStatus();
      },
      &view);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(mapping->size_bytes(), 65536u);
  EXPECT_EQ(view.size_bytes(), 65536u);
  auto opener = NamedMapping::Open(name, {});
  ASSERT_TRUE(opener.ok()) << opener.status();
  EXPECT_EQ(opener->size_bytes(), 65536u);
  ASSERT_TRUE(mapping->Reserve().ok());
  view.data()[65535] = 8;
  auto other = opener->Map(0, 65536, Access::kReadOnly);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->data()[0], 7);
  EXPECT_EQ(other->data()[65535], 8);
}

TEST(NamedMapping, FreshNameThatIsTakenAfterAllAlreadyExists) {
  const TestName name("fresh");
  auto holder = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(holder.ok()) << holder.status();
  CreateOptions options;
  options.fresh_name = true;
  EXPECT_EQ(NamedMapping::Create(name, 4096, options).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST(NamedMapping, ViewOutlivesMapping) {
  auto mapping = NamedMapping::Create(TestName("outlive"), 4096, {});
  ASSERT_TRUE(mapping.ok());
  auto view = mapping->Map(0, 4096, Access::kReadWrite);
  mapping = NamedMapping();
  ASSERT_TRUE(view.ok());
  View moved = *std::move(view);
  moved.data()[0] = 1;
  EXPECT_EQ(moved.data()[0], 1);
  EXPECT_FALSE(moved.poisoned());
  moved = View();
  EXPECT_EQ(moved.data(), nullptr);
}

TEST(NamedMapping, MoreThanFourGibibytesCanBeMapped) {
  const uint64_t size = (uint64_t{4} << 30) + (1 << 20);
  auto mapping = NamedMapping::Create(TestName("big"), size, {});
  if (mapping.status().code() == absl::StatusCode::kResourceExhausted) {
    GTEST_SKIP() << mapping.status();
  }
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(mapping->size_bytes(), size);
  auto end = mapping->Map(size - 4096, 4096, Access::kReadWrite);
  ASSERT_TRUE(end.ok()) << end.status();
  end->data()[4095] = 9;
  auto whole = mapping->Map(0, size, Access::kReadOnly);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->data()[size - 1], 9);
  EXPECT_EQ(whole->data()[4095], 0);
}

TEST(MappingProcesses, OpenerReadsWhatCreatorWrote) {
  const TestName name("processes");
  Subprocess creator = SpawnRole("creator", {name.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  Subprocess opener = SpawnRole("opener", {name.name, "hold"});
  ASSERT_EQ(opener.ReadLine(), "OK");
  opener.WriteLine("read");
  EXPECT_EQ(opener.ReadLine(), "from the creator");
}

TEST(MappingProcesses, CreateOverALivingProcessesNameAlreadyExists) {
  const TestName name("alive");
  Subprocess creator = SpawnRole("creator", {name.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  const auto mapping = NamedMapping::Create(name, 4096, {});
  EXPECT_EQ(mapping.status().code(), absl::StatusCode::kAlreadyExists);
  Subprocess second = SpawnRole("creator", {name.name});
  EXPECT_EQ(second.ReadLine(), "ALREADY_EXISTS");
}

TEST(MappingProcesses, KilledHoldersNameIsNotFoundAndCanBeTaken) {
  const TestName name("killed");
  Subprocess creator = SpawnRole("creator", {name.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  creator.Kill();
  creator.Wait();
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
  OpenOptions guest;
  guest.hold = false;
  EXPECT_EQ(NamedMapping::Open(name, guest).status().code(),
            absl::StatusCode::kNotFound);
  {
    auto mapping = NamedMapping::Create(name, 8192, {});
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    EXPECT_EQ(NamedMapping::Open(name, {})->size_bytes(), 8192u);
  }
  EXPECT_THAT(Leftovers(name.name), IsEmpty());
}

TEST(MappingProcesses, HolderKeepsWhatAKilledCreatorMade) {
  const TestName name("kept");
  Subprocess creator = SpawnRole("creator", {name.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  Subprocess holder = SpawnRole("opener", {name.name, "hold"});
  ASSERT_EQ(holder.ReadLine(), "OK");
  creator.Kill();
  creator.Wait();
  EXPECT_TRUE(NamedMapping::Open(name, {}).ok());
  EXPECT_EQ(NamedMapping::Create(name, 4096, {}).status().code(),
            absl::StatusCode::kAlreadyExists);
  holder.WriteLine("leave");
  ASSERT_EQ(holder.ReadLine(), "left");
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(Leftovers(name.name), IsEmpty());
}

TEST(MappingProcesses, LeavingCreatorFreesTheName) {
  const TestName name("leaves");
  Subprocess creator = SpawnRole("creator", {name.name});
  ASSERT_EQ(creator.ReadLine(), "ready");
  creator.WriteLine("leave");
  EXPECT_TRUE(creator.Wait().ok());
  EXPECT_THAT(Leftovers(name.name), IsEmpty());
  EXPECT_TRUE(NamedMapping::Create(name, 4096, {}).ok());
}

TEST(MappingProcesses, HolderAnswersHeld) {
  const TestName name("held");
  auto creator = NamedMapping::Create(name, 4096, {});
  ASSERT_TRUE(creator.ok());
  EXPECT_TRUE(creator->HeldByAnyone());
  Subprocess holder = SpawnRole("opener", {name.name, "hold"});
  ASSERT_EQ(holder.ReadLine(), "OK");
  holder.WriteLine("held");
  EXPECT_EQ(holder.ReadLine(), "yes");
}

// Two that leave at once must not each leave the name to the other.
TEST(MappingProcesses, HoldersLeavingAtOnceLeaveNoName) {
  const TestName name("leavers");
  constexpr int kRounds = 100;
  std::vector<Subprocess> leavers;
  for (int i = 0; i < 2; ++i) {
    leavers.push_back(SpawnRole("leaver", {name.name, absl::StrCat(kRounds)}));
  }
  for (int round = 0; round < kRounds; ++round) {
    const ObjectName object = name.WithSuffix(absl::StrCat(".", round));
    auto mapping = NamedMapping::Create(object, 4096, {});
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    auto view = mapping->Map(0, 4096, Access::kReadWrite);
    ASSERT_TRUE(view.ok()) << view.status();
    auto* const meeting = reinterpret_cast<Meeting*>(view->data());
    while (meeting->arrived != 2) std::this_thread::yield();
    mapping = NamedMapping();
    meeting->go = 1;
    for (Subprocess& leaver : leavers) ASSERT_EQ(leaver.ReadLine(), "left");
    ASSERT_THAT(Leftovers(object.name), IsEmpty()) << "round " << round;
  }
}

// Many processes fight for one name; whatever the order, nothing stays.
TEST(MappingProcesses, ChurnOfOneNameLeavesNothing) {
  const TestName name("churn");
  std::vector<Subprocess> churners;
  for (int i = 0; i < 4; ++i) {
    churners.push_back(SpawnRole("churner", {name.name, "3000"}));
  }
  int created = 0;
  for (Subprocess& churner : churners) {
    int count = 0;
    ASSERT_TRUE(absl::SimpleAtoi(churner.ReadLine().value_or(""), &count));
    created += count;
    EXPECT_TRUE(churner.Wait().ok());
  }
  EXPECT_GT(created, 0);
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(Leftovers(name.name), IsEmpty());
}

// The same between threads, which share a process's locks.
TEST(MappingThreads, ChurnOfOneNameLeavesNothing) {
  const TestName name("threads");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&name, t] {
      for (int i = 0; i < 200; ++i) {
        if ((i + t) % 2 == 0) {
          (void)NamedMapping::Create(name, 4096, {});
        } else {
          OpenOptions options;
          options.hold = i % 3 != 0;
          (void)NamedMapping::Open(name, options);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(NamedMapping::Open(name, {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(Leftovers(name.name), IsEmpty());
}

}  // namespace
}  // namespace platform
}  // namespace shmrpc
