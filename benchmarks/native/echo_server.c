/* The floor: a plain single-threaded epoll echo server.
 *
 *   echo_server
 *
 * Listens on a port the kernel chooses on 127.0.0.1, prints "port N" and serves
 * until it is killed. What the peer does not take at once is kept, and nothing
 * more is read from it until that is gone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BYTES 65536
#define EVENTS_PER_POLL 256

struct connection {
    int fd;
    unsigned char *pending; /* NULL while nothing waits to be written */
    size_t pending_size;
    size_t pending_sent;
};

static int poller;
static unsigned char received[RECEIVE_BYTES];

static void fail(const char *what) {
    fprintf(stderr, "echo_server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(struct connection *connection, int operation, unsigned int events) {
    struct epoll_event event;
    event.events = events;
    event.data.ptr = connection;
    if (epoll_ctl(poller, operation, connection->fd, &event) != 0) fail("epoll_ctl");
}

static void drop(struct connection *connection) {
    close(connection->fd);
    free(connection->pending);
    free(connection);
}

/* Send what fits. Returns the bytes taken, or -1 when the connection is broken. */
static ssize_t send_some(int fd, const unsigned char *data, size_t size) {
    size_t sent = 0;
    while (sent < size) {
        ssize_t count = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (count >= 0) {
            sent += (size_t)count;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)sent;
}

static void flush_pending(struct connection *connection) {
    ssize_t count = send_some(connection->fd, connection->pending + connection->pending_sent,
                              connection->pending_size - connection->pending_sent);
    if (count < 0) {
        drop(connection);
        return;
    }
    connection->pending_sent += (size_t)count;
    if (connection->pending_sent < connection->pending_size) return;
    free(connection->pending);
    connection->pending = NULL;
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
}

static void echo(struct connection *connection) {
    ssize_t size = recv(connection->fd, received, sizeof received, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
        drop(connection);
        return;
    }
    ssize_t sent = send_some(connection->fd, received, (size_t)size);
    if (sent < 0) {
        drop(connection);
        return;
    }
    if (sent == size) return;
    connection->pending_size = (size_t)(size - sent);
    connection->pending_sent = 0;
    connection->pending = malloc(connection->pending_size);
    if (!connection->pending) fail("malloc");
    memcpy(connection->pending, received + sent, connection->pending_size);
    watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
}

static void accept_all(int listener) {
    for (;;) {
        int one = 1;
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) return;
            if (errno == EINTR || errno == ECONNABORTED) continue;
            fail("accept");
        }
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) fail("TCP_NODELAY");
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection) fail("calloc");
        connection->fd = fd;
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
}

int main(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");

    struct connection listener = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (listener.fd < 0) fail("socket");
    if (bind(listener.fd, (struct sockaddr *)&address, size) != 0) fail("bind");
    if (listen(listener.fd, 1024) != 0) fail("listen");
    if (getsockname(listener.fd, (struct sockaddr *)&address, &size) != 0) fail("getsockname");
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1");
    watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);

    struct epoll_event events[EVENTS_PER_POLL];
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS_PER_POLL, -1);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        for (int index = 0; index < count; index++) {
            struct connection *connection = events[index].data.ptr;
            if (connection == &listener)
                accept_all(listener.fd);
            else if (connection->pending)
                flush_pending(connection);
            else
                echo(connection);
        }
    }
}
