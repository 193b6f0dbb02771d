// Calls the four methods of RouteGuide in another process, and prints what
// comes of it.
//
//   route_guide_client [NAME]        default: route_guide

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "examples/route_guide/geography.h"
#include "examples/route_guide/route_guide.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"

namespace {

using routeguide::Feature;
using routeguide::MakePoint;
using routeguide::Point;
using routeguide::Rectangle;
using routeguide::RouteGuide;
using routeguide::RouteNote;
using routeguide::RouteSummary;

void SetDeadline(shmrpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::seconds(10));
}

bool Succeeded(const shmrpc::Status& status) {
  if (!status.ok()) std::cout << "call failed: " << status << std::endl;
  return status.ok();
}

// One message each way.
bool GetFeature(RouteGuide::Stub* stub, const Point& point) {
  shmrpc::ClientContext context;
  SetDeadline(&context);
  Feature feature;
  if (!Succeeded(stub->GetFeature(&context, point, &feature))) return false;
  std::cout << ToString(point) << ": "
            << (feature.name().empty() ? "nothing" : feature.name())
            << std::endl;
  return true;
}

// The server streams: Read until it returns false, then Finish.
bool ListFeatures(RouteGuide::Stub* stub, const Rectangle& area,
                  std::vector<Feature>* features) {
  shmrpc::ClientContext context;
  SetDeadline(&context);
  std::unique_ptr<shmrpc::ClientReader<Feature>> reader =
      stub->ListFeatures(&context, area);
  for (Feature feature; reader->Read(&feature);) {
    std::cout << "  " << feature.name() << std::endl;
    features->push_back(feature);
  }
  return Succeeded(reader->Finish());
}

// The client streams: Write, WritesDone, then Finish, which fills in `summary`.
bool RecordRoute(RouteGuide::Stub* stub, const std::vector<Point>& route) {
  shmrpc::ClientContext context;
  SetDeadline(&context);
  RouteSummary summary;
  std::unique_ptr<shmrpc::ClientWriter<Point>> writer =
      stub->RecordRoute(&context, &summary);
  for (const Point& point : route) {
    // False: the call has ended already. Finish says why.
    if (!writer->Write(point)) break;
  }
  writer->WritesDone();
  if (!Succeeded(writer->Finish())) return false;
  std::cout << summary.point_count() << " points, " << summary.feature_count()
            << " places, " << summary.distance() << " m, "
            << summary.elapsed_ms() << " ms" << std::endl;
  return true;
}

// Both stream, at the same time: one thread writes while another reads.
bool RouteChat(RouteGuide::Stub* stub, const std::vector<RouteNote>& notes) {
  shmrpc::ClientContext context;
  SetDeadline(&context);
  std::unique_ptr<shmrpc::ClientReaderWriter<RouteNote, RouteNote>> stream =
      stub->RouteChat(&context);
  std::thread writer([&] {
    for (const RouteNote& note : notes) {
      if (!stream->Write(note)) break;
    }
    stream->WritesDone();
  });
  for (RouteNote note; stream->Read(&note);) {
    std::cout << "  at " << ToString(note.location()) << ": " << note.message()
              << std::endl;
  }
  writer.join();
  return Succeeded(stream->Finish());
}

RouteNote MakeNote(const Point& location, const char* message) {
  RouteNote note;
  *note.mutable_location() = location;
  note.set_message(message);
  return note;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string target =
      std::string("shm:") + (argc > 1 ? argv[1] : "route_guide");
  auto stub = RouteGuide::NewStub(
      shmrpc::CreateChannel(target, shmrpc::InsecureChannelCredentials()));
  const Point lighthouse = MakePoint(54.4012, 10.2101);
  const Point at_sea = MakePoint(54.41, 10.23);

  std::cout << "GetFeature" << std::endl;
  if (!GetFeature(stub.get(), lighthouse)) return 1;
  if (!GetFeature(stub.get(), at_sea)) return 1;

  std::cout << "ListFeatures: the hill" << std::endl;
  Rectangle hill;
  *hill.mutable_lo() = MakePoint(54.394, 10.191);
  *hill.mutable_hi() = MakePoint(54.398, 10.195);
  std::vector<Feature> features;
  if (!ListFeatures(stub.get(), hill, &features)) return 1;

  std::cout << "RecordRoute: from one to the next, and out to sea" << std::endl;
  std::vector<Point> route;
  for (const Feature& feature : features) route.push_back(feature.location());
  route.push_back(at_sea);
  if (!RecordRoute(stub.get(), route)) return 1;

  std::cout << "RouteChat: what others had left there" << std::endl;
  const std::vector<RouteNote> notes = {
      MakeNote(lighthouse, "The light is on."),
      MakeNote(at_sea, "Nobody here."),
      MakeNote(lighthouse, "It is still on."),
      MakeNote(lighthouse, "Off, at last."),
  };
  if (!RouteChat(stub.get(), notes)) return 1;
  return 0;
}
