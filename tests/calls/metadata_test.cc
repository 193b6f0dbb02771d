// Metadata of calls of every kind: three ways, byte for byte, its limits, and
// what is said of metadata that is not legal.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/log_capture.h"
#include "tests/support/pattern.h"
#include "tests/support/script.h"
#include "tests/support/script_service.h"
#include "tests/support/scripted.h"
#include "tests/support/server_name.h"

namespace shmrpc {
namespace testing {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string EveryByte() {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  return all;
}

// Sorted by key, and within a key as they were added: as a multimap has them.
const Pairs& Sample() {
  static const auto* const pairs = new Pairs{
      {"a", "1"},
      {"empty", ""},
      {"empty-bin", ""},
      {"every-byte-bin", EveryByte()},
      {"long", std::string(5000, 'x')},
      {"repeated", "first"},
      {"repeated", ""},
      {"repeated", "another"},
      {"repeated", "first"},
      {"spaces", "  before, between and after  "},
      {"weird_key.0-9", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
  };
  return *pairs;
}

Pairs PairsOf(const std::multimap<string_ref, string_ref>& metadata) {
  Pairs pairs;
  for (const auto& pair : metadata) {
    pairs.emplace_back(std::string(pair.first.data(), pair.first.size()),
                       std::string(pair.second.data(), pair.second.size()));
  }
  return pairs;
}

using MetadataOfEveryKind = EveryKind;

TEST_P(MetadataOfEveryKind, OfClientArrives) {
  HandlerScript script;
  ClientContext context;
  for (const auto& pair : Sample()) {
    context.AddMetadata(pair.first, pair.second);
  }
  script.AddTo(&context);
  EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), &context).status));
  const HandlerReport report = script.AwaitEnd(observer());
  Pairs seen;
  for (const MetadataPair& pair : report.client_metadata()) {
    seen.emplace_back(pair.key(), pair.value());
  }
  EXPECT_THAT(seen, ElementsAreArray(Sample()));
}

TEST_P(MetadataOfEveryKind, OfServerArrivesWithOkAndWithErrors) {
  for (const int code : {0, static_cast<int>(PERMISSION_DENIED)}) {
    HandlerScript script;
    for (const auto& pair : Sample()) {
      script.InitialMetadata(pair.first, pair.second);
      script.TrailingMetadata(pair.first, pair.second);
    }
    script.InitialMetadata("z-initial", "i").TrailingMetadata("z-trail", "t");
    script.Return(code, "as told");
    ClientContext context;
    script.AddTo(&context);
    const CallResult result =
        MakeCall(stub(), GetParam(), &context, ItemOf(100));
    EXPECT_TRUE(Is(result.status, code, code == 0 ? "" : "as told"));
    if (code != 0) {
      EXPECT_EQ(result.response.payload(), "untouched");
    }
    Pairs initial = Sample();
    initial.emplace_back("z-initial", "i");
    EXPECT_THAT(PairsOf(context.GetServerInitialMetadata()),
                ElementsAreArray(initial));
    Pairs trailing = Sample();
    trailing.emplace_back("z-trail", "t");
    EXPECT_THAT(PairsOf(context.GetServerTrailingMetadata()),
                ElementsAreArray(trailing));
  }
}

TEST_P(MetadataOfEveryKind, OfOneCallIsNotTheNextOnes) {
  HandlerScript script, plain;
  script.InitialMetadata("x-i", "1").TrailingMetadata("x-t", "1");
  ClientContext context, plain_context;
  context.AddMetadata("x-c", "1");
  script.AddTo(&context);
  plain.AddTo(&plain_context);
  EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), &context).status));
  EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), &plain_context).status));
  EXPECT_THAT(plain_context.GetServerInitialMetadata(), IsEmpty());
  EXPECT_THAT(plain_context.GetServerTrailingMetadata(), IsEmpty());
  EXPECT_THAT(plain.AwaitEnd(observer()).client_metadata(), IsEmpty());
}

TEST_P(MetadataOfEveryKind, StatusDetailsAreTrailingMetadataToo) {
  HandlerScript script;
  script.TrailingMetadata("x-t", "1").Return(NOT_FOUND, "m", EveryByte());
  ClientContext context;
  script.AddTo(&context);
  const Status status = MakeCall(stub(), GetParam(), &context).status;
  EXPECT_TRUE(Is(status, NOT_FOUND, "m"));
  EXPECT_EQ(status.error_details(), EveryByte());
  EXPECT_THAT(PairsOf(context.GetServerTrailingMetadata()),
              ElementsAreArray(Pairs{{"grpc-status-details-bin", EveryByte()},
                                     {"x-t", "1"}}));
}

