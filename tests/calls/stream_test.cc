// Streams of all kinds: messages in order, how a stream ends, and what the
// other side learns of it.

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/mapped_objects.h"
#include "tests/support/pattern.h"
#include "tests/support/script.h"
#include "tests/support/scripted.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::milliseconds;

// Around the lengths at which a message travels another way, and more than a
// window.
const std::vector<size_t>& Sizes() {
  static const auto* const sizes = new std::vector<size_t>{
      0, 1, 31, 64, 1000, 8 * 1024, 8 * 1024 + 1, 100000, 3 << 20};
  return *sizes;
}

uint64_t DigestOf(const std::vector<size_t>& sizes) {
  uint64_t digest = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    digest += PatternDigest(Pattern(sizes[i], i));
  }
  return digest;
}

using Stream = ScriptedTest;

TEST_F(Stream, OfClientArrivesWholeAndGetsItsResponse) {
  HandlerScript script;
  script.ReadAll().Respond(1000, 7);
  ClientContext context;
  script.AddTo(&context);
  Item response;
  auto writer = stub()->ClientStream(&context, &response);
  for (size_t i = 0; i < Sizes().size(); ++i) {
    EXPECT_TRUE(writer->Write(ItemOf(Sizes()[i], i))) << i;
  }
  EXPECT_TRUE(writer->WritesDone());
  EXPECT_TRUE(IsOk(writer->Finish()));
  EXPECT_TRUE(IsItemOf(response, 1000, 7));
  const HandlerReport report = script.AwaitEnd(observer());
  EXPECT_EQ(report.steps(0).messages(), static_cast<int64_t>(Sizes().size()));
  EXPECT_EQ(report.steps(0).digest(), DigestOf(Sizes()));
  EXPECT_FALSE(report.steps(0).ok());  // the read after the last
  EXPECT_FALSE(report.was_cancelled());
}

TEST_F(Stream, OfServerArrivesWholeAndInOrder) {
  HandlerScript script;
  for (size_t i = 0; i < Sizes().size(); ++i) {
    script.Write(static_cast<int64_t>(Sizes()[i]), 1, i);
  }
  ClientContext context;
  script.AddTo(&context);
  auto reader = stub()->ServerStream(&context, Item());
  for (size_t i = 0; i < Sizes().size(); ++i) {
    Item item;
    ASSERT_TRUE(reader->Read(&item)) << i;
    EXPECT_TRUE(IsItemOf(item, Sizes()[i], i)) << i;
  }
  Item none;
  EXPECT_FALSE(reader->Read(&none));
  EXPECT_FALSE(reader->Read(&none));
  EXPECT_TRUE(IsOk(reader->Finish()));
}

