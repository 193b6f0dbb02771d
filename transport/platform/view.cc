#include <utility>

#include "transport/platform/mapping.h"
#include "transport/platform/view_registry.h"

namespace shmrpc {
namespace platform {

View::View(uint8_t* data, uint64_t size_bytes, Access access, int registration)
    : data_(data),
      size_bytes_(size_bytes),
      access_(access),
      registration_(registration) {}

View::View(View&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      access_(other.access_),
      registration_(std::exchange(other.registration_, -1)) {}

View& View::operator=(View&& other) noexcept {
  if (this != &other) {
    Unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_bytes_ = std::exchange(other.size_bytes_, 0);
    access_ = other.access_;
    registration_ = std::exchange(other.registration_, -1);
  }
  return *this;
}

View::~View() { Unmap(); }

bool View::poisoned() const {
  return registration_ >= 0 && ViewIsPoisoned(registration_);
}

}  // namespace platform
}  // namespace shmrpc
