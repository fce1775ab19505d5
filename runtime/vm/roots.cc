#include "runtime/vm/roots.h"

#include "runtime/vm/collect.h"
#include "runtime/vm/store.h"

namespace wattle::vm {

bool markRoots(Store& store, RootVisitor& visitor) {
  Tracer tracer(store, visitor);
  return store.traceAll(tracer);
}

}  // namespace wattle::vm
