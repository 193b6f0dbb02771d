// A call of Scripted whose kind, messages, script and misfortunes are chosen at
// random, and the judgement of how it ended.
//
//   std::mt19937_64 random(seed);
//   RandomCall call(CallMix(), "process 1", &random);
//   ClientContext context;
//   const Ending ending = call.Run(stub, &context);
//   EXPECT_NE(ending, Ending::kWrong) << call.Describe();
//
// A call is right if it ended as was asked for, or by one of the things that
// were done to it: its messages are then what the other side wrote, to the
// byte. A reply that is lost leaves a call without a near deadline waiting for
// ever: whoever runs calls has a watchdog.
//
// Thread rule: one thread; the random numbers are the caller's.

#ifndef SHMRPC_TESTS_SUPPORT_RANDOM_CALL_H_
#define SHMRPC_TESTS_SUPPORT_RANDOM_CALL_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "shmrpc/shmrpc.h"
#include "tests/support/script.h"

namespace shmrpc {
namespace testing {

// Where a number says "one in": of so many calls one, on average; 0: none.
struct CallMix {
  // A message has from 0 to 2^n bytes, each n up to `size_bits` as likely as
  // the others; in one call of `large_one_in`, up to `large_bits`.
  int size_bits = 17;
  int large_bits = 17;
  int large_one_in = 0;
  int messages = 12;      // of a stream, less than that
  int many_one_in = 0;    // streams of up to 500 small messages
  int pauses_one_in = 0;  // a reader, on either side, that is slow
  int held_one_in = 0;    // a handler that ends with its call only
  int throws_one_in = 0;
  int far_deadline_one_in = 0;  // that cannot pass
  int ready_one_in = 0;         // waits for a server
  int metadata_one_in = 0;      // up to 64 KiB, in all three places
};

enum class Ending {
  kOk,
  kFailed,       // as the script told the handler to
  kCancelled,    // by either side
  kExpired,      // its deadline
  kDropped,      // a stream, without Finish
  kUnavailable,  // the server went away: the caller knows whether it did
  kWrong,
};
constexpr int kEndings = 7;
const char* EndingName(Ending ending);

class RandomCall {
 public:
  // `script_name`: HandlerScript's.
  RandomCall(const CallMix& mix, const std::string& script_name,
             std::mt19937_64* random);

  // Once. Adds to `context`, which is new, what the call needs.
  Ending Run(Scripted::Stub* stub, ClientContext* context);

  CallKind kind() const { return kind_; }
  // Longest message, at the most 2^this bytes.
  int size_bits() const { return size_bits_; }
  bool throws() const { return throws_; }
  int code() const { return code_; }  // the handler returns; 0: OK
  // Of payloads that were sent, and received and compared.
  int64_t bytes() const { return bytes_; }
  const Status& status() const { return status_; }
  // What was chosen, and how it ended.
  std::string Describe() const;

 private:
  uint64_t UpTo(uint64_t n) { return (*random_)() % n; }
  bool OneIn(int n) { return n > 0 && UpTo(static_cast<uint64_t>(n)) == 0; }
  size_t RandomSize();
  Item RandomItem(uint64_t seed);
  void Pause();

  void ChooseSizes(const CallMix& mix);
  void ChooseTrouble(const CallMix& mix);
  void WriteScript(const CallMix& mix);

  // False: dropped.
  bool Make(Scripted::Stub* stub, ClientContext* context);
  void MakeUnary(Scripted::Stub* stub, ClientContext* context);
  bool MakeClientStream(Scripted::Stub* stub, ClientContext* context);
  bool MakeServerStream(Scripted::Stub* stub, ClientContext* context);
  bool MakeBidi(Scripted::Stub* stub, ClientContext* context);
  void Received(const Item& item, size_t size_bytes, uint64_t seed);
  // Of a call that ended OK.
  void CheckMetadata(const ClientContext& context);
  Ending Judge(bool finished) const;

  std::mt19937_64* const random_;
  HandlerScript script_;
  CallKind kind_;
  int size_bits_;
  uint64_t messages_;
  int64_t deadline_us_ = 0;  // 0: none
  bool far_deadline_;
  bool cancels_;
  bool server_cancels_;
  bool drops_;
  bool held_;
  bool throws_;
  bool pauses_;
  int code_;
  bool returns_early_;
  bool corked_;
  bool waits_for_ready_;
  size_t metadata_bytes_ = 0;
  std::vector<size_t> sizes_;  // of the server's messages
  bool responds_ = false;      // with a payload of sizes_[0] bytes

  Status status_;
  std::string spoiled_;  // what was not as written; "": nothing
  int64_t bytes_ = 0;
};

}  // namespace testing
}  // namespace shmrpc

#endif  // SHMRPC_TESTS_SUPPORT_RANDOM_CALL_H_
