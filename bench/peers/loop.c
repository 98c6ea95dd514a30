/* The floor: one epoll that reads requests and writes answers as long as those of ordertrack, with the same headers.

       loop PORT [FILE]

   A poll of the newest version is held until an update of its order. With FILE, each update request writes its orders
   there and calls fdatasync once, before it wakes polls and is answered.

   It knows only the requests of ordertrack.load and checks none: a request arrives in one read, an answer fits into the
   socket's buffer, a poll with timeout=0 is answered at once, and other polls have no deadline. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ORDERS = 1 << 20, CONNECTIONS = 1 << 16, LAST_VERSION = 5, TEXT = 1 << 18, EVENTS = 1024, FILE_BYTES = 4 << 20 };

/* Lengths of ordertrack's bodies by version: the order (the answer to a PUT or POST), and the news of a poll. Those of
   an order of ordertrack.load with customer, restaurant and courier. */
static const int ORDER_BYTES[] = {0, 759, 940, 1098, 1268, 1434}, NEWS_BYTES[] = {0, 0, 1340, 1494, 1668, 1837};
enum { TIMEOUT_BYTES = 1012 };

static struct { int version, held; } orders[ORDERS]; /* `held`: descriptor of the first held poll */
static struct held_poll { int order, next, previous; } polls[CONNECTIONS]; /* by descriptor; 0 is none */
static int last_order, active, file = -1;
static char in[TEXT], text[TEXT], out[TEXT];

static void need(int condition, const char *what) {
    if (!condition) perror(what), exit(1);
}

static int pad(int n, int bytes) { /* end the JSON object in `text`, which has `n` bytes, so that it has `bytes` */
    n += sprintf(text + n, ",\"padding\":\"");
    memset(text + n, 'x', bytes - n);
    memcpy(text + bytes - 2, "\"}", 2);
    return bytes;
}

static int answer(const char *status, int version, int length) { /* `length` bytes of `text`, into `out` */
    int n = sprintf(out, "HTTP/1.1 %s\r\ncontent-type: application/json\r\netag: W/\"66e50255.%d\"\r\ncache-control: "
                    "no-store\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: %d\r\n\r\n",
                    status, version, length);
    memcpy(out + n, text, length);
    return n + length;
}

static int order_answer(int id) {
    int version = orders[id].version;
    int n = sprintf(text, "{\"success\":true,\"data\":{\"id\":%d,\"version\":%d},\"changed\":true", id, version);
    return answer("200 OK", version, pad(n, ORDER_BYTES[version]));
}

static int poll_answer(int id, int position) { /* `position` is the version in the poll's cursor */
    int version = orders[id].version, news = version > position;
    int n = sprintf(text, "{\"success\":true,\"data\":{\"id\":%d,\"version\":%d},\"has_update\":%s,\"reason\":\"%s\","
                    "\"cursor\":\"66e50255.%d\",\"terminal\":%s,\"events\":[", id, version, news ? "true" : "false",
                    news ? "changed" : "timeout", version, version == LAST_VERSION ? "true" : "false");
    for (int v = position + 1; v <= version; v++) n += sprintf(text + n, "{\"version\":%d},", v);
    n -= news; /* the last comma */
    text[n++] = ']';
    return answer("200 OK", version, pad(n, news ? NEWS_BYTES[version] : TIMEOUT_BYTES));
}

static void send_out(int fd, int length) {
    need(write(fd, out, length) == length || errno == EPIPE || errno == ECONNRESET, "write");
}

static void hold(int fd, int id) {
    polls[fd] = (struct held_poll){id, orders[id].held, 0};
    polls[orders[id].held].previous = fd;
    orders[id].held = fd;
    active++;
}

static void release(int fd) {
    struct held_poll *poll = &polls[fd];
    if (!poll->order) return;
    *(poll->previous ? &polls[poll->previous].next : &orders[poll->order].held) = poll->next;
    polls[poll->next].previous = poll->previous;
    poll->order = 0;
    active--;
}

static void wake(int id) {
    int fd, length = orders[id].held ? poll_answer(id, orders[id].version - 1) : 0;
    while ((fd = orders[id].held)) release(fd), send_out(fd, length);
}

