#define _GNU_SOURCE
#include "cmpi.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

// The functions by name, result and arguments; H is the type of a handle.
#define FUNCTIONS(H, X)                                                                   \
  X(H, Abort, (H, int))                                                                   \
  X(H, Allgather, (const void *, int, H, void *, int, H, H))                              \
  X(H, Allreduce, (const void *, void *, int, H, H, H))                                   \
  X(H, Barrier, (H))                                                                      \
  X(H, Bcast, (void *, int, H, int, H))                                                   \
  X(H, Comm_dup, (H, H *))                                                                \
  X(H, Comm_rank, (H, int *))                                                             \
  X(H, Comm_set_errhandler, (H, H))                                                       \
  X(H, Comm_size, (H, int *))                                                             \
  X(H, Comm_split, (H, int, int, H *))                                                    \
  X(H, Comm_split_type, (H, int, int, H, H *))                                            \
  X(H, Error_string, (int, char *, int *))                                                \
  X(H, Finalize, (void))                                                                  \
  X(H, Get_library_version, (char *, int *))                                              \
  X(H, Init_thread, (int *, char ***, int, int *))                                        \
  X(H, Irecv, (void *, int, H, int, int, H, H *))                                         \
  X(H, Isend, (const void *, int, H, int, int, H, H *))                                   \
  X(H, Recv, (void *, int, H, int, int, H, void *))                                       \
  X(H, Send, (const void *, int, H, int, int, H))                                         \
  X(H, Test, (H *, int *, void *))

#define MEMBER(H, name, arguments) int(*name) arguments;
struct by_pointer {
  FUNCTIONS(void *, MEMBER)
};
struct by_number {
  FUNCTIONS(int, MEMBER)
};

#define NAME(H, name, arguments) "MPI_" #name,
static const char *const names[] = {FUNCTIONS(int, NAME)};

enum { function_count = sizeof names / sizeof names[0] };

static union {
  void *found[function_count];
  struct by_pointer pointer;
  struct by_number number;
} functions;
_Static_assert(sizeof functions.found == sizeof functions.pointer, "one place a function");
_Static_assert(sizeof functions.found == sizeof functions.number, "one place a function");

// The handles and constants of a family.
static struct {
  cmpi_handle world, return_codes, no_info, of_float, of_double, of_byte, of_int64, of_uint64, sum,
      highest, unite;
  void *in_place, *no_status;
  int shared_memory, thread_multiple;
} constants;

static int family;

// What MPICH and its kin have agreed upon since 2013.
static void take_mpich(void) {
  constants.world = 0x44000000;
  constants.return_codes = 0x54000001;
  constants.no_info = 0x1c000000;
  constants.of_byte = 0x4c00010d;
  constants.of_float = 0x4c00040a;
  constants.of_double = 0x4c00080b;
  constants.of_int64 = 0x4c00083a;
  constants.of_uint64 = 0x4c00083e;
  constants.highest = 0x58000001;
  constants.sum = 0x58000003;
  constants.unite = 0x58000008;
  constants.in_place = (void *)-1;
  constants.no_status = (void *)1;
  constants.shared_memory = 1;
  constants.thread_multiple = 3;
}

// What MPI 5 gives all libraries: handles as wide as pointers, whose values are small numbers.
static void take_standard(void) {
  constants.world = 0x101;
  constants.return_codes = 0x143;
  constants.no_info = 0x130;
  constants.of_byte = 0x247;
  constants.of_float = 0x210;
  constants.of_double = 0x214;
  constants.of_int64 = 0x258;
  constants.of_uint64 = 0x259;
  constants.highest = 0x23;
  constants.sum = 0x21;
  constants.unite = 0x29;
  constants.in_place = (void *)1;
  constants.no_status = NULL;
  constants.shared_memory = 221;
  constants.thread_multiple = 4096;
}

// In Open MPI, 4 and 5 alike, a handle is the address of a variable.
static const char *take_open_mpi(void *library) {
  const struct {
    const char *name;
    cmpi_handle *place;
  } symbols[] = {
      {"ompi_mpi_comm_world", &constants.world},
      {"ompi_mpi_errors_return", &constants.return_codes},
      {"ompi_mpi_info_null", &constants.no_info},
      {"ompi_mpi_byte", &constants.of_byte},
      {"ompi_mpi_float", &constants.of_float},
      {"ompi_mpi_double", &constants.of_double},
      {"ompi_mpi_int64_t", &constants.of_int64},
      {"ompi_mpi_uint64_t", &constants.of_uint64},
      {"ompi_mpi_op_max", &constants.highest},
      {"ompi_mpi_op_sum", &constants.sum},
      {"ompi_mpi_op_bor", &constants.unite},
  };
  for (size_t index = 0; index < sizeof symbols / sizeof symbols[0]; ++index) {
    *symbols[index].place = (cmpi_handle)dlsym(library, symbols[index].name);
    if (*symbols[index].place == 0) return symbols[index].name;
  }
  constants.in_place = (void *)1;
  constants.no_status = NULL;
  constants.shared_memory = 0;
  constants.thread_multiple = 3;
  return NULL;
}

