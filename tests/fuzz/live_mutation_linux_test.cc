// Real calls of all kinds while somebody writes into the connections that carry
// them, at any time: into the control page, both rings and the arena segments
// of both directions. Client and server live in this process, so each is the
// other's hostile peer, and a sanitizer sees both.
//
// Nobody crashes or hangs; every call ends with a status; a client beside, over
// a connection that nobody writes into, has every call answered right; a new
// channel's first call succeeds at once; in the end the server shuts down
// without a deadline, which needs every handler to have ended.
//
// SHMRPC_TEST_MUTATIONS says how many; SHMRPC_TEST_SEED repeats what is written
// (not when).

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "google/protobuf/stubs/logging.h"
#include "gtest/gtest.h"
#include "shmrpc/shmrpc.h"
#include "tests/fuzz/live_objects_linux.h"
#include "tests/fuzz/rich.shmrpc.pb.h"
#include "tests/support/server_name.h"
#include "transport/memory/layout.h"
#include "transport/memory/ring.h"
#include "transport/memory/testing/seed.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

constexpr uint64_t kMutations = 12000;
constexpr uint64_t kMutationsPerProbe = 200;
constexpr int kWorkers = 3;

uint64_t MutationsWanted() {
  const char* text = std::getenv("SHMRPC_TEST_MUTATIONS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : kMutations;
}

class RichImpl final : public RichService::Service {
 public:
  Status Unary(ServerContext*, const Rich* request, Rich* reply) override {
    *reply = *request;
    return Status::OK;
  }
  Status ClientStream(ServerContext*, ServerReader<Rich>* reader,
                      Rich* reply) override {
    Rich message;
    while (reader->Read(&message)) *reply = message;
    return Status::OK;
  }
  Status ServerStream(ServerContext*, const Rich* request,
                      ServerWriter<Rich>* writer) override {
    for (int i = 0; i < 3; ++i) {
      if (!writer->Write(*request)) break;
    }
    return Status::OK;
  }
  Status Bidi(ServerContext*, ServerReaderWriter<Rich, Rich>* stream) override {
    Rich message;
    while (stream->Read(&message) && stream->Write(message)) {
    }
    return Status::OK;
  }
};

// `large` as well: payloads beyond what the first arena segment may hold.
Rich SomeRich(std::mt19937_64* random, bool large = true) {
  Rich rich;
  rich.set_an_int64(static_cast<int64_t>((*random)()));
  rich.set_text("some text");
  rich.mutable_inner()->set_a_double(1.5);
  (*rich.mutable_by_text())["key"] = "value";
  for (int i = 0; i < 10; ++i) {
    rich.add_packed_ints(static_cast<int>((*random)() % 100000));
    rich.add_packed_fixed((*random)());
    rich.add_texts("text of a list");
  }
  // In the ring, nearly a record's most, in a block, in a large one.
  constexpr size_t kSizes[] = {0, 100, 7000, 20000, 200000};
  rich.set_payload(std::string(kSizes[(*random)() % (large ? 5 : 4)], 'p'));
  return rich;
}

// One call of some kind; true if what came back is what was sent.
Status CallOnce(RichService::Stub* stub, int kind, const Rich& request,
                std::chrono::milliseconds patience, bool* right) {
  ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + patience);
  context.set_wait_for_ready(true);
  context.AddMetadata("some-key", "some value");
  const std::string sent = request.SerializeAsString();
  Rich reply;
  Status status;
  switch (kind) {
    case 0:
      status = stub->Unary(&context, request, &reply);
      *right = reply.SerializeAsString() == sent;
      return status;
    case 1: {
      auto writer = stub->ClientStream(&context, &reply);
      for (int i = 0; i < 3 && writer->Write(request); ++i) {
      }
      writer->WritesDone();
      status = writer->Finish();
      *right = reply.SerializeAsString() == sent;
      return status;
    }
    case 2: {
      auto reader = stub->ServerStream(&context, request);
      int count = 0;
      *right = true;
      while (reader->Read(&reply)) {
        ++count;
        *right = *right && reply.SerializeAsString() == sent;
      }
      *right = *right && count == 3;
      return reader->Finish();
    }
    default: {
      auto stream = stub->Bidi(&context);
      *right = true;
      for (int i = 0; i < 3; ++i) {
        if (!stream->Write(request) || !stream->Read(&reply)) break;
        *right = *right && reply.SerializeAsString() == sent;
      }
      stream->WritesDone();
      return stream->Finish();
    }
  }
}

