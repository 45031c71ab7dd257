/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections: finds the one that an event is about, makes and
 * forgets them.
 *
 * Every connection is in one of two lists, those with open exchanges (busy) and
 * those without (idle), each in the order of their last event. So the one to
 * forget, when there are too many or when one was idle too long, is at hand.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "conn/conn_private.h"
#include "limits.h"

/* Residue is cut off at the head's limit after each piece that was added. */
#define RESIDUE_MAX (LIMIT_HTTP_HEAD + GT_CHUNK_BYTES)

/* --- lists ------------------------------------------------------------------ */

static struct conn_list *list_of(struct connection *c)
{
	return c->is_busy ? &c->table->busy : &c->table->idle;
}

static void list_add(struct connection *c)
{
	struct conn_list *list = list_of(c);

	c->prev = list->last;
	c->next = NULL;
	*(c->prev ? &c->prev->next : &list->first) = c;
	list->last = c;
}

static void list_remove(struct connection *c)
{
	struct conn_list *list = list_of(c);

	*(c->prev ? &c->prev->next : &list->first) = c->next;
	*(c->next ? &c->next->prev : &list->last) = c->prev;
}

/* After each event of it. */
static void touch(struct connection *c, uint64_t now_ns)
{
	list_remove(c);
	c->is_busy = c->first != NULL;
	c->last_ns = now_ns;
	list_add(c);
}

/* --- making and forgetting -------------------------------------------------- */

static uint64_t key_hash(uint32_t pid, uint64_t key, bool is_tls)
{
	return (key * 2 + is_tls) ^ (uint64_t)pid << 42;
}

/* Its key, if that is not another connection's by now. */
static void forget_key(struct connection *c)
{
	uint64_t hash = key_hash(c->conn.pid, c->conn.key, c->conn.is_tls);

	if (map_get(&c->table->by_key, hash) == c)
		map_remove(&c->table->by_key, hash);
}

static void done_flows(struct connection *c)
{
	for (int i = 0; i < GT_DIRECTIONS; i++)
		flow_done(&c->flows[i]);
	h2_done(c);
}

static void forget(struct connection *c)
{
	assert(!c->first);
	list_remove(c);
	map_remove(&c->table->by_id, c->conn.id);
	forget_key(c);
	c->table->count--;
	done_flows(c);
	free(c);
}

static void end_and_forget(struct connection *c, enum exchange_end end, uint64_t now_ns)
{
	end_exchanges(c, end, now_ns);
	forget(c);
}

static void make_room(struct conn_table *table, uint64_t now_ns)
{
	struct connection *busy = table->busy.first;

	if (table->count < LIMIT_CONNS)
		return;
	if (table->idle.first) {
		forget(table->idle.first);
		return;
	}
	count_loss(busy, LOSS_CONNS_LIMIT, 1);
	for (struct exchange *exchange = busy->first; exchange; exchange = exchange->next)
		exchange->marks |= LOSS_BIT(LOSS_CONNS_LIMIT);
	end_and_forget(busy, END_LOST, now_ns);
}

static void forget_idle(struct conn_table *table, uint64_t now_ns)
{
	while (table->idle.first &&
	       elapsed_ns(table->idle.first->last_ns, now_ns) > LIMIT_IDLE_NS)
		forget(table->idle.first);
}

static struct connection *make(struct conn_table *table, const struct gt_event *event)
{
	struct connection *c;

	make_room(table, event->time_ns);
	c = calloc(1, sizeof(*c));
	if (!c || map_put(&table->by_id, event->conn_id, c) < 0) {
		table->options.losses[LOSS_NO_MEMORY]++;
		table->is_starved = true;
		free(c);
		return NULL;
	}
	c->table = table;
	/* Then who knows what came before this event. */
	c->is_starved = table->is_starved && event->type != GT_EVENT_OPEN;
	c->conn.id = event->conn_id;
	c->conn.pid = event->pid;
	c->conn.is_tls = event->flags & GT_FLAG_TLS;
	for (int i = 0; i < GT_DIRECTIONS; i++)
		c->flows[i].residue = BUF_INIT(RESIDUE_MAX);
	list_add(c);
	table->count++;
	return c;
}

/* --- events ----------------------------------------------------------------- */

/* The SSL or the descriptor is in use again, so its last user is gone. */
static void end_former(struct conn_table *table, const struct gt_open_event *open)
{
	uint32_t pid = open->event.pid;
	bool is_tls = open->event.flags & GT_FLAG_TLS;
	struct connection *former = map_get(&table->by_key, key_hash(pid, open->key, is_tls));

	if (!former || former->conn.id == open->event.conn_id || former->conn.pid != pid ||
	    former->conn.key != open->key || former->conn.is_tls != is_tls)
		return;
	end_and_forget(former, END_LOST, open->event.time_ns);
}

static void take_open(struct connection *c, const struct gt_open_event *open)
{
	struct conn *conn = &c->conn;

	forget_key(c);
	conn->key = open->key;
	conn->is_born = open->event.flags & GT_FLAG_BORN;
	conn->family = open->family;
	conn->local_port = open->local_port;
	conn->peer_port = open->peer_port;
	memcpy(conn->local_addr, open->local_addr, sizeof(conn->local_addr));
	memcpy(conn->peer_addr, open->peer_addr, sizeof(conn->peer_addr));
	memcpy(conn->comm, open->comm, sizeof(conn->comm));
	conn->comm[sizeof(conn->comm) - 1] = '\0';
	for (int i = 0; i < GT_DIRECTIONS; i++)
		c->flows[i].has_expected |= conn->is_born;
	if (map_put(&c->table->by_key, key_hash(conn->pid, conn->key, conn->is_tls), c) < 0)
		count_loss(c, LOSS_NO_MEMORY, 1);
}

