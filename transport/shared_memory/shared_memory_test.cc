// Creating, opening and mapping, in one process and in several.

#include "shmrpc/shared_memory.h"

#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/role.h"
#include "transport/platform/testing/subprocess.h"
#include "transport/shared_memory/testing/test_memory.h"

namespace shmrpc {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::ReceiveLine;
using ::shmrpc::testing::SendLine;
using ::shmrpc::testing::SpawnRole;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::TestName;
using ::shmrpc::testing::UniqueName;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

OpenOptions ReadOnly() {
  OpenOptions options;
  options.access = MemoryAccess::kReadOnly;
  return options;
}

absl::StatusCode OpenCode(absl::string_view name) {
  return SharedMemory::Open(name).status().code();
}

TEST(SharedMemory, FreshMemoryIsZeroedAndInWholePages) {
  const TestName name("fresh");
  auto memory = SharedMemory::Create(name, 5000);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->size_bytes(), 8192u);
  EXPECT_EQ(memory->name(), name.local());
  EXPECT_TRUE(memory->created());
  EXPECT_EQ(memory->access(), MemoryAccess::kReadWrite);
  auto view = memory->Map();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->size_bytes(), 8192u);
  EXPECT_EQ(view->access(), MemoryAccess::kReadWrite);
  for (int i = 0; i < 8192; ++i) ASSERT_EQ(view->data()[i], 0) << i;
}

TEST(SharedMemory, PlainNameIsLocal) {
  const TestName name("plain");
  auto memory = SharedMemory::Create(name.plain(), 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  auto opened = SharedMemory::Open(name.local());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_FALSE(opened->created());
  ASSERT_TRUE(memory->Map()->Write(0, 1234).ok());
  EXPECT_EQ(*opened->Map()->Read<int>(0), 1234);
}

TEST(SharedMemory, GlobalAndLocalAreApart) {
  const TestName name("scopes");
  const std::string global = absl::StrCat("Global\\", name.plain());
  auto local = SharedMemory::Create(name, 4096);
  auto other = SharedMemory::Create(global, 8192);
  ASSERT_TRUE(local.ok()) << local.status();
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->name(), global);
  EXPECT_EQ(SharedMemory::Open(global)->size_bytes(), 8192u);
}

TEST(SharedMemory, BadNameOrSizeIsInvalid) {
  for (const char* name : {"", "a b", "Local\\", "local\\a", "Global\\a\\b"}) {
    EXPECT_EQ(SharedMemory::Create(name, 4096).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
    EXPECT_EQ(OpenCode(name), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(SharedMemory::CreateOrOpen(name, 4096).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_EQ(SharedMemory::Create("empty", 0).status(),
            absl::InvalidArgumentError("create shared memory \"Local\\empty\": "
                                       "size 0; give it at least one byte"));
}

TEST(SharedMemory, UnknownNameIsNotFoundAndSaysWhatToDo) {
  const TestName name("unknown");
  const auto memory = SharedMemory::Open(name);
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(memory.status().message()),
              AllOf(HasSubstr(absl::StrCat("open shared memory \"",
                                           name.local(), "\": ")),
                    HasSubstr(" 2)"),  // the system's own code
                    HasSubstr("no living process holds it; create it first")));
}

TEST(SharedMemory, HeldNameAlreadyExistsAndSaysWhatToDo) {
  const TestName name("held");
  auto first = SharedMemory::Create(name, 4096);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = SharedMemory::Create(name, 4096);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr(absl::StrCat("create shared memory \"",
                                           name.local(), "\": ")),
                    HasSubstr("or use CreateOrOpen to share it")));
}

TEST(SharedMemory, MoreThanThereIsIsResourceExhausted) {
  const TestName name("huge");
  for (const uint64_t size : {uint64_t{1} << 46, UINT64_MAX}) {
    const auto memory = SharedMemory::Create(name, size);
    EXPECT_EQ(memory.status().code(), absl::StatusCode::kResourceExhausted)
        << memory.status();
    EXPECT_THAT(std::string(memory.status().message()),
                AllOf(HasSubstr(name.local()), HasSubstr(absl::StrCat(size))));
  }
}

TEST(SharedMemory, CreateOrOpenDoesWhicheverIsPossible) {
  const TestName name("either");
  auto first = SharedMemory::CreateOrOpen(name, 8192);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->created());
  auto second = SharedMemory::CreateOrOpen(name, 4096, {}, ReadOnly());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(second->created());
  EXPECT_EQ(second->size_bytes(), 8192u);
  EXPECT_EQ(second->access(), MemoryAccess::kReadOnly);
  const auto third = SharedMemory::CreateOrOpen(name, 8193);
  EXPECT_EQ(third.status(),
            absl::FailedPreconditionError(absl::StrCat(
                "create or open shared memory \"", name.local(),
                "\": it has 8192 bytes, fewer than the 8193 asked for; its "
                "first holder decides the size")));
}