// Writes something believable, or anything, somewhere in `objects`.
void MutateOnce(const LiveObjects& objects, std::mt19937_64* random) {
  std::mt19937_64& r = *random;
  // Mostly connections: there a word matters.
  size_t i = r() % objects.size();
  if (!objects.is_connection(i) && r() % 4 != 0) i = r() % objects.size();
  std::atomic<uint64_t>* words = objects.words(i);
  const size_t count = objects.word_count(i);
  uint64_t value = r();
  size_t at = r() % count;
  if (objects.is_connection(i)) {
    const size_t first_of_rings = memory::kPage / 8;
    switch (r() % 12) {
      case 8:  // what is being read or written just now, in either ring
      case 9:
      case 10:
      case 11: {
        const size_t ring_words = (count - first_of_rings) / 2;
        const size_t ring = r() % 2;
        const uint64_t consumed =
            words[32 + ring * 8].load(std::memory_order_relaxed) / 8;
        at = first_of_rings + ring * ring_words +
             (consumed + r() % (ring_words / 4)) % ring_words;
        const uint64_t was = words[at].load(std::memory_order_relaxed);
        value = r() % 2 == 0 ? was ^ (uint64_t{1} << r() % 64)
                             : was + r() % 16 * 8 - 64;
        break;
      }
      case 0:  // marks, "closed", "consumed"
      case 1:
        at = 16 + r() % 40;
        value = r() % 3 == 0 ? r() : r() % 2 == 0 ? r() % 3 : r() % 1024 * 64;
        break;
      case 2:  // a record's first word
      case 3:
        at = first_of_rings + r() % ((count - first_of_rings) / 8) * 8;
        value = memory::RecordWord(r() % 400, static_cast<uint8_t>(r() % 11),
                                   static_cast<uint8_t>(r() % 17));
        break;
      case 4:  // the rest of a header
        at = first_of_rings + r() % ((count - first_of_rings) / 8) * 8 + 1 +
             r() % 3;
        value = r() % 64 << (r() % 2 * 32);
        break;
      case 5:  // what is there, a little changed
        at = first_of_rings + r() % (count - first_of_rings);
        value = words[at].load(std::memory_order_relaxed) ^
                (uint64_t{1} << r() % 64);
        break;
      case 6:  // the handshake's page
        at = r() % first_of_rings;
        break;
      default:
        break;
    }
  } else if (r() % 2 == 0) {
    at = r() % 8192 % count;  // where blocks are lent first
    value =
        words[at].load(std::memory_order_relaxed) ^ (uint64_t{1} << r() % 64);
  }
  words[at].store(value, std::memory_order_relaxed);
}

// Param: copy before parsing.
class LiveMutation : public ::testing::TestWithParam<bool> {
 protected:
  std::shared_ptr<Channel> NewChannelHere() {
    ChannelArguments arguments;
    arguments.SetInt(SHMRPC_ARG_COPY_BEFORE_PARSE, GetParam() ? 1 : 0);
    // Channels of a process share nothing: each has its own connection.
    return CreateCustomChannel(target_, InsecureChannelCredentials(),
                               arguments);
  }

  const std::string target_ = NewTarget();
};

