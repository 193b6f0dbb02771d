// The C++ names that protobuf's generator puts into a package's namespace, as
// far as a file sees them: its own and those of everything it imports.
//
// protoc knows only the names of the .proto; in C++ a message Outer.Inner
// becomes the class Outer_Inner, and that can meet a service of this very name.

#ifndef CODEGEN_MESSAGE_SCOPE_H_
#define CODEGEN_MESSAGE_SCOPE_H_

#include <map>
#include <set>
#include <string>

#include "google/protobuf/descriptor.h"

namespace shmrpc {
namespace codegen {

class MessageScope {
 public:
  explicit MessageScope(const google::protobuf::FileDescriptor& file);

  // Name in C++ -> what has it: message "Outer.Inner".
  const std::map<std::string, std::string>& names() const { return names_; }

 private:
  void AddFile(const google::protobuf::FileDescriptor& file);
  void AddMessage(const google::protobuf::Descriptor& message);
  void AddEnum(const google::protobuf::EnumDescriptor& enumeration);
  // `full_name` is shortened to what stands behind the package.
  void Add(const std::string& cpp_name, const char* kind,
           const std::string& full_name);

  const std::string package_;
  std::set<const google::protobuf::FileDescriptor*> visited_;
  std::map<std::string, std::string> names_;
};

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_MESSAGE_SCOPE_H_
