#include "codegen/model.h"

#include "codegen/method_templates.h"
#include "codegen/testing/parsed_protos.h"
#include "gtest/gtest.h"

namespace shmrpc {
namespace codegen {
namespace {

constexpr char kGreeter[] = R"(syntax = "proto3";
package a.b;
message Request { message Inner {} }
// Greets.
service Greeter {
  // Says hello.
  rpc SayHello(Request) returns (Request.Inner);
  rpc delete(Request) returns (Request);
}
)";

TEST(Model, ServiceIsNamedAsInTheProto) {
  testing::ParsedProtos protos({{"dir/greeter.proto", kGreeter}});
  const auto* descriptor = protos.Find("dir/greeter.proto");
  ASSERT_NE(descriptor, nullptr) << protos.errors();
  const FileModel file = BuildModel(*descriptor, Options());
  EXPECT_EQ(file.message_header, "dir/greeter.pb.h");
  EXPECT_EQ(file.header, "dir/greeter.shmrpc.pb.h");
  EXPECT_EQ(file.source, "dir/greeter.shmrpc.pb.cc");
  EXPECT_EQ(file.namespaces, std::vector<std::string>({"a", "b"}));
  ASSERT_EQ(file.services.size(), 1u);
  EXPECT_EQ(file.services[0].name, "Greeter");
  EXPECT_EQ(file.services[0].full_name, "a.b.Greeter");
  EXPECT_EQ(file.services[0].comments, CommentLines({" Greets."}));
}

TEST(Model, MethodKeepsItsNameOnTheWire) {
  testing::ParsedProtos protos({{"greeter.proto", kGreeter}});
  const auto* descriptor = protos.Find("greeter.proto");
  ASSERT_NE(descriptor, nullptr) << protos.errors();
  const FileModel file = BuildModel(*descriptor, Options());
  ASSERT_EQ(file.services.at(0).methods.size(), 2u);
  const MethodModel& hello = file.services[0].methods[0];
  EXPECT_EQ(hello.kind, MethodKind::kUnary);
  EXPECT_EQ(hello.name, "SayHello");
  EXPECT_EQ(hello.path, "/a.b.Greeter/SayHello");
  EXPECT_EQ(hello.request, "::a::b::Request");
  EXPECT_EQ(hello.response, "::a::b::Request_Inner");
  EXPECT_EQ(hello.comments, CommentLines({" Says hello."}));
  EXPECT_EQ(file.services[0].methods[1].name, "delete_");
  EXPECT_EQ(file.services[0].methods[1].path, "/a.b.Greeter/delete");
}

TEST(Model, ServicesNamespaceIsInnermost) {
  testing::ParsedProtos protos({{"greeter.proto", kGreeter}});
  const auto* descriptor = protos.Find("greeter.proto");
  ASSERT_NE(descriptor, nullptr) << protos.errors();
  Options options;
  options.services_namespace = "rpc";
  EXPECT_EQ(BuildModel(*descriptor, options).namespaces,
            std::vector<std::string>({"a", "b", "rpc"}));
}

TEST(Model, KindFollowsFromTheStreams) {
  testing::ParsedProtos protos({{"s.proto", R"(syntax = "proto3";
message M {}
service S {
  rpc A(M) returns (M);
  rpc B(stream M) returns (M);
  rpc C(M) returns (stream M);
  rpc D(stream M) returns (stream M);
})"}});
  const auto* file = protos.Find("s.proto");
  ASSERT_NE(file, nullptr) << protos.errors();
  const MethodKind expected[] = {
      MethodKind::kUnary, MethodKind::kClientStreaming,
      MethodKind::kServerStreaming, MethodKind::kBidiStreaming};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(KindOf(*file->service(0)->method(i)), expected[i]) << i;
    EXPECT_EQ(TraitsOf(expected[i]).kind, expected[i]) << i;
  }
}

TEST(Model, ClassThatServesAsStreamIsNamedAfterTheMethod) {
  testing::ParsedProtos protos({{"s.proto", R"(syntax = "proto3";
message M {}
service S {
  rpc delete(M) returns (M);
  rpc B(stream M) returns (M);
  rpc C(M) returns (stream M);
  rpc D(stream M) returns (stream M);
})"}});
  const auto* descriptor = protos.Find("s.proto");
  ASSERT_NE(descriptor, nullptr) << protos.errors();
  const FileModel file = BuildModel(*descriptor, Options());
  const std::vector<MethodModel>& methods = file.services.at(0).methods;
  ASSERT_EQ(methods.size(), 4u);
  EXPECT_EQ(methods[0].streamed_class, "WithStreamedUnaryMethod_delete_");
  EXPECT_EQ(methods[1].streamed_class, "");
  EXPECT_EQ(methods[2].streamed_class, "WithSplitStreamingMethod_C");
  EXPECT_EQ(methods[3].streamed_class, "");
}

// Every row of the tables belongs to the kind whose row it is.
TEST(MethodTemplates, AreThoseOfTheKind) {
  for (const MethodKind kind :
       {MethodKind::kUnary, MethodKind::kClientStreaming,
        MethodKind::kServerStreaming, MethodKind::kBidiStreaming}) {
    const MethodKindTraits& traits = TraitsOf(kind);
    const MethodTemplates& templates = TemplatesOf(kind);
    EXPECT_EQ(std::string(templates.stub_raw) != "", traits.streams());
    EXPECT_EQ(std::string(templates.stub_interface_raw) != "",
              traits.streams());
    EXPECT_EQ(std::string(templates.streamed) != "",
              traits.streamed_class != nullptr);
  }
}

}  // namespace
}  // namespace codegen
}  // namespace shmrpc
