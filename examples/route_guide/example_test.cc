// Runs server and client against each other, and reads what the client prints.

#include <cstdlib>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "examples/route_guide/feature_file.h"
#include "examples/route_guide/geography.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/subprocess.h"

namespace routeguide {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// What it prints; times, which differ, as N.
std::vector<std::string> Lines(Subprocess* process) {
  std::vector<std::string> lines;
  const std::regex time("[0-9]+ ms");
  while (auto line = process->ReadLine()) {
    lines.push_back(std::regex_replace(*line, time, "N ms"));
  }
  return lines;
}

TEST(RouteGuideExample, ClientPrintsWhatServerSays) {
  const std::string name = UniqueName("test.route_guide");
  Subprocess server(std::getenv("SERVER"), {name});
  ASSERT_EQ(server.ReadLine(), "listening on shm:" + name);
  Subprocess client(std::getenv("CLIENT"), {name});
  EXPECT_THAT(
      Lines(&client),
      ElementsAre("GetFeature",                                         //
                  "54.40120 N, 10.21010 E: Old Lighthouse",             //
                  "54.41000 N, 10.23000 E: nothing",                    //
                  "ListFeatures: the hill",                             //
                  "  Observatory",                                      //
                  "  Beacon Hill",                                      //
                  "  Botanic Garden",                                   //
                  "  Hill Steps",                                       //
                  "  Water Tower",                                      //
                  "  Old Cemetery",                                     //
                  "RecordRoute: from one to the next, and out to sea",  //
                  "7 points, 6 places, 3964 m, N ms",                   //
                  "RouteChat: what others had left there",              //
                  "  at 54.40120 N, 10.21010 E: The light is on.",      //
                  "  at 54.40120 N, 10.21010 E: The light is on.",      //
                  "  at 54.40120 N, 10.21010 E: It is still on."));
  EXPECT_TRUE(client.Wait().ok());

  server.CloseStdin();
  EXPECT_TRUE(server.Wait().ok());
  EXPECT_THAT(Leftovers("shmrpc.srv." + name), IsEmpty());
}

TEST(RouteGuideExample, ClientWithoutServerFails) {
  Subprocess client(std::getenv("CLIENT"), {UniqueName("test.route_guide")});
  EXPECT_EQ(client.ReadLine(), "GetFeature");
  EXPECT_THAT(client.ReadLine().value_or(""),
              StartsWith("call failed: UNAVAILABLE: "));
  EXPECT_EQ(client.Wait().code, 1);
}

TEST(Distance, IsThatOfTheGreatCircle) {
  constexpr double kDegree = 6371000 * 3.14159265358979 / 180;
  EXPECT_EQ(Distance(MakePoint(54, 10), MakePoint(54, 10)), 0);
  EXPECT_NEAR(Distance(MakePoint(0, 0), MakePoint(0, 1)), kDegree, 0.01);
  EXPECT_NEAR(Distance(MakePoint(-12, 7), MakePoint(34, 7)), 46 * kDegree, 0.1);
  EXPECT_NEAR(Distance(MakePoint(0, -90), MakePoint(0, 90)), 180 * kDegree,
              0.1);
  EXPECT_NEAR(Distance(MakePoint(60, 179.5), MakePoint(60, -179.5)),
              kDegree / 2, 5);
}

TEST(Contains, TakesCornersInAnyOrderAndEdges) {
  Rectangle area;
  *area.mutable_lo() = MakePoint(2, -3);
  *area.mutable_hi() = MakePoint(-2, 3);
  EXPECT_TRUE(Contains(area, MakePoint(0, 0)));
  EXPECT_TRUE(Contains(area, MakePoint(-2, -3)));
  EXPECT_FALSE(Contains(area, MakePoint(2.1, 0)));
  EXPECT_FALSE(Contains(area, MakePoint(0, -3.1)));
}

TEST(LoadFeatures, WithBadLineSaysWhich) {
  const std::string path = ::testing::TempDir() + "bad_features.txt";
  for (const char* bad : {"54.4 10.2", "54.4 somewhere", "91 0 too far north",
                          "0 -181 too far west", "name only"}) {
    std::ofstream(path) << "# comment\n\n1.5 -2.5 Good Place\r\n"
                        << bad << "\n";
    std::vector<Feature> features;
    std::string error;
    EXPECT_FALSE(LoadFeatures(path, &features, &error)) << bad;
    EXPECT_THAT(error, HasSubstr("bad_features.txt:4: "));
    ASSERT_EQ(features.size(), 1u);
    EXPECT_EQ(features[0].name(), "Good Place");
    EXPECT_TRUE(SamePoint(features[0].location(), MakePoint(1.5, -2.5)));
  }
}

TEST(LoadFeatures, WithoutFileSaysSo) {
  std::vector<Feature> features;
  std::string error;
  EXPECT_FALSE(LoadFeatures("no/such/file", &features, &error));
  EXPECT_EQ(error, "cannot read no/such/file");
}

}  // namespace
}  // namespace routeguide