TEST_F(Stream, OfBothGoesBackAndForth) {
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  for (size_t i = 0; i < Sizes().size(); ++i) {
    ASSERT_TRUE(stream->Write(ItemOf(Sizes()[i], i))) << i;
    Item item;
    ASSERT_TRUE(stream->Read(&item)) << i;
    EXPECT_TRUE(IsItemOf(item, Sizes()[i], i)) << i;
  }
  EXPECT_TRUE(stream->WritesDone());
  Item none;
  EXPECT_FALSE(stream->Read(&none));
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(Stream, OfBothIsReadByOneThreadAndWrittenByAnother) {
  constexpr int kMessages = 2000;
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  std::thread writer([&] {
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(stream->Write(ItemOf(i * 7 % 20000, i)));
    }
    EXPECT_TRUE(stream->WritesDone());
  });
  Item item;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(stream->Read(&item)) << i;
    EXPECT_TRUE(IsItemOf(item, i * 7 % 20000, i)) << i;
  }
  EXPECT_FALSE(stream->Read(&item));
  writer.join();
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(Stream, OfNoMessagesEndsOk) {
  HandlerScript script;
  script.ReadAll();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  EXPECT_TRUE(stream->WritesDone());
  Item item;
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_TRUE(IsOk(stream->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(0).messages(), 0);
}

TEST_F(Stream, ManyInARowLeaveNothingBehind) {
  const auto run = [](int streams) {
    for (int i = 0; i < streams; ++i) {
      HandlerScript script;
      script.Echo();
      ClientContext context;
      script.AddTo(&context);
      auto stream = stub()->Bidi(&context);
      for (size_t size : {100, 20000}) {
        ASSERT_TRUE(stream->Write(ItemOf(size, i)));
        Item item;
        ASSERT_TRUE(stream->Read(&item));
        ASSERT_TRUE(IsItemOf(item, size, i));
      }
      ASSERT_TRUE(stream->WritesDone());
      ASSERT_TRUE(IsOk(stream->Finish()));
    }
  };
  run(20);
  const uint64_t before = MappedBytes();
  run(500);
  EXPECT_LE(MappedBytes(), before + (4 << 20));
}

TEST_F(Stream, OfManyAtOnceOnOneChannelKeepApart) {
  constexpr int kStreams = 32;
  std::vector<std::thread> threads;
  for (int t = 0; t < kStreams; ++t) {
    threads.emplace_back([t] {
      HandlerScript script;
      script.Echo();
      ClientContext context;
      script.AddTo(&context);
      auto stream = stub()->Bidi(&context);
      for (int i = 0; i < 50; ++i) {
        const size_t size = (t * 1000 + i * 333) % 12000;
        ASSERT_TRUE(stream->Write(ItemOf(size, t * 1000 + i)));
        Item item;
        ASSERT_TRUE(stream->Read(&item));
        ASSERT_TRUE(IsItemOf(item, size, t * 1000 + i));
      }
      EXPECT_TRUE(stream->WritesDone());
      EXPECT_TRUE(IsOk(stream->Finish()));
    });
  }
  for (std::thread& t : threads) t.join();
}

// --- ends

TEST_F(Stream, WriteLastIsWritesDoneToo) {
  HandlerScript script;
  script.ReadAll().Respond(5);
  for (const size_t size : {size_t{0}, size_t{10}, size_t{100000}}) {
    ClientContext context;
    script.AddTo(&context);
    Item response;
    auto writer = stub()->ClientStream(&context, &response);
    EXPECT_TRUE(writer->Write(ItemOf(3)));
    writer->WriteLast(ItemOf(size), WriteOptions());
    EXPECT_TRUE(IsOk(writer->Finish()));
    EXPECT_TRUE(IsItemOf(response, 5));
  }
  const HandlerReport report = script.AwaitEnd(observer(), 3);
  EXPECT_EQ(report.steps(0).messages(), 2);
  EXPECT_FALSE(report.steps(0).ok());
}

TEST_F(Stream, WriteLastOfServerArrives) {
  HandlerScript script;
  script.Write(10).WriteLast(20).Return(NOT_FOUND, "after the last");
  ClientContext context;
  script.AddTo(&context);
  auto reader = stub()->ServerStream(&context, Item());
  Item item;
  EXPECT_TRUE(reader->Read(&item));
  EXPECT_TRUE(reader->Read(&item));
  EXPECT_TRUE(IsItemOf(item, 20));
  EXPECT_FALSE(reader->Read(&item));
  EXPECT_TRUE(Is(reader->Finish(), NOT_FOUND, "after the last"));
}

TEST_F(Stream, WriteOptionsThatAreHintsChangeNothing) {
  HandlerScript script;
  script.Echo();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  WriteOptions all;
  all.set_no_compression().set_buffer_hint().set_corked().set_write_through();
  for (const WriteOptions& options : {WriteOptions(), all}) {
    // It is there without a second write that would push it out.
    ASSERT_TRUE(stream->Write(ItemOf(100), options));
    Item item;
    ASSERT_TRUE(stream->Read(&item));
    EXPECT_TRUE(IsItemOf(item, 100));
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(Stream, OfClientWhoseHandlerReturnsEarlyGetsTheResponse) {
  HandlerScript script;
  script.Read(1).Respond(100, 1);
  ClientContext context;
  script.AddTo(&context);
  Item response;
  auto writer = stub()->ClientStream(&context, &response);
  EXPECT_TRUE(writer->Write(ItemOf(1000)));
  // More than a window: the last of them would wait for ever for a reader.
  int more = 0;
  while (writer->Write(ItemOf(100000))) ASSERT_LT(++more, 100);
  EXPECT_FALSE(writer->Write(ItemOf(1)));
  EXPECT_TRUE(writer->WritesDone());
  EXPECT_TRUE(IsOk(writer->Finish()));
  EXPECT_TRUE(IsItemOf(response, 100, 1));
}

TEST_F(Stream, OfBothWhoseHandlerReturnsEarlyDeliversWhatWasWritten) {
  HandlerScript script;
  script.Write(10, 3, 5).Return(ABORTED, "early");
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  while (stream->Write(ItemOf(100000))) {
  }
  Item item;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->Read(&item)) << i;
    EXPECT_TRUE(IsItemOf(item, 10, 5 + i));
  }
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(Is(stream->Finish(), ABORTED, "early"));
}

TEST_F(Stream, OfServerThatFailsAfterThreeMessagesDeliversThem) {
  HandlerScript script;
  script.Write(10, 1, 0).Write(20000, 1, 1).Write(0, 1, 2);
  script.TrailingMetadata("x-trailer", "t");
  script.Return(DATA_LOSS, "after three", "details");
  ClientContext context;
  script.AddTo(&context);
  auto reader = stub()->ServerStream(&context, Item());
  script.AwaitEnd(observer());  // the status is there before the first read
  Item item;
  EXPECT_TRUE(reader->Read(&item) && IsItemOf(item, 10, 0));
  EXPECT_TRUE(reader->Read(&item) && IsItemOf(item, 20000, 1));
  EXPECT_TRUE(reader->Read(&item) && IsItemOf(item, 0, 2));
  EXPECT_FALSE(reader->Read(&item));
  const Status status = reader->Finish();
  EXPECT_TRUE(Is(status, DATA_LOSS, "after three"));
  EXPECT_EQ(status.error_details(), "details");
  const auto found = context.GetServerTrailingMetadata().find("x-trailer");
  ASSERT_NE(found, context.GetServerTrailingMetadata().end());
  EXPECT_EQ(found->second, "t");
}

TEST_F(Stream, FinishWithUnreadMessagesWaitsForTheDeadline) {
  HandlerScript script;
  script.Write(10, 3);
  ClientContext context;
  script.AddTo(&context);
  context.set_deadline(FromNow(milliseconds(200)));
  auto reader = stub()->ServerStream(&context, Item());
  script.AwaitEnd(observer());
  EXPECT_TRUE(Is(reader->Finish(), DEADLINE_EXCEEDED, "Deadline Exceeded"));
}

TEST_F(Stream, FinishWithoutWritesDoneWaitsForTheDeadline) {
  HandlerScript script;
  script.ReadAll();
  {
    ClientContext context;
    script.AddTo(&context);
    context.set_deadline(FromNow(milliseconds(100)));
    Item response;
    response.set_payload("untouched");
    auto writer = stub()->ClientStream(&context, &response);
    EXPECT_TRUE(writer->Write(ItemOf(1)));
    EXPECT_TRUE(Is(writer->Finish(), DEADLINE_EXCEEDED, "Deadline Exceeded"));
    EXPECT_EQ(response.payload(), "untouched");
  }
  {
    ClientContext context;
    script.AddTo(&context);
    context.set_deadline(FromNow(milliseconds(100)));
    auto stream = stub()->Bidi(&context);
    EXPECT_TRUE(Is(stream->Finish(), DEADLINE_EXCEEDED, "Deadline Exceeded"));
  }
  EXPECT_EQ(script.AwaitEnd(observer(), 2).cancelled(), 2);
}

TEST_F(Stream, DroppedWithoutFinishIsCancelled) {
  HandlerScript script;
  script.UntilCancelled();
  {
    ClientContext context;
    script.AddTo(&context);
    Item response;
    auto writer = stub()->ClientStream(&context, &response);
    script.AwaitStart(observer(), 1);
  }
  {
    ClientContext context;
    script.AddTo(&context);
    auto reader = stub()->ServerStream(&context, Item());
    script.AwaitStart(observer(), 2);
  }
  {
    ClientContext context;
    script.AddTo(&context);
    auto stream = stub()->Bidi(&context);
    EXPECT_TRUE(stream->Write(ItemOf(20000)));
    script.AwaitStart(observer(), 3);
  }
  EXPECT_EQ(script.AwaitEnd(observer(), 3).cancelled(), 3);
}

TEST_F(Stream, DroppedWithUnreadMessagesLeavesNothingBehind) {
  const auto run = [](int streams) {
    HandlerScript script;
    script.Write(50000, 10);
    for (int i = 0; i < streams; ++i) {
      ClientContext context;
      script.AddTo(&context);
      auto reader = stub()->ServerStream(&context, Item());
      Item item;
      EXPECT_TRUE(reader->Read(&item));
    }
    script.AwaitEnd(observer(), streams);
  };
  run(5);
  const uint64_t before = MappedBytes();
  run(100);
  EXPECT_LE(MappedBytes(), before + (16 << 20));
}

// --- looking ahead

TEST_F(Stream, NextMessageSizeIsAtLeastTheLength) {
  HandlerScript script;
  script.NextMessageSize().Read(1).NextMessageSize();
  script.Write(0).Write(1234).Write(300000);
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  const Item request = ItemOf(5000);
  EXPECT_TRUE(stream->Write(request));
  EXPECT_TRUE(stream->WritesDone());
  uint32_t size_bytes = 0;
  for (const size_t size : {0, 1234, 300000}) {
    EXPECT_TRUE(stream->NextMessageSize(&size_bytes));
    EXPECT_TRUE(stream->NextMessageSize(&size_bytes));  // takes nothing away
    EXPECT_GE(size_bytes, ItemOf(size).ByteSizeLong());
    Item item;
    EXPECT_TRUE(stream->Read(&item));
    EXPECT_TRUE(IsItemOf(item, size));
  }
  EXPECT_FALSE(stream->NextMessageSize(&size_bytes));
  EXPECT_TRUE(IsOk(stream->Finish()));
  const HandlerReport report = script.AwaitEnd(observer());
  EXPECT_TRUE(report.steps(0).ok());
  EXPECT_GE(report.steps(0).next_size(),
            static_cast<int64_t>(request.ByteSizeLong()));
  EXPECT_FALSE(report.steps(2).ok());
}

TEST_F(Stream, HandlerRunsBeforeFirstMessage) {
  HandlerScript script;
  script.Write(7);
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  Item item;
  EXPECT_TRUE(stream->Read(&item));
  EXPECT_TRUE(IsItemOf(item, 7));
  stream->WritesDone();
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(Stream, CorkedOpensWithFirstMessage) {
  HandlerScript script;
  script.ReadAll();
  ClientContext context;
  script.AddTo(&context);
  context.set_initial_metadata_corked(true);
  Item response;
  auto writer = stub()->ClientStream(&context, &response);
  // Over the same connection, so the server has seen what came before it.
  EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
  EXPECT_TRUE(writer->Write(ItemOf(30000)));
  script.AwaitStep(observer(), 1, 1);
  EXPECT_TRUE(writer->WritesDone());
  EXPECT_TRUE(IsOk(writer->Finish()));
}

TEST_F(Stream, CorkedOpensWithWritesDone) {
  HandlerScript script;
  script.ReadAll().Write(3);
  ClientContext context;
  script.AddTo(&context);
  context.set_initial_metadata_corked(true);
  auto stream = stub()->Bidi(&context);
  EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
  EXPECT_TRUE(stream->WritesDone());
  Item item;
  EXPECT_TRUE(stream->Read(&item));
  EXPECT_FALSE(stream->Read(&item));
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(Stream, CorkedOpensWithWriteLast) {
  HandlerScript script;
  script.ReadAll();
  ClientContext context;
  script.AddTo(&context);
  context.set_initial_metadata_corked(true);
  Item response;
  auto writer = stub()->ClientStream(&context, &response);
  writer->WriteLast(ItemOf(10), WriteOptions());
  EXPECT_TRUE(IsOk(writer->Finish()));
  EXPECT_EQ(script.AwaitEnd(observer()).steps(0).messages(), 1);
}

TEST_F(Stream, CorkedAndDroppedNeverStarts) {
  HandlerScript script;
  {
    ClientContext context;
    script.AddTo(&context);
    context.set_initial_metadata_corked(true);
    auto stream = stub()->Bidi(&context);
  }
  EXPECT_EQ(script.AwaitStart(stub(), 0).started(), 0);
}

TEST_F(Stream, WaitForInitialMetadataReturnsBeforeFirstMessage) {
  HandlerScript script;
  script.InitialMetadata("x-early", "1").SendInitialMetadata().HoldAt("early");
  {
    ClientContext context;
    script.AddTo(&context);
    auto stream = stub()->Bidi(&context);
    stream->WaitForInitialMetadata();
    EXPECT_EQ(context.GetServerInitialMetadata().count("x-early"), 1u);
    EXPECT_EQ(script.AwaitStart(observer()).ended(), 0);
    server().OpenGate("early");
    EXPECT_TRUE(stream->WritesDone());
    EXPECT_TRUE(IsOk(stream->Finish()));
  }
  {
    ClientContext context;
    script.AddTo(&context);
    auto reader = stub()->ServerStream(&context, Item());
    reader->WaitForInitialMetadata();
    EXPECT_EQ(context.GetServerInitialMetadata().count("x-early"), 1u);
    EXPECT_TRUE(IsOk(reader->Finish()));
  }
  {
    ClientContext context;
    script.AddTo(&context);
    Item response;
    auto writer = stub()->ClientStream(&context, &response);
    writer->WaitForInitialMetadata();
    EXPECT_EQ(context.GetServerInitialMetadata().count("x-early"), 1u);
    EXPECT_TRUE(IsOk(writer->Finish()));
  }
}

TEST_F(Stream, SendInitialMetadataWithoutAnyEndsTheWait) {
  HandlerScript script;
  script.SendInitialMetadata().ReadAll();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  stream->WaitForInitialMetadata();
  EXPECT_TRUE(context.GetServerInitialMetadata().empty());
  EXPECT_EQ(script.AwaitStart(observer()).ended(), 0);
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(Stream, FirstReadBringsInitialMetadata) {
  HandlerScript script;
  script.InitialMetadata("x-with", "the first").Write(9).ReadAll();
  ClientContext context;
  script.AddTo(&context);
  auto stream = stub()->Bidi(&context);
  Item item;
  EXPECT_TRUE(stream->Read(&item));
  EXPECT_EQ(context.GetServerInitialMetadata().count("x-with"), 1u);
  stream->WaitForInitialMetadata();  // returns at once
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(IsOk(stream->Finish()));
}

TEST_F(Stream, WaitForInitialMetadataReturnsWhenTheCallEnds) {
  HandlerScript script;
  script.Return(NOT_FOUND, "nothing");
  ClientContext context;
  script.AddTo(&context);
  auto reader = stub()->ServerStream(&context, Item());
  reader->WaitForInitialMetadata();
  EXPECT_TRUE(context.GetServerInitialMetadata().empty());
  EXPECT_TRUE(Is(reader->Finish(), NOT_FOUND, "nothing"));
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
