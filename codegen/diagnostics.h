// What is wrong with the files of one run, each thing at its place.
//
//   Diagnostics diagnostics;
//   diagnostics.Report(*method, "method \"Chat\": ...");
//   if (!diagnostics.empty()) *error = diagnostics.ToString();
//
// Reads "greeter.proto:12:3: method "Chat": ..."; line and column count from 1.

#ifndef CODEGEN_DIAGNOSTICS_H_
#define CODEGEN_DIAGNOSTICS_H_

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace shmrpc {
namespace codegen {

class Diagnostics {
 public:
  // At the start of a declaration: a service or a method.
  template <class Descriptor>
  void Report(const Descriptor& descriptor, const std::string& message) {
    google::protobuf::SourceLocation location;
    const bool known = descriptor.GetSourceLocation(&location);
    Add(*descriptor.file(), known ? &location : nullptr, message);
  }
  // At what a path of SourceCodeInfo leads to; at the file, if nothing is
  // there.
  void Report(const google::protobuf::FileDescriptor& file,
              const std::vector<int>& path, const std::string& message);

  bool empty() const { return entries_.empty(); }
  // "2 errors:" and a line for each: files as they came, then by place.
  std::string ToString() const;

 private:
  // Index in files_, line, column (from 1; 0: unknown). Sorted; entries for one
  // place stay in the order they came.
  using Place = std::tuple<size_t, int, int>;

  void Add(const google::protobuf::FileDescriptor& file,
           const google::protobuf::SourceLocation* location,
           const std::string& message);

  std::vector<const google::protobuf::FileDescriptor*> files_;
  std::multimap<Place, std::string> entries_;
};

// Methods name their file through their service.
template <>
inline void Diagnostics::Report(
    const google::protobuf::MethodDescriptor& method,
    const std::string& message) {
  google::protobuf::SourceLocation location;
  const bool known = method.GetSourceLocation(&location);
  Add(*method.service()->file(), known ? &location : nullptr, message);
}

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_DIAGNOSTICS_H_
