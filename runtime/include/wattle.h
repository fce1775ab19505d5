/* What Wattle has beyond the standard C API of wasm.h, in the same style: opaque types, `own` for what has to be deleted,
 * deletes that take NULL, objects that are handles.
 *
 * Errors. A function that can fail returns NULL when it succeeds, else the error, which is the caller's to delete. Its
 * result is written to the parameter named `out`, and only when it succeeds.
 *
 * Memory. When there is none, what gives an object gives NULL, what fills a vector leaves it empty, what is to be copied or defined is not; errors
 * and traps say "out of memory", of kind RESOURCE.
 *
 * Threads are as in wasm.h. What may be used from other threads than its store's says so.
 *
 * Units. Memories in bytes unless the name says pages, times in nanoseconds, fuel in instructions. Texts are UTF-8,
 * `const char*` with a terminating zero.
 */
#ifndef WATTLE_H
#define WATTLE_H

#include "wasm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define own

/* As "1.2.3"; static. */
WASM_API_EXTERN const char* wattle_version(void);

#define WATTLE_DECLARE_OWN(name)                      \
  typedef struct wattle_##name##_t wattle_##name##_t; \
  WASM_API_EXTERN void wattle_##name##_delete(own wattle_##name##_t*);

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

/* The type as the text format spells it: "i32", "(ref null $t)" as "(ref null 17)", "(i32, i64) -> (f32)". */
WASM_API_EXTERN void wattle_valtype_text(const wasm_valtype_t*, own wasm_name_t* out);
WASM_API_EXTERN void wattle_externtype_text(const wasm_externtype_t*, own wasm_name_t* out);

/* --- Errors --------------------------------------------------------------------------------------------------------- */

WATTLE_DECLARE_OWN(error)

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
/* The trap that stands for an error. For a host function to hand on what it failed of: an exit ends the guest, an
 * exception is thrown in it. */
WASM_API_EXTERN own wasm_trap_t* wattle_error_as_trap(own wattle_error_t*);
/* For a host function to end the guest as WASI's proc_exit does. */
WASM_API_EXTERN own wasm_trap_t* wattle_trap_new_exit(int status);
/* The name of the frame's function: from the name section, or an export's, or empty. */
WASM_API_EXTERN void wattle_frame_func_name(const wasm_frame_t*, own wasm_name_t* out);
WASM_API_EXTERN void wattle_frame_module_name(const wasm_frame_t*, own wasm_name_t* out);

/* --- Configuration -------------------------------------------------------------------------------------------------- */

/* Compile fuel accounting into the code: wattle_store_add_fuel. Off unless set. */
WASM_API_EXTERN void wattle_config_set_fuel(wasm_config_t*, bool);

/* Compile functions at their first call. Unless set: modules of over 2 MiB. */
WASM_API_EXTERN void wattle_config_set_lazy(wasm_config_t*, bool);

/* How the bounds of memories are checked. AUTO: guarded until address space or mappings come near their end. */
typedef uint8_t wattle_bounds_t;
enum wattle_bounds_enum {
  WATTLE_BOUNDS_AUTO,
  WATTLE_BOUNDS_GUARDED,
  WATTLE_BOUNDS_CHECKED,
};
WASM_API_EXTERN void wattle_config_set_bounds(wasm_config_t*, wattle_bounds_t);

/* 0, as unless set: one for each processor. */
WASM_API_EXTERN void wattle_config_set_compile_threads(wasm_config_t*, unsigned);

/* Bytes of stack that a guest may use, within the thread's. 1 MiB unless set. */
WASM_API_EXTERN void wattle_config_set_max_stack(wasm_config_t*, size_t bytes);

/* False: modules that are compiled whole from bytes in memory let go of their functions' bytes, as Config::keepBytes of
 * wattle.hpp says: no module offsets in traces, no wasm_module_serialize (an empty vector). True unless set. */
WASM_API_EXTERN void wattle_config_set_keep_bytes(wasm_config_t*, bool);

/* Where compiled modules are kept for other processes: an absolute path, made if it is not there; "", as unless set:
 * nowhere. The directory must be the user's own, since what is in it is run. What cannot be used is done without. */
