#include "shmrpc/channel_arguments.h"

#include "gtest/gtest.h"

namespace shmrpc {
namespace {

TEST(ChannelArguments, NothingSetIsTheDefaults) {
  const ChannelArguments arguments;
  EXPECT_EQ(arguments.max_receive_message_size(), 4194304);
  EXPECT_EQ(arguments.max_send_message_size(), -1);
  EXPECT_EQ(arguments.GetSslTargetNameOverride(), "");
  EXPECT_EQ(arguments.GetInt("grpc.anything", 7), 7);
}

TEST(ChannelArguments, MessageSizesBySetterAndByKeyAreTheSame) {
  ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(10);
  arguments.SetMaxSendMessageSize(20);
  EXPECT_EQ(arguments.max_receive_message_size(), 10);
  EXPECT_EQ(arguments.max_send_message_size(), 20);
  EXPECT_EQ(arguments.GetInt("grpc.max_receive_message_length", 0), 10);
  EXPECT_EQ(arguments.GetInt("grpc.max_send_message_length", 0), 20);
  arguments.SetInt("grpc.max_receive_message_length", -1);
  arguments.SetInt("grpc.max_send_message_length", 40);
  EXPECT_EQ(arguments.max_receive_message_size(), -1);
  EXPECT_EQ(arguments.max_send_message_size(), 40);
}

TEST(ChannelArguments, UnknownKeysOfAllTypesAreKept) {
  ChannelArguments arguments;
  int pointed_to = 0;
  arguments.SetInt("a", 1);
  arguments.SetString("b", "two");
  arguments.SetPointer("c", &pointed_to);
  EXPECT_EQ(arguments.GetInt("a", -1), 1);
  EXPECT_EQ(arguments.GetInt("b", -1), -1);  // no integer
  EXPECT_EQ(arguments.GetInt("c", -1), -1);
  arguments.SetInt("b", 2);
  EXPECT_EQ(arguments.GetInt("b", -1), 2);
}

TEST(ChannelArguments, SettersUseTheirKeys) {
  ChannelArguments arguments;
  arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  arguments.SetGrpclbFallbackTimeout(5);
  arguments.SetUserAgentPrefix("agent");
  arguments.SetLoadBalancingPolicyName("round_robin");
  arguments.SetServiceConfigJSON("{}");
  arguments.SetSslTargetNameOverride("foo.test");
  EXPECT_EQ(arguments.GetInt("grpc.default_compression_algorithm", -1),
            GRPC_COMPRESS_GZIP);
  EXPECT_EQ(arguments.GetInt("grpc.grpclb_fallback_timeout_ms", -1), 5);
  EXPECT_EQ(arguments.GetSslTargetNameOverride(), "foo.test");
}

TEST(ChannelArguments, CopiesAreIndependent) {
  ChannelArguments first;
  first.SetInt("a", 1);
  first.SetMaxSendMessageSize(1);
  ChannelArguments second(first);
  second.SetInt("a", 2);
  second.SetMaxSendMessageSize(2);
  EXPECT_EQ(first.GetInt("a", 0), 1);
  EXPECT_EQ(first.max_send_message_size(), 1);
  first = second;
  EXPECT_EQ(first.GetInt("a", 0), 2);
  EXPECT_EQ(first.max_send_message_size(), 2);
}

TEST(ChannelArguments, SwapExchangesEverything) {
  ChannelArguments first;
  ChannelArguments second;
  first.SetMaxReceiveMessageSize(1);
  first.SetSslTargetNameOverride("first");
  first.Swap(second);
  EXPECT_EQ(first.max_receive_message_size(), kDefaultMaxReceiveMessageBytes);
  EXPECT_EQ(first.GetSslTargetNameOverride(), "");
  EXPECT_EQ(second.max_receive_message_size(), 1);
  EXPECT_EQ(second.GetSslTargetNameOverride(), "first");
}

}  // namespace
}  // namespace shmrpc
