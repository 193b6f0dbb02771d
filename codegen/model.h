// A .proto file as the printers see it: every name decided, nothing left to
// look up. The file must be valid (validate.h).

#ifndef CODEGEN_MODEL_H_
#define CODEGEN_MODEL_H_

#include <string>
#include <vector>

#include "codegen/comments.h"
#include "codegen/method_kind.h"
#include "codegen/options.h"
#include "google/protobuf/descriptor.h"

namespace shmrpc {
namespace codegen {

struct MethodModel {
  MethodKind kind;
  std::string name;            // of the C++ member function: "SayHello"
  std::string path;            // on the wire: "/helloworld.Greeter/SayHello"
  std::string request;         // "::helloworld::HelloRequest"
  std::string response;        // "::helloworld::HelloReply"
  std::string streamed_class;  // "WithStreamedUnaryMethod_SayHello", or ""
  CommentLines comments;
};

struct ServiceModel {
  std::string name;       // of the C++ class: "Greeter"
  std::string full_name;  // on the wire: "helloworld.Greeter"
  CommentLines comments;
  std::vector<MethodModel> methods;
};

struct FileModel {
  std::string proto_file;      // "dir/greeter.proto"
  std::string message_header;  // "dir/greeter.pb.h"
  std::string header;          // "dir/greeter.shmrpc.pb.h"
  std::string source;          // "dir/greeter.shmrpc.pb.cc"
  std::string include_guard;
  std::vector<std::string> namespaces;  // outermost first
  CommentLines comments;
  std::vector<ServiceModel> services;
};

FileModel BuildModel(const google::protobuf::FileDescriptor& file,
                     const Options& options);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_MODEL_H_