static void sync_orders(int bytes) { /* any bytes, over a file of constant size, as a log that is reused */
    static off_t at;
    if (file < 0) return;
    if (at + bytes > FILE_BYTES) at = 0;
    need(pwrite(file, text, bytes, at) == bytes && !fdatasync(file), "fdatasync");
    at += bytes;
}

static int update(int id) {
    sync_orders(ORDER_BYTES[++orders[id].version]);
    wake(id);
    return order_answer(id);
}

static int next_id(char **at) { /* the next order of a bulk request, or 0 */
    *at = strstr(*at, "\"order_id\":");
    return *at ? atoi(*at += strlen("\"order_id\":")) : 0;
}

static int update_all(void) {
    int id, n, bytes = 0;
    for (char *at = in; (id = next_id(&at));) bytes += ORDER_BYTES[++orders[id].version];
    sync_orders(bytes);
    for (char *at = in; (id = next_id(&at));) wake(id);
    n = sprintf(text, "{\"success\":true,\"data\":{\"results\":[");
    for (char *at = in; (id = next_id(&at));)
        n += sprintf(text + n, "{\"order_id\":%d,\"success\":true,\"changed\":true,\"status\":\"preparing\","
                     "\"version\":%d,\"updated_at\":\"2026-01-01T00:00:00.000Z\"},", id, orders[id].version);
    return answer("200 OK", 0, n - 1 + sprintf(text + n - 1, "]}}"));
}

static int create(void) { /* the answer repeats the details of the request */
    need(++last_order < ORDERS, "too many orders");
    orders[last_order].version = 1;
    const char *details = strstr(in, "\r\n\r\n{") + 5;
    int n = sprintf(text, "{\"success\":true,\"data\":{\"id\":%d,\"version\":1,%s", last_order, details);
    return answer("201 Created", 1, pad(n, ORDER_BYTES[1]));
}

static int poll(int fd, int id) { /* returns 0 when the poll is held */
    char *cursor = strstr(in, "cursor=");
    int version = orders[id].version, position = cursor ? atoi(strchr(cursor, '.') + 1) : version;
    if (version > position || version == LAST_VERSION || !atoi(strstr(in, "timeout=") + strlen("timeout=")))
        return poll_answer(id, position);
    hold(fd, id);
    return 0;
}

static int statistics(void) {
    int n = sprintf(text, "{\"success\":true,\"data\":{\"active_connections\":%d,\"lost_wakeups_total\":0}}", active);
    return answer("200 OK", 0, n);
}

static void serve(int fd) {
    int n = read(fd, in, TEXT - 1), length;
    release(fd); /* readable while held: its client has left */
    if (n <= 0) { close(fd); return; }
    in[n] = 0;
    char *path = strstr(in, "/orders/");
    int id = path ? atoi(path + strlen("/orders/")) : 0;
    if (in[0] == 'G') length = id ? poll(fd, id) : statistics();
    else if (in[1] == 'U') length = update(id);
    else length = strstr(in, "/status-updates ") ? update_all() : create();
    if (length) send_out(fd, length);
}

static int listening(int port) {
    struct sockaddr_in address = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    need(!bind(listener, (void *)&address, sizeof address) && !listen(listener, 4096), "listen");
    return listener;
}

static void watch(int epoll, int fd) {
    need(fd < CONNECTIONS && !epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.fd = fd}}), "epoll");
}

int main(int count, char **arguments) {
    static struct epoll_event events[EVENTS];
    int epoll = epoll_create1(0), listener = listening(atoi(arguments[1])), fd;
    signal(SIGPIPE, SIG_IGN);
    if (count > 2) {
        need((file = open(arguments[2], O_RDWR | O_CREAT, 0600)) >= 0, "open");
        for (int n = 0; n < FILE_BYTES; n += TEXT) need(write(file, text, TEXT) == TEXT, "write");
        need(!fsync(file), "fsync");
    }
    watch(epoll, listener);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != listener) { serve(events[i].data.fd); continue; }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(epoll, fd);
            need(errno == EAGAIN, "accept");
        }
    }
}
