// What protobuf's parser does on memory that changes while it reads: messages
// with every kind of field are parsed in place, again and again, while another
// thread writes into them: lengths, tags, bytes of varints, anything.
//
// The message ends where its memory ends: behind it lies a page that may not be
// touched (and before it one), so that a read outside is a crash even without a
// sanitizer; every second round it lies in a heap block of its exact size,
// which AddressSanitizer fences to the byte. What was parsed is then walked,
// serialized and parsed once more, in peace: that must work, and text must be
// UTF-8, which protobuf promises.
//
// SHMRPC_TEST_PARSES: how many at least (for each type); SHMRPC_TEST_SEED as
// always.

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/message.h"
#include "google/protobuf/message_lite.h"
#include "google/protobuf/stubs/logging.h"
#include "gtest/gtest.h"
#include "tests/fuzz/rich.pb.h"
#include "tests/fuzz/rich2.pb.h"
#include "tests/fuzz/rich_lite.pb.h"
#include "transport/memory/testing/seed.h"
#include "transport/platform/testing/watchdog.h"

namespace shmrpc {
namespace testing {
namespace {

using google::protobuf::MessageLite;

constexpr uint64_t kParses = 40000;

uint64_t ParsesWanted() {
  const char* text = std::getenv("SHMRPC_TEST_PARSES");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : kParses;
}

// `size_bytes` that end where a page ends which is followed by one that faults.
class FencedBytes {
 public:
  explicit FencedBytes(size_t size_bytes) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t inside = (size_bytes + page - 1) / page * page;
    total_ = inside + 2 * page;
    base_ = static_cast<uint8_t*>(
        mmap(nullptr, total_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED ||
        mprotect(base_ + page, inside, PROT_READ | PROT_WRITE) != 0) {
      std::perror("FencedBytes");
      std::abort();
    }
    data_ = base_ + page + inside - size_bytes;
  }
  ~FencedBytes() { munmap(base_, total_); }
  FencedBytes(const FencedBytes&) = delete;
  FencedBytes& operator=(const FencedBytes&) = delete;
  uint8_t* data() const { return data_; }

