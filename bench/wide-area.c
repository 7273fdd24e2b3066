// A network between two namespaces: `wide-area <namespace> <namespace> <delay ms> <Mbit/s> <queue ms> <loss %>`.
// Each end gets a TUN device `wide` (10.77.0.1/30 and .2). A packet waits for its turn at the rate, is dropped when that is
// longer than the queue, and arrives after the delay; the loss hits packets independently of each other.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { packetBytes = 2048, slots = 16384 };

struct packet { uint64_t due; int bytes; char data[packetBytes]; };
struct direction { struct packet *ring; unsigned head, tail; uint64_t freeAt; };

static uint64_t now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (uint64_t)at.tv_sec * 1000000000ull + at.tv_nsec;
}

static int device(const char *space, const char *address) {
  char path[200], command[300];
  snprintf(path, sizeof path, "/var/run/netns/%s", space);
  int ns = open(path, O_RDONLY);
  if (ns < 0 || setns(ns, CLONE_NEWNET)) { perror(path); exit(1); }
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  struct ifreq request = {0};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  strcpy(request.ifr_name, "wide");
  if (tun < 0 || ioctl(tun, TUNSETIFF, &request)) { perror("tun"); exit(1); }
  snprintf(command, sizeof command, "ip addr add %s/30 dev wide && ip link set wide mtu 1500 txqueuelen 10000 up && ip link set lo up", address);
  if (system(command)) exit(1);
  return tun;
}

int main(int count, char **argument) {
  if (count != 7) return 2;
  uint64_t delay = atof(argument[3]) * 1e6, queue = atof(argument[5]) * 1e6;
  double nsPerByte = 8000.0 / atof(argument[4]), loss = atof(argument[6]) / 100;
  int tun[2] = { device(argument[1], "10.77.0.1"), device(argument[2], "10.77.0.2") };
  struct direction way[2] = {0};
  for (int i = 0; i < 2; i++) way[i].ring = malloc(sizeof(struct packet) * slots);
  srand48(time(0) ^ getpid());
  puts("ready");
  fflush(stdout);
  for (;;) {
    uint64_t next = UINT64_MAX, at = now();
    for (int i = 0; i < 2; i++) {
      struct direction *d = &way[i];
      while (d->head != d->tail && d->ring[d->head % slots].due <= at) {
        struct packet *p = &d->ring[d->head++ % slots];
        if (write(tun[1 - i], p->data, p->bytes) < 0 && errno != EAGAIN) return 0;
      }
      if (d->head != d->tail && d->ring[d->head % slots].due < next) next = d->ring[d->head % slots].due;
    }
    struct pollfd ready[2] = { { tun[0], POLLIN, 0 }, { tun[1], POLLIN, 0 } };
    struct timespec wait = { 0, 0 };
    if (next != UINT64_MAX && next > at) { wait.tv_sec = (next - at) / 1000000000ull; wait.tv_nsec = (next - at) % 1000000000ull; }
    if (ppoll(ready, 2, next == UINT64_MAX ? 0 : &wait, 0) < 0) return 1;
    for (int i = 0; i < 2; i++) {
      struct direction *d = &way[i];
      for (int reads = 0; reads < 64; reads++) {
        struct packet *p = &d->ring[d->tail % slots];
        int bytes = d->tail - d->head < slots - 1 ? read(tun[i], p->data, packetBytes) : 0;
        if (bytes <= 0) break;
        at = now();
        uint64_t begin = d->freeAt > at ? d->freeAt : at;
        if (begin - at > queue || drand48() < loss) continue;
        d->freeAt = begin + bytes * nsPerByte;
        p->bytes = bytes;
        p->due = d->freeAt + delay;
        d->tail++;
      }
    }
  }
}
