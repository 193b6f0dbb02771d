#include "codegen/options.h"

#include "gtest/gtest.h"

namespace shmrpc {
namespace codegen {
namespace {

std::string ErrorOf(const std::string& parameter) {
  Options options;
  std::string error;
  EXPECT_FALSE(ParseOptions(parameter, &options, &error)) << parameter;
  return error;
}

TEST(Options, NoneGiveDefaults) {
  Options options;
  std::string error;
  EXPECT_TRUE(ParseOptions("", &options, &error)) << error;
  EXPECT_EQ(options.services_namespace, "");
}

TEST(Options, ServicesNamespaceIsRead) {
  Options options;
  std::string error;
  EXPECT_TRUE(ParseOptions("services_namespace=rpc", &options, &error))
      << error;
  EXPECT_EQ(options.services_namespace, "rpc");
}

TEST(Options, UnknownOneIsNamedWithTheKnownOnes) {
  EXPECT_EQ(ErrorOf("generate_mock_code=true"),
            "unknown option \"generate_mock_code\"; known options: "
            "services_namespace");
  EXPECT_EQ(ErrorOf("services_namespace=rpc,x"),
            "unknown option \"x\"; known options: services_namespace");
}

TEST(Options, RepeatedOneIsAnError) {
  EXPECT_EQ(ErrorOf("services_namespace=a,services_namespace=b"),
            "option \"services_namespace\" is given twice");
}

TEST(Options, NamespaceThatIsNoIdentifierIsAnError) {
  EXPECT_EQ(ErrorOf("services_namespace=a.b"),
            "option \"services_namespace\": \"a.b\" is not a C++ identifier");
  EXPECT_EQ(ErrorOf("services_namespace="),
            "option \"services_namespace\": \"\" is not a C++ identifier");
  EXPECT_EQ(ErrorOf("services_namespace=class"),
            "option \"services_namespace\": \"class\" is not a C++ identifier");
}

}  // namespace
}  // namespace codegen
}  // namespace shmrpc