static void take_name(struct connection *c, const struct gt_name_event *event)
{
	memcpy(c->conn.server_name, event->name, sizeof(event->name));
	c->conn.server_name[sizeof(event->name) - 1] = '\0';
}

/* Events of a connection that exists by now. */
static void take_event(struct connection *c, const struct gt_event *event)
{
	switch (event->type) {
	case GT_EVENT_OPEN:
		take_open(c, (const struct gt_open_event *)event);
		break;
	case GT_EVENT_NAME:
		take_name(c, (const struct gt_name_event *)event);
		break;
	case GT_EVENT_DATA:
		c->loss_flags |= event->flags & KERNEL_LOSSES;
		if (!c->conn.is_ignored)
			flow_data(c, (const struct gt_data_event *)event);
		break;
	case GT_EVENT_EOF:
	case GT_EVENT_CLOSE:
		c->loss_flags |= event->flags & KERNEL_LOSSES;
		if (!c->conn.is_ignored)
			take_end(c, (const struct gt_end_event *)event);
		break;
	}
}

/* Whether the event can be about a connection that is not known yet. */
static bool may_begin(const struct gt_event *event)
{
	return event->type == GT_EVENT_OPEN || event->type == GT_EVENT_NAME ||
	       event->type == GT_EVENT_DATA;
}

/* A file of events may say anything. */
static bool is_sound(const struct gt_event *event)
{
	if (event->type == GT_EVENT_DATA)
		return ((const struct gt_data_event *)event)->direction < GT_DIRECTIONS;
	if (event->type == GT_EVENT_EOF)
		return ((const struct gt_end_event *)event)->direction < GT_DIRECTIONS;
	return event->type >= GT_EVENT_OPEN && event->type <= GT_EVENT_CLOSE;
}

void conn_table_event(struct conn_table *table, const struct gt_event *event)
{
	struct connection *c;

	table->last_ns = event->time_ns;
	if (event->type == GT_EVENT_EXIT)
		conn_table_exit(table, event->pid, event->time_ns);
	if (!is_sound(event))
		return;
	if (event->type == GT_EVENT_OPEN)
		end_former(table, (const struct gt_open_event *)event);
	c = map_get(&table->by_id, event->conn_id);
	if (!c && may_begin(event))
		c = make(table, event);
	if (!c)
		return;
	c->conn.tid = event->tid;
	take_event(c, event);
	if (c->conn.is_ignored)
		done_flows(c);
	if (event->type == GT_EVENT_CLOSE)
		forget(c);
	else
		touch(c, event->time_ns);
	forget_idle(table, event->time_ns);
}

/* --- the table -------------------------------------------------------------- */

static void for_each(struct conn_table *table, void (*f)(struct connection *c, void *arg), void *arg)
{
	struct connection *firsts[] = { table->idle.first, table->busy.first };

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++)
		for (struct connection *c = firsts[i], *next; c; c = next) {
			next = c->next;
			f(c, arg);
		}
}

struct process_exit {
	uint32_t pid;
	uint64_t time_ns;
};

static void exit_if_of(struct connection *c, void *arg)
{
	const struct process_exit *exit = arg;

	if (c->conn.pid == exit->pid)
		end_and_forget(c, END_TARGET_EXITED, exit->time_ns);
}

void conn_table_exit(struct conn_table *table, uint32_t pid, uint64_t time_ns)
{
	struct process_exit exit = { pid, time_ns };

	for_each(table, exit_if_of, &exit);
}

static void detach(struct connection *c, void *arg)
{
	end_exchanges(c, END_DETACHED, *(uint64_t *)arg);
	if (c->is_busy)
		touch(c, c->last_ns);
}

void conn_table_detach(struct conn_table *table, uint64_t time_ns)
{
	for_each(table, detach, &time_ns);
}

static void detach_and_forget(struct connection *c, void *arg)
{
	end_and_forget(c, END_DETACHED, *(uint64_t *)arg);
}

int conn_table_new(struct conn_table **ret, const struct conn_table_options *options)
{
	struct conn_table *table;

	assert(ret);
	assert(options->ops);
	assert(options->losses);

	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->options = *options;
	*ret = table;
	return 0;
}

void conn_table_free(struct conn_table **tablep)
{
	struct conn_table *table = *tablep;

	if (!table)
		return;
	for_each(table, detach_and_forget, &table->last_ns);
	map_done(&table->by_id);
	map_done(&table->by_key);
	free(table);
	*tablep = NULL;
}

size_t conn_table_count(const struct conn_table *table)
{
	return table->count;
}

void conn_peer_text(const struct conn *conn, char *ret, size_t size)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool is_mapped = conn->family == AF_INET6 && memcmp(conn->peer_addr, mapped, 12) == 0;
	char addr[INET6_ADDRSTRLEN];

	if (conn->family == AF_INET || is_mapped) {
		inet_ntop(AF_INET, conn->peer_addr + (is_mapped ? 12 : 0), addr, sizeof(addr));
		snprintf(ret, size, "%s:%u", addr, conn->peer_port);
	} else if (conn->family == AF_INET6) {
		inet_ntop(AF_INET6, conn->peer_addr, addr, sizeof(addr));
		snprintf(ret, size, "[%s]:%u", addr, conn->peer_port);
	} else {
		snprintf(ret, size, "%s", conn->family == AF_UNIX ? "unix" : "");
	}
}
