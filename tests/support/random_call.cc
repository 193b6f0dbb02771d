#include "tests/support/random_call.h"

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/support/client.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::microseconds;

// Above this many bits the messages of a call are few.
constexpr int kFewAboveBits = 20;
constexpr uint64_t kFewMessages = 3;
constexpr uint64_t kManyMessages = 500;
constexpr int kManyBits = 10;
constexpr uint64_t kPauseUs = 1000;
constexpr uint64_t kPausesAtMost = 50;
constexpr std::chrono::hours kFarDeadline(24);

}  // namespace

const char* EndingName(Ending ending) {
  switch (ending) {
    case Ending::kOk:
      return "ok";
    case Ending::kFailed:
      return "failed as told";
    case Ending::kCancelled:
      return "cancelled";
    case Ending::kExpired:
      return "expired";
    case Ending::kDropped:
      return "dropped";
    case Ending::kUnavailable:
      return "unavailable";
    case Ending::kWrong:
      return "wrong";
  }
  return "";
}

RandomCall::RandomCall(const CallMix& mix, const std::string& script_name,
                       std::mt19937_64* random)
    : random_(random), script_(script_name) {
  kind_ = kCallKinds[UpTo(4)];
  ChooseSizes(mix);
  ChooseTrouble(mix);
  WriteScript(mix);
}

void RandomCall::ChooseSizes(const CallMix& mix) {
  size_bits_ = mix.size_bits;
  if (OneIn(mix.large_one_in)) {
    size_bits_ += static_cast<int>(
        UpTo(static_cast<uint64_t>(mix.large_bits - mix.size_bits) + 1));
  }
  messages_ = UpTo(static_cast<uint64_t>(mix.messages));
  if (size_bits_ > kFewAboveBits) messages_ %= kFewMessages;
  if (OneIn(mix.many_one_in)) {
    messages_ = UpTo(kManyMessages);
    size_bits_ = kManyBits;
  }
}

void RandomCall::ChooseTrouble(const CallMix& mix) {
  // Some have passed already.
  if (UpTo(2) == 0) {
    deadline_us_ = static_cast<int64_t>(UpTo(8000)) - 200;
  }
  far_deadline_ = deadline_us_ == 0 && OneIn(mix.far_deadline_one_in);
  cancels_ = UpTo(4) == 0;
  server_cancels_ = UpTo(12) == 0;
  drops_ = kind_ != CallKind::kUnary && UpTo(8) == 0;
  code_ = UpTo(5) == 0 ? 1 + static_cast<int>(UpTo(16)) : 0;
  throws_ = OneIn(mix.throws_one_in);
  returns_early_ = UpTo(5) == 0;
  held_ = (cancels_ || deadline_us_ != 0) && OneIn(mix.held_one_in);
  pauses_ = messages_ < kPausesAtMost && OneIn(mix.pauses_one_in);
  corked_ = UpTo(8) == 0;
  waits_for_ready_ = OneIn(mix.ready_one_in);
  if (OneIn(mix.metadata_one_in)) metadata_bytes_ = UpTo(1 << UpTo(17)) + 1;
}

void RandomCall::WriteScript(const CallMix& mix) {
  if (metadata_bytes_ != 0) {
    const int n = static_cast<int>(metadata_bytes_);
    script_.InitialMetadata("x-i", "i", n).TrailingMetadata("x-t", "t", n);
  } else if (UpTo(3) == 0) {
    script_.InitialMetadata("x-few", std::string(UpTo(100), 'i'));
    script_.TrailingMetadata("x-few", "t");
  }
  if (server_cancels_) script_.TryCancel();
  if (held_) script_.UntilCancelled();
  if (pauses_ && ClientStreams(kind_) && !returns_early_) {
    script_.Read(1).Pause(static_cast<int64_t>(UpTo(kPauseUs)));
  }
  // What was read above is not echoed: see MakeBidi.
  if (returns_early_) {
    if (ClientStreams(kind_)) script_.Read(1);
  } else if (kind_ == CallKind::kBidi) {
    script_.Echo();
  } else if (kind_ == CallKind::kClientStream) {
    script_.ReadAll();
  } else if (kind_ == CallKind::kServerStream) {
    for (uint64_t i = 0; i < messages_; ++i) {
      sizes_.push_back(RandomSize());
      script_.Write(static_cast<int64_t>(sizes_.back()), 1, i);
    }
  }
  if (!ServerStreams(kind_) && mix.many_one_in != 0 && UpTo(3) == 0) {
    responds_ = true;
    sizes_.push_back(RandomSize());
    script_.Respond(static_cast<int64_t>(sizes_.back()), 7);
  }
  if (throws_) {
    script_.Throw("as told");
  } else if (code_ != 0) {
    script_.Return(code_, "as told");
  }
}

