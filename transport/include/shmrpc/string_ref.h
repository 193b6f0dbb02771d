// Bytes that belong to somebody else: gRPC's name for a view of a string.
//
// Keys and values of metadata come as string_ref; they stay valid as long as
// the context that handed them out. May hold NUL and any other byte.

#ifndef SHMRPC_STRING_REF_H_
#define SHMRPC_STRING_REF_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <ostream>
#include <string>

namespace shmrpc {

class string_ref {
 public:
  using const_iterator = const char*;
  using const_reverse_iterator = std::reverse_iterator<const_iterator>;
  static constexpr size_t npos = static_cast<size_t>(-1);

  string_ref() = default;
  // Implicit, as gRPC's: any string passes for one.
  string_ref(const char* s) : data_(s), length_(strlen(s)) {}
  string_ref(const char* s, size_t length) : data_(s), length_(length) {}
  string_ref(const std::string& s) : data_(s.data()), length_(s.size()) {}

  const char* data() const { return data_; }
  size_t size() const { return length_; }
  size_t length() const { return length_; }
  size_t max_size() const { return length_; }
  bool empty() const { return length_ == 0; }

  const_iterator begin() const { return data_; }
  const_iterator end() const { return data_ + length_; }
  const_iterator cbegin() const { return begin(); }
  const_iterator cend() const { return end(); }
  const_reverse_iterator rbegin() const {
    return const_reverse_iterator(end());
  }
  const_reverse_iterator rend() const {
    return const_reverse_iterator(begin());
  }
  const_reverse_iterator crbegin() const { return rbegin(); }
  const_reverse_iterator crend() const { return rend(); }

  // <0, 0 or >0, as memcmp; a prefix comes first.
  int compare(string_ref other) const {
    const size_t common = std::min(length_, other.length_);
    const int order = common == 0 ? 0 : memcmp(data_, other.data_, common);
    if (order != 0) return order;
    if (length_ == other.length_) return 0;
    return length_ < other.length_ ? -1 : 1;
  }
  bool starts_with(string_ref prefix) const {
    return length_ >= prefix.length_ &&
           substr(0, prefix.length_).compare(prefix) == 0;
  }
  bool ends_with(string_ref suffix) const {
    return length_ >= suffix.length_ &&
           substr(length_ - suffix.length_).compare(suffix) == 0;
  }
  // Index of the first occurrence, or npos.
  size_t find(string_ref sought) const {
    const auto at = std::search(begin(), end(), sought.begin(), sought.end());
    return at == end() && !sought.empty() ? npos
                                          : static_cast<size_t>(at - begin());
  }
  size_t find(char c) const {
    const auto at = std::find(begin(), end(), c);
    return at == end() ? npos : static_cast<size_t>(at - begin());
  }
  // Both are clamped to what is there.
  string_ref substr(size_t at, size_t length = npos) const {
    at = std::min(at, length_);
    return string_ref(data_ + at, std::min(length, length_ - at));
  }

 private:
  const char* data_ = "";
  size_t length_ = 0;
};

inline bool operator==(string_ref a, string_ref b) { return a.compare(b) == 0; }
inline bool operator!=(string_ref a, string_ref b) { return a.compare(b) != 0; }
inline bool operator<(string_ref a, string_ref b) { return a.compare(b) < 0; }
inline bool operator>(string_ref a, string_ref b) { return a.compare(b) > 0; }
inline bool operator<=(string_ref a, string_ref b) { return a.compare(b) <= 0; }
inline bool operator>=(string_ref a, string_ref b) { return a.compare(b) >= 0; }

inline std::ostream& operator<<(std::ostream& out, string_ref s) {
  return out.write(s.data(), static_cast<std::streamsize>(s.size()));
}

}  // namespace shmrpc

#endif  // SHMRPC_STRING_REF_H_
