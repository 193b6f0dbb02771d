#include "codegen/validate.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <string>

#include "codegen/message_scope.h"
#include "codegen/method_kind.h"
#include "codegen/naming.h"
#include "google/protobuf/descriptor.pb.h"

namespace shmrpc {
namespace codegen {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileOptions;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// Members of each generated class. A nested class cannot have its enclosing
// class's name, and a method cannot have its own class's: so the same names are
// closed to services and to methods.
constexpr const char* kGeneratedMembers[] = {
    "service_full_name", "StubInterface", "Stub", "NewStub", "Service",
};

// Members that methods do not meet, because no class that declares a method has
// the name.
constexpr const char* kGeneratedTypes[] = {
    "StreamedUnaryService",
    "SplitStreamedService",
    "StreamedService",
};

// The parameter of the class templates that declare methods.
constexpr char kTemplateParameter[] = "BaseClass";

template <std::size_t n>
bool Contains(const char* const (&names)[n], const std::string& name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

std::string Named(const ServiceDescriptor& service) {
  return "service " + Quoted(service.name());
}

std::string Named(const MethodDescriptor& method) {
  return "method " + Quoted(method.name());
}

// "" for a kind of method that has none.
std::string StreamedClass(const MethodDescriptor& method) {
  const char* const streamed_class = TraitsOf(KindOf(method)).streamed_class;
  return streamed_class == nullptr ? ""
                                   : streamed_class + CppName(method.name());
}

// What tells apart the functions of one name in a stub: the parameters.
std::string StubFunction(const std::string& name,
                         const MethodDescriptor& method) {
  std::string function = name;
  if (!method.client_streaming()) {
    function += ", const " + method.input_type()->full_name() + "&";
  }
  if (!method.server_streaming()) {
    function += ", " + method.output_type()->full_name() + "*";
  }
  return function;
}

// A streaming method M has a function MRaw in the stub. A method of that name
// may stand beside it, unless both would have the same parameters.
void CheckRawFunctions(const ServiceDescriptor& service,
                       Diagnostics* diagnostics) {
  std::map<std::string, const MethodDescriptor*> raw_functions;
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    if (!TraitsOf(KindOf(method)).streams()) continue;
    raw_functions.insert(
        {StubFunction(CppName(method.name()) + "Raw", method), &method});
  }
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    const auto raw =
        raw_functions.find(StubFunction(CppName(method.name()), method));
    if (raw == raw_functions.end()) continue;
    diagnostics->Report(
        method, Named(method) + ": the generated stub uses this name for " +
                    Named(*raw->second) + "; rename the method");
  }
}

// The names that methods put into the generated classes.
void CheckMemberNames(const ServiceDescriptor& service,
                      Diagnostics* diagnostics) {
  // Name in C++ -> what it stands for.
  std::map<std::string, std::string> data_members = {
      {"channel_", "the stub's channel"}};
  std::map<std::string, const MethodDescriptor*> functions;
  for (int i = 0; i < service.method_count(); ++i) {
    data_members.insert(
        {"rpcmethod_" + CppName(service.method(i)->name()) + "_",
         Named(*service.method(i))});
  }
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    const std::string name = CppName(method.name());
    if (name == kTemplateParameter) {
      diagnostics->Report(method,
                          Named(method) +
                              ": the generated code has a template parameter "
                              "of this name; rename the method");
    }
    if (Contains(kGeneratedMembers, name)) {
      diagnostics->Report(method, Named(method) +
                                      ": the generated class has a member of "
                                      "this name; rename the method");
    }
    const auto data_member = data_members.find(name);
    if (data_member != data_members.end()) {
      diagnostics->Report(
          method, Named(method) + ": the generated stub uses this name for " +
                      data_member->second + "; rename the method");
    }
    const auto [other, inserted] = functions.insert({name, &method});
    if (!inserted) {
      diagnostics->Report(
          method, Named(method) + ": is " + Quoted(name) + " in C++, as is " +
                      Named(*other->second) + "; rename one of them");
    }
  }
}

