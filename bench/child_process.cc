#include "bench/child_process.h"

#include <cstdio>
#include <random>

namespace shmrpc {
namespace bench {

std::string ChildProcess::ReadLine() {
  std::string line;
  for (int c; (c = ReadByte()) >= 0 && c != '\n';) {
    if (c != '\r') line += static_cast<char>(c);
  }
  return line;
}

void ServeUntilParentEnds(const std::string& ready_line) {
  std::printf("%s\n", ready_line.c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

std::string ServeArgument(int argc, char** argv) {
  const std::string flag = "--serve=";
  const std::string argument = argc > 1 ? argv[1] : "";
  return argument.compare(0, flag.size(), flag) == 0
             ? argument.substr(flag.size())
             : "";
}

std::string UniqueName() {
  std::random_device random;
  char name[32];
  std::snprintf(name, sizeof(name), "bench-%08x%08x", random(), random());
  return name;
}

}  // namespace bench
}  // namespace shmrpc
