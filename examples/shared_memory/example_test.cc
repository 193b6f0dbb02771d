// Runs writer and reader against each other, in both orders.

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/subprocess.h"

namespace shmrpc {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;
using ::testing::IsEmpty;

Subprocess Start(const char* program, const std::string& name) {
  return Subprocess(std::getenv(program), {name, "5000"});
}

class SharedMemoryExample : public ::testing::TestWithParam<bool> {};

TEST_P(SharedMemoryExample, AllNumbersArriveInEitherOrder) {
  const bool writer_first = GetParam();
  const std::string name = UniqueName("shmrpc-test.example");
  Subprocess first = Start(writer_first ? "WRITER" : "READER", name);
  ASSERT_EQ(
      first.ReadLine(),
      (writer_first ? "writing to Local\\" : "reading from Local\\") + name);
  Subprocess second = Start(writer_first ? "READER" : "WRITER", name);
  ASSERT_EQ(
      second.ReadLine(),
      (writer_first ? "reading from Local\\" : "writing to Local\\") + name);
  Subprocess& writer = writer_first ? first : second;
  Subprocess& reader = writer_first ? second : first;
  EXPECT_EQ(reader.ReadLine(), "read 5000 numbers, sum 41654167500");
  EXPECT_EQ(writer.ReadLine(), "wrote 5000 numbers");
  EXPECT_TRUE(reader.Wait().ok());
  EXPECT_TRUE(writer.Wait().ok());
  EXPECT_THAT(Leftovers(name), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Order, SharedMemoryExample, ::testing::Bool());

}  // namespace
}  // namespace shmrpc
