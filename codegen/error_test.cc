// Every rule of ours, broken: the exact message and place.

#include "codegen/testing/run_generator.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace codegen {
namespace {

using testing::GeneratorRun;
using testing::RunGenerator;

// The errors without the headline; "" if the file was generated.
std::string ErrorsOf(const std::string& proto,
                     const std::string& parameter = "") {
  const GeneratorRun run = RunGenerator({{"bad.proto", proto}}, {}, parameter);
  EXPECT_EQ(run.ok, run.error.empty());
  EXPECT_EQ(run.ok, !run.files.empty()) << "files in spite of an error";
  const size_t headline_end = run.error.find('\n');
  return headline_end == std::string::npos ? run.error
                                           : run.error.substr(headline_end + 1);
}

TEST(Errors, GenericServicesClash) {
  EXPECT_EQ(ErrorsOf(R"(syntax = "proto3";
package p;
  option cc_generic_services = true;
service S {}
)"),
            "bad.proto:3:3: option cc_generic_services makes protobuf generate "
            "classes of the same names as shmrpc's; remove the option");
}

TEST(Errors, GenericServicesWithoutServicesAreFine) {
  EXPECT_EQ(ErrorsOf("syntax = 'proto3'; option cc_generic_services = true;"),
            "");
}

TEST(Errors, MethodWithNameOfGeneratedMember) {
  for (const std::string name :
       {"Stub", "StubInterface", "Service", "NewStub", "service_full_name"}) {
    EXPECT_EQ(ErrorsOf("syntax = \"proto3\";\nmessage M {}\nservice S {\n"
                       "  rpc " +
                       name + "(M) returns (M);\n}\n"),
              "bad.proto:4:3: method \"" + name +
                  "\": the generated class has a member of this name; rename "
                  "the method");
  }
}

TEST(Errors, MethodWithNameOfTemplateParameter) {
  EXPECT_EQ(ErrorsOf(R"(syntax = "proto3";
message M {}
service S {
  rpc BaseClass(stream M) returns (M);
}
)"),
            "bad.proto:4:3: method \"BaseClass\": the generated code has a "
            "template parameter of this name; rename the method");
}

TEST(Errors, ServiceWithNameOfGeneratedMember) {
  for (const std::string name :
       {"Stub", "StubInterface", "Service", "NewStub", "service_full_name",
        "StreamedUnaryService", "SplitStreamedService", "StreamedService"}) {
    EXPECT_EQ(
        ErrorsOf("syntax = \"proto3\";\n service " + name + " {}\n"),
        "bad.proto:2:2: service \"" + name +
            "\": the generated class has a member of this name; rename the "
            "service");
  }
}

TEST(Errors, MethodWithNameOfDataMember) {
  EXPECT_EQ(ErrorsOf(R"(syntax = "proto3";
message M {}
service S {
  rpc channel_(M) returns (M);
  rpc Call(M) returns (M);
  rpc rpcmethod_Call_(M) returns (M);
}
)"),
            "bad.proto:4:3: method \"channel_\": the generated stub uses this "
            "name for the stub's channel; rename the method\n"
            "bad.proto:6:3: method \"rpcmethod_Call_\": the generated stub "
            "uses this name for method \"Call\"; rename the method");
}

TEST(Errors, ServiceWithNameOfClassThatServesItsMethodAsStream) {
  const std::string body = R"( {
  rpc A(M) returns (M);
  rpc B(stream M) returns (M);
  rpc C(M) returns (stream M);
  rpc D(stream M) returns (stream M);
}
)";
  for (const std::string name :
       {"WithStreamedUnaryMethod_A", "WithSplitStreamingMethod_C"}) {
    EXPECT_EQ(
        ErrorsOf("syntax = \"proto3\";\nmessage M {}\nservice " + name + body),
        "bad.proto:3:1: service \"" + name +
            "\": the generated class has a member of this name; rename "
            "the service");
  }
  for (const std::string name :
       {"WithSplitStreamingMethod_A", "WithStreamedUnaryMethod_C",
        "WithStreamedUnaryMethod_B", "WithSplitStreamingMethod_D"}) {
    EXPECT_EQ(
        ErrorsOf("syntax = \"proto3\";\nmessage M {}\nservice " + name + body),
        "");
  }
}

TEST(Errors, MethodWithNameAndParametersOfRawFunction) {
  EXPECT_EQ(ErrorsOf(R"(syntax = "proto3";
message M {}
service S {
  rpc Up(stream M) returns (M);
  rpc UpRaw(stream M) returns (M);
  rpc DownRaw(M) returns (stream M);
  rpc Down(M) returns (stream M);
  rpc new(stream M) returns (stream M);
  rpc new_Raw(stream M) returns (stream M);
}
)"),
            "bad.proto:5:3: method \"UpRaw\": the generated stub uses this "
            "name for method \"Up\"; rename the method\n"
            "bad.proto:6:3: method \"DownRaw\": the generated stub uses this "
            "name for method \"Down\"; rename the method\n"
            "bad.proto:9:3: method \"new_Raw\": the generated stub uses this "
            "name for method \"new\"; rename the method");
}

TEST(Errors, MethodWithNameOfRawFunctionAndOtherParametersIsFine) {
  EXPECT_EQ(ErrorsOf(R"(syntax = "proto3";
message M {}
message N {}
service S {
  rpc Up(stream M) returns (M);
  rpc UpRaw(stream M) returns (N);
  rpc Down(M) returns (stream M);
  rpc DownRaw(N) returns (stream M);
  rpc Both(stream M) returns (stream M);
  rpc BothRaw(M) returns (M);
  rpc Unary(M) returns (M);
  rpc UnaryRaw(M) returns (M);
}
)"),
            "");
}

