/* What bench/udp.ts measures with: a service that sends every packet back, and players that send at a steady rate and
   note how long each answer took.

     udp echo                                      prints its port
     udp load PORT PACKETS_PER_SECOND SECONDS BYTES PLAYERS FIRST_PORT
                                                   prints: sent received p50 p99 (µs) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* port 0: any free one */
static int bound(uint16_t port, uint16_t *got) {
  int s = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
  setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof a;
  if (bind(s, (struct sockaddr *)&a, length) || getsockname(s, (struct sockaddr *)&a, &length)) exit(1);
  *got = ntohs(a.sin_port);
  return s;
}

static void echo(void) {
  uint16_t port;
  int s = bound(0, &port);
  printf("%u\n", port);
  fflush(stdout);
  char packet[65536];
  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(s, packet, sizeof packet, 0, (struct sockaddr *)&from, &length);
    if (got >= 0) sendto(s, packet, (size_t)got, 0, (struct sockaddr *)&from, length);
  }
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void load(uint16_t port, uint64_t rate, uint64_t seconds, size_t bytes, int players, int first) {
  struct pollfd *sockets = calloc((size_t)players, sizeof *sockets);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 0; i < players; i++) {
    uint16_t own;
    sockets[i] = (struct pollfd){.fd = bound((uint16_t)(first + i), &own), .events = POLLIN};
    if (connect(sockets[i].fd, (struct sockaddr *)&to, sizeof to)) exit(1);
  }
  uint64_t total = rate * seconds, sent = 0, received = 0, warm = rate / 2, counted = 0;
  uint32_t *took = malloc(total * sizeof *took);
  char packet[65536] = {0};
  uint64_t start = now_ns(), end = start + seconds * 1000000000u, last = end + 1000000000u;
  for (;;) {
    uint64_t now = now_ns();
    if (now >= last || (sent == total && received >= sent)) break;
    while (sent < total && start + sent * 1000000000u / rate <= now) {
      memcpy(packet, &now, 8);
      memcpy(packet + 8, &sent, 8);
      send(sockets[sent % (uint64_t)players].fd, packet, bytes, 0);
      sent++;
    }
    uint64_t due = sent < total ? start + sent * 1000000000u / rate : last;
    now = now_ns();
    uint64_t wait = due > now ? due - now : 0;
    struct timespec t = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
    if (ppoll(sockets, (nfds_t)players, &t, NULL) <= 0) continue;
    for (int i = 0; i < players; i++) {
      if (!(sockets[i].revents & POLLIN)) continue;
      char got[65536];
      while (recv(sockets[i].fd, got, sizeof got, MSG_DONTWAIT) == (ssize_t)bytes) {
        uint64_t at, number;
        memcpy(&at, got, 8);
        memcpy(&number, got + 8, 8);
        received++;
        if (number >= warm) took[counted++] = (uint32_t)((now_ns() - at) / 1000);
      }
    }
  }
  qsort(took, counted, sizeof *took, by_size);
  printf("%lu %lu %u %u\n", sent, received, counted ? took[counted / 2] : 0, counted ? took[counted * 99 / 100] : 0);
}

int main(int argc, char **argv) {
  prctl(PR_SET_TIMERSLACK, 1000);
  if (argc == 2 && !strcmp(argv[1], "echo")) echo();
  else if (argc == 8)
    load((uint16_t)atoi(argv[2]), strtoull(argv[3], 0, 10), strtoull(argv[4], 0, 10), (size_t)atoi(argv[5]), atoi(argv[6]), atoi(argv[7]));
  else return 2;
  return 0;
}