WASM_API_EXTERN void wattle_config_set_cache_directory(wasm_config_t*, const char* path);
/* Most that its files may take together. 1 GiB unless set. */
WASM_API_EXTERN void wattle_config_set_cache_bytes(wasm_config_t*, uint64_t);

/* How loops notice an interruption, as LoopCheck of wattle.hpp says: SEGMENT, as unless set, through the gs base of each
 * thread that calls guests, which is then Wattle's; COMPARE leaves gs alone, and hot loops take some 2 % longer. */
typedef uint8_t wattle_loop_check_t;
enum wattle_loop_check_enum {
  WATTLE_LOOP_CHECK_SEGMENT,
  WATTLE_LOOP_CHECK_COMPARE,
};
WASM_API_EXTERN void wattle_config_set_loop_check(wasm_config_t*, wattle_loop_check_t);

/* False: Wattle installs no signal handlers, and the host's handlers of SIGSEGV, SIGBUS, SIGILL and SIGFPE call
 * wattle_handle_signal first; true from it means that the signal was a guest's trap and has been dealt with. */
WASM_API_EXTERN void wattle_config_set_signal_handlers(wasm_config_t*, bool);
WASM_API_EXTERN bool wattle_handle_signal(int signal, void* siginfo, void* ucontext);

/* --- Stores: limits, fuel, interruption ----------------------------------------------------------------------------- */

WATTLE_DECLARE_OWN(limits)
/* Without limits, but for 10,000,000 elements in a table and 4 GiB of garbage-collected heap. */
WASM_API_EXTERN own wattle_limits_t* wattle_limits_new(void);
WASM_API_EXTERN void wattle_limits_set_memory_bytes(wattle_limits_t*, uint64_t);   /* of each memory */
WASM_API_EXTERN void wattle_limits_set_table_elements(wattle_limits_t*, uint64_t); /* of each table */
WASM_API_EXTERN void wattle_limits_set_instances(wattle_limits_t*, uint64_t);      /* alive at once */
/* Structures and arrays; and as much once more for exceptions. */
WASM_API_EXTERN void wattle_limits_set_gc_heap_bytes(wattle_limits_t*, uint64_t);
/* Of all memories together; of how many memories and tables there may be, those of instances included. */
WASM_API_EXTERN void wattle_limits_set_total_memory_bytes(wattle_limits_t*, uint64_t);
WASM_API_EXTERN void wattle_limits_set_memories(wattle_limits_t*, uint64_t);
WASM_API_EXTERN void wattle_limits_set_tables(wattle_limits_t*, uint64_t);
/* As wattle_config_set_max_stack, which it lowers. */
WASM_API_EXTERN void wattle_limits_set_stack_bytes(wattle_limits_t*, size_t);
/* The limits are copied. */
WASM_API_EXTERN own wasm_store_t* wattle_store_new(wasm_engine_t*, const wattle_limits_t*);

/* A store begins with no fuel. Without it the guest traps with OUT_OF_FUEL, and can be called again when there is some.
 * ARGUMENT: the engine was not configured for fuel. */
WASM_API_EXTERN own wattle_error_t* wattle_store_add_fuel(wasm_store_t*, uint64_t units);
WASM_API_EXTERN own wattle_error_t* wattle_store_fuel(const wasm_store_t*, uint64_t* out); /* what is left */
/* For host functions whose work is to be paid for. TRAP, OUT_OF_FUEL: there is not as much, and nothing is taken. */
WASM_API_EXTERN own wattle_error_t* wattle_store_consume_fuel(wasm_store_t*, uint64_t units);

/* Makes the guests of a store trap with INTERRUPTED, at the next loop or call: the running one, and those called later,
 * until it is cleared. The handle may outlive the store; wattle_interrupt may be called from any thread and from signal
 * handlers. */
WATTLE_DECLARE_OWN(interrupt)
WASM_API_EXTERN own wattle_interrupt_t* wattle_store_interrupt(const wasm_store_t*);
WASM_API_EXTERN void wattle_interrupt(const wattle_interrupt_t*);
WASM_API_EXTERN void wattle_store_clear_interrupt(wasm_store_t*);
/* Interrupts when the time has passed; 0 takes it back. */
WASM_API_EXTERN own wattle_error_t* wattle_store_set_deadline(wasm_store_t*, uint64_t nanoseconds);

