// What shmrpc is measured against: each peer is the least work that does the
// job, written by hand and without a feature (no errors, no deadline, no guard,
// no second client, no sleep).

#ifndef SHMRPC_BENCH_FLOORS_FLOORS_H_
#define SHMRPC_BENCH_FLOORS_FLOORS_H_

namespace shmrpc {
namespace bench {

// unary_echo/floor_cacheline/64
void RegisterCachelineFloor();

// unary_echo/floor_protobuf/<bytes> and
// unary_echo/floor_protobuf_reused/<bytes>
void RegisterProtobufFloors();

// unary_echo/memcpy/<bytes>
void RegisterMemcpyFloor();

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_FLOORS_FLOORS_H_
