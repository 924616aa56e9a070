/* Echo load generator: N loopback connections, each in strict ping-pong.
 *
 *   echo_load PORT CONNECTIONS SIZE_BYTES WARMUP_SECONDS SECONDS MESSAGES
 *
 * Every connection sends one message, waits for the whole echo, compares every
 * byte and only then sends the next. A phase ends by time, or after MESSAGES
 * messages (0 = by time only), and always drains: at its end nothing is in
 * flight, so what the server spent between two phases belongs to exactly the
 * messages counted.
 *
 * Speaks over stdin and stdout: connects, runs the warm-up phase, prints
 * "ready", waits for a line, runs the measured phase, prints
 * "done MESSAGES SECONDS". Anything unexpected goes to stderr with exit status 1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STALL_MILLISECONDS 10000
#define EVENTS_PER_POLL 256
#define OFFSETS 256 /* messages start at this many places in the pattern */

struct connection {
    int fd;
    int wants_write;
    const unsigned char *message;
    size_t sent;
    size_t received;
    unsigned long sequence;
};

static struct connection *connections;
static long connection_count;
static size_t message_size;
static unsigned char *pattern;
static unsigned char *scratch;
static int poller;

static double deadline;
static long started, completed, message_limit;
static int expired;

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("echo_load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec / 1e9;
}

static void allow_descriptors(long needed) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit: %s", strerror(errno));
    if ((long)limit.rlim_cur >= needed) return;
    if ((long)limit.rlim_max < needed)
        fail("%ld descriptors needed, the hard limit is %ld", needed, (long)limit.rlim_max);
    limit.rlim_cur = (rlim_t)needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit: %s", strerror(errno));
}

static void set_interest(struct connection *connection, int operation, int wants_write) {
    struct epoll_event event;
    event.events = EPOLLIN | (wants_write ? EPOLLOUT : 0u);
    event.data.ptr = connection;
    if (epoll_ctl(poller, operation, connection->fd, &event) != 0)
        fail("epoll_ctl: %s", strerror(errno));
    connection->wants_write = wants_write;
}

static void connect_one(struct connection *connection, int port) {
    struct sockaddr_in address;
    int one = 1;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) fail("socket: %s", strerror(errno));
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect to port %d: %s", port, strerror(errno));
    if (setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        fail("TCP_NODELAY: %s", strerror(errno));
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0) fail("O_NONBLOCK: %s", strerror(errno));
    set_interest(connection, EPOLL_CTL_ADD, 0);
}

static void send_rest(struct connection *connection) {
    while (connection->sent < message_size) {
        ssize_t count = send(connection->fd, connection->message + connection->sent,
                             message_size - connection->sent, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) fail("send: %s", strerror(errno));
            if (!connection->wants_write) set_interest(connection, EPOLL_CTL_MOD, 1);
            return;
        }
        connection->sent += (size_t)count;
    }
    if (connection->wants_write) set_interest(connection, EPOLL_CTL_MOD, 0);
}

/* Start the next message unless the phase is over. */
static void start_message(struct connection *connection) {
    if (expired || (message_limit > 0 && started >= message_limit)) return;
    started++;
    connection->sequence++;
    size_t offset = ((size_t)(connection - connections) * 7 + connection->sequence) % OFFSETS;
    connection->message = pattern + offset;
    connection->sent = 0;
    connection->received = 0;
    send_rest(connection);
}

static void receive(struct connection *connection) {
    /* One byte of room more than is due: a server that says too much is caught here. */
    size_t room = message_size - connection->received + 1;
    ssize_t count = recv(connection->fd, scratch, room, 0);
    if (count < 0) {
        if (errno == EINTR || errno == EAGAIN) return;
        fail("recv: %s", strerror(errno));
    }
    if (count == 0) fail("the server closed a connection");
    if ((size_t)count > connection->sent - connection->received)
        fail("the server sent bytes that are no echo");
    if (memcmp(scratch, connection->message + connection->received, (size_t)count) != 0)
        fail("the echo differs from the message");
    connection->received += (size_t)count;
    if (connection->received < message_size) return; /* level-triggered: the rest is announced */
    completed++;
    connection->sent = connection->received = 0;
    start_message(connection);
}

/* Run one phase until it is over and drained; return its length in seconds. */
static double run_phase(double seconds, long limit) {
    struct epoll_event events[EVENTS_PER_POLL];
    double began = now();
    deadline = began + seconds;
    message_limit = limit;
    started = completed = 0;
    expired = 0;
    for (long index = 0; index < connection_count; index++) start_message(&connections[index]);
    while (completed < started) {
        int count = epoll_wait(poller, events, EVENTS_PER_POLL, STALL_MILLISECONDS);
        if (count < 0) {
            if (errno == EINTR) continue;
            fail("epoll_wait: %s", strerror(errno));
        }
        if (count == 0)
            fail("no echo for %d ms, %ld of %ld messages open", STALL_MILLISECONDS,
                 started - completed, started);
        if (!expired && now() >= deadline) expired = 1;
        for (int index = 0; index < count; index++) {
            struct connection *connection = events[index].data.ptr;
            if (events[index].events & EPOLLOUT) send_rest(connection);
            if (events[index].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive(connection);
        }
    }
    return now() - began;
}

int main(int argc, char **argv) {
    char line[64];
    if (argc != 7) fail("usage: echo_load PORT CONNECTIONS SIZE WARMUP_SECONDS SECONDS MESSAGES");
    int port = atoi(argv[1]);
    connection_count = atol(argv[2]);
    message_size = (size_t)atol(argv[3]);
    double warmup = atof(argv[4]), seconds = atof(argv[5]);
    long messages = atol(argv[6]);
    if (port < 1 || connection_count < 1 || message_size < 1 || seconds <= 0 || messages < 0)
        fail("every argument must be positive (messages may be 0)");

    allow_descriptors(connection_count + 16);
    connections = calloc((size_t)connection_count, sizeof *connections);
    pattern = malloc(message_size + OFFSETS);
    scratch = malloc(message_size + 1);
    if (!connections || !pattern || !scratch) fail("out of memory");
    unsigned int state = 12345;
    for (size_t index = 0; index < message_size + OFFSETS; index++) {
        state = state * 1103515245u + 12345u;
        pattern[index] = (unsigned char)(state >> 16);
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1: %s", strerror(errno));
    for (long index = 0; index < connection_count; index++) connect_one(&connections[index], port);

    /* By count, one message each, makes every connection live before the timed warm-up. */
    run_phase(60.0, connection_count);
    if (warmup > 0) run_phase(warmup, 0);
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) fail("stdin ended before the measured phase");
    double elapsed = run_phase(seconds, messages);
    printf("done %ld %.9f\n", completed, elapsed);
    return 0;
}
