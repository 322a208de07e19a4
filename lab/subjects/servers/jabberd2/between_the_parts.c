/* Preloaded into jabberd2's parts: two faults between them hit whatever check runs, so they are kept from the checks.

c2s calls a session by the number of its file descriptor. What sm says of a session that has ended is then taken for
a word to whoever connected since and got that number, and c2s ends the stranger's stream with internal-server-error
(c2s/c2s.c, "ending sm session"). So each connection gets the next descriptor here, not the lowest free one.

Expat, since 2.6, defers reading a tag again that came in two reads, and no part tells it otherwise: what one sends to
another then lies until as much again comes, and all wait. So it does not defer between the parts, that is before the
first client has connected, or always where BETWEEN_PARTS is set. What clients send is read as jabberd2 reads it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 32, LAST = 1000 }; /* below <max_fds> */

static int connected;

int accept(int listening, struct sockaddr *address, socklen_t *length) {
    static int next = FIRST;
    int (*really)(int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "accept");
    int given = really(listening, address, length);
    int moved = given < 0 ? -1 : fcntl(given, F_DUPFD, next);
    connected = 1;
    if (moved < 0) return given;
    close(given);
    next = moved < LAST ? moved + 1 : FIRST;
    return moved;
}

static void *read_at_once(void *parser) {
    unsigned char (*defer)(void *, unsigned char) = dlsym(RTLD_NEXT, "XML_SetReparseDeferralEnabled");
    if (parser && defer && (!connected || getenv("BETWEEN_PARTS"))) defer(parser, 0);
    return parser;
}

void *XML_ParserCreate(const char *encoding) { /* mu-conference */
    void *(*really)(const char *) = dlsym(RTLD_NEXT, "XML_ParserCreate");
    return read_at_once(really(encoding));
}

void *XML_ParserCreateNS(const char *encoding, char separator) {
    void *(*really)(const char *, char) = dlsym(RTLD_NEXT, "XML_ParserCreateNS");
    return read_at_once(really(encoding, separator));
}
