#include "tests/support/scripted.h"

#include <utility>

namespace shmrpc {
namespace testing {

ScriptedServer::ScriptedServer(ServerSettings settings)
    : process(std::move(settings)),
      channel(NewChannel(process.target())),
      stub(Scripted::NewStub(channel)),
      observer(Scripted::NewStub(NewChannel(process.target()))) {}

ScriptedServer* ScriptedTest::shared_;

}  // namespace testing
}  // namespace shmrpc
