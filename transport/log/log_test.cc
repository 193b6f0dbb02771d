#include "transport/log/log.h"

#include <vector>

#include "gtest/gtest.h"

namespace shmrpc {
namespace {

class Log : public testing::Test {
 protected:
  Log() {
    SetLogHandler([this](const LogEntry& e) { entries_.push_back(e); });
  }
  ~Log() override {
    SetLogHandler(nullptr);
    SetLogLevel(LogSeverity::kError);
  }
  std::vector<LogEntry> entries_;
};

TEST_F(Log, ErrorReachesTheHandlerWithItsPlace) {
  SetLogLevel(LogSeverity::kError);
  SHMRPC_LOG(kError) << "broken " << 7;
  ASSERT_EQ(entries_.size(), 1u);
  EXPECT_EQ(entries_[0].message, "broken 7");
  EXPECT_EQ(entries_[0].severity, LogSeverity::kError);
  EXPECT_STREQ(entries_[0].file, "log_test.cc");
  EXPECT_EQ(entries_[0].line, __LINE__ - 5);
}

TEST_F(Log, MessageBelowTheLevelIsNotEvaluated) {
  SetLogLevel(LogSeverity::kError);
  int evaluated = 0;
  SHMRPC_LOG(kWarning) << ++evaluated;
  EXPECT_EQ(evaluated, 0);
  EXPECT_TRUE(entries_.empty());
  SetLogLevel(LogSeverity::kDebug);
  SHMRPC_LOG(kDebug) << ++evaluated;
  EXPECT_EQ(evaluated, 1);
  EXPECT_EQ(entries_.size(), 1u);
}

TEST_F(Log, LevelNoneSilencesErrors) {
  SetLogLevel(LogSeverity::kNone);
  SHMRPC_LOG(kError) << "unheard";
  EXPECT_TRUE(entries_.empty());
}

}  // namespace
}  // namespace shmrpc
