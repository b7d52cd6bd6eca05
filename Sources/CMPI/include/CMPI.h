// MPI as Swift can see it: opaque handles, own enumerations, one thin function per call. No mpi.h here, and no decisions:
// what to do with a return code is Swift's business (MPICall.swift).
#ifndef FANOISE_CMPI_H
#define FANOISE_CMPI_H

#include <stdint.h>

/// An MPI communicator.
typedef struct cmpi_comm_opaque *cmpi_comm;
/// An MPI request; an array of them is an array of MPI_Request.
typedef struct cmpi_request_opaque *cmpi_request;
/// Room for one MPI_Status; an array of them is an array of MPI_Status.
typedef struct { int64_t words[3]; } cmpi_status;

/// Element types; the values are those of Collectives.ElementType.
typedef enum { CMPI_FLOAT32 = 0, CMPI_FLOAT64 = 1, CMPI_INT32 = 2, CMPI_INT64 = 3, CMPI_UINT8 = 4 } cmpi_type;

/// Return code of a call that went well.
extern const int cmpi_success;
/// Return code of cmpi_test_all when the fault is in one of the statuses.
extern const int cmpi_error_in_status;
/// Longest text of cmpi_error_text, its final zero included.
extern const int cmpi_error_text_size;

/// Whether MPI_Init has been called in this process; may be asked at any time.
int cmpi_initialized(int *flag);
/// Longest text of cmpi_library_version, its final zero included.
extern const int cmpi_library_version_size;
/// The MPI library's name and version; may be asked at any time.
int cmpi_library_version(char *text);
/// MPI_Init_thread(MPI_THREAD_SERIALIZED), and errors of MPI_COMM_WORLD return instead of aborting. Tells which levels were granted:
/// threads beside the one that calls MPI (FUNNELED), and several threads that call it one at a time (SERIALIZED).
int cmpi_init(int *funneled, int *serialized);
int cmpi_finalize(void);
/// Ends the whole job with `code` (1...255). If MPI cannot do so within ten seconds, ends this process with `code`.
void cmpi_abort(int code) __attribute__((noreturn));
/// Writes at most cmpi_error_text_size bytes.
void cmpi_error_text(int code, char *text);

int cmpi_comm_duplicate_world(cmpi_comm *comm);
int cmpi_comm_rank(cmpi_comm comm, int *rank);
int cmpi_comm_size(cmpi_comm comm, int *size);
/// The lowest rank of those that share this machine's memory (MPI_Comm_split_type, MPI_COMM_TYPE_SHARED). Blocks; for start-up alone.
int cmpi_comm_shared_leader(cmpi_comm comm, int *leader);

/// Memory without a name that lives as long as somebody has it mapped: its descriptor, or -1 with errno set. All of its pages are there
/// at once, so that a machine without room says so here, and not by a signal later.
int cmpi_memory_create(int64_t bytes);
/// Maps such memory; NULL with errno set.
void *cmpi_memory_map(int descriptor, int64_t bytes);
/// Makes everything that this thread has written before visible to whoever reads `value` from the word.
void cmpi_word_publish(int64_t *word, int64_t value);
int64_t cmpi_word_read(const int64_t *word);

/// Equal contributions of `bytes` bytes. Blocks; for start-up alone.
int cmpi_allgather_bytes(const void *mine, void *all, int bytes, cmpi_comm comm);
int cmpi_isend(const void *address, int count, cmpi_type type, int destination, int tag, cmpi_comm comm, cmpi_request *request);
int cmpi_irecv(void *address, int count, cmpi_type type, int source, int tag, cmpi_comm comm, cmpi_request *request);
int cmpi_ibcast(void *address, int count, cmpi_type type, int root, cmpi_comm comm, cmpi_request *request);
int cmpi_ibarrier(cmpi_comm comm, cmpi_request *request);
/// Completes all of them or none.
int cmpi_test_all(int count, cmpi_request *requests, int *done, cmpi_status *statuses);
/// Whether a message with this tag waits, and from whom.
int cmpi_iprobe_any(int tag, cmpi_comm comm, int *waits, int *source);
int cmpi_recv(void *address, int count, cmpi_type type, int source, int tag, cmpi_comm comm);

/// Elements that a completed receive brought.
int cmpi_status_count(const cmpi_status *status, cmpi_type type, int *count);
/// The return code inside a status.
int cmpi_status_error(const cmpi_status *status);

#endif