/* Frees now what nothing reaches. It happens by itself whenever enough has been made since the last time. */
WASM_API_EXTERN void wattle_store_collect(wasm_store_t*);
/* Objects that the store has not freed: instances, host functions, memories, tables, globals, tags, foreign objects. */
WASM_API_EXTERN size_t wattle_store_object_count(const wasm_store_t*);

/* --- Statistics ----------------------------------------------------------------------------------------------------- */

/* What Wattle holds, at one time. Taking it costs some microseconds; from any thread. */
WATTLE_DECLARE_OWN(stats)
WASM_API_EXTERN own wattle_stats_t* wattle_engine_stats(const wasm_engine_t*);

typedef enum wattle_stat_t {
  /* Native code, of all engines of the process, in bytes: in live code (what counts for the limit), run straight from
   * files of the disk cache, memory for code, free of that, address space; the limit; pieces of code. */
  WATTLE_STAT_CODE_USED,
  WATTLE_STAT_CODE_MAPPED,
  WATTLE_STAT_CODE_COMMITTED,
  WATTLE_STAT_CODE_FRAGMENTED,
  WATTLE_STAT_CODE_RESERVED,
  WATTLE_STAT_CODE_LIMIT,
  WATTLE_STAT_CODE_BLOCKS,
  /* Modules of this engine: alive and different, times that one was found alive already, times that it was not. */
  WATTLE_STAT_MODULES_LIVE,
  WATTLE_STAT_MODULES_SHARED,
  WATTLE_STAT_MODULES_CREATED,
  /* Memories, of all engines of the process: with guard pages, without; bytes of address space and mappings, and where
   * they end. */
  WATTLE_STAT_MEMORIES_GUARDED,
  WATTLE_STAT_MEMORIES_PACKED,
  WATTLE_STAT_ADDRESS_SPACE_USED,
  WATTLE_STAT_ADDRESS_SPACE_LIMIT,
  WATTLE_STAT_MAPPINGS_USED,
  WATTLE_STAT_MAPPINGS_LIMIT,
  /* This engine's use of its cache directory. */
  WATTLE_STAT_DISK_CACHE_HITS,
  WATTLE_STAT_DISK_CACHE_MISSES,
  WATTLE_STAT_DISK_CACHE_STORES,
} wattle_stat_t;
WASM_API_EXTERN uint64_t wattle_stats_get(const wattle_stats_t*, wattle_stat_t);
/* All of it as one line of JSON. */
WASM_API_EXTERN void wattle_stats_json(const wattle_stats_t*, own wasm_name_t* out);

/* Most bytes of native code that the process may hold; what would exceed it fails to compile with an error of kind
 * RESOURCE. At first half of the machine's memory, 16 GiB at most. From any thread. */
WASM_API_EXTERN void wattle_set_code_cache_limit(uint64_t bytes);

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

/* --- Functions that know their caller ------------------------------------------------------------------------------- */

/* For the time of the callback. */
typedef struct wattle_caller_t wattle_caller_t;

/* As wasm_func_callback_with_env_t. */
typedef own wasm_trap_t* (*wattle_callback_t)(void* env, const wattle_caller_t*, const wasm_val_vec_t* args,
                                              own wasm_val_vec_t* results);

/* NULL: an impossible type, or the code cache is full. */
WASM_API_EXTERN own wasm_func_t* wattle_func_new(wasm_store_t*, const wasm_functype_t*, wattle_callback_t, void* env,
                                                 void (*finalizer)(void*));

/* An export of the calling instance; NULL: there is none, or the host called. */
WASM_API_EXTERN own wasm_extern_t* wattle_caller_export(const wattle_caller_t*, const char* name);
/* Its export "memory", else its first memory, or NULL. */
WASM_API_EXTERN own wasm_memory_t* wattle_caller_memory(const wattle_caller_t*);

/* --- Calls that wait without holding a thread ------------------------------------------------------------------------- */

