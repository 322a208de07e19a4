/* A module of mcabber: tells the agent, as lines of JSON, what mcabber has just shown, and what stands in its roster.
 *
 * It only listens (to the hooks that run once something is on the screen), reads (with the functions that mcabber
 * itself draws its roster with), and hands on commands as a user types them. It sends nothing. Lines go to the
 * descriptor that AGENT_EVENTS names.
 * What is declared here is a part of the API that doc/HOWTO_modules.txt of mcabber describes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct list { void *data; struct list *next; } list;
typedef struct { const char *name, *value; } hook_argument;
typedef unsigned int (*hook)(const char *name, hook_argument *arguments, void *data);
typedef struct module {
  const char *branch;
  unsigned int api;
  const char *version, *description, **requires;
  void (*init)(void), (*uninit)(void);
  struct module *next;
} module;

enum { USER = 1, AGENT = 4, ROOM = 8, BY_JID = 0 };

extern void *lconnection;
extern char imstatus2char[];
extern const char *lm_connection_get_jid(void *connection);
extern unsigned int hk_add_handler(hook handler, const char *name, int priority, void *data);
extern void *cmd_add(const char *name, const char *help, unsigned int row1, unsigned int row2, void (*does)(char *),
                     void *data);
extern list *roster_find(const char *jid, int what, unsigned int type);
extern void scr_set_chatmode(int enable), scr_roster_jump_jid(char *jid);
extern void foreach_buddy(unsigned int type, void (*does)(void *buddy, void *data), void *data);
extern const char *buddy_getjid(void *buddy), *buddy_getname(void *buddy);
extern unsigned int buddy_gettype(void *buddy), buddy_getsubscription(void *buddy), buddy_getonserverflag(void *buddy);
extern unsigned int buddy_getinsideroom(void *buddy);
extern unsigned int buddy_resource_getevents(void *buddy, const char *resource);
extern list *buddy_getresources(void *buddy);
extern int buddy_getstatus(void *buddy, const char *resource);
extern const char *buddy_getstatusmsg(void *buddy, const char *resource);
extern char *buddy_resource_getcaps(void *buddy, const char *resource);
extern int caps_has_hash(const char *ver, const char *jid);
extern void caps_foreach_feature(const char *ver, void (*does)(void *feature, void *data), void *data);
extern void g_free(void *), g_slist_free(list *);
extern int process_command(const char *line, unsigned int is_command);

static FILE *events;

static void string(const char *text)
{
  putc('"', events);
  for (const unsigned char *p = (const unsigned char *)(text ? text : ""); *p; p++) {
    if (*p == '"' || *p == '\\')
      fprintf(events, "\\%c", *p);
    else if (*p < 0x20)
      fprintf(events, "\\u%04x", *p);
    else
      putc(*p, events);
  }
  putc('"', events);
}

/* One line: names and values in turn, to a NULL. */
static void say(const char *name, ...)
{
  va_list rest;
  va_start(rest, name);
  putc('{', events);
  for (int first = 1; name; name = va_arg(rest, const char *), first = 0) {
    if (!first)
      fputs(", ", events);
    string(name);
    fputs(": ", events);
    string(va_arg(rest, const char *));
  }
  fputs("}\n", events);
  fflush(events);
  va_end(rest);
}

/* A hook ran: its name and all its arguments. `listed` says whether the roster has a line for that JID. */
static unsigned int shown(const char *name, hook_argument *arguments, void *data)
{
  (void)data;
  const char *jid = NULL;
  fputs("{\"hook\": ", events);
  string(name);
  for (; arguments->name; arguments++) {
    if (!strcmp(arguments->name, "jid"))
      jid = arguments->value;
    fputs(", ", events);
    string(arguments->name);
    fputs(": ", events);
    string(arguments->value);
  }
  fprintf(events, ", \"listed\": \"%s\"}\n", jid && roster_find(jid, BY_JID, USER | AGENT | ROOM) ? "yes" : "");
  fflush(events);
  return 0;
}

