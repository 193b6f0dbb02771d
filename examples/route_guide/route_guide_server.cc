// Serves RouteGuide under a name until it is told to stop.
//
//   route_guide_server [NAME [FILE]]     default: route_guide features.txt
//
// Prints "listening on shm:NAME" when clients can call, and stops when its
// standard input ends (Ctrl-D, or the end of whoever started it).

#include <chrono>
#include <cmath>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "examples/route_guide/feature_file.h"
#include "examples/route_guide/geography.h"
#include "examples/route_guide/route_guide.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"

namespace {

using routeguide::Feature;
using routeguide::Point;
using routeguide::Rectangle;
using routeguide::RouteNote;
using routeguide::RouteSummary;

class RouteGuideImpl final : public routeguide::RouteGuide::Service {
 public:
  explicit RouteGuideImpl(std::vector<Feature> features)
      : features_(std::move(features)) {}

 private:
  shmrpc::Status GetFeature(shmrpc::ServerContext* context, const Point* point,
                            Feature* feature) override {
    const Feature* found = Find(*point);
    if (found != nullptr) feature->set_name(found->name());
    *feature->mutable_location() = *point;
    return shmrpc::Status::OK;
  }

  shmrpc::Status ListFeatures(shmrpc::ServerContext* context,
                              const Rectangle* area,
                              shmrpc::ServerWriter<Feature>* writer) override {
    for (const Feature& feature : features_) {
      if (!Contains(*area, feature.location())) continue;
      // Write waits for a slow reader; false: nobody reads any more.
      if (!writer->Write(feature)) break;
    }
    return shmrpc::Status::OK;
  }

  shmrpc::Status RecordRoute(shmrpc::ServerContext* context,
                             shmrpc::ServerReader<Point>* reader,
                             RouteSummary* summary) override {
    const auto start = std::chrono::steady_clock::now();
    double meters = 0;
    int points = 0;
    int features = 0;
    Point previous;
    for (Point point; reader->Read(&point); previous = point) {
      if (points > 0) meters += Distance(previous, point);
      if (Find(point) != nullptr) ++features;
      ++points;
    }
    summary->set_point_count(points);
    summary->set_feature_count(features);
    summary->set_distance(static_cast<int32_t>(std::lround(meters)));
    summary->set_elapsed_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - start)
            .count());
    return shmrpc::Status::OK;
  }

  shmrpc::Status RouteChat(
      shmrpc::ServerContext* context,
      shmrpc::ServerReaderWriter<RouteNote, RouteNote>* stream) override {
    for (RouteNote note; stream->Read(&note);) {
      for (const RouteNote& earlier : Leave(note)) {
        if (!stream->Write(earlier)) break;
      }
    }
    return shmrpc::Status::OK;
  }

  const Feature* Find(const Point& point) const {
    for (const Feature& feature : features_) {
      if (SamePoint(feature.location(), point)) return &feature;
    }
    return nullptr;
  }

  // Keeps the note and returns those at its place from before. Calls run on
  // several threads; the lock is not held while one writes.
  std::vector<RouteNote> Leave(const RouteNote& note) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<RouteNote> earlier;
    for (const RouteNote& other : notes_) {
      if (SamePoint(other.location(), note.location())) {
        earlier.push_back(other);
      }
    }
    notes_.push_back(note);
    return earlier;
  }

  const std::vector<Feature> features_;
  std::mutex mutex_;
  std::vector<RouteNote> notes_;  // guarded by mutex_
};

}  // namespace

int main(int argc, char** argv) {
  const std::string address =
      std::string("shm:") + (argc > 1 ? argv[1] : "route_guide");
  const std::string file =
      argc > 2 ? argv[2] : routeguide::FindFeatureFile(argv[0]);
  std::vector<Feature> features;
  std::string error;
  if (!routeguide::LoadFeatures(file, &features, &error)) {
    std::cerr << error << std::endl;
    return 1;
  }
  RouteGuideImpl service(std::move(features));
  shmrpc::ServerBuilder builder;
  builder.AddListeningPort(address, shmrpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::unique_ptr<shmrpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;  // the log on stderr says why

  std::cout << "listening on " << address << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server->Shutdown();
  return 0;
}
