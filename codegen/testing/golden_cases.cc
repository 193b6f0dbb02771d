#include "codegen/testing/golden_cases.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace shmrpc {
namespace codegen {
namespace testing {
namespace {

namespace fs = std::filesystem;

TextFiles ReadDirectory(const fs::path& directory) {
  TextFiles files;
  if (!fs::exists(directory)) return files;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ostringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[entry.path().filename().string()] = text.str();
  }
  return files;
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string PluginOptions(const std::string& proto) {
  const std::string start = "// plugin options: ";
  if (proto.compare(0, start.size(), start) != 0) return "";
  return proto.substr(start.size(), proto.find('\n') - start.size());
}

}  // namespace

GeneratorRun GenerateGolden(const std::string& root) {
  const std::string directory = std::string(kTestdata) + "/";
  TextFiles protos;
  for (auto& [name, text] : ReadDirectory(fs::path(root) / kTestdata)) {
    if (EndsWith(name, ".proto")) protos[directory + name] = text;
  }
  GeneratorRun all;
  all.ok = !protos.empty();
  if (!all.ok) all.error = "no .proto in " + root + "/" + kTestdata;
  for (const auto& [name, text] : protos) {
    const GeneratorRun run = RunGenerator(protos, {name}, PluginOptions(text));
    all.ok = all.ok && run.ok;
    all.error += run.error;
    for (const auto& [path, content] : run.files) {
      all.files[path.substr(directory.size())] = content;
    }
  }
  return all;
}

TextFiles ReadGolden(const std::string& root) {
  return ReadDirectory(fs::path(root) / kGoldenDirectory);
}

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc
