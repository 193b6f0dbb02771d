// What the golden files are made of: the one list that the test and the program
// which updates them share.

#ifndef CODEGEN_TESTING_GOLDEN_CASES_H_
#define CODEGEN_TESTING_GOLDEN_CASES_H_

#include <string>

#include "codegen/testing/run_generator.h"

namespace shmrpc {
namespace codegen {
namespace testing {

constexpr char kTestdata[] = "codegen/testdata";
constexpr char kGoldenDirectory[] = "codegen/testdata/golden";

// Generates every .proto that lies in kTestdata itself, below `root` (the
// workspace or a copy of it); names of the files are those below
// kGoldenDirectory. A first line "// plugin options: NAME=VALUE" is obeyed.
GeneratorRun GenerateGolden(const std::string& root);

// What is in kGoldenDirectory now.
TextFiles ReadGolden(const std::string& root);

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_TESTING_GOLDEN_CASES_H_