TEST_P(MetadataOfEveryKind, OkDropsMessageAndDetails) {
  HandlerScript script;
  script.TrailingMetadata("x-t", "1").Return(0, "m", "d");
  ClientContext context;
  script.AddTo(&context);
  const Status status = MakeCall(stub(), GetParam(), &context).status;
  EXPECT_TRUE(IsOk(status));
  EXPECT_EQ(status.error_details(), "");
  EXPECT_THAT(PairsOf(context.GetServerTrailingMetadata()),
              ElementsAreArray(Pairs{{"x-t", "1"}}));
}

TEST_P(MetadataOfEveryKind, LargeArrives) {
  const std::string block = Pattern(1000, 1);
  const std::string large = Repeated(block, 1000000);
  HandlerScript script;
  script.InitialMetadata("large-bin", block, 1000);
  script.TrailingMetadata("large-bin", block, 1000);
  ClientContext context;
  script.AddTo(&context);
  context.AddMetadata("x-large", std::string(1000000, 'c'));
  EXPECT_TRUE(IsOk(MakeCall(stub(), GetParam(), &context).status));
  for (const auto* metadata : {&context.GetServerInitialMetadata(),
                               &context.GetServerTrailingMetadata()}) {
    ASSERT_EQ(metadata->count("large-bin"), 1u);
    EXPECT_TRUE(metadata->find("large-bin")->second == large);
  }
  const HandlerReport report = script.AwaitEnd(observer());
  ASSERT_EQ(report.client_metadata_size(), 1);
  EXPECT_EQ(report.client_metadata(0).value().size(), 1000000u);
}

// The words around the number of bytes, which is the encoding's.
::testing::AssertionResult IsTooMuch(const Status& status) {
  const std::string text = status.error_message();
  const std::string begin = "metadata of ";
  const std::string end = " vs. 16777216)";
  if (status.error_code() == RESOURCE_EXHAUSTED && text.rfind(begin, 0) == 0 &&
      text.find(" bytes larger than max (") != std::string::npos &&
      text.size() > end.size() &&
      text.compare(text.size() - end.size(), end.size(), end) == 0) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "status is " << status;
}

TEST_P(MetadataOfEveryKind, TooMuchOfClientIsResourceExhausted) {
  HandlerScript script;
  ClientContext context;
  script.AddTo(&context);
  context.AddMetadata("x-large", std::string(16 << 20, 'c'));
  const CallResult result = MakeCall(stub(), GetParam(), &context);
  EXPECT_TRUE(IsTooMuch(result.status));
  EXPECT_EQ(result.response.payload(), "untouched");
  EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
}

TEST_P(MetadataOfEveryKind, TooMuchOfServerIsResourceExhausted) {
  HandlerScript initial, trailing;
  initial.InitialMetadata("x-large", "i", 16 << 20);
  trailing.TrailingMetadata("x-large", "t", 16 << 20);
  for (const HandlerScript* script : {&initial, &trailing}) {
    ClientContext context;
    script->AddTo(&context);
    const CallResult result =
        MakeCall(stub(), GetParam(), &context, ItemOf(100));
    EXPECT_TRUE(IsTooMuch(result.status));
    EXPECT_EQ(result.response.payload(), "untouched");
  }
}