TEST_P(LiveMutation, NobodyCrashesHangsOrMakesOthersSuffer) {
  const uint64_t wanted = MutationsWanted();
  Watchdog dog(240 + static_cast<int>(wanted / 20), "mutated connections");
  TestSeed seed;
  std::printf("SHMRPC_TEST_SEED=%llu\n",
              static_cast<unsigned long long>(seed.value()));
  SetLogLevel(LogSeverity::kNone);
  google::protobuf::SetLogHandler(nullptr);  // of text that is not UTF-8
  RichImpl service;
  ServerBuilder builder;
  builder.AddListeningPort(target_, InsecureServerCredentials());
  builder.RegisterService(&service);
  builder.SetCopyBeforeParse(GetParam());
  std::unique_ptr<Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);

  // The honest client, whose connection is made before anybody looks, with its
  // arena: no segment may follow later, which would be taken for the others'.
  auto honest_stub = RichService::NewStub(NewChannelHere());
  std::mt19937_64 random(seed.value());
  bool right = false;
  const std::chrono::milliseconds patience(60000);
  Rich in_block = SomeRich(&random);
  in_block.set_payload(std::string(20000, 'p'));
  ASSERT_TRUE(CallOnce(honest_stub.get(), 1, in_block, patience, &right).ok());
  ASSERT_TRUE(right);
  LiveObjects objects;

  std::atomic<bool> stop{false};
  std::atomic<uint64_t> honest_calls{0};
  std::string honest_failure;  // written by its thread, read when it is joined
  std::thread honest([&, honest_seed = random()] {
    std::mt19937_64 r(honest_seed);
    while (!stop.load(std::memory_order_relaxed) && honest_failure.empty()) {
      bool as_sent = false;
      const int kind = static_cast<int>(r() % 4);
      const Status status =
          CallOnce(honest_stub.get(), kind, SomeRich(&r, /*large=*/false),
                   patience, &as_sent);
      if (!status.ok() || !as_sent) {
        honest_failure = "kind " + std::to_string(kind) + ", code " +
                         std::to_string(status.error_code()) + ": " +
                         status.error_message();
      }
      honest_calls.fetch_add(1, std::memory_order_relaxed);
    }
  });

  absl::Mutex mutex;  // for the channel and the outcomes
  std::shared_ptr<Channel> attacked = NewChannelHere();
  std::map<int, uint64_t> outcomes;
  uint64_t wrong = 0;  // replies that were changed on their way
  std::vector<std::thread> workers;
  for (int i = 0; i < kWorkers; ++i) {
    workers.emplace_back([&, worker_seed = random()] {
      std::mt19937_64 r(worker_seed);
      while (!stop.load(std::memory_order_relaxed)) {
        std::shared_ptr<Channel> channel;
        {
          absl::MutexLock lock(&mutex);
          channel = attacked;
        }
        auto stub = RichService::NewStub(channel);
        bool as_sent = false;
        // A peer may well never answer: that is what deadlines are for.
        const Status status =
            CallOnce(stub.get(), static_cast<int>(r() % 4), SomeRich(&r),
                     std::chrono::milliseconds(300), &as_sent);
        absl::MutexLock lock(&mutex);
        ++outcomes[status.error_code()];
        wrong += status.ok() && !as_sent;
      }
    });
  }

  uint64_t mutations = 0;
  uint64_t probes = 0;
  std::string probe_failure;
  while (mutations < wanted && probe_failure.empty()) {
    objects.Look();
    // What is gone by the time it is written to was a mutation of nothing; so
    // few between two looks.
    for (int i = 0; i < 4 && objects.size() != 0; ++i, ++mutations) {
      MutateOnce(objects, &random);
      std::this_thread::yield();
    }
    if (objects.size() == 0) std::this_thread::yield();
    if (mutations < (probes + 1) * kMutationsPerProbe) continue;
    ++probes;
    // What was done to the others is no trouble for a connection made now,
    // which nobody writes into before its call is over.
    std::shared_ptr<Channel> fresh = NewChannelHere();
    auto stub = RichService::NewStub(fresh);
    const Status status = CallOnce(stub.get(), static_cast<int>(probes % 4),
                                   SomeRich(&random), patience, &right);
    if (!status.ok() || !right) {
      probe_failure =
          std::to_string(status.error_code()) + ": " + status.error_message();
    }
    absl::MutexLock lock(&mutex);
    attacked = std::move(fresh);  // the one before goes with its last call
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& worker : workers) worker.join();
  honest.join();
  attacked.reset();
  EXPECT_EQ(probe_failure, "") << "a new channel's first call";
  EXPECT_EQ(honest_failure, "") << "a call beside the attacked ones";
  EXPECT_GT(honest_calls.load(), 0u);
  server->Shutdown();

  std::printf(
      "%llu live mutations %s, %llu connections, %llu honest calls, "
      "%llu first calls, %llu changed replies; calls by code:",
      static_cast<unsigned long long>(mutations),
      GetParam() ? "copied first" : "in place",
      static_cast<unsigned long long>(objects.connections()),
      static_cast<unsigned long long>(honest_calls.load()),
      static_cast<unsigned long long>(probes),
      static_cast<unsigned long long>(wrong));
  for (const auto& outcome : outcomes) {
    std::printf(" %d: %llu", outcome.first,
                static_cast<unsigned long long>(outcome.second));
  }
  std::printf("\n");
  EXPECT_GT(outcomes[StatusCode::OK], 0u);
  EXPECT_GT(outcomes[StatusCode::UNAVAILABLE], 0u)
      << "no mutation broke a connection";
}

INSTANTIATE_TEST_SUITE_P(Copy, LiveMutation, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& info) {
                           return info.param ? "CopiedFirst" : "InPlace";
                         });

}  // namespace
}  // namespace testing
}  // namespace shmrpc
