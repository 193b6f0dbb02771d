#include "codegen/naming.h"

#include "codegen/testing/parsed_protos.h"
#include "google/protobuf/compiler/cpp/helpers.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace codegen {
namespace {

using Strings = std::vector<std::string>;

TEST(Naming, KeywordGetsUnderscore) {
  EXPECT_EQ(CppName("delete"), "delete_");
  EXPECT_EQ(CppName("co_await"), "co_await_");
  EXPECT_EQ(CppName("SayHello"), "SayHello");
  EXPECT_EQ(CppName("Delete"), "Delete");
}

// A service and a message of the same name must be spelt the same way.
TEST(Naming, KeywordsOfProtobufAreKeywordsHere) {
  for (const char* name :
       {"NULL",      "and",     "asm",      "auto",  "bool",        "case",
        "char",      "class",   "const",    "do",    "double",      "else",
        "enum",      "export",  "float",    "for",   "friend",      "if",
        "inline",    "int",     "mutable",  "new",   "not",         "nullptr",
        "operator",  "private", "register", "short", "sizeof",      "static",
        "struct",    "this",    "throw",    "try",   "typename",    "union",
        "using",     "void",    "wchar_t",  "while", "xor_eq",      "alignas",
        "constexpr", "goto",    "noexcept", "true",  "thread_local"}) {
    EXPECT_EQ(CppName(name),
              google::protobuf::compiler::cpp::ResolveKeyword(name));
  }
}

TEST(Naming, UsableIdentifierIsNoKeywordAndWellFormed) {
  EXPECT_TRUE(IsUsableIdentifier("rpc"));
  EXPECT_TRUE(IsUsableIdentifier("_rpc2"));
  for (const char* bad : {"", "2rpc", "a::b", "a-b", "a b", "namespace"}) {
    EXPECT_FALSE(IsUsableIdentifier(bad)) << bad;
  }
}

TEST(Naming, NestedMessageIsJoinedByUnderscore) {
  testing::ParsedProtos protos({{"a.proto",
                                 "syntax = 'proto3'; package x.y;"
                                 "message A { message B {} }"
                                 "message new {}"}});
  const auto* file = protos.Find("a.proto");
  ASSERT_NE(file, nullptr) << protos.errors();
  EXPECT_EQ(QualifiedMessageName(*file->message_type(0)), "::x::y::A");
  EXPECT_EQ(QualifiedMessageName(*file->message_type(0)->nested_type(0)),
            "::x::y::A_B");
  EXPECT_EQ(QualifiedMessageName(*file->message_type(1)), "::x::y::new_");
}

TEST(Naming, MessageWithoutPackageIsGlobal) {
  testing::ParsedProtos protos(
      {{"a.proto", "syntax = 'proto3'; message A {}"}});
  const auto* file = protos.Find("a.proto");
  ASSERT_NE(file, nullptr) << protos.errors();
  EXPECT_EQ(QualifiedMessageName(*file->message_type(0)), "::A");
}

TEST(Naming, WellKnownTypeIsNamedWithoutMacro) {
  testing::ParsedProtos protos({});
  const auto* file = protos.Find("google/protobuf/empty.proto");
  ASSERT_NE(file, nullptr) << protos.errors();
  EXPECT_EQ(QualifiedMessageName(*file->message_type(0)),
            "::google::protobuf::Empty");
}

TEST(Naming, PackageIsSplitAtDots) {
  EXPECT_EQ(PackageParts(""), Strings());
  EXPECT_EQ(PackageParts("a"), Strings({"a"}));
  EXPECT_EQ(PackageParts("a.b_c.d1"), Strings({"a", "b_c", "d1"}));
}

TEST(Naming, ExtensionIsStrippedAsProtobufDoes) {
  EXPECT_EQ(StripProtoExtension("a/b.proto"), "a/b");
  EXPECT_EQ(StripProtoExtension("a/b.protodevel"), "a/b");
  EXPECT_EQ(StripProtoExtension("a/b.v1.proto"), "a/b.v1");
  EXPECT_EQ(StripProtoExtension("a.proto.d/b"), "a.proto.d/b");
}

TEST(Naming, IncludeGuardsOfSimilarFilesDiffer) {
  EXPECT_EQ(IncludeGuard("dir/my_greeter.proto"),
            "SHMRPC_dir_2fmy_5fgreeter_2eproto");
  EXPECT_NE(IncludeGuard("a-b.proto"), IncludeGuard("a_b.proto"));
  EXPECT_NE(IncludeGuard("a/b.proto"), IncludeGuard("a.b.proto"));
  EXPECT_EQ(IncludeGuard("\xc3\xa4.proto"), "SHMRPC__c3_a4_2eproto");
}

}  // namespace
}  // namespace codegen
}  // namespace shmrpc
