// The streams of a call, read and written by blocking threads.
//
//   auto reader = stub->ListFeatures(&context, rectangle);
//   Feature feature;
//   while (reader->Read(&feature)) { ... }
//   shmrpc::Status status = reader->Finish();
//
// Read blocks until a message has come and returns false once none will: the
// other side has written its last, or the call has ended. Write blocks while
// the reader at the other end is a window of bytes behind (so a slow reader
// stops its own sender and nobody else) and returns false once the call has
// ended. After the first false all later calls of that kind return false, and
// Finish has the reason.
//
// Thread rule: one thread may read while another writes. Finish, and the end of
// the object's life, after both. Ownership: a client's stream is the caller's,
// and destroying one that was not finished cancels its call; a server's lives
// as long as its handler runs.

#ifndef SHMRPC_SYNC_STREAM_H_
#define SHMRPC_SYNC_STREAM_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "shmrpc/channel.h"
#include "shmrpc/generated.h"
#include "shmrpc/status.h"
#include "shmrpc/write_options.h"

namespace shmrpc {

// --- what all of them share
// ------------------------------------------------------------

class ClientStreamingInterface {
 public:
  virtual ~ClientStreamingInterface() = default;
  // Blocks until the call has ended and every message was read, or the deadline
  // is past. Once; a stream that is neither read to its end nor, where the
  // client writes, ended with WritesDone, may keep it waiting until then.
  virtual Status Finish() = 0;
};

class ServerStreamingInterface {
 public:
  virtual ~ServerStreamingInterface() = default;
  // Sends the context's initial metadata now instead of with the first message.
  // Once.
  virtual void SendInitialMetadata() = 0;
};

template <class R>
class ReaderInterface {
 public:
  virtual ~ReaderInterface() = default;
  // `*size_bytes`: at least the length of the next message. Blocks as Read
  // does; false: there is none.
  virtual bool NextMessageSize(uint32_t* size_bytes) = 0;
  virtual bool Read(R* message) = 0;
};

template <class W>
class WriterInterface {
 public:
  virtual ~WriterInterface() = default;
  virtual bool Write(const W& message, WriteOptions options) = 0;
  bool Write(const W& message) { return Write(message, WriteOptions()); }
  // Write, with word that no other message follows.
  void WriteLast(const W& message, WriteOptions options) {
    Write(message, options.set_last_message());
  }
};

// --- the client's
// ------------------------------------------------------------

template <class R>
class ClientReaderInterface : public ClientStreamingInterface,
                              public ReaderInterface<R> {
 public:
  // Blocks until the server's initial metadata is in the context, or the call
  // has ended.
  virtual void WaitForInitialMetadata() = 0;
};

template <class W>
class ClientWriterInterface : public ClientStreamingInterface,
                              public WriterInterface<W> {
 public:
  // Tells the server that no message follows.
  virtual bool WritesDone() = 0;
};

template <class W, class R>
class ClientReaderWriterInterface : public ClientStreamingInterface,
                                    public WriterInterface<W>,
                                    public ReaderInterface<R> {
 public:
  virtual void WaitForInitialMetadata() = 0;
  virtual bool WritesDone() = 0;
};

template <class R>
class ClientReader final : public ClientReaderInterface<R> {
 public:
  explicit ClientReader(std::unique_ptr<internal::ClientStream> stream)
      : stream_(std::move(stream)) {}

  void WaitForInitialMetadata() override { stream_->WaitForInitialMetadata(); }
  bool NextMessageSize(uint32_t* size_bytes) override {
    return stream_->NextMessageSize(size_bytes);
  }
  bool Read(R* message) override { return stream_->Read(message); }
  Status Finish() override { return stream_->Finish(); }

 private:
  const std::unique_ptr<internal::ClientStream> stream_;
};

template <class W>
class ClientWriter final : public ClientWriterInterface<W> {
 public:
  explicit ClientWriter(std::unique_ptr<internal::ClientStream> stream)
      : stream_(std::move(stream)) {}

  void WaitForInitialMetadata() { stream_->WaitForInitialMetadata(); }
  using WriterInterface<W>::Write;
  bool Write(const W& message, WriteOptions options) override {
    return stream_->Write(message, options);
  }
  bool WritesDone() override { return stream_->WritesDone(); }
  Status Finish() override { return stream_->Finish(); }

 private:
  const std::unique_ptr<internal::ClientStream> stream_;
};

template <class W, class R>
class ClientReaderWriter final : public ClientReaderWriterInterface<W, R> {
 public:
  explicit ClientReaderWriter(std::unique_ptr<internal::ClientStream> stream)
      : stream_(std::move(stream)) {}