// Whether a library is one of the ABI of MPI 5, as the name says that programs link to.
//
// Its functions are those of the library's own ABI by name, so that nothing else tells them apart.
static bool is_standard(void *library) {
  struct link_map *map = NULL;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || map == NULL) return false;
  const char *names = NULL;
  ElfW(Xword) place = 0;
  for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_STRTAB) names = (const char *)entry->d_un.d_ptr;
    if (entry->d_tag == DT_SONAME) place = entry->d_un.d_val;
  }
  return names != NULL && place != 0 && strstr(names + place, "mpi_abi") != NULL;
}

// Whether the library's version of that ABI is the one whose numbers are known.
static bool has_known_numbers(void *library) {
  int (*version)(int *, int *) = (int (*)(int *, int *))dlsym(library, "MPI_Abi_get_version");
  int major = 0, minor = 0;
  return version != NULL && version(&major, &minor) == 0 && major == 1;
}

int cmpi_open(const char *path, char *message, size_t room) {
  if (family != cmpi_none) return family;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    snprintf(message, room, "%s", dlerror());
    return cmpi_none;
  }
  const char *missing = NULL;
  for (int index = 0; index < function_count && missing == NULL; ++index) {
    functions.found[index] = dlsym(library, names[index]);
    if (functions.found[index] == NULL) missing = names[index];
  }
  int found = dlsym(library, "ompi_mpi_comm_world") != NULL ? cmpi_open_mpi : cmpi_mpich;
  // Open MPI's library of that ABI may have the symbols of its own one too.
  if (is_standard(library)) found = cmpi_standard;
  if (missing == NULL) {
    switch (found) {
    case cmpi_standard:
      take_standard();
      if (!has_known_numbers(library)) missing = "version 1 of the ABI of MPI 5";
      break;
    case cmpi_open_mpi: missing = take_open_mpi(library); break;
    default: take_mpich();
    }
  }
  if (missing != NULL) {
    snprintf(message, room, "%s lacks %s", path, missing);
    dlclose(library);
    return cmpi_none;
  }
  return family = found;
}

static bool has_pointers(void) { return family != cmpi_mpich; }

static void *pointer(cmpi_handle handle) { return (void *)handle; }
static int number(cmpi_handle handle) { return (int)(uint32_t)handle; }

// A handle that the library writes: a pointer fills it, a number its lower half alone.
static int made(int code, int small, cmpi_handle *result) {
  if (!has_pointers()) *result = (cmpi_handle)(uint32_t)small;
  return code;
}

int cmpi_version(char *text, size_t room) {
  char all[8192] = "";
  int length = 0;
  int code = has_pointers() ? functions.pointer.Get_library_version(all, &length)
                            : functions.number.Get_library_version(all, &length);
  // Both go on with how they were built.
  all[strcspn(all, "\n,")] = 0;
  for (char *tab = all; *tab != 0; ++tab) {
    if (*tab == '\t') *tab = ' ';
  }
  snprintf(text, room, "%s", all);
  return code;
}

void cmpi_words(int code, char *text, size_t room) {
  char all[2048] = "";
  int length = 0;
  int failed = has_pointers() ? functions.pointer.Error_string(code, all, &length)
                              : functions.number.Error_string(code, all, &length);
  all[strcspn(all, "\n")] = 0;
  if (failed != 0 || all[0] == 0) {
    snprintf(text, room, "code %d", code);
  } else {
    snprintf(text, room, "%s", all);
  }
}

int cmpi_start(bool *has_threads) {
  int wanted = constants.thread_multiple, provided = 0;
  int code = has_pointers() ? functions.pointer.Init_thread(NULL, NULL, wanted, &provided)
                            : functions.number.Init_thread(NULL, NULL, wanted, &provided);
  *has_threads = provided >= wanted;
  return code;
}

int cmpi_finish(void) {
  return has_pointers() ? functions.pointer.Finalize() : functions.number.Finalize();
}

int cmpi_abort(int code) {
  return has_pointers() ? functions.pointer.Abort(pointer(constants.world), code)
                        : functions.number.Abort(number(constants.world), code);
}

cmpi_handle cmpi_world(void) { return constants.world; }

int cmpi_copy(cmpi_handle comm, cmpi_handle *result) {
  int small = 0;
  int code = has_pointers() ? functions.pointer.Comm_dup(pointer(comm), (void **)result)
                            : functions.number.Comm_dup(number(comm), &small);
  return made(code, small, result);
}

int cmpi_machine(cmpi_handle comm, cmpi_handle *result) {
  int small = 0;
  int kind = constants.shared_memory;
  int code = has_pointers()
                 ? functions.pointer.Comm_split_type(
                       pointer(comm), kind, 0, pointer(constants.no_info), (void **)result)
                 : functions.number.Comm_split_type(
                       number(comm), kind, 0, number(constants.no_info), &small);
  return made(code, small, result);
}

