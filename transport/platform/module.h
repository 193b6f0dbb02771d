// Keeping this library's code in memory. Internal to transport/platform.
//
// A module that has installed a signal handler, a thread or a callback may not
// be unloaded: dlclose or FreeLibrary of a plugin that contains this library
// would leave them pointing nowhere. So it pins itself before it installs one.

#ifndef SHMRPC_TRANSPORT_PLATFORM_MODULE_H_
#define SHMRPC_TRANSPORT_PLATFORM_MODULE_H_

namespace shmrpc {
namespace platform {

// Keeps the module (program or shared library) with this code loaded until the
// process ends. Any thread; may be called again.
void PinModule();

}  // namespace platform
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_PLATFORM_MODULE_H_
