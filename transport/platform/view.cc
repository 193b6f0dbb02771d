#include <utility>

#include "transport/platform/mapping.h"
#include "transport/platform/view_registry.h"

namespace shmrpc {
namespace platform {

View::View(uint8_t* data, uint64_t size_bytes, Access access, int registration)
    : data_(data),
      size_bytes_(size_bytes),
      access_(access),
      registration_(registration),
      poison_mark_(registration < 0 ? nullptr : PoisonMark(registration)) {
  static_assert(kPoisonBit == platform::kPoisonBit, "one bit");
}

View::View(View&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      access_(other.access_),
      registration_(std::exchange(other.registration_, -1)),
      poison_mark_(std::exchange(other.poison_mark_, nullptr)) {}

View& View::operator=(View&& other) noexcept {
  if (this != &other) {
    Unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_bytes_ = std::exchange(other.size_bytes_, 0);
    access_ = other.access_;
    registration_ = std::exchange(other.registration_, -1);
    poison_mark_ = std::exchange(other.poison_mark_, nullptr);
  }
  return *this;
}

View::~View() { Unmap(); }

}  // namespace platform
}  // namespace shmrpc
