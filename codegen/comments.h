// Comments of a .proto, as lines to print after "//".

#ifndef CODEGEN_COMMENTS_H_
#define CODEGEN_COMMENTS_H_

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace shmrpc {
namespace codegen {

// Each line starts with its own space (" Says hello."), or is empty. An empty
// list: nothing to say.
using CommentLines = std::vector<std::string>;

// What stands above a declaration and what trails it on its line. Comments
// detached from it (a blank line in between) belong to nothing and stay out.
CommentLines CommentsOf(const google::protobuf::ServiceDescriptor& service);
CommentLines CommentsOf(const google::protobuf::MethodDescriptor& method);

// What stands at the top of the file: above its `syntax` or, failing that, its
// `package`; detached or not (licence, description of the file).
CommentLines CommentsOf(const google::protobuf::FileDescriptor& file);

// The lines of one comment as protoc hands it over; for tests.
CommentLines SplitComment(const std::string& text);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_COMMENTS_H_
