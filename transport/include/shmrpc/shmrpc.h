// All of shmrpc for a program that makes or serves calls.

#ifndef SHMRPC_SHMRPC_H_
#define SHMRPC_SHMRPC_H_

#include "shmrpc/auth_context.h"
#include "shmrpc/channel.h"
#include "shmrpc/channel_arguments.h"
#include "shmrpc/client_context.h"
#include "shmrpc/client_quota.h"
#include "shmrpc/credentials.h"
#include "shmrpc/health_check_service_interface.h"
#include "shmrpc/log.h"
#include "shmrpc/resource_quota.h"
#include "shmrpc/server.h"
#include "shmrpc/server_builder.h"
#include "shmrpc/server_context.h"
#include "shmrpc/service.h"
#include "shmrpc/status.h"
#include "shmrpc/sync_stream.h"
#include "shmrpc/version.h"

#endif  // SHMRPC_SHMRPC_H_
