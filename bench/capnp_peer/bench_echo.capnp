# What the Cap'n Proto peer of the benchmark serves: bench_echo.proto's service
# in Cap'n Proto's terms.

@0xd1a4c65a37f0be29;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("shmrpc::bench::capnp_schema");

interface BenchEcho {
  # Replies with the payload.
  echo @0 (payload :Data) -> (payload :Data);

  # A message of a one-way stream, under Cap'n Proto's own flow control.
  consume @1 (payload :Data) -> stream;

  # After the last one: what has come since the previous summary.
  summarize @2 () -> (messageCount :UInt64, payloadBytes :UInt64);
}