/* A guest that is called with wattle_func_call_async runs on a stack of its own. When it calls an asynchronous host
 * function that has not been completed by the time its callback returns, the guest is suspended, and
 * wattle_func_call_async returns; completing goes on where the guest stood. Thousands of calls may be under way on one
 * thread, in one store or in many. The event loop is the host's own.
 *
 * A guest can be suspended only where no other host function stands between wattle_func_call_async and the asynchronous
 * one; elsewhere the latter traps. Fuel, limits, deadlines and interruption count as for any call. All of this belongs to
 * the store's thread. */

/* What an asynchronous host function keeps until it has its results. Deleting one that has not been completed leaves the
 * guest waiting until its call is cancelled or deleted. */
WATTLE_DECLARE_OWN(completion)
/* The guest goes on with these results (borrowed), and runs until it is suspended again or ends before this returns; while
 * the callback still runs, it is only noted. ARGUMENT: results that the function's type does not have (it still waits);
 * completed already; the call was cancelled, or its store is gone; another thread. */
WASM_API_EXTERN own wattle_error_t* wattle_completion_resume(const wattle_completion_t*, const wasm_val_vec_t* results);
/* The same with a trap, which ends the guest's call, or is thrown in it (wattle_exception_as_trap). */
WASM_API_EXTERN own wattle_error_t* wattle_completion_fail(const wattle_completion_t*, own wasm_trap_t*);
/* Somebody still waits for it. */
WASM_API_EXTERN bool wattle_completion_is_pending(const wattle_completion_t*);

/* Begins something and sees to it that it is completed later, or completes it at once. The arguments are borrowed for the
 * time of the callback; the completion is the callback's to delete, sooner or later, also when it returns a trap, which
 * ends the guest's call. */
typedef own wasm_trap_t* (*wattle_async_callback_t)(void* env, const wattle_caller_t*, const wasm_val_vec_t* args,
                                                    own wattle_completion_t*);
/* NULL: as wattle_func_new. */
WASM_API_EXTERN own wasm_func_t* wattle_func_new_async(wasm_store_t*, const wasm_functype_t*, wattle_async_callback_t,
                                                       void* env, void (*finalizer)(void*));

/* A call under way, or over. Deleting one that is suspended cancels it. */
WATTLE_DECLARE_OWN(async_call)
/* The arguments are borrowed. `stack_bytes` of stack for the guest; 0: what the store allows. An error (RESOURCE: no stack;
 * ARGUMENT) comes before anything has run; what comes later is the call's result. */
WASM_API_EXTERN own wattle_error_t* wattle_func_call_async(const wasm_func_t*, const wasm_val_vec_t* args,
                                                           size_t stack_bytes, own wattle_async_call_t** out);
WASM_API_EXTERN bool wattle_async_call_is_done(const wattle_async_call_t*);
/* As wasm_func_call gives its results: once the call is done, and only once. */
WASM_API_EXTERN own wasm_trap_t* wattle_async_call_take(wattle_async_call_t*, own wasm_val_vec_t* results);
/* Called when it is done, by whoever made it go on for the last time; at once if it is done already; not when the call is
 * deleted first. Replaces an earlier one. It may take the results and delete the call. */
WASM_API_EXTERN void wattle_async_call_when_done(wattle_async_call_t*, void (*callback)(void* env), void* env);
/* Takes the guest down as a trap does, with INTERRUPTED; the call is done then. Nothing, unless it is suspended. */
WASM_API_EXTERN void wattle_async_call_cancel(wattle_async_call_t*);

/* --- Instances and linking by name ---------------------------------------------------------------------------------- */

/* NULL: there is no such export. */
WASM_API_EXTERN own wasm_extern_t* wattle_instance_export(const wasm_instance_t*, const char* name);
WASM_API_EXTERN own wasm_module_t* wattle_instance_module(const wasm_instance_t*);

/* Names to imports. A linker belongs to one thread at a time. Functions defined by callback are made anew in each store
 * they are linked into; the other definitions belong to their store. A later definition of a name replaces the earlier. */
WATTLE_DECLARE_OWN(linker)
WASM_API_EXTERN own wattle_linker_t* wattle_linker_new(wasm_engine_t*);
WASM_API_EXTERN void wattle_linker_define(wattle_linker_t*, const char* module, const char* name, const wasm_extern_t*);
/* The finalizer runs when neither the linker nor a store has the function any more. */
WASM_API_EXTERN void wattle_linker_define_func(wattle_linker_t*, const char* module, const char* name,
                                               const wasm_functype_t*, wattle_callback_t, void* env,
                                               void (*finalizer)(void*));