TEST(SharedMemory, ReadOnlyOpenedCannotBeMappedForWriting) {
  const TestName name("readonly");
  auto creator = SharedMemory::Create(name, 4096);
  ASSERT_TRUE(creator.ok()) << creator.status();
  auto opened = SharedMemory::Open(name, ReadOnly());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->Map()->access(), MemoryAccess::kReadOnly);
  EXPECT_EQ(opened->Map(MemoryAccess::kReadWrite).status(),
            absl::PermissionDeniedError(absl::StrCat(
                "map shared memory \"", name.local(),
                "\": it was opened read-only; open it with OpenOptions::access "
                "= kReadWrite")));
}

TEST(SharedMemory, RangeMapsThoseBytes) {
  auto memory = SharedMemory::Create(TestName("part"), 1 << 20);
  ASSERT_TRUE(memory.ok()) << memory.status();
  auto whole = memory->Map();
  auto part = memory->Map(70001, 130000, MemoryAccess::kReadWrite);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(part->size_bytes(), 130000u);
  ASSERT_TRUE(part->Write<uint8_t>(129999, 7).ok());
  EXPECT_EQ(*whole->Read<uint8_t>(70001 + 129999), 7);
}

TEST(SharedMemory, RangeOutsideIsOutOfRange) {
  const TestName name("outside");
  auto memory = SharedMemory::Create(name, 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  const auto map = [&](uint64_t offset, uint64_t size) {
    return memory->Map(offset, size, MemoryAccess::kReadOnly).status();
  };
  EXPECT_EQ(map(0, 0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(map(4096, 1).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(map(1, UINT64_MAX).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(map(UINT64_MAX, 1).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(map(1, 4096), absl::OutOfRangeError(absl::StrCat(
                              "map shared memory \"", name.local(),
                              "\": 4096 bytes at 1 are not within its 4096 "
                              "bytes")));
  EXPECT_TRUE(map(4095, 1).ok());
}

TEST(SharedMemory, ViewAloneHoldsTheObject) {
  const TestName name("viewholds");
  auto memory = SharedMemory::Create(name, 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  auto view = memory->Map();
  memory = SharedMemory();
  auto opened = SharedMemory::Open(name);
  ASSERT_TRUE(opened.ok()) << opened.status();
  ASSERT_TRUE(view->Write(0, 3).ok());
  EXPECT_EQ(*opened->Map()->Read<int>(0), 3);
  opened = SharedMemory();
  view = MemoryView();
  EXPECT_EQ(OpenCode(name), absl::StatusCode::kNotFound);
  EXPECT_TRUE(SharedMemory::Create(name, 4096).ok());
  EXPECT_THAT(Leftovers(name.plain()), IsEmpty());
}

TEST(SharedMemory, EmptyAndMovedFromRefuse) {
  auto created = SharedMemory::Create(TestName("moved"), 4096);
  ASSERT_TRUE(created.ok()) << created.status();
  const SharedMemory moved = *std::move(created);
  EXPECT_TRUE(moved.Map().ok());
  SharedMemory empty;
  for (const SharedMemory* memory : {&empty, &*created}) {
    EXPECT_EQ(memory->Map().status().code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(memory->size_bytes(), 0u);
    EXPECT_EQ(memory->name(), "");
    EXPECT_FALSE(memory->created());
  }
}

TEST(SharedMemory, EventsNameIsRefused) {
  const TestName name("kinds");
  auto event = NamedEvent::Create(name);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(SharedMemory::Create(name, 4096).status().code(),
            absl::StatusCode::kAlreadyExists);
  const auto opened = SharedMemory::Open(name);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status().message()),
              AllOf(HasSubstr(absl::StrCat("open shared memory \"",
                                           name.local(), "\": ")),
                    HasSubstr("share one space of names")));
  EXPECT_EQ(SharedMemory::CreateOrOpen(name, 4096).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(SharedMemory, FiveGibibytesAreReachableFromEndToEnd) {
  const TestName name("big");
  const uint64_t size = uint64_t{5} << 30;
  auto memory = SharedMemory::Create(name, size);
  if (memory.status().code() == absl::StatusCode::kResourceExhausted) {
    GTEST_SKIP() << "no room for 5 GiB: " << memory.status();
  }
  ASSERT_TRUE(memory.ok()) << memory.status();
  auto opened = SharedMemory::Open(name, ReadOnly());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->size_bytes(), size);
  auto view = memory->Map();
  ASSERT_TRUE(view.ok()) << view.status();
  for (const uint64_t at :
       {uint64_t{0}, (uint64_t{4} << 30) - 4, uint64_t{4} << 30, size - 8}) {
    ASSERT_TRUE(view->Write(at, at + 1).ok()) << at;
  }
  // Nothing wrapped around 32 bits.
  EXPECT_EQ(*view->Read<uint64_t>(0), 1u);
  auto end = opened->Map(size - 12, 12, MemoryAccess::kReadOnly);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(*end->Read<uint64_t>(4), size - 8 + 1);
  EXPECT_EQ(view->Read<uint64_t>(size - 7).status().code(),
            absl::StatusCode::kOutOfRange);
}

// Creates args[0], says so, and leaves when told (or is killed).
SHMRPC_TEST_ROLE(creator) {
  auto memory = SharedMemory::Create(args.at(0), 4096);
  SendLine(absl::StatusCodeToString(memory.status().code()));
  if (!memory.ok()) return 1;
  if (!memory->Map()->Write(100, 20260).ok()) return 2;
  std::string line;
  ReceiveLine(&line);
  return 0;
}

// Opens args[0], tells what stands at 100, writes at 200, leaves when told.
SHMRPC_TEST_ROLE(opener) {
  auto memory = SharedMemory::Open(args.at(0));
  if (!memory.ok()) {
    SendLine(memory.status().ToString());
    return 1;
  }
  auto view = memory->Map();
  SendLine(absl::StrCat(view->Read<int>(100).value()));
  if (!view->Write(200, 7).ok()) return 2;
  SendLine("written");
  std::string line;
  ReceiveLine(&line);
  return 0;
}

TEST(SharedMemoryProcesses, WhatOneWritesTheOtherReads) {
  const TestName name("processes");
  auto memory = SharedMemory::Create(name, 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  auto view = memory->Map();
  ASSERT_TRUE(view->Write(100, 555).ok());
  Subprocess opener = SpawnRole("opener", {name.local()});
  EXPECT_EQ(opener.ReadLine(), "555");
  EXPECT_EQ(opener.ReadLine(), "written");
  EXPECT_EQ(*view->Read<int>(200), 7);
}

TEST(SharedMemoryProcesses, KilledHoldersNameIsFree) {
  const TestName name("killed");
  Subprocess creator = SpawnRole("creator", {name.plain()});
  ASSERT_EQ(creator.ReadLine(), "OK");
  EXPECT_EQ(SharedMemory::Create(name, 4096).status().code(),
            absl::StatusCode::kAlreadyExists);
  creator.Kill();
  creator.Wait();
  const auto opened = SharedMemory::Open(name);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(opened.status().message()),
              HasSubstr("no living process holds it"));
  auto memory = SharedMemory::CreateOrOpen(name, 8192);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_TRUE(memory->created());
  EXPECT_EQ(*memory->Map()->Read<int>(100), 0);
}

TEST(SharedMemoryProcesses, OpenerKeepsWhatAKilledCreatorMade) {
  const TestName name("kept");
  Subprocess creator = SpawnRole("creator", {name.plain()});
  ASSERT_EQ(creator.ReadLine(), "OK");
  Subprocess opener = SpawnRole("opener", {name.plain()});
  ASSERT_EQ(opener.ReadLine(), "20260");
  ASSERT_EQ(opener.ReadLine(), "written");
  creator.Kill();
  creator.Wait();
  {
    auto memory = SharedMemory::Open(name);
    ASSERT_TRUE(memory.ok()) << memory.status();
    EXPECT_EQ(*memory->Map()->Read<int>(200), 7);
  }
  opener.WriteLine("leave");
  EXPECT_TRUE(opener.Wait().ok());
  EXPECT_EQ(OpenCode(name), absl::StatusCode::kNotFound);
  EXPECT_THAT(Leftovers(name.plain()), IsEmpty());
}

// Takes args[0], writes to it and leaves it, 200 times.
SHMRPC_TEST_ROLE(comer_and_goer) {
  for (int i = 0; i < 200; ++i) {
    auto memory = SharedMemory::CreateOrOpen(args.at(0), 4096);
    if (!memory.ok()) {
      SendLine(memory.status().ToString());
      return 1;
    }
    auto view = memory->Map();
    if (!view.ok() || !view->Write(0, i).ok()) return 2;
  }
  SendLine("done");
  return 0;
}

TEST(SharedMemoryProcesses, CreateOrOpenStandsProcessesThatComeAndGo) {
  const TestName name("churn");
  std::vector<Subprocess> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(SpawnRole("comer_and_goer", {name.plain()}));
  }
  for (Subprocess& child : children) {
    EXPECT_EQ(child.ReadLine(), "done");
    EXPECT_TRUE(child.Wait().ok());
  }
  EXPECT_EQ(OpenCode(name), absl::StatusCode::kNotFound);
  EXPECT_THAT(Leftovers(name.plain()), IsEmpty());
}

}  // namespace
}  // namespace shmrpc
