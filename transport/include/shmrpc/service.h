// A service: a set of methods by their full names. Generated classes derive
// from it; a server is given instances.

#ifndef SHMRPC_SERVICE_H_
#define SHMRPC_SERVICE_H_

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "shmrpc/generated.h"
#include "shmrpc/sync_stream.h"

namespace shmrpc {

class Service {
 public:
  Service() = default;
  virtual ~Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const std::vector<std::unique_ptr<internal::MethodHandler>>& methods() const {
    return methods_;
  }

 protected:
  void AddMethod(std::unique_ptr<internal::MethodHandler> method) {
    methods_.push_back(std::move(method));
  }

  // Puts `method` in the place of the one of its name, so that another function
  // serves it; adds it if there is none.
  void ReplaceMethod(std::unique_ptr<internal::MethodHandler> method) {
    for (std::unique_ptr<internal::MethodHandler>& replaced : methods_) {
      if (std::strcmp(replaced->name(), method->name()) == 0) {
        replaced = std::move(method);
        return;
      }
    }
    AddMethod(std::move(method));
  }

 private:
  std::vector<std::unique_ptr<internal::MethodHandler>> methods_;
};

}  // namespace shmrpc

#endif  // SHMRPC_SERVICE_H_