int cmpi_split(cmpi_handle comm, int color, int key, cmpi_handle *result) {
  int small = 0;
  int code = has_pointers()
                 ? functions.pointer.Comm_split(pointer(comm), color, key, (void **)result)
                 : functions.number.Comm_split(number(comm), color, key, &small);
  return made(code, small, result);
}

int cmpi_return_codes(cmpi_handle comm) {
  return has_pointers() ? functions.pointer.Comm_set_errhandler(
                              pointer(comm), pointer(constants.return_codes))
                        : functions.number.Comm_set_errhandler(
                              number(comm), number(constants.return_codes));
}

int cmpi_rank(cmpi_handle comm, int *rank) {
  return has_pointers() ? functions.pointer.Comm_rank(pointer(comm), rank)
                        : functions.number.Comm_rank(number(comm), rank);
}

int cmpi_size(cmpi_handle comm, int *size) {
  return has_pointers() ? functions.pointer.Comm_size(pointer(comm), size)
                        : functions.number.Comm_size(number(comm), size);
}

static int reduce(
    void *values, int count, cmpi_handle type, cmpi_handle operation, cmpi_handle comm) {
  return has_pointers()
             ? functions.pointer.Allreduce(
                   constants.in_place, values, count, pointer(type), pointer(operation),
                   pointer(comm))
             : functions.number.Allreduce(
                   constants.in_place, values, count, number(type), number(operation),
                   number(comm));
}

int cmpi_sum_floats(float *values, int count, cmpi_handle comm) {
  return reduce(values, count, constants.of_float, constants.sum, comm);
}

int cmpi_sum_doubles(double *values, int count, cmpi_handle comm) {
  return reduce(values, count, constants.of_double, constants.sum, comm);
}

int cmpi_highest_doubles(double *values, int count, cmpi_handle comm) {
  return reduce(values, count, constants.of_double, constants.highest, comm);
}

int cmpi_highest_numbers(int64_t *values, int count, cmpi_handle comm) {
  return reduce(values, count, constants.of_int64, constants.highest, comm);
}

int cmpi_unite(uint64_t *words, int count, cmpi_handle comm) {
  return reduce(words, count, constants.of_uint64, constants.unite, comm);
}

int cmpi_broadcast(void *bytes, int count, cmpi_handle comm) {
  return has_pointers()
             ? functions.pointer.Bcast(
                   bytes, count, pointer(constants.of_byte), 0, pointer(comm))
             : functions.number.Bcast(bytes, count, number(constants.of_byte), 0, number(comm));
}

int cmpi_all(const void *bytes, int count, void *of_all, cmpi_handle comm) {
  cmpi_handle byte = constants.of_byte;
  return has_pointers()
             ? functions.pointer.Allgather(
                   bytes, count, pointer(byte), of_all, count, pointer(byte), pointer(comm))
             : functions.number.Allgather(
                   bytes, count, number(byte), of_all, count, number(byte), number(comm));
}

int cmpi_barrier(cmpi_handle comm) {
  return has_pointers() ? functions.pointer.Barrier(pointer(comm))
                        : functions.number.Barrier(number(comm));
}

int cmpi_send(const void *bytes, int count, int to, int tag, cmpi_handle comm) {
  cmpi_handle byte = constants.of_byte;
  return has_pointers()
             ? functions.pointer.Send(bytes, count, pointer(byte), to, tag, pointer(comm))
             : functions.number.Send(bytes, count, number(byte), to, tag, number(comm));
}

int cmpi_receive(void *bytes, int count, int from, int tag, cmpi_handle comm) {
  cmpi_handle byte = constants.of_byte;
  void *status = constants.no_status;
  return has_pointers()
             ? functions.pointer.Recv(
                   bytes, count, pointer(byte), from, tag, pointer(comm), status)
             : functions.number.Recv(
                   bytes, count, number(byte), from, tag, number(comm), status);
}

int cmpi_begin_send(
    const void *bytes, int count, int to, int tag, cmpi_handle comm, cmpi_handle *request) {
  int small = 0;
  cmpi_handle byte = constants.of_byte;
  int code = has_pointers()
                 ? functions.pointer.Isend(
                       bytes, count, pointer(byte), to, tag, pointer(comm), (void **)request)
                 : functions.number.Isend(
                       bytes, count, number(byte), to, tag, number(comm), &small);
  return made(code, small, request);
}

int cmpi_begin_receive(
    void *bytes, int count, int from, int tag, cmpi_handle comm, cmpi_handle *request) {
  int small = 0;
  cmpi_handle byte = constants.of_byte;
  int code = has_pointers()
                 ? functions.pointer.Irecv(
                       bytes, count, pointer(byte), from, tag, pointer(comm), (void **)request)
                 : functions.number.Irecv(
                       bytes, count, number(byte), from, tag, number(comm), &small);
  return made(code, small, request);
}

int cmpi_test(cmpi_handle *request, bool *is_done) {
  int small = number(*request);
  int flag = 0;
  int code = has_pointers()
                 ? functions.pointer.Test((void **)request, &flag, constants.no_status)
                 : functions.number.Test(&small, &flag, constants.no_status);
  *is_done = flag != 0;
  return made(code, small, request);
}
