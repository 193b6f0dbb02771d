#include "examples/route_guide/feature_file.h"

#include <fstream>
#include <sstream>

#include "examples/route_guide/geography.h"

namespace routeguide {
namespace {

constexpr char kFileName[] = "features.txt";
constexpr char kPathInRepository[] = "examples/route_guide/features.txt";

bool ParseFeature(const std::string& line, Feature* feature) {
  std::istringstream words(line);
  double latitude = 0;
  double longitude = 0;
  if (!(words >> latitude >> longitude >> std::ws)) return false;
  if (!(-90 <= latitude && latitude <= 90)) return false;
  if (!(-180 <= longitude && longitude <= 180)) return false;
  std::getline(words, *feature->mutable_name());
  *feature->mutable_location() = MakePoint(latitude, longitude);
  return !feature->name().empty();
}

}  // namespace

bool LoadFeatures(const std::string& path, std::vector<Feature>* features,
                  std::string* error) {
  std::ifstream file(path);
  if (!file) {
    *error = "cannot read " + path;
    return false;
  }
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    // A file may have been written on the other system.
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    Feature feature;
    if (!ParseFeature(line, &feature)) {
      *error = path + ":" + std::to_string(number) +
               ": not a latitude, a longitude and a name";
      return false;
    }
    features->push_back(feature);
  }
  return true;
}

std::string FindFeatureFile(const std::string& program) {
  const std::string beside =
      program.substr(0, program.find_last_of("/\\") + 1) + kFileName;
  for (const std::string& path :
       {beside, program + ".runfiles/shmrpc/" + kPathInRepository,
        std::string(kPathInRepository)}) {
    if (std::ifstream(path)) return path;
  }
  return beside;
}

}  // namespace routeguide
