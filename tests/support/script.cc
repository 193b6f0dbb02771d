#include "tests/support/script.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/client.h"
#include "tests/support/pattern.h"
#include "tests/support/script_service.h"
#include "transport/platform/process.h"

namespace shmrpc {
namespace testing {

HandlerScript::HandlerScript() {
  static std::atomic<int> next{0};
  // relaxed: only the number itself has to differ.
  script_.set_name(absl::StrCat(platform::CurrentProcess().pid, "-",
                                next.fetch_add(1, std::memory_order_relaxed)));
}

HandlerScript& HandlerScript::Write(int64_t size_bytes, int64_t count,
                                    uint64_t seed) {
  Writes* write = script_.add_steps()->mutable_write();
  write->set_size_bytes(size_bytes);
  write->set_count(count);
  write->set_seed(seed);
  return *this;
}

HandlerScript& HandlerScript::WriteLast(int64_t size_bytes) {
  Writes* write = script_.add_steps()->mutable_write();
  write->set_size_bytes(size_bytes);
  write->set_last(true);
  return *this;
}

HandlerScript& HandlerScript::Read(int64_t count) {
  script_.add_steps()->set_read(count);
  return *this;
}

HandlerScript& HandlerScript::Echo() {
  script_.add_steps()->set_echo(true);
  return *this;
}

HandlerScript& HandlerScript::NextMessageSize() {
  script_.add_steps()->set_next_message_size(true);
  return *this;
}

HandlerScript& HandlerScript::HoldAt(const std::string& gate) {
  script_.add_steps()->set_gate(gate);
  return *this;
}

HandlerScript& HandlerScript::UntilCancelled() {
  script_.add_steps()->set_until_cancelled(true);
  return *this;
}

HandlerScript& HandlerScript::InitialMetadata(const std::string& key,
                                              const std::string& value,
                                              int repeated) {
  MetadataPair* pair = script_.add_steps()->mutable_initial_metadata();
  pair->set_key(key);
  pair->set_value(value);
  pair->set_repeated(repeated);
  return *this;
}

HandlerScript& HandlerScript::TrailingMetadata(const std::string& key,
                                               const std::string& value,
                                               int repeated) {
  MetadataPair* pair = script_.add_steps()->mutable_trailing_metadata();
  pair->set_key(key);
  pair->set_value(value);
  pair->set_repeated(repeated);
  return *this;
}

HandlerScript& HandlerScript::SendInitialMetadata() {
  script_.add_steps()->set_send_initial_metadata(true);
  return *this;
}

HandlerScript& HandlerScript::TryCancel() {
  script_.add_steps()->set_try_cancel(true);
  return *this;
}

HandlerScript& HandlerScript::Throw(const std::string& text) {
  script_.add_steps()->set_thrown(text);
  return *this;
}

HandlerScript& HandlerScript::Respond(int64_t size_bytes, uint64_t seed) {
  Writes* respond = script_.add_steps()->mutable_respond();
  respond->set_size_bytes(size_bytes);
  respond->set_seed(seed);
  return *this;
}

HandlerScript& HandlerScript::Call(const Child& child) {
  *script_.add_steps()->mutable_child() = child;
  return *this;
}

HandlerScript& HandlerScript::Pause(int64_t pause_us) {
  script_.add_steps()->set_pause_us(pause_us);
  return *this;
}

HandlerScript& HandlerScript::Return(int code, const std::string& message,
                                     const std::string& details) {
  Outcome* outcome = script_.add_steps()->mutable_outcome();
  outcome->set_code(code);
  outcome->set_message(message);
  outcome->set_details(details);
  return *this;
}

void HandlerScript::AddTo(ClientContext* context) const {
  context->AddMetadata(kScriptKey, script_.SerializeAsString());
}

HandlerReport HandlerScript::AwaitStart(Scripted::Stub* stub,
                                        int64_t started) const {
  ReportRequest request;
  request.set_started(started);
  return Await(stub, request);
}

HandlerReport HandlerScript::AwaitEnd(Scripted::Stub* stub,
                                      int64_t ended) const {
  ReportRequest request;
  request.set_ended(ended);
  return Await(stub, request);
}

HandlerReport HandlerScript::AwaitStep(Scripted::Stub* stub, int64_t steps,
                                       int64_t messages) const {
  ReportRequest request;
  request.set_steps(steps);
  request.set_messages(messages);
  return Await(stub, request);
}

HandlerReport HandlerScript::Await(Scripted::Stub* stub,
                                   const ReportRequest& request) const {
  ReportRequest named = request;
  named.set_name(name());
  ClientContext context;
  HandlerReport report;
  EXPECT_TRUE(IsOk(stub->AwaitReport(&context, named, &report)));
  // Steps that a broken server never reported are empty, not out of bounds.
  while (report.steps_size() < size()) report.add_steps();
  return report;
}

void PassGate(Scripted::Stub* stub, const std::string& gate) {
  ClientContext context;
  GateName request;
  request.set_name(gate);
  Item response;
  EXPECT_TRUE(IsOk(stub->Pass(&context, request, &response)));
}

Item ItemOf(size_t size_bytes, uint64_t seed) {
  Item item;
  item.set_payload(Pattern(size_bytes, seed));
  return item;
}

bool IsItemOf(const Item& item, size_t size_bytes, uint64_t seed) {
  return item.payload() == Pattern(size_bytes, seed);
}

const char* CallKindName(CallKind kind) {
  switch (kind) {
    case CallKind::kUnary:
      return "Unary";
    case CallKind::kClientStream:
      return "ClientStream";
    case CallKind::kServerStream:
      return "ServerStream";
    case CallKind::kBidi:
      return "Bidi";
  }
  return "";
}

std::ostream& operator<<(std::ostream& out, CallKind kind) {
  return out << CallKindName(kind);
}

CallResult MakeCall(Scripted::Stub* stub, CallKind kind, ClientContext* context,
                    const Item& request) {
  CallResult result;
  result.response.set_payload("untouched");
  switch (kind) {
    case CallKind::kUnary:
      result.status = stub->Unary(context, request, &result.response);
      break;
    case CallKind::kClientStream: {
      auto writer = stub->ClientStream(context, &result.response);
      writer->Write(request);
      writer->WritesDone();
      result.status = writer->Finish();
      break;
    }
    case CallKind::kServerStream: {
      auto reader = stub->ServerStream(context, request);
      Item item;
      while (reader->Read(&item)) result.messages.push_back(std::move(item));
      result.status = reader->Finish();
      break;
    }
    case CallKind::kBidi: {
      auto stream = stub->Bidi(context);
      stream->Write(request);
      stream->WritesDone();
      Item item;
      while (stream->Read(&item)) result.messages.push_back(std::move(item));
      result.status = stream->Finish();
      break;
    }
  }
  return result;
}

}  // namespace testing
}  // namespace shmrpc
