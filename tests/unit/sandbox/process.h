// What the sandbox's tests need to know of the process.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "tests/support/process.h"

namespace wattle::sandbox {

using process::countMappings;
using process::kOthersMappings;
using process::kSanitized;
using process::residentBytes;

// Runs `body` in a forked child and gives back its exit code, or 128 + signal.
template <class Body>
int inForkedChild(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) signal(fault, SIG_DFL);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace wattle::sandbox
