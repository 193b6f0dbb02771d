// Which library the programs of this folder measure.
//
// Their sources are compiled twice, against shmrpc (Bazel) and against gRPC
// (grpc_peer/build.sh, which defines SHMRPC_BENCH_GRPC): what is measured is
// the same text, and everything in it is what a user of either would write.

#ifndef SHMRPC_BENCH_RPC_LIBRARY_H_
#define SHMRPC_BENCH_RPC_LIBRARY_H_

#ifdef SHMRPC_BENCH_GRPC

#include <grpcpp/grpcpp.h>

#include "bench_echo.grpc.pb.h"

namespace shmrpc {
namespace bench {
namespace rpc = ::grpc;
}  // namespace bench
}  // namespace shmrpc

#else

#include "bench/bench_echo.shmrpc.pb.h"
#include "shmrpc/shmrpc.h"

namespace shmrpc {
namespace bench {
namespace rpc = ::shmrpc;
}  // namespace bench
}  // namespace shmrpc

#endif

#endif  // SHMRPC_BENCH_RPC_LIBRARY_H_
