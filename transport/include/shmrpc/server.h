// A running server; ServerBuilder::BuildAndStart makes it.

#ifndef SHMRPC_SERVER_H_
#define SHMRPC_SERVER_H_

#include <memory>

namespace shmrpc {

class Server {
 public:
  // Shuts down first, if that has not happened.
  virtual ~Server() = default;

  // Stops taking new calls (they fail with UNAVAILABLE), waits for those in
  // flight, which end as they would have, and frees the server's names. Calling
  // it again waits for the first one to end. Not from within a handler.
  virtual void Shutdown() = 0;

  // Returns once the server was shut down, by another thread.
  virtual void Wait() = 0;

 protected:
  Server() = default;
};

}  // namespace shmrpc

#endif  // SHMRPC_SERVER_H_
