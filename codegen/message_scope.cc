#include "codegen/message_scope.h"

#include "google/protobuf/compiler/cpp/names.h"

namespace shmrpc {
namespace codegen {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FileDescriptor;
namespace cpp = google::protobuf::compiler::cpp;

MessageScope::MessageScope(const FileDescriptor& file)
    : package_(file.package()) {
  AddFile(file);
}

void MessageScope::AddFile(const FileDescriptor& file) {
  if (!visited_.insert(&file).second) return;
  if (file.package() == package_) {
    for (int i = 0; i < file.message_type_count(); ++i) {
      AddMessage(*file.message_type(i));
    }
    for (int i = 0; i < file.enum_type_count(); ++i) {
      AddEnum(*file.enum_type(i));
    }
  }
  // Headers include those of every import, so all of them are seen.
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i));
  }
}

void MessageScope::AddMessage(const Descriptor& message) {
  Add(cpp::ClassName(&message), "message", message.full_name());
  for (int i = 0; i < message.nested_type_count(); ++i) {
    AddMessage(*message.nested_type(i));
  }
  for (int i = 0; i < message.enum_type_count(); ++i) {
    AddEnum(*message.enum_type(i));
  }
}

void MessageScope::AddEnum(const EnumDescriptor& enumeration) {
  Add(cpp::ClassName(&enumeration), "enum", enumeration.full_name());
  for (int i = 0; i < enumeration.value_count(); ++i) {
    // A nested enum's values are spelt Outer_VALUE in the namespace.
    std::string prefix;
    if (enumeration.containing_type() != nullptr) {
      prefix = cpp::ClassName(&enumeration) + "_";
    }
    Add(prefix + enumeration.value(i)->name(), "enum value",
        enumeration.value(i)->full_name());
  }
}

void MessageScope::Add(const std::string& cpp_name, const char* kind,
                       const std::string& full_name) {
  const std::string short_name =
      package_.empty() ? full_name : full_name.substr(package_.size() + 1);
  names_.insert({cpp_name, std::string(kind) + " \"" + short_name + "\""});
}

}  // namespace codegen
}  // namespace shmrpc
