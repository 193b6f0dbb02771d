// Features from a text file: latitude, longitude (both in degrees) and name,
// one feature a line. Empty lines and those that begin with '#' are left out.

#ifndef SHMRPC_EXAMPLES_ROUTE_GUIDE_FEATURE_FILE_H_
#define SHMRPC_EXAMPLES_ROUTE_GUIDE_FEATURE_FILE_H_

#include <string>
#include <vector>

#include "examples/route_guide/route_guide.pb.h"

namespace routeguide {

// False if it cannot be read or has a line that is none of these; `*error` then
// says which.
bool LoadFeatures(const std::string& path, std::vector<Feature>* features,
                  std::string* error);

// Where features.txt is, as seen from the running program: beside it, among its
// runfiles, or under the current directory (as `bazel run` has it). If it is
// nowhere, the first of these.
std::string FindFeatureFile(const std::string& program);

}  // namespace routeguide

#endif  // SHMRPC_EXAMPLES_ROUTE_GUIDE_FEATURE_FILE_H_