/* All its exports. */
WASM_API_EXTERN void wattle_linker_define_instance(wattle_linker_t*, const char* module, const wasm_instance_t*);
/* The error names every import that is missing or of the wrong type, with its type. */
WASM_API_EXTERN own wattle_error_t* wattle_linker_instantiate(const wattle_linker_t*, wasm_store_t*,
                                                              const wasm_module_t*, own wasm_instance_t** out);
/* What a name means in a store, or NULL. */
WASM_API_EXTERN own wasm_extern_t* wattle_linker_get(const wattle_linker_t*, wasm_store_t*, const char* module,
                                                     const char* name);

/* --- WASI preview 1 ------------------------------------------------------------------------------------------------- */

/* What a guest may see. Nothing is granted that was not asked for: no arguments, no environment, no streams, no files. */
WATTLE_DECLARE_OWN(wasi_config)
WASM_API_EXTERN own wattle_wasi_config_t* wattle_wasi_config_new(void);
/* The next of the guest's arguments; the first is the program's name. */
WASM_API_EXTERN void wattle_wasi_config_arg(wattle_wasi_config_t*, const char*);
/* A later value replaces an earlier one of the name. */
WASM_API_EXTERN void wattle_wasi_config_env(wattle_wasi_config_t*, const char* name, const char* value);
WASM_API_EXTERN void wattle_wasi_config_inherit_env(wattle_wasi_config_t*);
/* The host's descriptors 0, 1, 2: borrowed. */
WASM_API_EXTERN void wattle_wasi_config_inherit_stdin(wattle_wasi_config_t*);
WASM_API_EXTERN void wattle_wasi_config_inherit_stdout(wattle_wasi_config_t*);
WASM_API_EXTERN void wattle_wasi_config_inherit_stderr(wattle_wasi_config_t*);
/* Standard input from memory; copied. */
WASM_API_EXTERN void wattle_wasi_config_stdin_bytes(wattle_wasi_config_t*, const wasm_byte_vec_t*);
/* Output to memory: wattle_wasi_take_stdout. */
WASM_API_EXTERN void wattle_wasi_config_capture_stdout(wattle_wasi_config_t*);
WASM_API_EXTERN void wattle_wasi_config_capture_stderr(wattle_wasi_config_t*);
/* Output to a function of the host's, which must not call into the guest. False: the guest gets EPIPE. */
typedef bool (*wattle_wasi_sink_t)(void* env, const uint8_t* bytes, size_t size);
WASM_API_EXTERN void wattle_wasi_config_stdout_to(wattle_wasi_config_t*, wattle_wasi_sink_t, void* env,
                                                  void (*finalizer)(void*));
WASM_API_EXTERN void wattle_wasi_config_stderr_to(wattle_wasi_config_t*, wattle_wasi_sink_t, void* env,
                                                  void (*finalizer)(void*));
/* The guest sees the host's directory under the name `guest`, with all that is in there. */
WASM_API_EXTERN own wattle_error_t* wattle_wasi_config_preopen_dir(wattle_wasi_config_t*, const char* host,
                                                                   const char* guest, bool read_only);

/* A socket that the guest may accept connections on; numeric IPv4 or IPv6, port 0: any. `out`, if not NULL, is the port.
 * Listeners come after all directories in the guest's numbering. */
WASM_API_EXTERN own wattle_error_t* wattle_wasi_config_listen_tcp(wattle_wasi_config_t*, const char* address,
                                                                  uint16_t port, uint16_t* out);
/* Descriptors it may have open at once, those above included. 1024 unless set. */
WASM_API_EXTERN void wattle_wasi_config_max_open_files(wattle_wasi_config_t*, uint32_t);
/* For guests whose run is to be reproducible: the clocks in nanoseconds, the random bytes. NULL leaves the host's. */
WASM_API_EXTERN void wattle_wasi_config_clocks(wattle_wasi_config_t*, uint64_t (*realtime)(void* env),
                                               uint64_t (*monotonic)(void* env), void* env);
