// Keeps a lobby usable while others truncate it: learns of it without waking
// for it before, makes it good, bounds how often, and says so in the log.
//
//   LobbyKeeper keeper(&lobby, &waiter);
//   for (;;) {
//     waiter.Wait(keeper.usable() ? lobby.accept_event() : nullptr,
//                 keeper.look_ns());
//     if (keeper.Look()) ... everything in the lobby is to be looked at anew
//     ...
//   }
//
// Where no watch can be had it looks each second instead.
//
// Thread rule: one thread, which sleeps on the waiter; the watch wakes it.
// Ownership: lobby and waiter outlive it. Failures: none; what cannot be made
// good is logged and tried again after a second.

#ifndef SHMRPC_TRANSPORT_LINK_LOBBY_KEEPER_H_
#define SHMRPC_TRANSPORT_LINK_LOBBY_KEEPER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "transport/link/lobby.h"
#include "transport/platform/event.h"
#include "transport/platform/shrink_watch.h"

namespace shmrpc {
namespace link {

class LobbyKeeper {
 public:
  // At least between two repairs: a process that truncates without end costs
  // ten a second.
  static constexpr int64_t kPauseNs = 100 * 1000 * 1000;

  LobbyKeeper(Lobby* lobby, platform::Waiter* waiter);
  LobbyKeeper(const LobbyKeeper&) = delete;
  LobbyKeeper& operator=(const LobbyKeeper&) = delete;

  // Each time the thread has woken, for whatever reason: cheap when there is
  // nothing to do. True: the lobby has been made good.
  bool Look();

  // May its words be slept on? If not, sleep until look_ns().
  bool usable() const { return usable_; }
  // When to look again although nothing has come; platform::kNever: not.
  int64_t look_ns() const { return look_ns_; }

 private:
  void Log(const std::string& what, int64_t now_ns);

  Lobby* const lobby_;
  std::atomic<bool> changed_{false};
  bool watched_ = true;
  bool usable_ = true;
  int64_t look_ns_ = platform::kNever;
  int64_t last_repair_ns_;
  int64_t last_log_ns_;
  int unlogged_ = 0;
  // Last: they use the rest.
  std::vector<std::unique_ptr<platform::ShrinkWatch>> watches_;
};

}  // namespace link
}  // namespace shmrpc

#endif  // SHMRPC_TRANSPORT_LINK_LOBBY_KEEPER_H_
