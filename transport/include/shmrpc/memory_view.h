// A mapped range of shared memory, and access to it that cannot crash. Part of
// shared_memory.h.
//
//   absl::StatusOr<shmrpc::MemoryView> view = memory->Map();
//   absl::Status status = view->Write(0, Header{kVersion, 640, 480});
//   absl::StatusOr<Header> header = view->Read<Header>(0);
//   status = view->Visit([&](absl::Span<const uint8_t> bytes) {
//     sum = Checksum(bytes);
//   });
//
// Why not just a pointer: a touch of shared memory can fault. On Linux another
// process may truncate the file; on Windows the page file may fail. The members
// below check the range and turn such a fault into DATA_LOSS; from then on the
// view is poisoned, and every access to it DATA_LOSS. (Map the object anew, if
// it still exists.) data() is the pointer for those who want it.
//
// What others write meanwhile: Read and Write copy byte by byte as memcpy does,
// so a value that another process is just writing may arrive half old and half
// new. Load and Store are atomic, and order what is around them: write the
// data, Store a flag; Load the flag, read the data.
//
// Thread rule: any thread, at once; a view is like a pointer, and const does
// not protect what it points to (access() does). Move-only; unmaps when
// destroyed, which no access may overlap.

#ifndef SHMRPC_MEMORY_VIEW_H_
#define SHMRPC_MEMORY_VIEW_H_

#include <cstdint>
#include <memory>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "shmrpc/named_object.h"

namespace shmrpc {

class MemoryView {
 public:
  MemoryView();  // empty
  MemoryView(MemoryView&&) noexcept;
  MemoryView& operator=(MemoryView&&) noexcept;
  ~MemoryView();

  uint64_t size_bytes() const;  // 0: empty
  MemoryAccess access() const;

  // Unguarded. mutable_data() is null where writing is not allowed; writing
  // through data() there ends the process. A fault at these pointers outside of
  // Visit ends the process on Windows; on Linux the view reads as zeros and is
  // poisoned.
  const uint8_t* data() const;
  uint8_t* mutable_data() const;

  // True once an access to this view has faulted: what was read since may be
  // zeros, what was written is lost. Stays true.
  bool poisoned() const;

  // Copies. OUT_OF_RANGE if the range is not all within the view. After a fault
  // `buffer` may have been written in part.
  absl::Status Read(uint64_t offset_bytes, void* buffer,
                    uint64_t size_bytes) const;
  absl::Status Write(uint64_t offset_bytes, const void* buffer,
                     uint64_t size_bytes) const;

  // One T, at any offset, aligned or not. T must mean the same in another
  // process: numbers, and structs and arrays of them; no pointers.
  template <class T>
  absl::StatusOr<T> Read(uint64_t offset_bytes) const;
  template <class T>
  absl::Status Write(uint64_t offset_bytes, const T& value) const;

  // Atomic, for T of 1, 2, 4 or 8 bytes at an offset that makes its address a
  // multiple of its size (else INVALID_ARGUMENT). Load acquires: who Loads what
  // another process Stored also sees what that one wrote before. Store
  // releases.
  template <class T>
  absl::StatusOr<T> Load(uint64_t offset_bytes) const;
  template <class T>
  absl::Status Store(uint64_t offset_bytes, T value) const;

  // Calls f(bytes) on the memory itself, without a copy. `f` takes
  // absl::Span<const uint8_t> to read, or absl::Span<uint8_t> to write
  // (PERMISSION_DENIED for read-only views). DATA_LOSS if an access faulted:
  // what `f` did until then is done, what it found is not to be believed.
  //
  // The rule for `f`: on Windows a fault leaves it at once, and no destructor
  // runs. On Linux it runs to its end, and reads zeros. So it
  //   - owns nothing: no lock, no std::string, no container that grows; it
  //     copies, compares and computes, into variables that are declared outside
  //   - ends whatever it reads: loops are bounded by the span, not by its bytes
  //   - does not throw.
  // And others may change the bytes while it looks: copy before checking.
  template <class F>
  absl::Status Visit(F&& f) const {
    return Visit(0, size_bytes(), f);
  }
  template <class F>
  absl::Status Visit(uint64_t offset_bytes, uint64_t size_bytes, F&& f) const;

 private:
  friend class SharedMemory;
  struct Impl;
  using Body = void (*)(void* f, uint8_t* data, uint64_t size_bytes);

  explicit MemoryView(std::unique_ptr<Impl> impl);
  absl::Status LoadBytes(uint64_t offset_bytes, void* value,
                         uint64_t size_bytes) const;
  absl::Status StoreBytes(uint64_t offset_bytes, const void* value,
                          uint64_t size_bytes) const;
  absl::Status VisitBytes(uint64_t offset_bytes, uint64_t size_bytes,
                          bool for_writing, Body body, void* f) const;

  template <class T>
  static constexpr void CheckType() {
    static_assert(std::is_trivially_copyable<T>::value,
                  "T must be trivially copyable: numbers, structs of them");
    static_assert(!std::is_pointer<T>::value,
                  "a pointer means nothing in another process");
  }
  template <class T>
  static constexpr void CheckAtomicType() {
    CheckType<T>();
    static_assert(
        sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8,
        "atomic accesses are of 1, 2, 4 or 8 bytes");
  }

  std::unique_ptr<Impl> impl_;
};

// Implementation only below.

template <class T>
absl::StatusOr<T> MemoryView::Read(uint64_t offset_bytes) const {
  CheckType<T>();
  T value{};
  absl::Status status = Read(offset_bytes, &value, sizeof(T));
  if (!status.ok()) return status;
  return value;
}

template <class T>
absl::Status MemoryView::Write(uint64_t offset_bytes, const T& value) const {
  CheckType<T>();
  return Write(offset_bytes, &value, sizeof(T));
}

template <class T>
absl::StatusOr<T> MemoryView::Load(uint64_t offset_bytes) const {
  CheckAtomicType<T>();
  T value{};
  absl::Status status = LoadBytes(offset_bytes, &value, sizeof(T));
  if (!status.ok()) return status;
  return value;
}

template <class T>
absl::Status MemoryView::Store(uint64_t offset_bytes, T value) const {
  CheckAtomicType<T>();
  return StoreBytes(offset_bytes, &value, sizeof(T));
}

template <class F>
absl::Status MemoryView::Visit(uint64_t offset_bytes, uint64_t size_bytes,
                               F&& f) const {
  using Function = std::remove_reference_t<F>;
  constexpr bool kReads =
      std::is_invocable<Function&, absl::Span<const uint8_t>>::value;
  using Bytes = std::conditional_t<kReads, absl::Span<const uint8_t>,
                                   absl::Span<uint8_t>>;
  static_assert(std::is_invocable<Function&, Bytes>::value,
                "f takes absl::Span<const uint8_t> or absl::Span<uint8_t>");
  return VisitBytes(
      offset_bytes, size_bytes, /*for_writing=*/!kReads,
      [](void* function, uint8_t* data, uint64_t size) {
        (*static_cast<Function*>(function))(
            Bytes(data, static_cast<size_t>(size)));
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

}  // namespace shmrpc

#endif  // SHMRPC_MEMORY_VIEW_H_