  void WaitForInitialMetadata() override { stream_->WaitForInitialMetadata(); }
  bool NextMessageSize(uint32_t* size_bytes) override {
    return stream_->NextMessageSize(size_bytes);
  }
  bool Read(R* message) override { return stream_->Read(message); }
  using WriterInterface<W>::Write;
  bool Write(const W& message, WriteOptions options) override {
    return stream_->Write(message, options);
  }
  bool WritesDone() override { return stream_->WritesDone(); }
  Status Finish() override { return stream_->Finish(); }

 private:
  const std::unique_ptr<internal::ClientStream> stream_;
};

// --- the server's
// ------------------------------------------------------------

template <class R>
class ServerReaderInterface : public ServerStreamingInterface,
                              public ReaderInterface<R> {};

template <class W>
class ServerWriterInterface : public ServerStreamingInterface,
                              public WriterInterface<W> {};

template <class W, class R>
class ServerReaderWriterInterface : public ServerStreamingInterface,
                                    public WriterInterface<W>,
                                    public ReaderInterface<R> {};

template <class R>
class ServerReader final : public ServerReaderInterface<R> {
 public:
  explicit ServerReader(internal::ServerStream* stream) : stream_(stream) {}

  void SendInitialMetadata() override { stream_->SendInitialMetadata(); }
  bool NextMessageSize(uint32_t* size_bytes) override {
    return stream_->NextMessageSize(size_bytes);
  }
  bool Read(R* message) override { return stream_->Read(message); }

 private:
  internal::ServerStream* const stream_;
};

template <class W>
class ServerWriter final : public ServerWriterInterface<W> {
 public:
  explicit ServerWriter(internal::ServerStream* stream) : stream_(stream) {}

  void SendInitialMetadata() override { stream_->SendInitialMetadata(); }
  using WriterInterface<W>::Write;
  bool Write(const W& message, WriteOptions options) override {
    return stream_->Write(message, options);
  }

 private:
  internal::ServerStream* const stream_;
};

template <class W, class R>
class ServerReaderWriter final : public ServerReaderWriterInterface<W, R> {
 public:
  explicit ServerReaderWriter(internal::ServerStream* stream)
      : stream_(stream) {}

  void SendInitialMetadata() override { stream_->SendInitialMetadata(); }
  bool NextMessageSize(uint32_t* size_bytes) override {
    return stream_->NextMessageSize(size_bytes);
  }
  bool Read(R* message) override { return stream_->Read(message); }
  using WriterInterface<W>::Write;
  bool Write(const W& message, WriteOptions options) override {
    return stream_->Write(message, options);
  }

 private:
  internal::ServerStream* const stream_;
};

// A unary method served as a stream of one message each way: for a handler that
// wants to decide when its request is parsed. A second Read or Write fails.
template <class Request, class Response>
class ServerUnaryStreamer final
    : public ServerReaderWriterInterface<Response, Request> {
 public:
  explicit ServerUnaryStreamer(internal::ServerStream* stream)
      : stream_(stream) {}

  void SendInitialMetadata() override { stream_->SendInitialMetadata(); }
  bool NextMessageSize(uint32_t* size_bytes) override {
    return stream_->NextMessageSize(size_bytes);
  }
  bool Read(Request* message) override {
    if (read_) return false;
    read_ = true;
    return stream_->Read(message);
  }
  using WriterInterface<Response>::Write;
  // False before the request was read.
  bool Write(const Response& message, WriteOptions options) override {
    if (written_ || !read_) return false;
    written_ = true;
    return stream_->Write(message, options);
  }

 private:
  internal::ServerStream* const stream_;
  bool read_ = false;
  bool written_ = false;
};

// The same for a server-streaming method: one message in, any number out.
template <class Request, class Response>
class ServerSplitStreamer final
    : public ServerReaderWriterInterface<Response, Request> {
 public:
  explicit ServerSplitStreamer(internal::ServerStream* stream)
      : stream_(stream) {}

  void SendInitialMetadata() override { stream_->SendInitialMetadata(); }
  bool NextMessageSize(uint32_t* size_bytes) override {
    return stream_->NextMessageSize(size_bytes);
  }
  bool Read(Request* message) override {
    if (read_) return false;
    read_ = true;
    return stream_->Read(message);
  }
  using WriterInterface<Response>::Write;
  // False before the request was read.
  bool Write(const Response& message, WriteOptions options) override {
    return read_ && stream_->Write(message, options);
  }

 private:
  internal::ServerStream* const stream_;
  bool read_ = false;
};

}  // namespace shmrpc

#endif  // SHMRPC_SYNC_STREAM_H_
