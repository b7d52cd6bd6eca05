// One function per MPI call; see the header.
#define _GNU_SOURCE
#include "CMPI.h"

#include <errno.h>
#include <fcntl.h>

#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(MPI_Comm) == sizeof(cmpi_comm), "MPI_Comm is not a pointer: this shim is for Open MPI");
_Static_assert(sizeof(MPI_Request) == sizeof(cmpi_request), "MPI_Request is not a pointer: this shim is for Open MPI");
_Static_assert(sizeof(MPI_Status) == sizeof(cmpi_status), "cmpi_status does not have the size of MPI_Status");

const int cmpi_success = MPI_SUCCESS;
const int cmpi_error_in_status = MPI_ERR_IN_STATUS;
const int cmpi_error_text_size = MPI_MAX_ERROR_STRING;

static MPI_Datatype datatype(cmpi_type type) {
    switch (type) {
    case CMPI_FLOAT32: return MPI_FLOAT;
    case CMPI_FLOAT64: return MPI_DOUBLE;
    case CMPI_INT32: return MPI_INT32_T;
    case CMPI_INT64: return MPI_INT64_T;
    case CMPI_UINT8: return MPI_UINT8_T;
    }
    return MPI_DATATYPE_NULL;
}

static MPI_Comm comm_of(cmpi_comm comm) { return (MPI_Comm)comm; }
static MPI_Request *requests_of(cmpi_request *requests) { return (MPI_Request *)requests; }

int cmpi_initialized(int *flag) { return MPI_Initialized(flag); }

const int cmpi_library_version_size = MPI_MAX_LIBRARY_VERSION_STRING;

int cmpi_library_version(char *text) {
    int length = 0;
    return MPI_Get_library_version(text, &length);
}

int cmpi_init(int *funneled, int *serialized) {
    int provided = MPI_THREAD_SINGLE;
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
    if (code != MPI_SUCCESS) return code;
    *funneled = provided >= MPI_THREAD_FUNNELED;
    *serialized = provided >= MPI_THREAD_SERIALIZED;
    return MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

int cmpi_finalize(void) { return MPI_Finalize(); }

static volatile sig_atomic_t abort_code = 70;

static void end_process(int signal) {
    (void)signal;
    _exit(abort_code);
}

void cmpi_abort(int code) {
    abort_code = code;
    signal(SIGALRM, end_process);
    alarm(10);
    MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code);
}

void cmpi_error_text(int code, char *text) {
    int length = 0;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) text[0] = 0;
}

int cmpi_comm_duplicate_world(cmpi_comm *comm) {
    MPI_Comm copy = MPI_COMM_NULL;
    int code = MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    *comm = (cmpi_comm)copy;
    return code;
}

int cmpi_comm_rank(cmpi_comm comm, int *rank) { return MPI_Comm_rank(comm_of(comm), rank); }
int cmpi_comm_size(cmpi_comm comm, int *size) { return MPI_Comm_size(comm_of(comm), size); }

int cmpi_comm_shared_leader(cmpi_comm comm, int *leader) {
    MPI_Comm shared = MPI_COMM_NULL;
    int code = MPI_Comm_rank(comm_of(comm), leader);
    if (code == MPI_SUCCESS) code = MPI_Comm_split_type(comm_of(comm), MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &shared);
    if (code == MPI_SUCCESS) code = MPI_Bcast(leader, 1, MPI_INT, 0, shared);
    if (code == MPI_SUCCESS) code = MPI_Comm_free(&shared);
    return code;
}

int cmpi_memory_create(int64_t bytes) {
    int descriptor = memfd_create("fanoise", MFD_CLOEXEC);
    if (descriptor < 0) return -1;
    int code;
    do code = posix_fallocate(descriptor, 0, bytes);
    while (code == EINTR);
    if (code == 0) return descriptor;
    close(descriptor);
    errno = code;
    return -1;
}

void *cmpi_memory_map(int descriptor, int64_t bytes) {
    void *address = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return address == MAP_FAILED ? NULL : address;
}

void cmpi_word_publish(int64_t *word, int64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

int64_t cmpi_word_read(const int64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

int cmpi_allgather_bytes(const void *mine, void *all, int bytes, cmpi_comm comm) {
    return MPI_Allgather(mine, bytes, MPI_BYTE, all, bytes, MPI_BYTE, comm_of(comm));
}

int cmpi_isend(const void *address, int count, cmpi_type type, int destination, int tag, cmpi_comm comm, cmpi_request *request) {
    return MPI_Isend(address, count, datatype(type), destination, tag, comm_of(comm), requests_of(request));
}

int cmpi_irecv(void *address, int count, cmpi_type type, int source, int tag, cmpi_comm comm, cmpi_request *request) {
    return MPI_Irecv(address, count, datatype(type), source, tag, comm_of(comm), requests_of(request));
}

int cmpi_ibcast(void *address, int count, cmpi_type type, int root, cmpi_comm comm, cmpi_request *request) {
    return MPI_Ibcast(address, count, datatype(type), root, comm_of(comm), requests_of(request));
}

int cmpi_ibarrier(cmpi_comm comm, cmpi_request *request) { return MPI_Ibarrier(comm_of(comm), requests_of(request)); }

int cmpi_test_all(int count, cmpi_request *requests, int *done, cmpi_status *statuses) {
    return MPI_Testall(count, requests_of(requests), done, (MPI_Status *)statuses);
}

int cmpi_iprobe_any(int tag, cmpi_comm comm, int *waits, int *source) {
    MPI_Status status;
    int code = MPI_Iprobe(MPI_ANY_SOURCE, tag, comm_of(comm), waits, &status);
    if (code == MPI_SUCCESS && *waits) *source = status.MPI_SOURCE;
    return code;
}

int cmpi_recv(void *address, int count, cmpi_type type, int source, int tag, cmpi_comm comm) {
    return MPI_Recv(address, count, datatype(type), source, tag, comm_of(comm), MPI_STATUS_IGNORE);
}

int cmpi_status_count(const cmpi_status *status, cmpi_type type, int *count) {
    return MPI_Get_count((const MPI_Status *)status, datatype(type), count);
}

int cmpi_status_error(const cmpi_status *status) { return ((const MPI_Status *)status)->MPI_ERROR; }
