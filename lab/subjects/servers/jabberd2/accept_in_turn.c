/* Preloaded into c2s: each connection gets the next file descriptor, not the lowest free one.

c2s calls a session by the number of its file descriptor. What sm says of a session that has ended is then taken for
a word to whoever connected since and got that number, and c2s ends the stranger's stream with internal-server-error
(c2s/c2s.c, "ending sm session"). Any check could be hit by the end of another; so numbers come back late here. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 32, LAST = 1000 }; /* below <max_fds> */

int accept(int listening, struct sockaddr *address, socklen_t *length) {
    static int next = FIRST;
    int (*really)(int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "accept");
    int given = really(listening, address, length);
    int moved = given < 0 ? -1 : fcntl(given, F_DUPFD, next);
    if (moved < 0) return given;
    close(given);
    next = moved < LAST ? moved + 1 : FIRST;
    return moved;
}
