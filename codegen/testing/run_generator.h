// Runs the plugin in this process, on .proto files that need not be on disk.
//
//   GeneratorRun run = RunGenerator({{"a.proto", "syntax = ..."}});
//   EXPECT_EQ(run.error, "1 error:\na.proto:3:1: ...");
//
// Files of google/protobuf/ are there without being given.

#ifndef CODEGEN_TESTING_RUN_GENERATOR_H_
#define CODEGEN_TESTING_RUN_GENERATOR_H_

#include <map>
#include <string>
#include <vector>

namespace shmrpc {
namespace codegen {
namespace testing {

// Name -> content.
using TextFiles = std::map<std::string, std::string>;

struct GeneratorRun {
  bool ok = false;
  // The plugin's; or, when a file does not even parse, the parser's.
  std::string error;
  TextFiles files;  // what the plugin wrote
};

// Generates `names`, in that order; all of `protos` if it is empty.
GeneratorRun RunGenerator(const TextFiles& protos,
                          const std::vector<std::string>& names = {},
                          const std::string& parameter = "");

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_TESTING_RUN_GENERATOR_H_