TEST_P(MetadataOfEveryKind, IllegalOfClientSaysWhich) {
  const Pairs illegal = {
      {"", "v"},           {"Upper", "v"},        {"with space", "v"},
      {"colon:", "v"},     {"new\nline", "v"},    {"\xc3\xa9", "v"},
      {"x-value", "a\nb"}, {"x-value", "\x01"},   {"x-value", "\xff"},
      {"x-value", "\x7f"}, {"x-value", "tab\t."},
  };
  for (const auto& pair : illegal) {
    HandlerScript script;
    ClientContext context;
    script.AddTo(&context);
    context.AddMetadata("x-legal", "before");
    context.AddMetadata(pair.first, pair.second);
    context.AddMetadata("x-legal", "after");
    const CallResult result = MakeCall(stub(), GetParam(), &context);
    EXPECT_EQ(result.status.error_code(), INVALID_ARGUMENT) << pair.first;
    EXPECT_EQ(result.response.payload(), "untouched");
    if (pair.first[0] == 'x' || pair.first[0] == 'U') {
      EXPECT_THAT(result.status.error_message(), HasSubstr(pair.first));
    }
    EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(, MetadataOfEveryKind, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

using Metadata = ScriptedTest;

TEST_F(Metadata, InitialThatIsAddedTooLateIsDropped) {
  HandlerScript script;
  script.InitialMetadata("x-in-time", "1").SendInitialMetadata();
  script.InitialMetadata("x-late", "1").Write(10);
  script.InitialMetadata("x-later", "1");
  ClientContext context;
  script.AddTo(&context);
  EXPECT_TRUE(IsOk(MakeCall(stub(), CallKind::kBidi, &context).status));
  EXPECT_THAT(PairsOf(context.GetServerInitialMetadata()),
              ElementsAreArray(Pairs{{"x-in-time", "1"}}));
  EXPECT_THAT(context.GetServerTrailingMetadata(), IsEmpty());
}

TEST_F(Metadata, OutlivesItsStream) {
  HandlerScript script;
  script.InitialMetadata("x-i", "initial").Write(1);
  script.TrailingMetadata("x-t", "trailing");
  ClientContext context;
  script.AddTo(&context);
  {
    auto reader = stub()->ServerStream(&context, Item());
    Item item;
    while (reader->Read(&item)) {
    }
    EXPECT_TRUE(IsOk(reader->Finish()));
  }
  EXPECT_EQ(PairsOf(context.GetServerInitialMetadata()),
            (Pairs{{"x-i", "initial"}}));
  EXPECT_EQ(PairsOf(context.GetServerTrailingMetadata()),
            (Pairs{{"x-t", "trailing"}}));
}

TEST_F(Metadata, OfServerBesideALargeResponseArrives) {
  HandlerScript script;
  script.InitialMetadata("x-i", "1").TrailingMetadata("x-t", "1");
  script.Respond(300000, 3);
  ClientContext context;
  script.AddTo(&context);
  const CallResult result = MakeCall(stub(), CallKind::kUnary, &context);
  EXPECT_TRUE(IsOk(result.status));
  EXPECT_TRUE(IsItemOf(result.response, 300000, 3));
  EXPECT_EQ(context.GetServerInitialMetadata().size(), 1u);
  EXPECT_EQ(context.GetServerTrailingMetadata().size(), 1u);
}

TEST_F(Metadata, OfClientBesideALargeRequestArrives) {
  HandlerScript script;
  ClientContext context;
  script.AddTo(&context);
  context.AddMetadata("x-c", "1");
  const CallResult result =
      MakeCall(stub(), CallKind::kUnary, &context, ItemOf(300000, 4));
  EXPECT_TRUE(IsOk(result.status));
  EXPECT_TRUE(IsItemOf(result.response, 300000, 4));
  EXPECT_EQ(script.AwaitEnd(observer()).client_metadata_size(), 1);
}

// In this process, whose log can be read.
class MetadataOfServer : public ::testing::TestWithParam<CallKind> {};

TEST_P(MetadataOfServer, IllegalIsInternalAndLogged) {
  const std::string target = NewTarget();
  ScriptServiceImpl service;
  ServerBuilder builder;
  builder.AddListeningPort(target, InsecureServerCredentials());
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  auto stub = Scripted::NewStub(NewChannel(target));
  HandlerScript initial, trailing, value;
  initial.InitialMetadata("X-Bad-Initial", "v");
  trailing.TrailingMetadata("X-Bad-Trailing", "v");
  value.TrailingMetadata("x-bad-value", "line\nfeed");
  const std::map<const HandlerScript*, std::string> scripts = {
      {&initial, "X-Bad-Initial"},
      {&trailing, "X-Bad-Trailing"},
      {&value, "x-bad-value"}};
  for (const auto& script : scripts) {
    LogCapture log;
    ClientContext context;
    script.first->AddTo(&context);
    const CallResult result = MakeCall(stub.get(), GetParam(), &context);
    EXPECT_EQ(result.status.error_code(), INTERNAL) << result.status;
    EXPECT_EQ(result.response.payload(), "untouched");
    script.first->AwaitEnd(stub.get());
    EXPECT_THAT(log.Text(), HasSubstr(script.second));
  }
  HandlerScript good;
  ClientContext context;
  good.AddTo(&context);
  EXPECT_TRUE(IsOk(MakeCall(stub.get(), GetParam(), &context).status));
  stub.reset();
  server->Shutdown();
}

INSTANTIATE_TEST_SUITE_P(, MetadataOfServer, ::testing::ValuesIn(kCallKinds),
                         KindOfTest);

}  // namespace
}  // namespace testing
}  // namespace shmrpc
