#include "tests/support/script_service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "tests/support/pattern.h"

namespace shmrpc {
namespace testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

std::string Text(string_ref s) { return std::string(s.data(), s.size()); }

std::string ValueOf(const MetadataPair& pair) {
  std::string value;
  for (int i = 0; i < std::max(pair.repeated(), 1); ++i) value += pair.value();
  return value;
}

int64_t RemainingMs(const ServerContext& context) {
  if (context.deadline() == system_clock::time_point::max()) return -1;
  return std::max<int64_t>(0, std::chrono::duration_cast<milliseconds>(
                                  context.deadline() - system_clock::now())
                                  .count());
}

}  // namespace

// One handler at work.
class ScriptServiceImpl::Play {
 public:
  Play(ScriptServiceImpl* service, ServerContext* context, const Ends& ends,
       const std::string& name)
      : service_(service), context_(context), ends_(ends) {
    absl::MutexLock lock(&service_->mutex_);
    record_ = &service_->records_[name];
    HandlerReport* report = &record_->report;
    number_ = ++record_->latest;
    report->set_started(report->started() + 1);
    report->clear_steps();
    report->clear_client_metadata();
    report->set_was_cancelled(false);
    report->set_deadline_remaining_ms(RemainingMs(*context));
    report->set_peer(context->peer());
    for (const auto& pair : context->client_metadata()) {
      if (Text(pair.first) == kScriptKey) continue;
      MetadataPair* seen = report->add_client_metadata();
      seen->set_key(Text(pair.first));
      seen->set_value(Text(pair.second));
    }
  }

  // Also when the handler throws.
  ~Play() {
    absl::MutexLock lock(&service_->mutex_);
    HandlerReport* report = &record_->report;
    const bool cancelled = context_->IsCancelled();
    if (record_->latest == number_) report->set_was_cancelled(cancelled);
    if (cancelled) report->set_cancelled(report->cancelled() + 1);
    report->set_ended(report->ended() + 1);
  }

  // True: the handler returns `*status` now.
  bool Do(const Step& step, Status* status) {
    done_ = StepReport();
    index_ += 1;
    Publish();
    if (!Fits(step)) {
      *status = Status(INVALID_ARGUMENT, "no step for this kind of call");
      return true;
    }
    switch (step.what_case()) {
      case Step::kWrite:
        Write(step.write());
        break;
      case Step::kRead:
        Read(step.read());
        break;
      case Step::kEcho:
        Echo();
        break;
      case Step::kNextMessageSize: {
        uint32_t size_bytes = 0;
        done_.set_ok(ends_.reader->NextMessageSize(&size_bytes));
        done_.set_next_size(size_bytes);
        break;
      }
      case Step::kGate:
        HoldAt(step.gate());
        break;
      case Step::kUntilCancelled:
        HoldUntilCancelled();
        break;
      case Step::kInitialMetadata:
        context_->AddInitialMetadata(step.initial_metadata().key(),
                                     ValueOf(step.initial_metadata()));
        break;
      case Step::kTrailingMetadata:
        context_->AddTrailingMetadata(step.trailing_metadata().key(),
                                      ValueOf(step.trailing_metadata()));
        break;
      case Step::kSendInitialMetadata:
        ends_.stream->SendInitialMetadata();
        break;
      case Step::kTryCancel:
        context_->TryCancel();
        break;
      case Step::kThrown:
        if (step.thrown() == "int") throw 42;
        throw std::runtime_error(step.thrown());
      case Step::kRespond:
        ends_.response->set_payload(
            Pattern(static_cast<size_t>(step.respond().size_bytes()),
                    step.respond().seed()));
        break;
      case Step::kChild:
        CallChild(step.child());
        break;
      case Step::kPauseUs:
        std::this_thread::sleep_for(std::chrono::microseconds(step.pause_us()));
        break;
      case Step::kOutcome:
        *status = Status(static_cast<StatusCode>(step.outcome().code()),
                         step.outcome().message(), step.outcome().details());
        return true;
      case Step::WHAT_NOT_SET:
        *status = Status(INVALID_ARGUMENT, "a step of the script is empty");
        return true;
    }
    done_.set_cancelled(context_->IsCancelled());
    Publish();
    return false;
  }

 private:
  bool Fits(const Step& step) const {
    switch (step.what_case()) {
      case Step::kWrite:
        return ends_.writer != nullptr;
      case Step::kRead:
      case Step::kNextMessageSize:
        return ends_.reader != nullptr;
      case Step::kEcho:
        return ends_.reader != nullptr && ends_.writer != nullptr;
      case Step::kSendInitialMetadata:
        return ends_.stream != nullptr;
      case Step::kRespond:
        return ends_.response != nullptr;
      default:
        return true;
    }
  }

  // Makes what is known of the current step visible.
  void Publish() {
    absl::MutexLock lock(&service_->mutex_);
    if (record_->latest != number_) return;
    auto* steps = record_->report.mutable_steps();
    while (steps->size() < index_) steps->Add();
    *steps->Mutable(index_ - 1) = done_;
  }

  void Count(bool ok, const Item& item) {
    done_.set_ok(ok);
    if (!ok) return;
    done_.set_messages(done_.messages() + 1);
    done_.set_bytes(done_.bytes() +
                    static_cast<int64_t>(item.payload().size()));
    done_.set_digest(done_.digest() + PatternDigest(item.payload()));
    Publish();
  }

