// Mixed calls for a chosen time: none is lost, none hangs, nothing grows.
//
//   SHMRPC_SOAK_SECONDS   how long; default: BUILD's
//   SHMRPC_TEST_SEED      repeats a run's choices

#include "tests/soak/soak.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>
#include <system_error>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/trouble/support.h"

namespace shmrpc {
namespace testing {
namespace {

uint64_t FromEnvironment(const char* variable, uint64_t otherwise) {
  const char* given = std::getenv(variable);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

// What several clients send at once has to fit into /dev/shm.
int LargestBits() {
  std::error_code error;
  const auto space = std::filesystem::space("/dev/shm", error);
  const bool roomy = error || space.available >= (uint64_t{3} << 29);
  if (!roomy) {
    std::cout << "NOTE: only " << (space.available >> 20)
              << " MiB free in /dev/shm: payloads up to 64 KiB only"
              << std::endl;
  }
  return roomy ? 26 : 16;
}

FlatnessLimits Limits() {
  FlatnessLimits limits;
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
  // Their own memory grows; AddressSanitizer looks for leaks itself.
#else
  limits.heap_slack_bytes = 4 << 20;
  limits.private_slack_bytes = 16 << 20;
#endif
  return limits;
}

TEST(Soak, NothingIsLostHangsOrGrows) {
  EnterPrivateShm("2g");
  SoakOptions options;
  options.seconds = static_cast<int>(
      FromEnvironment("SHMRPC_SOAK_SECONDS", SHMRPC_SOAK_DEFAULT_SECONDS));
  options.seed = FromEnvironment("SHMRPC_TEST_SEED", std::random_device()());
  options.largest_bits = LargestBits();
  options.limits = Limits();
  std::cout << "SHMRPC_TEST_SEED=" << options.seed << ", " << options.seconds
            << " s" << std::endl;
  SCOPED_TRACE(absl::StrCat("SHMRPC_TEST_SEED=", options.seed));
  Soak soak(options);
  soak.Run();
  std::cout << soak.Report() << std::endl;
  for (const std::string& what : soak.wrong()) ADD_FAILURE() << what;
  // It was a soak: everything that is to be survived has happened.
  for (const Ending ending : {Ending::kOk, Ending::kFailed, Ending::kCancelled,
                              Ending::kExpired, Ending::kDropped}) {
    EXPECT_GT(soak.tally().total(ending), 0) << EndingName(ending);
  }
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