 private:
  uint8_t* base_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t total_ = 0;
};

// Maps in the order of their keys.
std::string Serialized(const MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializePartialToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string Text(std::mt19937_64* random) {
  // Of more than one byte per character, too.
  std::string text;
  for (uint64_t i = (*random)() % 12; i > 0; --i) text += "ab\u00e4\u20ac";
  return text;
}

void Fill(int depth, std::mt19937_64* random, Rich* rich) {
  std::mt19937_64& r = *random;
  const auto number = [&] { return r() >> (r() % 64); };
  rich->set_an_int32(static_cast<int32_t>(number()));
  rich->set_an_int64(static_cast<int64_t>(number()));
  rich->set_a_uint32(static_cast<uint32_t>(number()));
  rich->set_a_uint64(number());
  rich->set_a_sint32(static_cast<int32_t>(number()));
  rich->set_a_sint64(static_cast<int64_t>(number()));
  rich->set_a_fixed32(static_cast<uint32_t>(r()));
  rich->set_a_fixed64(r());
  rich->set_an_sfixed32(static_cast<int32_t>(r()));
  rich->set_an_sfixed64(static_cast<int64_t>(r()));
  rich->set_a_float(1.25f);
  rich->set_a_double(2.5);
  rich->set_a_bool(true);
  rich->set_text(Text(random));
  rich->set_payload(std::string(r() % 300, 'p'));
  rich->set_colour(COLOUR_GREEN);
  rich->set_maybe(3);
  for (uint64_t i = r() % 30; i > 0; --i) {
    rich->add_packed_ints(static_cast<int32_t>(number()));
    rich->add_packed_zigzag(static_cast<int64_t>(number()));
    rich->add_packed_fixed(r());
    rich->add_packed_bools(r() % 2 == 0);
    rich->add_packed_colours(COLOUR_RED);
    rich->add_packed_doubles(0.5);
    rich->add_unpacked_ints(static_cast<int32_t>(number()));
    rich->add_far_packed(static_cast<int64_t>(number()));
    rich->add_texts(Text(random));
    rich->add_blobs(std::string(r() % 40, 'b'));
  }
  rich->set_far(4);
  rich->set_far_text(Text(random));
  for (int i = 0; i < 3; ++i) {
    (*rich->mutable_by_text())[Text(random)] = Text(random);
    (*rich->mutable_by_bool())[i % 2 == 0] = "bool";
    (*rich->mutable_by_fixed())[r()] = COLOUR_RED;
  }
  // What no field of the type has.
  rich->GetReflection()->MutableUnknownFields(rich)->AddLengthDelimited(
      77, "unknown");
  rich->GetReflection()->MutableUnknownFields(rich)->AddGroup(78)->AddVarint(
      1, r());
  if (depth == 0) {
    rich->set_chosen_text(Text(random));
    return;
  }
  Fill(depth - 1, random, rich->mutable_inner());
  Fill(depth - 1, random, rich->add_children());
  Fill(depth - 1, random, &(*rich->mutable_by_number())[static_cast<int>(r())]);
  Fill(0, random, rich->mutable_chosen_message());
}

void Fill(int depth, std::mt19937_64* random, Rich2* rich) {
  std::mt19937_64& r = *random;
  rich->set_needed(1);
  rich->set_text(Text(random));
  rich->set_closed(CLOSED_FAR);
  for (uint64_t i = r() % 20; i > 0; --i) {
    rich->add_closed_list(CLOSED_ONE);
    rich->add_closed_packed(CLOSED_FAR);
    rich->add_numbers(static_cast<int32_t>(r() >> (r() % 64)));
    rich->add_texts(Text(random));
    rich->AddExtension(more_numbers, static_cast<int32_t>(r()));
    auto* part = rich->add_parts();
    part->set_number(r());
    part->set_blob(std::string(r() % 20, 'g'));
  }
  rich->mutable_part()->set_text(Text(random));
  rich->SetExtension(more_text, Text(random));
  (*rich->mutable_by_number())[5] = CLOSED_ONE;
  if (depth == 0) return;
  Fill(depth - 1, random, rich->mutable_part()->add_inside());
  Fill(depth - 1, random, rich->mutable_inner());
  Fill(depth - 1, random, rich->MutableExtension(more_message));
}

void Fill(int depth, std::mt19937_64* random, RichLite* rich) {
  std::mt19937_64& r = *random;
  rich->set_a_number(static_cast<int64_t>(r() >> (r() % 64)));
  rich->set_text(Text(random));
  rich->set_payload(std::string(r() % 300, 'p'));
  rich->set_colour(LITE_COLOUR_RED);
  for (uint64_t i = r() % 30; i > 0; --i) {
    rich->add_packed_ints(static_cast<int32_t>(r() >> (r() % 64)));
    rich->add_packed_fixed(static_cast<uint32_t>(r()));
    rich->add_texts(Text(random));
    rich->add_zigzag(static_cast<int64_t>(r() >> (r() % 64)));
  }
  rich->set_chosen_text(Text(random));
  if (depth == 0) return;
  Fill(depth - 1, random, &(*rich->mutable_by_text())[Text(random)]);
  Fill(depth - 1, random, rich->add_children());
  Fill(depth - 1, random, rich->mutable_chosen_message());
}

// Changes `bytes` of a message until it is told to stop. The message as it was
// comes back again and again, or soon nothing would parse.
class Meddler {
 public:
  Meddler(uint8_t* data, const std::string& honest, uint64_t seed)
      : data_(data), honest_(honest), thread_([this, seed] { Run(seed); }) {}
  ~Meddler() { Stop(); }

  void Stop() {
    if (!thread_.joinable()) return;
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  uint64_t flips() const { return flips_; }

 private:
  void Run(uint64_t seed) {
    std::mt19937_64 random(seed);
    const size_t size = honest_.size();
    while (!stop_.load(std::memory_order_relaxed)) {
      // A few places, each hit a number of times, then mended.
      const size_t at = random() % size;
      const uint8_t was = static_cast<uint8_t>(honest_[at]);
      uint8_t other;
      switch (random() % 6) {
        case 0:
          other = static_cast<uint8_t>(random());
          break;
        case 1:  // a varint goes on, or ends
          other = was ^ 0x80;
          break;
        case 2:
          other = was + 1;
          break;
        case 3:
          other = was - 1;
          break;
        case 4:
          other = 0xff;
          break;
        default:
          other = was ^ static_cast<uint8_t>(1 << random() % 8);
          break;
      }
      for (uint64_t i = random() % 400; i > 0; --i) {
        Store(at, other);
        Store(at, was);
      }
      // And now and then it stays for a while.
      if (random() % 8 == 0) {
        Store(at, other);
        for (int i = 0; i < 2000; ++i) {
          Store(random() % size, static_cast<uint8_t>(random()));
        }
        for (size_t i = 0; i < size; ++i) {
          Store(i, static_cast<uint8_t>(honest_[i]));
        }
      }
    }
  }
  void Store(size_t at, uint8_t value) {
    reinterpret_cast<std::atomic<uint8_t>*>(data_ + at)
        ->store(value, std::memory_order_relaxed);
    ++flips_;
  }

  uint8_t* const data_;
  const std::string honest_;
  std::atomic<bool> stop_{false};
  uint64_t flips_ = 0;
  std::thread thread_;
};

template <class T>
class ParseFlip : public ::testing::Test {};
using Types = ::testing::Types<Rich, Rich2, RichLite>;
TYPED_TEST_SUITE(ParseFlip, Types);

TYPED_TEST(ParseFlip, ChangingMessageParsesOrDoesNot) {
  const uint64_t wanted = ParsesWanted();
  Watchdog dog(200 + static_cast<int>(wanted / 200),
               "a parser, or a message that never parses");
  google::protobuf::SetLogHandler(nullptr);  // of text that is not UTF-8
  TestSeed seed;
  std::mt19937_64 random(seed.value());
  uint64_t parses = 0;
  uint64_t parsed = 0;
  uint64_t changed = 0;
  uint64_t flips = 0;
  // How many parse depends on which thread runs how fast. If few do, little of
  // the messages was read: then it goes on.
  const auto enough = [&] {
    return parses >= wanted && parsed >= wanted / 100;
  };
  for (int round = 0; !enough(); ++round) {
    TypeParam message;
    Fill(round % 4, &random, &message);
    const std::string honest = Serialized(message);
    FencedBytes fenced(honest.size());
    const std::unique_ptr<uint8_t[]> heap(new uint8_t[honest.size()]);
    uint8_t* const data = round % 2 == 0 ? fenced.data() : heap.get();
    std::memcpy(data, honest.data(), honest.size());
    Meddler meddler(data, honest, random());
    TypeParam target;
    for (int i = 0; i < 500 && !enough(); ++i, ++parses) {
      // As a server does, into a message that is used again; sometimes anew.
      if (i % 16 == 0) TypeParam().Swap(&target);
      if (!target.ParseFromArray(data, static_cast<int>(honest.size()))) {
        continue;
      }
      ++parsed;
      // Nothing of what it says depends on the memory any more.
      const std::string bytes = Serialized(target);
      ASSERT_EQ(bytes.size(), target.ByteSizeLong());
      changed += bytes != honest;
      TypeParam again;
      ASSERT_TRUE(again.ParseFromString(bytes));
      ASSERT_EQ(again.ByteSizeLong(), bytes.size());
    }
    meddler.Stop();
    flips += meddler.flips();
  }
  std::printf(
      "SHMRPC_TEST_SEED=%llu: %s: %llu parses in place of changing "
      "memory, %llu flips, %llu parsed, %llu of them not as sent\n",
      static_cast<unsigned long long>(seed.value()),
      TypeParam().GetTypeName().c_str(),
      static_cast<unsigned long long>(parses),
      static_cast<unsigned long long>(flips),
      static_cast<unsigned long long>(parsed),
      static_cast<unsigned long long>(changed));
  EXPECT_LT(parsed, parses) << "no change was ever seen";
}

}  // namespace
}  // namespace testing
}  // namespace shmrpc
