// How one message of a stream is written, under gRPC's names.

#ifndef SHMRPC_WRITE_OPTIONS_H_
#define SHMRPC_WRITE_OPTIONS_H_

namespace shmrpc {

// Copies freely. `last_message` is the only option that changes what the other
// side sees; the rest are hints to a network stack (compression, buffering),
// kept so that programs compile, and a message is in the peer's reach when
// Write returns whatever they say.
class WriteOptions {
 public:
  void Clear() { *this = WriteOptions(); }

  WriteOptions& set_no_compression() { return Set(&no_compression_, true); }
  WriteOptions& clear_no_compression() { return Set(&no_compression_, false); }
  bool get_no_compression() const { return no_compression_; }

  WriteOptions& set_buffer_hint() { return Set(&buffer_hint_, true); }
  WriteOptions& clear_buffer_hint() { return Set(&buffer_hint_, false); }
  bool get_buffer_hint() const { return buffer_hint_; }

  // gRPC has this as another name of the buffer hint.
  WriteOptions& set_corked() { return Set(&buffer_hint_, true); }
  WriteOptions& clear_corked() { return Set(&buffer_hint_, false); }
  bool is_corked() const { return buffer_hint_; }

  // No message follows: the client's WritesDone, or the end of what a server
  // writes, comes with this one.
  WriteOptions& set_last_message() { return Set(&last_message_, true); }
  WriteOptions& clear_last_message() { return Set(&last_message_, false); }
  bool is_last_message() const { return last_message_; }

  WriteOptions& set_write_through() { return Set(&write_through_, true); }
  WriteOptions& clear_write_through() { return Set(&write_through_, false); }
  bool is_write_through() const { return write_through_; }

 private:
  WriteOptions& Set(bool* option, bool value) {
    *option = value;
    return *this;
  }

  bool no_compression_ = false;
  bool buffer_hint_ = false;
  bool last_message_ = false;
  bool write_through_ = false;
};

}  // namespace shmrpc

#endif  // SHMRPC_WRITE_OPTIONS_H_