static void resource_line(void *buddy, const char *resource)
{
  char status[2] = { imstatus2char[buddy_getstatus(buddy, resource)], 0 };
  char state[12];
  snprintf(state, sizeof state, "%u", buddy_resource_getevents(buddy, resource));
  say("resource", resource, "of", buddy_getjid(buddy), "status", status, "message",
      buddy_getstatusmsg(buddy, resource), "state", state, NULL);
}

static void buddy_line(void *buddy, void *data)
{
  (void)data;
  static const char *subscriptions[] = { "none", "to", "from", "both" };
  unsigned int room = buddy_gettype(buddy) & ROOM;
  say("buddy", buddy_getjid(buddy), "name", buddy_getname(buddy), "room", room ? "yes" : "",
      "inside", room && buddy_getinsideroom(buddy) ? "yes" : "", "listed", buddy_getonserverflag(buddy) ? "yes" : "",
      "subscription", subscriptions[buddy_getsubscription(buddy) >> 1 & 3], NULL);
  list *resources = buddy_getresources(buddy);
  for (list *one = resources; one; one = one->next) {
    resource_line(buddy, one->data);
    g_free(one->data);
  }
  g_slist_free(resources);
}

static void feature_line(void *feature, void *data)
{
  (void)data;
  say("feature", feature, NULL);
}

/* What is known by the caps of a contact's resource: of everybody with that ver, or else of that contact alone. */
static void features(char *jid)
{
  char *resource = strchr(jid, '/');
  if (!resource)
    return;
  *resource++ = 0;
  list *found = roster_find(jid, BY_JID, USER);
  const char *ver = found ? buddy_resource_getcaps(found->data, resource) : NULL;
  if (!ver)
    return;
  char own[4096];
  snprintf(own, sizeof own, "%s/#%s", jid, ver);
  caps_foreach_feature(caps_has_hash(ver, NULL) ? ver : own, feature_line, NULL);
}

/* The commands in a file, a line each. Nothing that comes from the server is read between them. */
static void together(const char *path)
{
  FILE *file = fopen(path, "r");
  char *line = NULL;
  size_t size = 0;
  while (file && getline(&line, &size, file) > 0) {
    line[strcspn(line, "\n")] = 0;
    process_command(line, 1);
  }
  free(line);
  if (file)
    fclose(file);
}

/* /agent roster | features JID | jid | chat | select JID | together FILE | mark TOKEN */
static void command(char *argument)
{
  if (!strcmp(argument, "roster"))
    foreach_buddy(USER | AGENT | ROOM, buddy_line, NULL);
  else if (!strncmp(argument, "features ", 9))
    features(argument + 9);
  else if (!strcmp(argument, "jid"))
    say("jid", lconnection ? lm_connection_get_jid(lconnection) : "", NULL);
  else if (!strcmp(argument, "chat"))
    scr_set_chatmode(1); /* as the Enter key does: buffers are shown, not the roster alone */
  else if (!strncmp(argument, "select ", 7))
    scr_roster_jump_jid(argument + 7);
  else if (!strncmp(argument, "together ", 9))
    together(argument + 9);
  else if (!strncmp(argument, "mark ", 5))
    say("mark", argument + 5, NULL);
}

static void init(void)
{
  static const char *hooks[] = { "hook-post-connect", "hook-post-message-in", "hook-message-out", "hook-status-change",
                                 "hook-mdr-received", NULL };
  const char *descriptor = getenv("AGENT_EVENTS");
  events = descriptor ? fdopen(atoi(descriptor), "w") : NULL;
  if (!events)
    return;
  for (const char **name = hooks; *name; name++)
    hk_add_handler(shown, *name, 0, NULL);
  cmd_add("agent", "", 0, 0, command, NULL);
  say("loaded", "yes", NULL);
}

static void uninit(void) {}

module info_agent = { "1.1.2", 1, "1", "Tells an agent what is shown", NULL, init, uninit, NULL };
