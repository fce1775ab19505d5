// Does a forked child (or a descendant of it) still share our memory?
//
// exec and exit end the sharing, and neither tells the parent. A pipe would (its end of file), but a child may close
// every descriptor and live on. What cannot be lost by accident is a mapping:
//
//   before fork   open the witness file anew, lock that opening (flock, shared), map a page of it, close the
//                 descriptor: the mapping keeps the opening, and the opening keeps the lock
//   parent        unmaps the page
//   child         keeps it; its own children inherit it; exec and exit drop it
//   later         the parent asks for the exclusive lock: granted when every such mapping is gone
//
// A process that has no /proc cannot open the file anew; then the answer is "yes" for good.
#pragma once

namespace wattle::codecache {

class ForkWitness {
 public:
  void prepare();  // the three around fork(), in the forking thread
  void parent();
  void child();
  // In the parent: no child made since the last `true` shares memory with us.
  bool childrenGone();

 private:
  int file_ = -1;
  void* page_ = nullptr;
  bool blind_ = false;  // some child could not be given a witness
};

}  // namespace wattle::codecache
