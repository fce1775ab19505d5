// A line on the terminal for work that takes over a second: "compiling ruby.wasm (39.2 MiB) … 1.4 s".
#pragma once

#include <string>

namespace wattle::cli {

// Does nothing unless standard error is a terminal.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ~ProgressLine() { finish(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void finish();  // takes the line away

 private:
  struct State;
  State* state_ = nullptr;
};

}  // namespace wattle::cli