  void Write(const Writes& writes) {
    const int64_t count = std::max<int64_t>(writes.count(), 1);
    for (int64_t i = 0; i < count; ++i) {
      Item item;
      item.set_payload(Pattern(static_cast<size_t>(writes.size_bytes()),
                               writes.seed() + static_cast<uint64_t>(i)));
      WriteOptions options;
      if (writes.last() && i == count - 1) options.set_last_message();
      Count(ends_.writer->Write(item, options), item);
      if (!done_.ok()) return;
    }
  }

  void Read(int64_t count) {
    for (int64_t i = 0; count == 0 || i < count; ++i) {
      Item item;
      Count(ends_.reader->Read(&item), item);
      if (!done_.ok()) return;
    }
  }

  void Echo() {
    Item item;
    while (ends_.reader->Read(&item)) {
      Count(ends_.writer->Write(item), item);
      if (!done_.ok()) return;
    }
    done_.set_ok(false);
  }

  void HoldAt(const std::string& gate) {
    absl::MutexLock lock(&service_->mutex_);
    const auto open = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service_->mutex_) {
      return service_->all_open_ || service_->open_gates_.count(gate) > 0;
    };
    service_->mutex_.Await(absl::Condition(&open));
  }

  void HoldUntilCancelled() {
    absl::MutexLock lock(&service_->mutex_);
    // A handler can only ask; nothing tells it.
    while (!context_->IsCancelled() && !service_->all_open_) {
      service_->mutex_.AwaitWithTimeout(absl::Condition(&service_->all_open_),
                                        absl::Milliseconds(1));
    }
  }

  void CallChild(const Child& child) {
    auto stub = Scripted::NewStub(
        CreateChannel(child.target(), InsecureChannelCredentials()));
    PropagationOptions options;
    if (child.drop_deadline()) options.disable_deadline_propagation();
    if (child.drop_cancellation()) options.disable_cancellation_propagation();
    const auto context = ClientContext::FromServerContext(*context_, options);
    if (child.deadline_ms() != 0) {
      context->set_deadline(system_clock::now() +
                            milliseconds(child.deadline_ms()));
    }
    context->AddMetadata(kScriptKey, child.script().SerializeAsString());
    Item response;
    const Status status = stub->Unary(context.get(), Item(), &response);
    Outcome* outcome = done_.mutable_outcome();
    outcome->set_code(status.error_code());
    outcome->set_message(status.error_message());
    outcome->set_details(status.error_details());
  }

  ScriptServiceImpl* const service_;
  ServerContext* const context_;
  const Ends ends_;
  Record* record_;  // a map's entry: stays where it is
  int64_t number_;
  int index_ = 0;  // of the current step, from 1
  StepReport done_;
};

Status ScriptServiceImpl::Run(ServerContext* context, const Ends& ends) {
  const auto found = context->client_metadata().find(kScriptKey);
  Script script;
  if (found == context->client_metadata().end() ||
      !script.ParseFromArray(found->second.data(),
                             static_cast<int>(found->second.size()))) {
    return Status(INVALID_ARGUMENT, "the metadata has no script");
  }
  Play play(this, context, ends, script.name());
  for (const Step& step : script.steps()) {
    Status status;
    if (play.Do(step, &status)) return status;
  }
  return Status::OK;
}

Status ScriptServiceImpl::Unary(ServerContext* context, const Item* request,
                                Item* response) {
  *response = *request;
  Ends ends;
  ends.response = response;
  return Run(context, ends);
}

Status ScriptServiceImpl::ClientStream(ServerContext* context,
                                       ServerReader<Item>* reader,
                                       Item* response) {
  Ends ends;
  ends.stream = reader;
  ends.reader = reader;
  ends.response = response;
  return Run(context, ends);
}

Status ScriptServiceImpl::ServerStream(ServerContext* context, const Item*,
                                       ServerWriter<Item>* writer) {
  Ends ends;
  ends.stream = writer;
  ends.writer = writer;
  return Run(context, ends);
}

Status ScriptServiceImpl::Bidi(ServerContext* context,
                               ServerReaderWriter<Item, Item>* stream) {
  Ends ends;
  ends.stream = stream;
  ends.reader = stream;
  ends.writer = stream;
  return Run(context, ends);
}

Status ScriptServiceImpl::AwaitReport(ServerContext* context,
                                      const ReportRequest* request,
                                      HandlerReport* response) {
  absl::MutexLock lock(&mutex_);
  const HandlerReport& report = records_[request->name()].report;
  const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (all_open_) return true;
    if (report.started() < request->started()) return false;
    if (report.ended() < request->ended()) return false;
    if (request->steps() == 0) return true;
    const int at = static_cast<int>(request->steps()) - 1;
    return report.steps_size() > at &&
           report.steps(at).messages() >= request->messages();
  };
  // A caller that has died or given up is not waited for.
  while (!mutex_.AwaitWithTimeout(absl::Condition(&reached),
                                  absl::Milliseconds(20))) {
    if (context->IsCancelled()) return Status::CANCELLED;
  }
  *response = report;
  return Status::OK;
}

Status ScriptServiceImpl::Pass(ServerContext*, const GateName* request, Item*) {
  Open(request->name());
  return Status::OK;
}

void ScriptServiceImpl::Open(const std::string& gate) {
  absl::MutexLock lock(&mutex_);
  open_gates_.insert(gate);
}

int64_t ScriptServiceImpl::Running() {
  absl::MutexLock lock(&mutex_);
  int64_t running = 0;
  for (const auto& record : records_) {
    running += record.second.report.started() - record.second.report.ended();
  }
  return running;
}

void ScriptServiceImpl::OpenAll() {
  absl::MutexLock lock(&mutex_);
  all_open_ = true;
}

}  // namespace testing
}  // namespace shmrpc
