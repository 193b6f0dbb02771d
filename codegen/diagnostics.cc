#include "codegen/diagnostics.h"

#include <algorithm>

namespace shmrpc {
namespace codegen {

using google::protobuf::FileDescriptor;
using google::protobuf::SourceLocation;

void Diagnostics::Report(const FileDescriptor& file,
                         const std::vector<int>& path,
                         const std::string& message) {
  SourceLocation location;
  const bool known = file.GetSourceLocation(path, &location);
  Add(file, known ? &location : nullptr, message);
}

void Diagnostics::Add(const FileDescriptor& file,
                      const SourceLocation* location,
                      const std::string& message) {
  const auto known = std::find(files_.begin(), files_.end(), &file);
  const size_t index = known - files_.begin();
  if (known == files_.end()) files_.push_back(&file);
  const int line = location == nullptr ? 0 : location->start_line + 1;
  const int column = location == nullptr ? 0 : location->start_column + 1;
  entries_.insert({{index, line, column}, message});
}

std::string Diagnostics::ToString() const {
  // protoc puts "--shmrpc_out: " before this text: a headline takes it, so that
  // every error starts its line, where editors look for file:line:col.
  std::string text = std::to_string(entries_.size()) +
                     (entries_.size() == 1 ? " error:" : " errors:");
  for (const auto& [place, message] : entries_) {
    const auto& [file, line, column] = place;
    text += "\n" + files_[file]->name() + ":";
    if (line != 0) {
      text += std::to_string(line) + ":" + std::to_string(column) + ":";
    }
    text += " " + message;
  }
  return text;
}

}  // namespace codegen
}  // namespace shmrpc
