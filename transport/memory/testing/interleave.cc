#include "transport/memory/testing/interleave.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <unordered_map>

#include "transport/platform/testing/fiber.h"

namespace shmrpc {
namespace interleave {
namespace {

using ::shmrpc::testing::Fiber;

// No program of a test needs as many: one that gets here goes round for ever.
constexpr int kMostSteps = 20000;

// What a thread is about to do.
struct Operation {
  enum Kind {
    kStart,
    kLoad,
    kStore,
    kExchange,
    kFence,
    kSignal,
    kWait,
    kLock,
    kUnlock
  };
  Kind kind = kStart;
  const void* object = nullptr;
};

const char* NameOf(Operation::Kind kind) {
  static const char* const kNames[] = {"start",    "load",  "store",
                                       "exchange", "fence", "signal",
                                       "wait",     "lock",  "unlock"};
  return kNames[kind];
}

class Explorer : public ModelMemory::Host {
 public:
  Explorer(const Program& program, MemoryModel model, bool reduce)
      : program_(program),
        model_(model),
        reduce_(reduce),
        count_(static_cast<int>(program.threads.size())),
        memory_(model, count_, this),
        threads_(count_) {
    current_explorer = this;
  }
  ~Explorer() override { current_explorer = nullptr; }

  Report All(uint64_t most_executions);
  Report Random(uint64_t seed, uint64_t executions);

  // Of the running thread: lets the scheduler decide, and comes back when it is
  // this thread's turn to do it.
  void Before(Operation operation);
  // It is done; `result` is all that the thread learns of it.
  void After(uint64_t result);
  // It learned `value` without any decision.
  void Learned(uint64_t value);
  // What failed goes no further.
  void StopIfFailed();
  int running() const { return running_; }
  ModelMemory& memory() { return memory_; }

  uint64_t Lock(const void* mutex);
  void Unlock(const void* mutex);
  void Signal(const void* event) { Find(event).signalled = true; }
  void Wait(const void* event) { Find(event).signalled = false; }

  int Choose(int options) override;
  void Fail(const std::string& reason) override;

  static Explorer* current_explorer;

 private:
  enum class End { kComplete, kMet, kFailed };

  struct Thread {
    Fiber fiber;
    Operation next;
    uint64_t history = 0;  // of operations and their results
  };
  // A mutex or an event.
  struct Object {
    const void* address;
    bool held = false;
    bool signalled = false;
    uint64_t times_held = 0;
    Knowledge left;  // by the last holder
  };
  // A decision on the way of the present execution.
  struct Decision {
    int options;
    int chosen;
    double interleavings;  // of the options before `chosen`
    bool has_state;
    uint64_t state;  // before it
  };

  static constexpr int kNobody = -1;

  End Run();
  // Who runs next, after whatever becomes visible before; kNobody: the
  // execution ends here.
  int Decide();
  bool CanRun(int thread) const;
  // Is its next operation one that nobody else's can come in the way of?
  bool IsPrivate(int thread) const;
  uint64_t State() const;
  // The steps to a failure, from the same decisions once more.
  std::string Trace();
  // Turns to the next way; false: there is none. `interleavings`: what the last
  // one stood for. At the end the sum of all is in interleavings_.
  bool Advance(double interleavings);
  Object& Find(const void* address);
  const Object* FindIfUsed(const void* address) const;

  const Program& program_;
  const MemoryModel model_;
  const bool reduce_;  // follow once what comes to the same
  const int count_;
  ModelMemory memory_;
  std::vector<Thread> threads_;
  std::vector<Object> objects_;
  int running_ = 0;  // count_: reset or finish
  int next_ = kNobody;
  bool started_ = false;  // every thread is before its first operation
  int steps_ = 0;
  End end_ = End::kComplete;
  bool failed_ = false;
  std::string reason_;

