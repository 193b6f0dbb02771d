// Names as users write them, and errors in their words.

#include "transport/shared_memory/shared_name.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace {

using platform::Scope;
using ::testing::HasSubstr;

TEST(ParseName, ScopeIsThePrefixOrLocal) {
  struct Case {
    const char* written;
    Scope scope;
    const char* name;
    const char* display;
  };
  for (const Case& c :
       {Case{"foo", Scope::kLocal, "foo", "Local\\foo"},
        Case{"Local\\foo", Scope::kLocal, "foo", "Local\\foo"},
        Case{"Global\\foo", Scope::kGlobal, "foo", "Global\\foo"},
        Case{"Local", Scope::kLocal, "Local", "Local\\Local"}}) {
    const auto name = ParseName("open shared memory", c.written);
    ASSERT_TRUE(name.ok()) << name.status();
    EXPECT_EQ(name->object.scope, c.scope) << c.written;
    EXPECT_EQ(name->object.name, c.name);
    EXPECT_EQ(name->display, c.display);
  }
}

std::string ErrorOf(absl::string_view written) {
  const auto name = ParseName("open shared memory", written);
  EXPECT_EQ(name.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(name.status().message());
}

TEST(ParseName, PrefixInOtherCapitalsIsExplained) {
  EXPECT_EQ(ErrorOf("local\\foo"),
            "open shared memory \"local\\foo\": capitals count in the prefix; "
            "write Local\\ or Global\\");
  EXPECT_THAT(ErrorOf("GLOBAL\\foo"), HasSubstr("GLOBAL\\foo"));
}

TEST(ParseName, BadNameIsNamedWithItsPlace) {
  EXPECT_EQ(ErrorOf(""),
            "open shared memory \"\": the name of a shared object is empty");
  EXPECT_THAT(ErrorOf("Local\\"), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf("my memory"), HasSubstr("' ' at position 2"));
  EXPECT_THAT(ErrorOf("Local\\a\\b"), HasSubstr("at position 1"));
  EXPECT_THAT(ErrorOf("global.foo"), HasSubstr("global"));
  EXPECT_THAT(ErrorOf(std::string(121, 'x')), HasSubstr("limit is 120"));
  // Nothing that could garble a terminal.
  EXPECT_THAT(ErrorOf("a\033b"), HasSubstr("\"a\\x1b\\x62\""));
}

SharedName Foo() { return *ParseName("open", "foo"); }

TEST(Explain, NotFoundSaysWhatAUserOfMemoryCanDo) {
  const absl::Status status = Explain(
      absl::NotFoundError("open mapping \"foo\": gone (ENOENT 2): no server is "
                          "running; start it"),
      "shared memory", Foo());
  EXPECT_EQ(status, absl::NotFoundError(
                        "open shared memory \"Local\\foo\": gone (ENOENT 2): "
                        "no living process holds it; create it first, or check "
                        "the name and its scope (Local\\ or Global\\)"));
}

TEST(Explain, OtherKindOfObjectIsAPrecondition) {
  const absl::Status status = Explain(
      absl::InternalError("open event \"foo\": x (ERROR_INVALID_HANDLE 6)"),
      "event", Foo());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("open event \"Local\\foo\": x (ERROR_INVALID_HANDLE 6): "
                "events, memory"));
}

TEST(Explain, AdviceIsForExistingNames) {
  EXPECT_EQ(Explain(absl::AlreadyExistsError("create mapping \"foo\": held"),
                    "shared memory", Foo(), "do that"),
            absl::AlreadyExistsError(
                "create shared memory \"Local\\foo\": held; do that"));
  EXPECT_EQ(Explain(absl::InternalError("create mapping \"foo\": odd"),
                    "shared memory", Foo(), "do that"),
            absl::InternalError("create shared memory \"Local\\foo\": odd"));
}

TEST(Explain, OwnWordsStay) {
  EXPECT_EQ(Explain(absl::InternalError("something else"), "event", Foo()),
            absl::InternalError("something else"));
}

}  // namespace
}  // namespace shmrpc
