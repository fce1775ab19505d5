/* What Wattle has beyond the standard C API of wasm.h, in the same style: opaque types, `own` for what has to be deleted,
 * NULL-safe deletes.
 */
#ifndef WATTLE_H
#define WATTLE_H

#include "wasm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define own

/* --- Kinds of values beyond the standard's -------------------------------------------------------------------------- */

/* All are references to wasm_val_t: `of.ref` is NULL or owned. A v128 is one too, since a wasm_val_t has no room for it;
 * it is never null. wasm_valtype_kind gives the nearest of these for a type that a module defines. */
enum wattle_valkind_enum {
  WATTLE_ANYREF = 130,
  WATTLE_EQREF,
  WATTLE_I31REF,
  WATTLE_STRUCTREF,
  WATTLE_ARRAYREF,
  WATTLE_NULLREF,
  WATTLE_NULLFUNCREF,
  WATTLE_NULLEXTERNREF,
  WATTLE_EXNREF,
  WATTLE_NULLEXNREF,
  WATTLE_V128 = 160,
};

/* --- Errors --------------------------------------------------------------------------------------------------------- */

/* Functions that can fail return NULL when they succeed, else the error, which is the caller's. Their results are written
 * to the parameter named `out`, and only when they succeed. */
typedef struct wattle_error_t wattle_error_t;

typedef uint8_t wattle_errorkind_t;
enum wattle_errorkind_enum {
  WATTLE_ERROR_MALFORMED,   /* bytes that are no module, a text that does not parse */
  WATTLE_ERROR_INVALID,     /* a module that does not validate */
  WATTLE_ERROR_LIMIT,       /* beyond an implementation limit */
  WATTLE_ERROR_LINK,        /* a missing or mistyped import */
  WATTLE_ERROR_TRAP,        /* the guest trapped */
  WATTLE_ERROR_EXCEPTION,   /* the guest threw and nobody caught: wattle_trap_exception */
  WATTLE_ERROR_EXIT,        /* the guest ended itself (WASI proc_exit): wattle_error_exit_status */
  WATTLE_ERROR_RESOURCE,    /* memory, code cache, address space, or a limit of the store */
  WATTLE_ERROR_ARGUMENT,    /* wrong use of this API */
  WATTLE_ERROR_IO,          /* a file */
  WATTLE_ERROR_UNSUPPORTED, /* WebAssembly that this build cannot run */
};

/* The reasons of WATTLE_ERROR_TRAP. */
typedef uint8_t wattle_trapcode_t;
enum wattle_trapcode_enum {
  WATTLE_TRAP_NONE,
  WATTLE_TRAP_UNREACHABLE,
  WATTLE_TRAP_INTEGER_DIVIDE_BY_ZERO,
  WATTLE_TRAP_INTEGER_OVERFLOW,
  WATTLE_TRAP_INVALID_CONVERSION,
  WATTLE_TRAP_MEMORY_OUT_OF_BOUNDS,
  WATTLE_TRAP_TABLE_OUT_OF_BOUNDS,
  WATTLE_TRAP_UNDEFINED_ELEMENT,
  WATTLE_TRAP_UNINITIALIZED_ELEMENT,
  WATTLE_TRAP_INDIRECT_CALL_TYPE_MISMATCH,
  WATTLE_TRAP_STACK_OVERFLOW,
  WATTLE_TRAP_NULL_FUNCTION_REFERENCE,
  WATTLE_TRAP_NULL_REFERENCE,
  WATTLE_TRAP_NULL_I31_REFERENCE,
  WATTLE_TRAP_NULL_STRUCT_REFERENCE,
  WATTLE_TRAP_NULL_ARRAY_REFERENCE,
  WATTLE_TRAP_NULL_EXCEPTION_REFERENCE,
  WATTLE_TRAP_CAST_FAILURE,
  WATTLE_TRAP_DESCRIPTOR_CAST_FAILURE,
  WATTLE_TRAP_ARRAY_OUT_OF_BOUNDS,
  WATTLE_TRAP_ALLOCATION_FAILED,
  WATTLE_TRAP_UNALIGNED_ATOMIC,
  WATTLE_TRAP_EXPECTED_SHARED_MEMORY,
  WATTLE_TRAP_NULL_DESCRIPTOR,
  WATTLE_TRAP_OUT_OF_MEMORY,
  WATTLE_TRAP_OUT_OF_FUEL,
  WATTLE_TRAP_INTERRUPTED,
  WATTLE_TRAP_UNCAUGHT_EXCEPTION,
  WATTLE_TRAP_HOST_ERROR, /* a trap of the host's: wasm_trap_new */
};

WASM_API_EXTERN void wattle_error_delete(own wattle_error_t*);
WASM_API_EXTERN wattle_errorkind_t wattle_error_kind(const wattle_error_t*);
/* One line, with a terminating zero. */
WASM_API_EXTERN void wattle_error_message(const wattle_error_t*, own wasm_message_t* out);
WASM_API_EXTERN wattle_trapcode_t wattle_error_trap_code(const wattle_error_t*);
/* The guest's frames, innermost first. */
WASM_API_EXTERN void wattle_error_trace(const wattle_error_t*, own wasm_frame_vec_t* out);
/* Of WATTLE_ERROR_EXIT; else false. */
WASM_API_EXTERN bool wattle_error_exit_status(const wattle_error_t*, int* out);
/* Of WATTLE_ERROR_MALFORMED and WATTLE_ERROR_INVALID: the byte of the module; else false. */
WASM_API_EXTERN bool wattle_error_offset(const wattle_error_t*, uint64_t* out);

/* What a trap stands for: whatever ends a call, also an exit or wrong arguments, comes out of it as a trap. */
WASM_API_EXTERN own wattle_error_t* wattle_trap_error(const wasm_trap_t*);
/* The name of the frame's function: from the name section, or an export's, or empty. */
WASM_API_EXTERN void wattle_frame_func_name(const wasm_frame_t*, own wasm_name_t* out);
WASM_API_EXTERN void wattle_frame_module_name(const wasm_frame_t*, own wasm_name_t* out);

/* --- Modules -------------------------------------------------------------------------------------------------------- */

/* From the text format to the binary one. */
WASM_API_EXTERN own wattle_error_t* wattle_wat2wasm(const char* text, size_t size, own wasm_byte_vec_t* out);
/* wasm_module_new with a reason. */
WASM_API_EXTERN own wattle_error_t* wattle_module_new(wasm_store_t*, const wasm_byte_vec_t* binary,
                                                      own wasm_module_t** out);
/* From a text. */
WASM_API_EXTERN own wattle_error_t* wattle_module_new_text(wasm_store_t*, const char* text, size_t size,
                                                           own wasm_module_t** out);
/* From a file: a binary, a text, or what wasm_module_serialize or `wattle compile` wrote (which is trusted). */
WASM_API_EXTERN own wattle_error_t* wattle_module_new_file(wasm_store_t*, const char* path, own wasm_module_t** out);
WASM_API_EXTERN own wattle_error_t* wattle_module_validate(wasm_store_t*, const wasm_byte_vec_t* binary);
/* From the name section, or empty. */
WASM_API_EXTERN void wattle_module_name(const wasm_module_t*, own wasm_name_t* out);

#undef own

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WATTLE_H */
