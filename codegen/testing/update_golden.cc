// Writes what the plugin generates now over the golden files.
//
//   bazel run //codegen:update_golden
//
// Then look at `git diff codegen/testdata/golden` and commit what you meant.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "codegen/testing/golden_cases.h"

namespace {

using shmrpc::codegen::testing::GeneratorRun;
using shmrpc::codegen::testing::kGoldenDirectory;
using shmrpc::codegen::testing::TextFiles;
namespace fs = std::filesystem;

int Update(const std::string& root) {
  const GeneratorRun run = shmrpc::codegen::testing::GenerateGolden(root);
  if (!run.ok) {
    std::fprintf(stderr, "update_golden: %s\n", run.error.c_str());
    return 1;
  }
  const TextFiles before = shmrpc::codegen::testing::ReadGolden(root);
  const fs::path directory = fs::path(root) / kGoldenDirectory;
  fs::create_directories(directory);
  int changed = 0;
  for (const auto& [name, text] : run.files) {
    const auto old = before.find(name);
    if (old != before.end() && old->second == text) continue;
    std::ofstream(directory / name, std::ios::binary) << text;
    std::printf("wrote %s/%s\n", kGoldenDirectory, name.c_str());
    ++changed;
  }
  for (const auto& [name, text] : before) {
    if (run.files.count(name) != 0) continue;
    fs::remove(directory / name);
    std::printf("removed %s/%s\n", kGoldenDirectory, name.c_str());
    ++changed;
  }
  std::printf("%d of %zu golden files changed\n", changed, run.files.size());
  return 0;
}

}  // namespace

int main() {
  const char* const root = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (root == nullptr) {
    std::fprintf(stderr,
                 "update_golden: start it with `bazel run "
                 "//codegen:update_golden`\n");
    return 2;
  }
  return Update(root);
}