void CheckServiceName(const ServiceDescriptor& service,
                      Diagnostics* diagnostics) {
  const std::string name = CppName(service.name());
  bool is_member =
      Contains(kGeneratedMembers, name) || Contains(kGeneratedTypes, name);
  for (int i = 0; i < service.method_count(); ++i) {
    is_member = is_member || StreamedClass(*service.method(i)) == name;
  }
  if (is_member) {
    diagnostics->Report(service, Named(service) +
                                     ": the generated class has a member of "
                                     "this name; rename the service");
  }
}

// Classes of services stand beside those of messages, or, with
// services_namespace, in a namespace that does.
void CheckNamespaceScope(const FileDescriptor& file, const Options& options,
                         Diagnostics* diagnostics) {
  const MessageScope scope(file);
  std::map<std::string, std::string> taken = scope.names();
  if (!options.services_namespace.empty()) {
    const auto clash = taken.find(options.services_namespace);
    if (clash != taken.end()) {
      diagnostics->Report(*file.service(0),
                          "option \"services_namespace\": " +
                              Quoted(options.services_namespace) +
                              " is the C++ name of " + clash->second +
                              "; choose another namespace");
    }
    taken.clear();
  } else if (file.package().empty()) {
    for (const char* space : {"shmrpc", "google", "std"}) {
      taken.insert({space, "a namespace the generated code uses"});
    }
  }
  for (int i = 0; i < file.service_count(); ++i) {
    const ServiceDescriptor& service = *file.service(i);
    const std::string name = CppName(service.name());
    const auto [other, inserted] = taken.insert({name, Named(service)});
    if (!inserted) {
      diagnostics->Report(service, Named(service) + ": is " + Quoted(name) +
                                       " in C++, as is " + other->second +
                                       "; rename the service");
    }
  }
}

void CheckPackage(const FileDescriptor& file, Diagnostics* diagnostics) {
  if (file.package() == "shmrpc" || file.package() == "shmrpc.internal") {
    diagnostics->Report(file, {FileDescriptorProto::kPackageFieldNumber},
                        "package " + Quoted(file.package()) +
                            ": is the C++ namespace of the shmrpc library; "
                            "choose another package for services");
  }
  for (const std::string& part : PackageParts(file.package())) {
    if (!IsKeyword(part)) continue;
    // protobuf's generator copies the part as it is, so there is no name that
    // ours could use instead.
    diagnostics->Report(file, {FileDescriptorProto::kPackageFieldNumber},
                        "package " + Quoted(file.package()) + ": " +
                            Quoted(part) + " is a keyword in C++");
  }
}

void CheckGenericServices(const FileDescriptor& file, const Options& options,
                          Diagnostics* diagnostics) {
  if (!file.options().cc_generic_services()) return;
  if (!options.services_namespace.empty()) return;
  diagnostics->Report(
      file,
      {FileDescriptorProto::kOptionsFieldNumber,
       FileOptions::kCcGenericServicesFieldNumber},
      "option cc_generic_services makes protobuf generate classes of the same "
      "names as shmrpc's; remove the option");
}

}  // namespace

void Validate(const FileDescriptor& file, const Options& options,
              Diagnostics* diagnostics) {
  if (file.service_count() == 0) return;  // only messages: nothing of ours
  CheckGenericServices(file, options, diagnostics);
  CheckPackage(file, diagnostics);
  CheckNamespaceScope(file, options, diagnostics);
  for (int i = 0; i < file.service_count(); ++i) {
    const ServiceDescriptor& service = *file.service(i);
    CheckServiceName(service, diagnostics);
    CheckMemberNames(service, diagnostics);
    CheckRawFunctions(service, diagnostics);
  }
}

}  // namespace codegen
}  // namespace shmrpc
