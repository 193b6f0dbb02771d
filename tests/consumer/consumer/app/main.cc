// A server and a client of two services, in one process, as another repository
// would write them. Prints PASSED and exits with 0 if every call went as
// expected.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "generated/limits.pb.h"
#include "orders/v1/orders.shmrpc.pb.h"
#include "shmrpc/shared_memory.h"
#include "shmrpc/shmrpc.h"
#include "stock/item.shmrpc.pb.h"
#include "types/money.pb.h"

namespace {

namespace orders = consumer::orders::v1;
using google::protobuf::Empty;
using inventory::stock::Item;
using inventory::stock::Stock;

constexpr int64_t kMostCents = 5000000000;  // does not fit into 32 bits

class OrdersImpl final : public orders::Orders::Service {
 public:
  shmrpc::Status Place(shmrpc::ServerContext* context,
                       const orders::PlaceRequest* request,
                       orders::PlaceReply* reply) override {
    if (request->count() <= 0) {
      return shmrpc::Status(shmrpc::StatusCode::INVALID_ARGUMENT,
                            "count must be positive");
    }
    reply->set_status(consumer::ACCEPTED);
    reply->mutable_price()->set_cents(request->count() *
                                      request->item().price_cents());
    return shmrpc::Status::OK;
  }

  shmrpc::Status GetLimits(shmrpc::ServerContext* context, const Empty* request,
                           consumer::generated::Limits* limits) override {
    limits->mutable_most()->set_cents(kMostCents);
    return shmrpc::Status::OK;
  }

  shmrpc::Status Echo(shmrpc::ServerContext* context,
                      const shmrpc::testing::EchoRequest* request,
                      shmrpc::testing::EchoReply* reply) override {
    reply->set_payload(request->payload());
    return shmrpc::Status::OK;
  }
};

class StockImpl final : public Stock::Service {
 public:
  shmrpc::Status Find(shmrpc::ServerContext* context, const Item* request,
                      Item* reply) override {
    *reply = *request;
    reply->mutable_unit()->set_name("piece");
    return shmrpc::Status::OK;
  }
};

int failures = 0;

void Check(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "FAILED: %s\n", what);
  ++failures;
}

void CheckStatus(const shmrpc::Status& status, shmrpc::StatusCode code,
                 const std::string& message, const char* call) {
  if (status.error_code() == code && status.error_message() == message) return;
  std::fprintf(stderr, "FAILED: %s: status %d \"%s\", expected %d \"%s\"\n",
               call, static_cast<int>(status.error_code()),
               status.error_message().c_str(), static_cast<int>(code),
               message.c_str());
  ++failures;
}

void TestPlace(orders::Orders::StubInterface* stub) {
  shmrpc::ClientContext context;
  orders::PlaceRequest request;
  request.mutable_item()->set_price_cents(250);
  request.set_count(4);
  orders::PlaceReply reply;
  CheckStatus(stub->Place(&context, request, &reply), shmrpc::StatusCode::OK,
              "", "Place");
  Check(reply.status() == consumer::ACCEPTED, "Place: status");
  Check(reply.price().cents() == 1000, "Place: price");
}

void TestPlaceOfNothing(orders::Orders::StubInterface* stub) {
  shmrpc::ClientContext context;
  orders::PlaceReply reply;
  CheckStatus(stub->Place(&context, orders::PlaceRequest(), &reply),
              shmrpc::StatusCode::INVALID_ARGUMENT, "count must be positive",
              "Place of nothing");
}

void TestGetLimits(orders::Orders::StubInterface* stub) {
  shmrpc::ClientContext context;
  consumer::generated::Limits limits;
  CheckStatus(stub->GetLimits(&context, Empty(), &limits),
              shmrpc::StatusCode::OK, "", "GetLimits");
  Check(limits.most().cents() == kMostCents, "GetLimits: cents");
}

void TestEcho(orders::Orders::StubInterface* stub) {
  shmrpc::ClientContext context;
  shmrpc::testing::EchoRequest request;
  request.set_payload(std::string(100000, 'x'));
  shmrpc::testing::EchoReply reply;
  CheckStatus(stub->Echo(&context, request, &reply), shmrpc::StatusCode::OK, "",
              "Echo");
  Check(reply.payload() == request.payload(), "Echo: payload");
}

void TestUnimplemented(orders::Orders::StubInterface* stub) {
  shmrpc::ClientContext context;
  Empty reply;
  CheckStatus(stub->Cancel(&context, orders::PlaceRequest(), &reply),
              shmrpc::StatusCode::UNIMPLEMENTED, "", "Cancel");
}

void TestOtherRepository(Stock::StubInterface* stub) {
  shmrpc::ClientContext context;
  Item request;
  request.set_name("cup");
  Item reply;
  CheckStatus(stub->Find(&context, request, &reply), shmrpc::StatusCode::OK, "",
              "Find");
  Check(reply.name() == "cup" && reply.unit().name() == "piece", "Find: item");
}

// The layer below the calls, which is a target of its own.
void TestSharedMemory() {
  const std::string name =
      "Local\\consumer-" + std::to_string(std::random_device()());
  const auto memory = shmrpc::SharedMemory::Create(name, 4096);
  const auto opened = shmrpc::SharedMemory::Open(name);
  const auto event = shmrpc::NamedEvent::CreateOrOpen(name + ".event");
  Check(memory.ok() && opened.ok() && event.ok(), "SharedMemory: create, open");
  if (!memory.ok() || !opened.ok() || !event.ok()) return;
  const auto writer = memory->Map();
  const auto reader = opened->Map(shmrpc::MemoryAccess::kReadOnly);
  Check(writer.ok() && reader.ok(), "SharedMemory: map");
  if (!writer.ok() || !reader.ok()) return;
  Check(writer->Write<int64_t>(8, kMostCents).ok(), "SharedMemory: write");
  Check(event->Signal().ok() && event->Wait(std::chrono::seconds(10)).ok(),
        "NamedEvent");
  const absl::StatusOr<int64_t> cents = reader->Read<int64_t>(8);
  Check(cents.ok() && *cents == kMostCents, "SharedMemory: read");
}

}  // namespace

int main() {
  OrdersImpl orders_service;
  StockImpl stock_service;
  const std::string address =
      "shm:consumer-" + std::to_string(std::random_device()());
  shmrpc::ServerBuilder builder;
  builder.AddListeningPort(address, shmrpc::InsecureServerCredentials());
  builder.RegisterService(&orders_service);
  builder.RegisterService(&stock_service);
  const std::unique_ptr<shmrpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;  // the log says why

  const auto channel =
      shmrpc::CreateChannel(address, shmrpc::InsecureChannelCredentials());
  const auto orders_stub = orders::Orders::NewStub(channel);
  TestPlace(orders_stub.get());
  TestPlaceOfNothing(orders_stub.get());
  TestGetLimits(orders_stub.get());
  TestEcho(orders_stub.get());
  TestUnimplemented(orders_stub.get());
  TestOtherRepository(Stock::NewStub(channel).get());
  server->Shutdown();
  TestSharedMemory();

  if (failures != 0) return 1;
  std::printf("PASSED\n");
  return 0;
}
