#include <windows.h>

#include "transport/platform/module.h"

namespace shmrpc {
namespace platform {

void PinModule() {
  HMODULE module = nullptr;
  GetModuleHandleExW(
      GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
      reinterpret_cast<LPCWSTR>(&PinModule), &module);
}

}  // namespace platform
}  // namespace shmrpc