// Small ones are frequent, and a few are long.
size_t RandomCall::RandomSize() {
  const uint64_t bits = UpTo(static_cast<uint64_t>(size_bits_) + 1);
  return UpTo((uint64_t{1} << bits) + 1);
}

Item RandomCall::RandomItem(uint64_t seed) {
  const size_t size_bytes = RandomSize();
  bytes_ += static_cast<int64_t>(size_bytes);
  return ItemOf(size_bytes, seed);
}

void RandomCall::Pause() {
  if (pauses_) {
    std::this_thread::sleep_for(microseconds(UpTo(kPauseUs)));  // a slow reader
  }
}

Ending RandomCall::Run(Scripted::Stub* stub, ClientContext* context) {
  script_.AddTo(context);
  if (metadata_bytes_ != 0) {
    context->AddMetadata("x-c", std::string(metadata_bytes_, 'c'));
  }
  if (deadline_us_ != 0) {
    context->set_deadline(FromNow(microseconds(deadline_us_)));
  } else if (far_deadline_) {
    context->set_deadline(FromNow(kFarDeadline));
  }
  context->set_wait_for_ready(waits_for_ready_);
  context->set_initial_metadata_corked(corked_);
  std::thread canceller;
  if (cancels_) {
    const auto pause = microseconds(UpTo(3000));
    canceller = std::thread([context, pause] {
      std::this_thread::sleep_for(pause);  // the random moment
      context->TryCancel();
    });
  }
  const bool finished = Make(stub, context);
  if (canceller.joinable()) canceller.join();
  if (finished && status_.ok()) CheckMetadata(*context);
  return Judge(finished);
}

bool RandomCall::Make(Scripted::Stub* stub, ClientContext* context) {
  switch (kind_) {
    case CallKind::kUnary:
      MakeUnary(stub, context);
      return true;
    case CallKind::kClientStream:
      return MakeClientStream(stub, context);
    case CallKind::kServerStream:
      return MakeServerStream(stub, context);
    case CallKind::kBidi:
      return MakeBidi(stub, context);
  }
  return true;
}

void RandomCall::MakeUnary(Scripted::Stub* stub, ClientContext* context) {
  const Item request = RandomItem(1);
  Item response;
  status_ = stub->Unary(context, request, &response);
  if (!status_.ok()) return;
  if (responds_) {
    Received(response, sizes_[0], 7);
  } else {
    bytes_ += static_cast<int64_t>(response.payload().size());
    if (response.payload() != request.payload()) spoiled_ = "the response";
  }
}

bool RandomCall::MakeClientStream(Scripted::Stub* stub,
                                  ClientContext* context) {
  Item response;
  auto writer = stub->ClientStream(context, &response);
  for (uint64_t i = 0; i < messages_; ++i) {
    if (!writer->Write(RandomItem(i))) break;
  }
  if (drops_) return false;
  writer->WritesDone();
  status_ = writer->Finish();
  if (status_.ok()) Received(response, responds_ ? sizes_[0] : 0, 7);
  return true;
}

bool RandomCall::MakeServerStream(Scripted::Stub* stub,
                                  ClientContext* context) {
  auto reader = stub->ServerStream(context, RandomItem(0));
  Item item;
  size_t count = 0;
  while (reader->Read(&item)) {
    if (count >= sizes_.size()) {
      spoiled_ = "one message more";
    } else {
      Received(item, sizes_[count], count);
    }
    ++count;
    if (drops_) return false;
    Pause();
  }
  status_ = reader->Finish();
  if (status_.ok() && count != sizes_.size()) spoiled_ = "a message is missing";
  return true;
}

