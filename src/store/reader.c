/* The processes of lae/store/reader.h:
 *
 *     this one --socket--> the one begun early: for each file, a fork
 *              --------socket of the file-----> the one that reads it
 *
 * The one in the middle has next to no memory and no threads, and never looks into a file: it is
 * as good after a thousand bad ones. It ends when this one does, whose end of the socket it sees
 * closed, and is deaf to what a terminal or a batch system sends to all.
 */
#include "lae/store/reader.h"

#include "hdf5_wire.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SILENCE 600 /* seconds without an answer, after which there will be none */

/* What this process knows of its reader. Not an argument, as there is one for all files. */
static struct {
    int socket; /* to the one in the middle; 0: not begun */
    pid_t process;
    bool here; /* this process reads files itself */
} reader;

/* ---- the process that reads one file ---- */

/* The file's bytes, which HDF5 takes for its own memory. */
struct image {
    unsigned char *bytes;
    size_t size;
};

static void *lend(size_t size, H5FD_file_image_op_t operation, void *context)
{
    const struct image *image = context;
    (void)operation;
    return size == image->size ? image->bytes : NULL;
}

static void *leave_as_is(void *to, const void *from, size_t size, H5FD_file_image_op_t operation,
                         void *context)
{
    (void)from;
    (void)size;
    (void)operation;
    (void)context;
    return to;
}

static void *never_grow(void *bytes, size_t size, H5FD_file_image_op_t operation, void *context)
{
    (void)bytes;
    (void)size;
    (void)operation;
    (void)context;
    return NULL;
}

static herr_t keep(void *bytes, H5FD_file_image_op_t operation, void *context)
{
    (void)bytes;
    (void)operation;
    (void)context;
    return 0;
}

static void *same(void *context)
{
    return context;
}

static herr_t keep_context(void *context)
{
    (void)context;
    return 0;
}

/* Access to a file that lies in memory as it does on the disk. */
static hid_t access_to(struct image *image)
{
    H5FD_file_image_callbacks_t callbacks = {.image_malloc = lend,
                                             .image_memcpy = leave_as_is,
                                             .image_realloc = never_grow,
                                             .image_free = keep,
                                             .udata_copy = same,
                                             .udata_free = keep_context,
                                             .udata = image};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, false);
    H5Pset_file_image_callbacks(access, &callbacks);
    H5Pset_file_image(access, image->bytes, image->size);
    return access;
}

static lae_status map_file(int descriptor, const char *path, struct image *image)
{
    struct stat about;
    if (fstat(descriptor, &about) != 0)
        return lae_failed("%s: cannot be looked at: %s", path, strerror(errno));
    if (about.st_size == 0) return lae_bad_input("%s: is empty", path);
    image->size = (size_t)about.st_size;
    image->bytes = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (image->bytes == MAP_FAILED)
        return lae_failed("%s: cannot be mapped: %s", path, strerror(errno));
    return NULL;
}

/* HDF5 has been set up when the sandbox closes, and sees the file after that. */
static lae_status open_sandboxed(int descriptor, struct image *image, struct lae_hdf5 *file)
{
    LAE_TRY(map_file(descriptor, file->path, image));
    hid_t access = access_to(image);
    lae_sandbox_enter(image->size);
    /* The name is looked for first, and must lead nowhere: nothing can be opened any more. */
    file->id = H5Fopen("in memory", H5F_ACC_RDONLY, access);
    if (file->id >= 0 && lae_hdf5_measure(file)) return NULL;
    return lae_hdf5_fault(LAE_BAD_INPUT, file, "cannot be opened by HDF5");
}

static _Noreturn void read_file(int descriptor, int channel, const char *path)
{
    struct lae_hdf5 file;
    struct image image;
    struct lae_hdf5_answer open = {.code = LAE_OK};
    lae_status status = lae_hdf5_start(&file, path, "", 0);
    if (status == NULL) status = open_sandboxed(descriptor, &image, &file);
    if (status != NULL)
        lae_hdf5_answer_error(channel, status);
    else if (lae_hdf5_send(channel, &open, sizeof open))
        lae_hdf5_answer_questions(channel, &file);
    _exit(0); /* HDF5 is not asked to tidy up after such a file */
}

