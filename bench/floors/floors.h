// What shmrpc is measured against: each floor is the least work that does the
// job, written by hand and without a feature (no errors, no deadline, no guard,
// no second client, no sleep).

#ifndef SHMRPC_BENCH_FLOORS_FLOORS_H_
#define SHMRPC_BENCH_FLOORS_FLOORS_H_

namespace shmrpc {
namespace bench {

// unary_echo/floor_cacheline/64
void RegisterCachelineFloor();

// unary_echo and stream_ping_pong, each as /floor_protobuf/<bytes> and
// /floor_protobuf_reused/<bytes>
void RegisterProtobufFloors();

// stream_one_way/floor_protobuf_reused/<bytes>
void RegisterOneWayFloor();

// many_clients/floor_protobuf/<clients>
void RegisterManyClientsFloor();

// unary_echo/floor_wake/64 and asleep_echo/floor_wake
void RegisterWakeFloor();

// unary_echo/memcpy/<bytes>
void RegisterMemcpyFloor();

// unary_echo and asleep_echo as pipe and as unix_socket: no floors, but what
// one would use without any library.
void RegisterRawEchoes();

}  // namespace bench
}  // namespace shmrpc

#endif  // SHMRPC_BENCH_FLOORS_FLOORS_H_
