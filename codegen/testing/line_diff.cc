#include "codegen/testing/line_diff.h"

#include <algorithm>
#include <vector>

namespace shmrpc {
namespace codegen {
namespace testing {
namespace {

constexpr size_t kContextLines = 3;

struct Edit {
  char mark;  // '-', '+' or ' '
  std::string line;
  size_t expected_line;  // from 1
};

std::vector<std::string> SplitLines(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) {
      lines.push_back(text.substr(begin) + "  (no newline at the end)");
      break;
    }
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Follows a longest common subsequence. Quadratic: the texts are short.
std::vector<Edit> Edits(const std::vector<std::string>& a,
                        const std::vector<std::string>& b) {
  // common[i][j]: length of the one of a[i..] and b[j..].
  std::vector<std::vector<size_t>> common(a.size() + 1,
                                          std::vector<size_t>(b.size() + 1, 0));
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      common[i][j] = a[i] == b[j]
                         ? common[i + 1][j + 1] + 1
                         : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::vector<Edit> edits;
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      edits.push_back({' ', a[i], i + 1});
      ++i, ++j;
    } else if (j == b.size() ||
               (i < a.size() && common[i + 1][j] >= common[i][j + 1])) {
      edits.push_back({'-', a[i], i + 1});
      ++i;
    } else {
      edits.push_back({'+', b[j], i + 1});
      ++j;
    }
  }
  return edits;
}

bool NearChange(const std::vector<Edit>& edits, size_t index) {
  const size_t begin = index < kContextLines ? 0 : index - kContextLines;
  const size_t end = std::min(edits.size(), index + kContextLines + 1);
  return std::any_of(edits.begin() + begin, edits.begin() + end,
                     [](const Edit& e) { return e.mark != ' '; });
}

}  // namespace

std::string LineDiff(const std::string& expected, const std::string& actual) {
  if (expected == actual) return "";
  const std::vector<Edit> edits =
      Edits(SplitLines(expected), SplitLines(actual));
  std::string text;
  bool shown = false;
  for (size_t i = 0; i < edits.size(); ++i) {
    const bool show = NearChange(edits, i);
    if (show && !shown) {
      text += "@@ " + std::to_string(edits[i].expected_line) + " @@\n";
    }
    if (show) text += edits[i].mark + edits[i].line + "\n";
    shown = show;
  }
  return text;
}

}  // namespace testing
}  // namespace codegen
}  // namespace shmrpc