bool RandomCall::MakeBidi(Scripted::Stub* stub, ClientContext* context) {
  auto stream = stub->Bidi(context);
  Item item;
  // A slow handler has read one, which it does not send back.
  const uint64_t first = pauses_ && !returns_early_ ? 1 : 0;
  uint64_t read = 0;
  for (uint64_t i = 0; i < messages_ + first; ++i) {
    const size_t size_bytes = RandomSize();
    bytes_ += static_cast<int64_t>(size_bytes);
    if (!stream->Write(ItemOf(size_bytes, i))) break;
    if (i < first) continue;
    if (!stream->Read(&item)) break;
    Received(item, size_bytes, i);
    ++read;
    Pause();
  }
  if (drops_) return false;
  stream->WritesDone();
  while (stream->Read(&item)) spoiled_ = "one message more";
  status_ = stream->Finish();
  if (status_.ok() && !returns_early_ && read != messages_) {
    spoiled_ = "a message is missing";
  }
  return true;
}

void RandomCall::Received(const Item& item, size_t size_bytes, uint64_t seed) {
  bytes_ += static_cast<int64_t>(item.payload().size());
  if (!IsItemOf(item, size_bytes, seed)) {
    spoiled_ = absl::StrCat("message ", seed, ", written with ", size_bytes,
                            " bytes, read with ", item.payload().size());
  }
}

void RandomCall::CheckMetadata(const ClientContext& context) {
  if (metadata_bytes_ == 0) return;
  const auto is = [&](const std::multimap<string_ref, string_ref>& metadata,
                      const char* key, char byte) {
    return metadata.count(key) == 1 &&
           metadata.find(key)->second == std::string(metadata_bytes_, byte);
  };
  if (!is(context.GetServerInitialMetadata(), "x-i", 'i')) {
    spoiled_ = "the initial metadata";
  }
  if (!is(context.GetServerTrailingMetadata(), "x-t", 't')) {
    spoiled_ = "the trailing metadata";
  }
}

Ending RandomCall::Judge(bool finished) const {
  if (!spoiled_.empty()) return Ending::kWrong;
  if (!finished) return Ending::kDropped;
  const StatusCode code = status_.error_code();
  const std::string message = status_.error_message();
  if (code == OK) {
    const bool may = code_ == 0 && !throws_ && !server_cancels_ && !held_;
    return may ? Ending::kOk : Ending::kWrong;
  }
  if (throws_ && code == UNKNOWN &&
      message == "Unexpected error in RPC handling") {
    return Ending::kFailed;
  }
  if (!throws_ && code == code_ && message == "as told") return Ending::kFailed;
  if (code == CANCELLED &&
      ((cancels_ && message == "CANCELLED") ||
       (server_cancels_ && message == "Cancelled on the server side"))) {
    return Ending::kCancelled;
  }
  if (deadline_us_ != 0 && code == DEADLINE_EXCEEDED &&
      message == "Deadline Exceeded") {
    return Ending::kExpired;
  }
  return code == UNAVAILABLE ? Ending::kUnavailable : Ending::kWrong;
}

std::string RandomCall::Describe() const {
  return absl::StrCat(
      CallKindName(kind_), ", messages ", messages_, " of up to 2^", size_bits_,
      " bytes, deadline ",
      far_deadline_       ? "far"
      : deadline_us_ == 0 ? "none"
                          : absl::StrCat(deadline_us_, " us"),
      cancels_ ? ", cancels" : "", drops_ ? ", drops" : "",
      pauses_ ? ", slow" : "", corked_ ? ", corked" : "",
      waits_for_ready_ ? ", waits for ready" : "", ", metadata ",
      metadata_bytes_, " bytes, script {",
      script_.script().ShortDebugString().substr(0, 500), "}: status ",
      status_.error_code(), " \"", status_.error_message(), "\"",
      spoiled_.empty() ? "" : "; other than written: ", spoiled_);
}

}  // namespace testing
}  // namespace shmrpc
