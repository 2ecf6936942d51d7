/// The part of MPI that ranks need, from whatever library the machine has.
///
/// The library is opened at run time, so that one program works with Open MPI and with MPICH and its
/// kin and needs none of them where one process trains alone. The declarations are our own: handles
/// are pointers to the library's symbols in Open MPI, 32-bit numbers in MPICH and its kin, and small
/// numbers as wide as pointers in the ABI of MPI 5; here all are `cmpi_handle`. Apart from `cmpi_open`
/// every function returns MPI's code, 0 when all is well.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t cmpi_handle;

enum {
  /// What `cmpi_open` gives: nothing, Open MPI, MPICH and its kin, or the ABI of MPI 5.
  cmpi_none = 0,
  cmpi_open_mpi = 1,
  cmpi_mpich = 2,
  cmpi_standard = 3,
};

/// Opens a library by its name or path, once in a process.
///
/// Returns its family; after `cmpi_none` the reason is in `message`.
int cmpi_open(const char *path, char *message, size_t room);

/// What the library calls itself.
int cmpi_version(char *text, size_t room);
/// The words of a code.
void cmpi_words(int code, char *text, size_t room);

/// Starts MPI; `has_threads` gets whether the library lets several threads exchange at once.
int cmpi_start(bool *has_threads);
int cmpi_finish(void);
/// Ends all processes.
int cmpi_abort(int code);

/// All processes.
cmpi_handle cmpi_world(void);
/// The same processes with messages of their own.
int cmpi_copy(cmpi_handle comm, cmpi_handle *result);
/// The processes that share this one's machine.
int cmpi_machine(cmpi_handle comm, cmpi_handle *result);
/// The processes that give the same color, in the order of their keys.
int cmpi_split(cmpi_handle comm, int color, int key, cmpi_handle *result);
/// Lets the functions return codes instead of ending the process.
int cmpi_return_codes(cmpi_handle comm);
int cmpi_rank(cmpi_handle comm, int *rank);
int cmpi_size(cmpi_handle comm, int *size);

/// Sums, highest values and unions over all ranks, in place.
int cmpi_sum_floats(float *values, int count, cmpi_handle comm);
int cmpi_sum_doubles(double *values, int count, cmpi_handle comm);
int cmpi_highest_doubles(double *values, int count, cmpi_handle comm);
int cmpi_highest_numbers(int64_t *values, int count, cmpi_handle comm);
int cmpi_unite(uint64_t *words, int count, cmpi_handle comm);
/// Rank 0's bytes for all.
int cmpi_broadcast(void *bytes, int count, cmpi_handle comm);
/// As many bytes of each rank for all, by rank.
int cmpi_all(const void *bytes, int count, void *of_all, cmpi_handle comm);
int cmpi_barrier(cmpi_handle comm);

int cmpi_send(const void *bytes, int count, int to, int tag, cmpi_handle comm);
int cmpi_receive(void *bytes, int count, int from, int tag, cmpi_handle comm);
/// The same without waiting; `bytes` stays until `cmpi_test` says that it is done.
int cmpi_begin_send(
    const void *bytes, int count, int to, int tag, cmpi_handle comm, cmpi_handle *request);
int cmpi_begin_receive(
    void *bytes, int count, int from, int tag, cmpi_handle comm, cmpi_handle *request);
int cmpi_test(cmpi_handle *request, bool *is_done);