WASM_API_EXTERN void wattle_wasi_config_random(wattle_wasi_config_t*,
                                               void (*fill)(void* env, uint8_t* bytes, size_t size), void* env);

/* The state of one guest: its open files, what it wrote. The imports keep it as long as they need it. */
WATTLE_DECLARE_OWN(wasi)
WASM_API_EXTERN own wattle_error_t* wattle_wasi_new(const wattle_wasi_config_t*, own wattle_wasi_t** out);
/* Defines wasi_snapshot_preview1 and wasi_unstable. The instance has to export its memory as "memory". proc_exit ends
 * the call with a trap: wattle_error_exit_status of its wattle_trap_error. */
WASM_API_EXTERN own wattle_error_t* wattle_linker_define_wasi(wattle_linker_t*, const wattle_wasi_t*);
/* What has been written since the last time, when it is captured. Not while the guest runs on another thread. */
WASM_API_EXTERN void wattle_wasi_take_stdout(wattle_wasi_t*, own wasm_byte_vec_t* out);
WASM_API_EXTERN void wattle_wasi_take_stderr(wattle_wasi_t*, own wasm_byte_vec_t* out);
/* Ends a sleep, poll or read that waits, now and until it is cleared: the guest traps with INTERRUPTED. From any thread
 * and from signal handlers; for a guest that computes there is wattle_interrupt. */
WASM_API_EXTERN void wattle_wasi_cancel(const wattle_wasi_t*);
WASM_API_EXTERN void wattle_wasi_clear_cancel(wattle_wasi_t*);

/* --- Exceptions ----------------------------------------------------------------------------------------------------- */

#define WATTLE_DECLARE_REF(name)                                                                 \
  WATTLE_DECLARE_OWN(name)                                                                       \
  WASM_API_EXTERN own wattle_##name##_t* wattle_##name##_copy(const wattle_##name##_t*);         \
  WASM_API_EXTERN bool wattle_##name##_same(const wattle_##name##_t*, const wattle_##name##_t*); \
  WASM_API_EXTERN wasm_ref_t* wattle_##name##_as_ref(wattle_##name##_t*);                        \
  WASM_API_EXTERN wattle_##name##_t* wattle_ref_as_##name(wasm_ref_t*);

/* An external of kind WASM_EXTERN_TAG. NULL: an impossible type. */
WATTLE_DECLARE_REF(tag)
WASM_API_EXTERN own wattle_tag_t* wattle_tag_new(wasm_store_t*, const wasm_tagtype_t*);
WASM_API_EXTERN own wasm_tagtype_t* wattle_tag_type(const wattle_tag_t*);
WASM_API_EXTERN wasm_extern_t* wattle_tag_as_extern(wattle_tag_t*);
WASM_API_EXTERN wattle_tag_t* wattle_extern_as_tag(wasm_extern_t*);

/* The value of an exnref. */
WATTLE_DECLARE_REF(exception)
/* The values are borrowed. */
WASM_API_EXTERN own wattle_error_t* wattle_exception_new(wasm_store_t*, const wattle_tag_t*,
                                                         const wasm_val_vec_t* values, own wattle_exception_t** out);
WASM_API_EXTERN own wattle_tag_t* wattle_exception_tag(const wattle_exception_t*);
WASM_API_EXTERN void wattle_exception_values(const wattle_exception_t*, own wasm_val_vec_t* out);
/* What a guest threw and nobody caught; NULL: the trap is something else. */
WASM_API_EXTERN own wattle_exception_t* wattle_trap_exception(const wasm_trap_t*);
/* For a host function to throw it in the guest: by returning this. */
WASM_API_EXTERN own wasm_trap_t* wattle_exception_as_trap(const wattle_exception_t*);

/* --- References of the garbage-collected heap, v128 ----------------------------------------------------------------- */

/* What it refers to: WASM_FUNCREF, WASM_EXTERNREF (what the host made, also modules, memories, instances...),
 * WATTLE_I31REF, WATTLE_STRUCTREF, WATTLE_ARRAYREF, WATTLE_EXNREF; WATTLE_V128. An owned wasm_ref_t keeps a structure or
 * an array alive, with all it reaches, until it is deleted. */
