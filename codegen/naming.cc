#include "codegen/naming.h"

#include <algorithm>
#include <iterator>

#include "google/protobuf/compiler/cpp/names.h"

namespace shmrpc {
namespace codegen {
namespace {

// Keywords of C++20, so that a .proto gives the same names whichever standard
// its user compiles with; NULL is there because protobuf counts it in.
constexpr const char* kKeywords[] = {
    "NULL",         "alignas",   "alignof",       "and",
    "and_eq",       "asm",       "auto",          "bitand",
    "bitor",        "bool",      "break",         "case",
    "catch",        "char",      "char16_t",      "char32_t",
    "char8_t",      "class",     "co_await",      "co_return",
    "co_yield",     "compl",     "concept",       "const",
    "const_cast",   "consteval", "constexpr",     "constinit",
    "continue",     "decltype",  "default",       "delete",
    "do",           "double",    "dynamic_cast",  "else",
    "enum",         "explicit",  "export",        "extern",
    "false",        "float",     "for",           "friend",
    "goto",         "if",        "inline",        "int",
    "long",         "mutable",   "namespace",     "new",
    "noexcept",     "not",       "not_eq",        "nullptr",
    "operator",     "or",        "or_eq",         "private",
    "protected",    "public",    "register",      "reinterpret_cast",
    "requires",     "return",    "short",         "signed",
    "sizeof",       "static",    "static_assert", "static_cast",
    "struct",       "switch",    "template",      "this",
    "thread_local", "throw",     "true",          "try",
    "typedef",      "typeid",    "typename",      "union",
    "unsigned",     "using",     "virtual",       "void",
    "volatile",     "wchar_t",   "while",         "xor",
    "xor_eq",
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
// Not <cctype>: the result must not depend on the host's locale.
bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

bool IsKeyword(const std::string& name) {
  return std::find(std::begin(kKeywords), std::end(kKeywords), name) !=
         std::end(kKeywords);
}

bool IsUsableIdentifier(const std::string& name) {
  if (name.empty() || IsDigit(name[0]) || IsKeyword(name)) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '_';
  });
}

std::string CppName(const std::string& proto_name) {
  return IsKeyword(proto_name) ? proto_name + "_" : proto_name;
}

std::string QualifiedMessageName(const google::protobuf::Descriptor& message) {
  // Not protobuf's QualifiedClassName(): for well-known types it names the
  // namespace by a macro that only protobuf's own generated code may use.
  std::string name;
  for (const std::string& part : PackageParts(message.file()->package())) {
    name += "::" + part;
  }
  return name + "::" + google::protobuf::compiler::cpp::ClassName(&message);
}

std::vector<std::string> PackageParts(const std::string& package) {
  std::vector<std::string> parts;
  if (package.empty()) return parts;
  size_t begin = 0;
  for (;;) {
    const size_t dot = package.find('.', begin);
    parts.push_back(package.substr(begin, dot - begin));
    if (dot == std::string::npos) return parts;
    begin = dot + 1;
  }
}

std::string StripProtoExtension(const std::string& file_name) {
  // The two that protobuf's generator strips; our files stand beside its files.
  for (const char* extension : {".protodevel", ".proto"}) {
    if (EndsWith(file_name, extension)) {
      return file_name.substr(0,
                              file_name.size() - std::string(extension).size());
    }
  }
  return file_name;
}

std::string IncludeGuard(const std::string& file_name) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string guard = "SHMRPC_";
  for (const char c : file_name) {
    if (IsLetter(c) || IsDigit(c)) {
      guard += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      guard += '_';
      guard += kHex[byte >> 4];
      guard += kHex[byte & 15];
    }
  }
  return guard;
}

}  // namespace codegen
}  // namespace shmrpc