/* ---- the process in the middle ---- */

static void be_deaf(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_IGN);
    for (size_t i = 0; i < 5; i++) { /* crashes are crashes, whoever has a handler for them */
        static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
        signal(crashes[i], SIG_DFL);
    }
    signal(SIGXCPU, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Keeps the socket and nothing else: whoever waits for the end of a pipe shall not wait for this
 * process. */
static void let_go(int socket)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i <= 2 && nothing >= 0; i++)
        dup2(nothing, i);
    long most = sysconf(_SC_OPEN_MAX);
    for (int i = 3; i < (most > 0 && most < 65536 ? most : 65536); i++)
        if (i != socket) close(i);
}

static bool receive_request(int socket, struct lae_hdf5_request *request, int descriptors[2])
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec data = {request, sizeof *request};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t received;
    do {
        received = recvmsg(socket, &message, 0);
    } while (received < 0 && errno == EINTR);
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (received != (ssize_t)sizeof *request || head == NULL) return false;
    memcpy(descriptors, CMSG_DATA(head), 2 * sizeof(int));
    return true;
}

static _Noreturn void serve(int socket)
{
    struct lae_hdf5_request request;
    int descriptors[2];
    be_deaf();
    let_go(socket);
    while (receive_request(socket, &request, descriptors)) {
        pid_t process = fork();
        if (process == 0) {
            close(socket);
            read_file(descriptors[0], descriptors[1], request.path);
        }
        if (process < 0)
            lae_hdf5_answer_error(descriptors[1],
                                  lae_failed("%s: no process can be begun to read it: "
                                             "%s",
                                             request.path, strerror(errno)));
        close(descriptors[0]);
        close(descriptors[1]);
    }
    _exit(0);
}

/* ---- this process ---- */

lae_status lae_reader_start(void)
{
    int ends[2];
    if (reader.socket > 0 || reader.here) return NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return lae_failed("no socket can be had to read HDF5 files: %s", strerror(errno));
    fflush(NULL); /* what is in a buffer would be written twice */
    reader.process = fork();
    if (reader.process == 0) serve(ends[1]);
    close(ends[1]);
    if (reader.process > 0) {
        reader.socket = ends[0];
        return NULL;
    }
    lae_status status =
        lae_failed("no process can be begun to read HDF5 files: %s", strerror(errno));
    close(ends[0]);
    return status;
}

void lae_reader_stop(void)
{
    if (reader.socket <= 0) return;
    close(reader.socket);
    waitpid(reader.process, NULL, 0);
    reader.socket = 0;
}

void lae_reader_forgo(void)
{
    lae_reader_stop();
    reader.here = true;
}

bool lae_hdf5_reader_is_here(void)
{
    return reader.here;
}

static bool send_request(const struct lae_hdf5_request *request, const int descriptors[2])
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control = {.room = {0}};
    struct iovec data = {(void *)request, sizeof *request};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(head), descriptors, 2 * sizeof(int));
    ssize_t sent;
    do {
        sent = sendmsg(reader.socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *request;
}

/* The process in the middle may have been killed since: then there is another. */
static lae_status send_anyway(const struct lae_hdf5_request *request, const int descriptors[2])
{
    LAE_TRY(lae_reader_start());
    if (send_request(request, descriptors)) return NULL;
    lae_reader_stop();
    LAE_TRY(lae_reader_start());
    if (send_request(request, descriptors)) return NULL;
    return lae_failed("%s: cannot be given to the process that reads it: %s", request->path,
                      strerror(errno));
}

lae_status lae_hdf5_reader_open(int file, const char *path, int *channel)
{
    int ends[2];
    struct lae_hdf5_request request;
    memset(&request, 0, sizeof request);
    snprintf(request.path, sizeof request.path, "%s", path);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return lae_failed("%s: no socket can be had to read it: %s", path, strerror(errno));
    const struct timeval silence = {.tv_sec = SILENCE};
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
    lae_status status = send_anyway(&request, (const int[]){file, ends[1]});
    close(ends[1]);
    if (status == NULL)
        *channel = ends[0];
    else
        close(ends[0]);
    return status;
}
