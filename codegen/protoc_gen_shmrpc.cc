// The protoc plugin: reads a CodeGeneratorRequest from stdin, writes the
// response to stdout. protoc starts it for --shmrpc_out.

#include "codegen/generator.h"
#include "google/protobuf/compiler/plugin.h"

int main(int argc, char* argv[]) {
  const shmrpc::codegen::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
