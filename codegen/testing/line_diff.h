// Two texts, line by line, as diff -u would show them.

#ifndef CODEGEN_TESTING_LINE_DIFF_H_
#define CODEGEN_TESTING_LINE_DIFF_H_

#include <string>

namespace shmrpc {
namespace codegen {
namespace testing {

// "" if they are equal. Lines start with "-" (only in `expected`), "+" (only in
// `actual`) or " " (three lines of context around a difference); "@@ 12 @@"
// says at which line of `expected` a piece starts.
std::string LineDiff(const std::string& expected, const std::string& actual);

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc

#endif  // CODEGEN_TESTING_LINE_DIFF_H_
