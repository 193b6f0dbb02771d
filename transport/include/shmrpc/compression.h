// gRPC's compression settings. Local memory is never compressed: they are kept
// and handed back, so that programs compile, and change nothing else.

#ifndef SHMRPC_COMPRESSION_H_
#define SHMRPC_COMPRESSION_H_

namespace shmrpc {

enum grpc_compression_algorithm {
  GRPC_COMPRESS_NONE = 0,
  GRPC_COMPRESS_DEFLATE,
  GRPC_COMPRESS_GZIP,
  GRPC_COMPRESS_ALGORITHMS_COUNT
};

enum grpc_compression_level {
  GRPC_COMPRESS_LEVEL_NONE = 0,
  GRPC_COMPRESS_LEVEL_LOW,
  GRPC_COMPRESS_LEVEL_MED,
  GRPC_COMPRESS_LEVEL_HIGH,
  GRPC_COMPRESS_LEVEL_COUNT
};

}  // namespace shmrpc

#endif  // SHMRPC_COMPRESSION_H_
