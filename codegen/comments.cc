#include "codegen/comments.h"

#include "google/protobuf/descriptor.pb.h"

namespace shmrpc {
namespace codegen {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::SourceLocation;

// With an empty line between two comments.
void Append(const std::string& text, CommentLines* lines) {
  const CommentLines more = SplitComment(text);
  if (more.empty()) return;
  if (!lines->empty()) lines->push_back("");
  lines->insert(lines->end(), more.begin(), more.end());
}

template <class Descriptor>
CommentLines AttachedComments(const Descriptor& descriptor) {
  CommentLines lines;
  SourceLocation location;
  if (descriptor.GetSourceLocation(&location)) {
    Append(location.leading_comments, &lines);
    Append(location.trailing_comments, &lines);
  }
  return lines;
}

}  // namespace

CommentLines SplitComment(const std::string& text) {
  CommentLines lines;
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    line.erase(line.find_last_not_of(" \t\r\f\v") + 1);
    // In C++ a backslash would pull the next line, code, into the comment.
    if (!line.empty() && line.back() == '\\') line += '.';
    // The lines of a /* block */ arrive without their indentation.
    if (!line.empty() && line[0] != ' ' && line[0] != '/') line.insert(0, " ");
    lines.push_back(line);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  while (!lines.empty() && lines.front().empty()) lines.erase(lines.begin());
  return lines;
}

CommentLines CommentsOf(const google::protobuf::ServiceDescriptor& service) {
  return AttachedComments(service);
}

CommentLines CommentsOf(const google::protobuf::MethodDescriptor& method) {
  return AttachedComments(method);
}

CommentLines CommentsOf(const google::protobuf::FileDescriptor& file) {
  CommentLines lines;
  for (const int field : {FileDescriptorProto::kSyntaxFieldNumber,
                          FileDescriptorProto::kPackageFieldNumber}) {
    SourceLocation location;
    if (!file.GetSourceLocation({field}, &location)) continue;
    for (const std::string& detached : location.leading_detached_comments) {
      Append(detached, &lines);
    }
    Append(location.leading_comments, &lines);
    if (!lines.empty()) break;
  }
  return lines;
}

}  // namespace codegen
}  // namespace shmrpc
