// The load of bench/tunnel.ts and the service behind the tunnels, in C so that neither is the bottleneck.
//   tunnel-load origin                        prints its port; by the first byte: D sends without end, E echoes, G answers HTTP
//   tunnel-load download <port> <n> <seconds> prints bytes a second over n connections, after half a second
//   tunnel-load connect  <port> <n> <seconds> prints connections a second, each with one byte there and back, n at once
//   tunnel-load echo     <port> <n> <seconds> prints messages of one byte a second that n connections get back
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { fdsMax = 65536, chunk = 262144 };
static char buffer[chunk], mode[fdsMax];
static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nhello, visitor\n";

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static void watch(int poll, int fd, unsigned events, int how) {
  struct epoll_event event = { events, { .fd = fd } };
  epoll_ctl(poll, how, fd, &event);
}

static void prompt(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void drop(int fd) {
  mode[fd] = 0;
  close(fd);
}

static int origin(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
  struct sockaddr_in at = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } };
  socklen_t size = sizeof at;
  if (bind(listener, (void *)&at, size) || listen(listener, 4096)) return 1;
  getsockname(listener, (void *)&at, &size);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  memset(buffer, 'x', chunk);
  static char in[65536];
  watch(poll, listener, EPOLLIN, EPOLL_CTL_ADD);
  for (struct epoll_event events[256];;) {
    int count = epoll_wait(poll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        for (int one; (one = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;) {
          prompt(one);
          watch(poll, one, EPOLLIN, EPOLL_CTL_ADD);
        }
        continue;
      }
      if (mode[fd] == 'D') {
        ssize_t sent;
        while ((sent = write(fd, buffer, chunk)) > 0) {}
        if (errno != EAGAIN) drop(fd);
        continue;
      }
      ssize_t got = read(fd, in, sizeof in);
      if (got <= 0) { if (got == 0 || errno != EAGAIN) drop(fd); continue; }
      if (!mode[fd]) mode[fd] = in[0];
      if (mode[fd] == 'D') watch(poll, fd, EPOLLOUT, EPOLL_CTL_MOD);
      else if (mode[fd] == 'E') { if (write(fd, in, got) < 0) drop(fd); }
      else if (got >= 4 && !memcmp(in + got - 4, "\r\n\r\n", 4)) { if (write(fd, reply, sizeof reply - 1) < 0) drop(fd); }
    }
  }
}

static int dial(int poll, int port, char first) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = { AF_INET, htons(port), { htonl(INADDR_LOOPBACK) } };
  if (fd < 0 || connect(fd, (void *)&at, sizeof at)) { perror("connect"); exit(1); }
  prompt(fd);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (write(fd, &first, 1) != 1) { perror("write"); exit(1); }
  watch(poll, fd, EPOLLIN, EPOLL_CTL_ADD);
  return fd;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 2) return origin();
  if (argc != 5) return 2;
  int port = atoi(argv[2]), n = atoi(argv[3]), poll = epoll_create1(0), connects = argv[1][0] == 'c', bulk = argv[1][0] == 'd';
  double seconds = atof(argv[4]), done = 0, warm = bulk ? 0.5 : 0, start = now(), begun = start + warm;
  for (int i = 0; i < n; i++) dial(poll, port, bulk ? 'D' : 'E');
  for (struct epoll_event events[256]; now() < begun + seconds;) {
    int count = epoll_wait(poll, events, 256, 100);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      ssize_t got = read(fd, buffer, bulk ? chunk : 1);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) { fprintf(stderr, "a connection ended\n"); return 1; }
      if (now() >= begun) done += got;
      if (connects) { close(fd); dial(poll, port, 'E'); }
      else if (!bulk && write(fd, "E", 1) != 1) return 1;
    }
  }
  printf("%.0f\n", done / (now() - begun));
  return 0;
}
