#include "bench/child_process.h"

#include <cstdio>
#include <iostream>
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

void ChildProcess::WriteLine(const std::string& line) {
  WriteBytes(line + "\n");
}

void AnswerParent(
    const std::string& ready_line,
    const std::function<std::string(const std::string& line)>& answer) {
  std::cout << ready_line << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    std::cout << answer(line) << std::endl;
  }
}

std::string RoleArgument(int argc, char** argv, const std::string& flag) {
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
