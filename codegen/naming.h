// How names of a .proto become names in C++.
//
// Message classes follow protobuf's own C++ generator, which makes them; names
// of services and methods follow the same rule for keywords ("delete" becomes
// "delete_"). Names on the wire never change.

#ifndef CODEGEN_NAMING_H_
#define CODEGEN_NAMING_H_

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace shmrpc {
namespace codegen {

bool IsKeyword(const std::string& name);

// A C++ identifier that is no keyword.
bool IsUsableIdentifier(const std::string& name);

// "SayHello"; "delete" -> "delete_".
std::string CppName(const std::string& proto_name);

// "::helloworld::Outer_Inner": valid in any scope.
std::string QualifiedMessageName(const google::protobuf::Descriptor& message);

// "a.b" -> {"a", "b"}; "" -> {}.
std::vector<std::string> PackageParts(const std::string& package);

// "dir/greeter.proto" -> "dir/greeter".
std::string StripProtoExtension(const std::string& file_name);

// "dir/my_greeter.proto" -> "SHMRPC_dir_2fmy_5fgreeter_2eproto". Differs for
// different names, since what is neither letter nor digit is spelt as its code.
std::string IncludeGuard(const std::string& file_name);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_NAMING_H_