  std::vector<Decision> decisions_;
  size_t decided_ = 0;  // so many of them in this execution
  std::mt19937_64* random_ = nullptr;
  std::unordered_map<uint64_t, double> known_;  // states, interleavings behind
  double interleavings_ = 0;
  bool tracing_ = false;
  std::string trace_;
};

Explorer* Explorer::current_explorer = nullptr;

Explorer::Object& Explorer::Find(const void* address) {
  for (Object& o : objects_) {
    if (o.address == address) return o;
  }
  objects_.emplace_back();
  objects_.back().address = address;
  return objects_.back();
}

const Explorer::Object* Explorer::FindIfUsed(const void* address) const {
  for (const Object& o : objects_) {
    if (o.address == address) return &o;
  }
  return nullptr;
}

uint64_t Explorer::Lock(const void* mutex) {
  Object& object = Find(mutex);
  object.held = true;
  memory_.Learn(running_, object.left);
  return ++object.times_held;
}

void Explorer::Unlock(const void* mutex) {
  Object& object = Find(mutex);
  object.held = false;
  object.left = memory_.known(running_);
}

void Explorer::Before(Operation operation) {
  if (running_ == count_) return;
  Thread& self = threads_[running_];
  self.next = operation;
  if (started_) {
    next_ = Decide();
    if (next_ == running_) return;
  }
  Fiber::Suspend();
}

void Explorer::After(uint64_t result) {
  if (running_ != count_) {
    Thread& self = threads_[running_];
    self.history = MixHash(MixHash(self.history, self.next.kind), result);
    if (tracing_) {
      trace_ += "\n  thread " + std::to_string(running_) + ": " +
                NameOf(self.next.kind);
      if (self.next.object != nullptr && program_.name != nullptr) {
        trace_ += " " + program_.name(self.next.object);
      }
      if (result != 0) trace_ += " " + std::to_string(result);
    }
  }
  StopIfFailed();
}

void Explorer::Learned(uint64_t value) {
  if (running_ == count_) return;
  Thread& self = threads_[running_];
  self.history = MixHash(self.history, value);
}

void Explorer::StopIfFailed() {
  if (!failed_ || running_ == count_) return;
  next_ = kNobody;
  Fiber::Suspend();
}

void Explorer::Fail(const std::string& reason) {
  if (failed_) return;
  failed_ = true;
  reason_ = reason;
}

int Explorer::Choose(int options) {
  if (decided_ == decisions_.size()) {
    const int chosen =
        random_ == nullptr ? 0 : static_cast<int>((*random_)() % options);
    decisions_.push_back({options, chosen, 0, false, 0});
  }
  return decisions_[decided_++].chosen;
}

bool Explorer::CanRun(int thread) const {
  const Thread& t = threads_[thread];
  if (t.fiber.ended()) return false;
  const Object* object = FindIfUsed(t.next.object);
  switch (t.next.kind) {
    case Operation::kWait:
      return object != nullptr && object->signalled;
    case Operation::kLock:
      return memory_.Drained(thread) && (object == nullptr || !object->held);
    case Operation::kExchange:
    case Operation::kFence:
    case Operation::kUnlock:
      return memory_.Drained(thread);
    default:
      return true;
  }
}

bool Explorer::IsPrivate(int thread) const {
  switch (threads_[thread].next.kind) {
    case Operation::kStore:
      // kTso: it only goes into the buffer. kWeak: others' loads may go on
      // seeing older stores, and their stores may go before this one.
      return model_ != MemoryModel::kSequential;
    case Operation::kFence:
      // It finds the buffer empty.
      return model_ == MemoryModel::kTso;
    case Operation::kUnlock:
      // Until then nobody can lock.
      return true;
    default:
      return false;
  }
}

uint64_t Explorer::State() const {
  uint64_t hash = memory_.Hash();
  for (const Thread& t : threads_) hash = MixHash(hash, t.history);
  for (const Object& o : objects_) {
    // In whatever order they were first used.
    hash += MixHash(reinterpret_cast<uintptr_t>(o.address),
                    o.times_held * 4 + o.held * 2 + o.signalled);
  }
  return hash;
}

Explorer::End Explorer::Run() {
  decided_ = 0;
  steps_ = 0;
  failed_ = false;
  trace_.clear();
  objects_.clear();
  memory_.Reset();
  running_ = count_;
  program_.reset();
  memory_.Fork();
  started_ = false;
  for (int i = 0; i < count_; ++i) {
    threads_[i].history = 0;
    threads_[i].next = Operation();
    threads_[i].fiber.Start(program_.threads[i]);
    running_ = i;
    threads_[i].fiber.Resume();
  }
  started_ = true;
  end_ = End::kComplete;
  for (next_ = Decide(); next_ != kNobody;) {
    const int thread = running_ = next_;
    threads_[thread].fiber.Resume();
    // A thread that goes on has decided who is next, one that has ended not.
    if (threads_[thread].fiber.ended()) next_ = Decide();
  }
  running_ = count_;
  if (end_ == End::kComplete && !failed_) {
    memory_.Join();
    program_.finish();
  }
  return failed_ ? End::kFailed : end_;
}

int Explorer::Decide() {
  while (!failed_) {
    int options[2 * kMaxThreads];  // a thread; minus one and less: its buffer
    int count = 0;
    bool ended = true;
    for (int i = 0; i < count_; ++i) {
      // Whoever runs goes on first: that is one switch of stacks less.
      const int thread = (running_ + i) % count_;
      if (CanRun(thread)) {
        if (reduce_ && IsPrivate(thread)) {
          ++steps_;
          return thread;
        }
        options[count++] = thread;
      }
      if (!memory_.Drained(thread)) options[count++] = -1 - thread;
      ended = ended && threads_[thread].fiber.ended();
    }
    if (count == 0 && ended) break;
    if (count == 0) Fail("every thread that has not ended waits");
    if (steps_ == kMostSteps) Fail("no end");
    if (failed_) break;
    if (decided_ == decisions_.size() && random_ == nullptr && reduce_) {
      const uint64_t state = State();
      const bool met = known_.count(state) != 0;
      decisions_.push_back({met ? 1 : count, 0, 0, true, state});
      if (met) {
        end_ = End::kMet;
        break;
      }
    }
    const int option = options[Choose(count)];
    if (option >= 0) {
      ++steps_;
      return option;
    }
    memory_.DrainOne(-1 - option);
    if (tracing_) {
      trace_ += "\n  thread " + std::to_string(-1 - option) +
                ": its oldest store becomes visible";
    }
  }
  return kNobody;
}

std::string Explorer::Trace() {
  tracing_ = true;
  Run();
  tracing_ = false;
  return reason_ + trace_;
}

bool Explorer::Advance(double interleavings) {
  while (!decisions_.empty()) {
    Decision& last = decisions_.back();
    last.interleavings += interleavings;
    if (++last.chosen < last.options) return true;
    interleavings = last.interleavings;
    if (last.has_state) known_.emplace(last.state, interleavings);
    decisions_.pop_back();
  }
  interleavings_ = interleavings;
  return false;
}

Report Explorer::All(uint64_t most_executions) {
  Report report;
  while (report.executions < most_executions) {
    const End end = Run();
    ++report.executions;
    if (end == End::kFailed) {
      report.failure = Trace();
      break;
    }
    double interleavings = 1;
    if (end == End::kMet) {
      interleavings = known_.at(decisions_.back().state);
      decisions_.pop_back();
    }
    report.complete = !Advance(interleavings);
    if (report.complete) break;
  }
  report.states = known_.size();
  report.interleavings = interleavings_;
  return report;
}

Report Explorer::Random(uint64_t seed, uint64_t executions) {
  std::mt19937_64 random(seed);
  random_ = &random;
  Report report;
  while (report.executions < executions && report.failure.empty()) {
    decisions_.clear();
    ++report.executions;
    if (Run() == End::kFailed) report.failure = Trace();
  }
  report.interleavings = static_cast<double>(report.executions);
  return report;
}

Order Translate(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return Order::kRelaxed;
    case std::memory_order_acquire:
      return Order::kAcquire;
    case std::memory_order_release:
      return Order::kRelease;
    case std::memory_order_acq_rel:
      return Order::kAcqRel;
    default:
      std::fprintf(stderr, "interleave: this memory order is not modelled\n");
      std::abort();
  }
}

Explorer& Current() { return *Explorer::current_explorer; }

}  // namespace

std::ostream& operator<<(std::ostream& out, const Report& report) {
  out << report.executions << " executions";
  if (report.states == 0) return out;
  return out << ", " << report.states << " states, " << report.interleavings
             << " interleavings";
}

Report ExploreAll(const Program& program, MemoryModel model,
                  uint64_t most_executions) {
  return Explorer(program, model, true).All(most_executions);
}

Report ExploreAllUnreduced(const Program& program, MemoryModel model) {
  return Explorer(program, model, false).All(UINT64_MAX);
}

Report ExploreRandom(const Program& program, MemoryModel model, uint64_t seed,
                     uint64_t executions) {
  return Explorer(program, model, true).Random(seed, executions);
}

void Check(bool good, const char* what) {
  if (good) return;
  Explorer& explorer = Current();
  explorer.Fail(what);
  explorer.StopIfFailed();
}

uint64_t Read(const uint64_t* word) {
  Explorer& explorer = Current();
  ModelMemory& memory = explorer.memory();
  const uint64_t value = memory.Load(explorer.running(),
                                     memory.Locate(word, *word), Order::kPlain);
  explorer.Learned(value);
  explorer.StopIfFailed();
  return value;
}

void Write(uint64_t* word, uint64_t value) {
  Explorer& explorer = Current();
  ModelMemory& memory = explorer.memory();
  memory.Store(explorer.running(), memory.Locate(word, *word), Order::kPlain,
               value);
  explorer.StopIfFailed();
}

void Event::Signal() {
  Explorer& explorer = Current();
  explorer.Before({Operation::kSignal, this});
  explorer.Signal(this);
  explorer.After(0);
}

void Event::Wait() {
  Explorer& explorer = Current();
  explorer.Before({Operation::kWait, this});
  explorer.Wait(this);
  explorer.After(0);
}

void Mutex::Lock() {
  Explorer& explorer = Current();
  explorer.Before({Operation::kLock, this});
  explorer.After(explorer.Lock(this));
}

void Mutex::Unlock() {
  Explorer& explorer = Current();
  explorer.Before({Operation::kUnlock, this});
  explorer.Unlock(this);
  explorer.After(0);
}

uint64_t AtomicLoad(const void* word, uint64_t initial,
                    std::memory_order order) {
  Explorer& explorer = Current();
  explorer.Before({Operation::kLoad, word});
  const int location = explorer.memory().Locate(word, initial);
  const uint64_t value =
      explorer.memory().Load(explorer.running(), location, Translate(order));
  explorer.After(value);
  return value;
}

void AtomicStore(const void* word, uint64_t initial, uint64_t value,
                 std::memory_order order) {
  Explorer& explorer = Current();
  explorer.Before({Operation::kStore, word});
  const int location = explorer.memory().Locate(word, initial);
  explorer.memory().Store(explorer.running(), location, Translate(order),
                          value);
  explorer.After(value);
}

uint64_t AtomicExchange(const void* word, uint64_t initial, uint64_t value,
                        std::memory_order order) {
  Explorer& explorer = Current();
  explorer.Before({Operation::kExchange, word});
  const int location = explorer.memory().Locate(word, initial);
  const uint64_t old = explorer.memory().Exchange(explorer.running(), location,
                                                  Translate(order), value);
  explorer.After(old);
  return old;
}

void AtomicFence() {
  Explorer& explorer = Current();
  explorer.Before({Operation::kFence, nullptr});
  explorer.memory().FullFence(explorer.running());
  explorer.After(0);
}

}  // namespace interleave
}  // namespace shmrpc
