// The two files of a model, one printer each.

#ifndef CODEGEN_PRINT_H_
#define CODEGEN_PRINT_H_

#include "codegen/model.h"
#include "google/protobuf/io/printer.h"

namespace shmrpc {
namespace codegen {

// The variables' delimiter the printers below expect.
constexpr char kDelimiter = '$';

void PrintHeader(const FileModel& file, google::protobuf::io::Printer* out);
void PrintSource(const FileModel& file, google::protobuf::io::Printer* out);

// What both files start with, and how they open and close namespaces.
void PrintBanner(const FileModel& file, google::protobuf::io::Printer* out);
void PrintComments(const CommentLines& lines,
                   google::protobuf::io::Printer* out);
void OpenNamespaces(const FileModel& file, google::protobuf::io::Printer* out);
void CloseNamespaces(const FileModel& file, google::protobuf::io::Printer* out);

}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_PRINT_H_