TEST(Errors, MethodsThatBecomeTheSameInCpp) {
  EXPECT_EQ(ErrorsOf(R"(syntax = "proto3";
message M {}
service S {
  rpc delete(M) returns (M);
  rpc delete_(M) returns (M);
}
)"),
            "bad.proto:5:3: method \"delete_\": is \"delete_\" in C++, as is "
            "method \"delete\"; rename one of them");
}

TEST(Errors, ServiceThatMeetsNestedMessage) {
  EXPECT_EQ(ErrorsOf(R"(syntax = "proto3";
package p;
message Outer { message Inner {} }
service Outer_Inner {}
)"),
            "bad.proto:4:1: service \"Outer_Inner\": is \"Outer_Inner\" in "
            "C++, as is message \"Outer.Inner\"; rename the service");
}

TEST(Errors, ServiceThatMeetsNestedEnumValue) {
  EXPECT_EQ(ErrorsOf(R"(syntax = "proto3";
message Outer { enum Mood { CALM = 0; } }
service Outer_Mood {}
service Outer_Mood_CALM {}
)"),
            "bad.proto:3:1: service \"Outer_Mood\": is \"Outer_Mood\" in C++, "
            "as is enum \"Outer.Mood\"; rename the service\n"
            "bad.proto:4:1: service \"Outer_Mood_CALM\": is "
            "\"Outer_Mood_CALM\" in C++, as is enum value \"Outer.CALM\"; "
            "rename the service");
}

TEST(Errors, ServiceThatMeetsMessageOfAnImport) {
  const GeneratorRun run = RunGenerator(
      {{"bad.proto",
        "syntax = 'proto3'; package p; import 'direct.proto';\n"
        "service A_B {}\n"
        "service C_D {}\n"},
       {"direct.proto",
        "syntax = 'proto3'; import 'indirect.proto';"
        "message C { message D {} }"},
       {"indirect.proto",
        "syntax = 'proto3'; package p; message A { message B {} }"}},
      {"bad.proto"});
  // C_D is of another package.
  EXPECT_EQ(run.error,
            "1 error:\n"
            "bad.proto:2:1: service \"A_B\": is \"A_B\" in C++, as is message "
            "\"A.B\"; rename the service");
}

TEST(Errors, ServicesThatBecomeTheSameInCpp) {
  EXPECT_EQ(ErrorsOf("syntax = 'proto3';\nservice new {}\nservice new_ {}\n"),
            "bad.proto:3:1: service \"new_\": is \"new_\" in C++, as is "
            "service \"new\"; rename the service");
}

TEST(Errors, GlobalServiceWithNameOfNamespace) {
  EXPECT_EQ(ErrorsOf("syntax = 'proto3';\nservice shmrpc {}\n"),
            "bad.proto:2:1: service \"shmrpc\": is \"shmrpc\" in C++, as is a "
            "namespace the generated code uses; rename the service");
}

TEST(Errors, ServicesNamespaceThatIsAMessage) {
  EXPECT_EQ(ErrorsOf("syntax = 'proto3';\nmessage rpc {}\nservice S {}\n",
                     "services_namespace=rpc"),
            "bad.proto:3:1: option \"services_namespace\": \"rpc\" is the C++ "
            "name of message \"rpc\"; choose another namespace");
}

TEST(Errors, PackageOfTheLibraryItself) {
  EXPECT_EQ(ErrorsOf("syntax = 'proto3';\npackage shmrpc;\nservice S {}\n"),
            "bad.proto:2:1: package \"shmrpc\": is the C++ namespace of the "
            "shmrpc library; choose another package for services");
}

TEST(Errors, PackageWithKeyword) {
  EXPECT_EQ(
      ErrorsOf("syntax = 'proto3';\npackage a.union.b;\nservice S {}\n"),
      "bad.proto:2:1: package \"a.union.b\": \"union\" is a keyword in C++");
}

TEST(Errors, UnknownOptionIsNamed) {
  EXPECT_EQ(ErrorsOf("syntax = 'proto3';", "colour=red"),
            "unknown option \"colour\"; known options: services_namespace");
}

TEST(Errors, AllOfAllFilesAreReportedInOrder) {
  const std::string bad = R"(
service Stub {
  rpc Service(stream M) returns (M);
}
message M {}
option cc_generic_services = true;
)";
  const GeneratorRun run =
      RunGenerator({{"one.proto", "syntax = 'proto3'; package one;" + bad},
                    {"two.proto", "syntax = 'proto3'; package two;" + bad}},
                   {"two.proto", "one.proto"});
  std::string expected = "6 errors:";
  for (const std::string file : {"\ntwo.proto", "\none.proto"}) {
    expected +=
        file +
        ":2:1: service \"Stub\": the generated class has a member of this "
        "name; rename the service" +
        file +
        ":3:3: method \"Service\": the generated class has a member of this "
        "name; rename the method" +
        file +
        ":6:1: option cc_generic_services makes protobuf generate classes of "
        "the same names as shmrpc's; remove the option";
  }
  EXPECT_EQ(run.error, expected);
  EXPECT_TRUE(run.files.empty());
}

TEST(Errors, OnlyTheGeneratedFilesAreChecked) {
  const GeneratorRun run = RunGenerator(
      {{"good.proto", "syntax = 'proto3'; import 'bad.proto'; service S {}"},
       {"bad.proto", "syntax = 'proto3'; package p; service Stub {}"}},
      {"good.proto"});
  EXPECT_TRUE(run.ok) << run.error;
}

}  // namespace
}  // namespace codegen
}  // namespace shmrpc
