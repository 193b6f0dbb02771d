// What only Windows has: security descriptors, and programs that use the system
// without this library.

#include <windows.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/shared_memory.h"
#include "transport/shared_memory/testing/test_memory.h"

namespace shmrpc {
namespace {

using ::shmrpc::testing::TestName;
using ::testing::HasSubstr;

AccessControl Sddl(const char* sddl) {
  AccessControl access;
  access.sddl = sddl;
  return access;
}

// Of any owner: Wine records another one than Windows, or none, for a
// descriptor that names none.
OpenOptions AnyOwner(MemoryAccess access) {
  OpenOptions options;
  options.access = access;
  options.require_same_owner = false;
  return options;
}

TEST(AccessControl, DescriptorThatAllowsNobodyRefusesEvenThisUser) {
  const TestName name("nobody");
  const TestName event_name("nobodyevent");
  auto memory = SharedMemory::Create(name, 4096, Sddl("D:P"));
  auto event = NamedEvent::Create(event_name, Sddl("D:P"));
  ASSERT_TRUE(memory.ok()) << memory.status();
  ASSERT_TRUE(event.ok()) << event.status();
  const auto opened = SharedMemory::Open(name);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(opened.status().message()),
              HasSubstr(absl::StrCat("open shared memory \"", name.local(),
                                     "\": access denied "
                                     "(ERROR_ACCESS_DENIED 5)")));
  EXPECT_EQ(NamedEvent::Open(event_name).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST(AccessControl, DescriptorThatAllowsReadingRefusesWriting) {
  const TestName name("readers");
  auto memory = SharedMemory::Create(name, 4096, Sddl("D:P(A;;GR;;;WD)"));
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_TRUE(memory->Map()->Write(0, 5).ok());  // the creator has its handle
  auto reader = SharedMemory::Open(name, AnyOwner(MemoryAccess::kReadOnly));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(*reader->Map()->Read<int>(0), 5);
  EXPECT_EQ(SharedMemory::Open(name, AnyOwner(MemoryAccess::kReadWrite))
                .status()
                .code(),
            absl::StatusCode::kPermissionDenied);
}

TEST(AccessControl, DescriptorThatIsNoneIsAnError) {
  const TestName name("garbage");
  const auto memory = SharedMemory::Create(name, 4096, Sddl("everybody!"));
  EXPECT_FALSE(memory.ok());
  EXPECT_THAT(std::string(memory.status().message()),
              HasSubstr(absl::StrCat("create shared memory \"", name.local())));
}

TEST(OtherPrograms, TheirMemoryAndEventsOpenByTheSameNames) {
  const TestName name("theirs");
  const std::string event_name = absl::StrCat(name.local(), ".event");
  const HANDLE section =
      CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, 8192,
                         name.local().c_str());
  const HANDLE event = CreateEventA(nullptr, FALSE, FALSE, event_name.c_str());
  ASSERT_TRUE(section != nullptr && event != nullptr);
  auto memory = SharedMemory::CreateOrOpen(name, 4096, {},
                                           AnyOwner(MemoryAccess::kReadWrite));
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_FALSE(memory->created());
  EXPECT_EQ(memory->size_bytes(), 8192u);
  auto opened = NamedEvent::Open(event_name);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(opened->Signal().ok());
  EXPECT_EQ(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
  SetEvent(event);
  EXPECT_TRUE(opened->Wait().ok());
  CloseHandle(section);
  CloseHandle(event);
}

}  // namespace
}  // namespace shmrpc
