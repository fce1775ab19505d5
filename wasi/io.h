// Reading and writing descriptors of every kind.
#pragma once

#include <sys/socket.h>

#include "wasi/buffers.h"
#include "wasi/context.h"
#include "wasi/wait.h"

namespace wattle::wasi {

// How much came or went, an errno for the guest, or the end of the guest.
struct Transfer {
  Errno error = Errno::Success;
  uint32_t bytes = 0;
  int messageFlags = 0;  // of recvmsg
};
using TransferResult = Result<Transfer>;

TransferResult readFrom(Context& context, Descriptor& descriptor, Buffers& buffers);
TransferResult writeTo(Context& context, Descriptor& descriptor, Buffers& buffers);

// On sockets. `flags` are recvmsg's.
TransferResult receive(Context& context, Descriptor& descriptor, Buffers& buffers, int flags);
TransferResult send(Context& context, Descriptor& descriptor, Buffers& buffers);

}  // namespace wattle::wasi