WASM_API_EXTERN wasm_valkind_t wattle_ref_kind(const wasm_ref_t*);

/* The lower 31 bits. */
WASM_API_EXTERN own wasm_ref_t* wattle_i31_new(uint32_t);
/* False: not an i31. */
WASM_API_EXTERN bool wattle_i31_get_s(const wasm_ref_t*, int32_t* out);
WASM_API_EXTERN bool wattle_i31_get_u(const wasm_ref_t*, uint32_t* out);

/* Sixteen bytes, the lowest first. */
WASM_API_EXTERN void wattle_val_init_v128(own wasm_val_t* out, const uint8_t bytes[16]);
/* False: not a v128. */
WASM_API_EXTERN bool wattle_val_v128(const wasm_val_t*, uint8_t out[16]);

/* --- Memories and tables beyond 32 bits; shared memories ------------------------------------------------------------ */

/* For no maximum. */
#define WATTLE_NO_MAXIMUM UINT64_MAX

enum wattle_memoryflags_enum {
  WATTLE_MEMORY_64 = 1,     /* addresses of 64 bits */
  WATTLE_MEMORY_SHARED = 2, /* needs a maximum */
};
/* In pages of 2^page_size_log2 bytes: 16, or 0 for pages of one byte. NULL: an impossible type. */
WASM_API_EXTERN own wasm_memorytype_t* wattle_memorytype_new(uint64_t min, uint64_t max, unsigned flags,
                                                             unsigned page_size_log2);
WASM_API_EXTERN uint64_t wattle_memorytype_min(const wasm_memorytype_t*);
WASM_API_EXTERN uint64_t wattle_memorytype_max(const wasm_memorytype_t*);
WASM_API_EXTERN unsigned wattle_memorytype_flags(const wasm_memorytype_t*);
WASM_API_EXTERN unsigned wattle_memorytype_page_size_log2(const wasm_memorytype_t*);

WASM_API_EXTERN own wasm_tabletype_t* wattle_tabletype_new(own wasm_valtype_t*, uint64_t min, uint64_t max, bool is64);
WASM_API_EXTERN uint64_t wattle_tabletype_min(const wasm_tabletype_t*);
WASM_API_EXTERN uint64_t wattle_tabletype_max(const wasm_tabletype_t*);
WASM_API_EXTERN bool wattle_tabletype_is64(const wasm_tabletype_t*);

/* wasm_memory_new and wasm_table_new with a reason. */
WASM_API_EXTERN own wattle_error_t* wattle_memory_new(wasm_store_t*, const wasm_memorytype_t*, own wasm_memory_t** out);
WASM_API_EXTERN own wattle_error_t* wattle_table_new(wasm_store_t*, const wasm_tabletype_t*, const wasm_ref_t* init,
                                                     own wasm_table_t** out);
WASM_API_EXTERN uint64_t wattle_memory_pages(const wasm_memory_t*);
/* `out` is the old size, in pages. */
WASM_API_EXTERN own wattle_error_t* wattle_memory_grow(wasm_memory_t*, uint64_t pages, uint64_t* out);
WASM_API_EXTERN uint64_t wattle_table_size(const wasm_table_t*);
WASM_API_EXTERN own wattle_error_t* wattle_table_get(const wasm_table_t*, uint64_t index, own wasm_ref_t** out);
WASM_API_EXTERN own wattle_error_t* wattle_table_set(wasm_table_t*, uint64_t index, const wasm_ref_t*);
WASM_API_EXTERN own wattle_error_t* wattle_table_grow(wasm_table_t*, uint64_t delta, const wasm_ref_t* init,
                                                      uint64_t* out);

/* A shared memory apart from any store, to be made a memory of several, on as many threads. It may be used from any
 * thread. */
WATTLE_DECLARE_OWN(shared_memory)
/* NULL: the memory is not of a shared type. */
WASM_API_EXTERN own wattle_shared_memory_t* wattle_memory_share(const wasm_memory_t*);
WASM_API_EXTERN own wattle_error_t* wattle_memory_obtain(wasm_store_t*, const wattle_shared_memory_t*,
                                                         own wasm_memory_t** out);

#undef own

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* WATTLE_H */
