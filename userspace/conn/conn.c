/* SPDX-License-Identifier: Apache-2.0 */
/* The table of connections, and what each event does to one. */
#include "conn/conn_private.h"

#include <arpa/inet.h>
#include <errno.h>

#include "limits.h"

/* Fibonacci hashing: ids count up. */
static size_t bucket(uint64_t key)
{
	return key * 11400714819323198485ull >> 50;
}
_Static_assert(BUCKETS == 1 << 14, "bucket() keeps 14 bits");

static size_t key_bucket(const struct conn *conn)
{
	return bucket(conn->key * 31 + conn->pid * 2 + conn->is_tls);
}

/* --- the table ------------------------------------------------------------ */

int conn_table_new(struct conn_table **ret, const struct conn_table_options *options)
{
	struct conn_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->options = *options;
	*ret = table;
	return 0;
}

static struct live_conn *find(const struct conn_table *table, uint64_t id)
{
	struct live_conn *live = table->by_id[bucket(id)];

	while (live && live->conn.id != id)
		live = live->next_by_id;
	return live;
}

static struct live_conn *find_key(const struct conn_table *table, const struct conn *conn)
{
	struct live_conn *live = table->by_key[key_bucket(conn)];

	while (live && (live->conn.key != conn->key || live->conn.pid != conn->pid ||
			live->conn.is_tls != conn->is_tls))
		live = live->next_by_key;
	return live;
}

static void unlink_age(struct live_conn *live)
{
	struct conn_table *table = live->table;

	*(live->older ? &live->older->newer : &table->oldest) = live->newer;
	*(live->newer ? &live->newer->older : &table->newest) = live->older;
}

static void link_newest(struct live_conn *live)
{
	struct conn_table *table = live->table;

	live->older = table->newest;
	live->newer = NULL;
	*(table->newest ? &table->newest->newer : &table->oldest) = live;
	table->newest = live;
}

static void unlink_key(struct live_conn *live)
{
	struct live_conn **link = &live->table->by_key[key_bucket(&live->conn)];

	for (; *link; link = &(*link)->next_by_key)
		if (*link == live) {
			*link = live->next_by_key;
			return;
		}
}

static void unlink_id(struct live_conn *live)
{
	struct live_conn **link = &live->table->by_id[bucket(live->conn.id)];

	while (*link != live)
		link = &(*link)->next_by_id;
	*link = live->next_by_id;
}

/* Ends what is open as @end and forgets the connection. */
static void forget(struct live_conn *live, enum exchange_end end, uint64_t time_ns)
{
	exchange_end_all(live, end, time_ns);
	flow_done(&live->flows[GT_READ]);
	flow_done(&live->flows[GT_WRITE]);
	unlink_age(live);
	unlink_key(live);
	unlink_id(live);
	live->table->count--;
	free(live);
}

/* Those idle for long go in silence; beyond the limit the oldest go, counted
 * when something was open. */
static void make_room(struct conn_table *table, uint64_t time_ns)
{
	struct live_conn *oldest = table->oldest;

	if (oldest && !oldest->first && elapsed_ns(oldest->last_ns, time_ns) > LIMIT_IDLE_NS)
		forget(oldest, END_LOST, time_ns);
	if (table->count < LIMIT_CONNS)
		return;
	for (oldest = table->oldest; oldest && oldest->first; oldest = oldest->newer)
		;
	if (!oldest)
		count_loss(table, LOSS_CONNS_LIMIT, 1);
	forget(oldest ? oldest : table->oldest, END_LOST, time_ns);
}

static struct live_conn *add(struct conn_table *table, const struct gt_event *event)
{
	struct live_conn *live;

	make_room(table, event->time_ns);
	live = calloc(1, sizeof(*live));
	if (!live) {
		count_loss(table, LOSS_NO_MEMORY, 1);
		return NULL;
	}
	live->table = table;
	live->conn.id = event->conn_id;
	live->conn.pid = event->pid;
	live->conn.is_tls = event->flags & GT_FLAG_TLS;
	live->last_ns = event->time_ns;
	live->next_by_id = table->by_id[bucket(event->conn_id)];
	table->by_id[bucket(event->conn_id)] = live;
	link_newest(live);
	table->count++;
	return live;
}

void conn_table_exit(struct conn_table *table, uint32_t pid, uint64_t time_ns)
{
	struct live_conn *live = table->oldest, *next;

	for (; live; live = next) {
		next = live->newer;
		if (live->conn.pid == pid)
			forget(live, END_TARGET_EXITED, time_ns);
	}
}

void conn_table_detach(struct conn_table *table, uint64_t time_ns)
{
	for (struct live_conn *live = table->oldest; live; live = live->newer)
		exchange_end_all(live, END_DETACHED, time_ns);
}

void conn_table_free(struct conn_table **tablep)
{
	struct conn_table *table = *tablep;

	if (!table)
		return;
	while (table->oldest)
		forget(table->oldest, END_DETACHED, table->oldest->last_ns);
	free(table);
	*tablep = NULL;
}

size_t conn_table_count(const struct conn_table *table)
{
	return table->count;
}

void conn_ignore(struct live_conn *live, enum exchange_end end, uint64_t time_ns)
{
	if (live->conn.is_ignored)
		return;
	live->conn.is_ignored = true;
	exchange_end_all(live, end, time_ns);
	flow_done(&live->flows[GT_READ]);
	flow_done(&live->flows[GT_WRITE]);
	if (live->table->options.ignored)
		live->table->options.ignored(live->table->options.ctx, &live->conn);
}

/* --- events --------------------------------------------------------------- */

static void on_open(struct live_conn *live, const struct gt_open_event *open)
{
	struct live_conn *stale;

	live->conn.key = open->key;
	live->conn.is_born = open->event.flags & GT_FLAG_BORN;
	live->conn.family = open->family;
	live->conn.local_port = open->local_port;
	live->conn.peer_port = open->peer_port;
	memcpy(live->conn.local_addr, open->local_addr, sizeof(open->local_addr));
	memcpy(live->conn.peer_addr, open->peer_addr, sizeof(open->peer_addr));
	memcpy(live->conn.comm, open->comm, sizeof(open->comm));
	live->conn.comm[sizeof(live->conn.comm) - 1] = '\0';
	/* Whoever had this key before is gone; the word of it was lost. */
	stale = find_key(live->table, &live->conn);
	if (stale && stale != live)
		forget(stale, END_LOST, open->event.time_ns);
	if (stale != live) {
		live->next_by_key = live->table->by_key[key_bucket(&live->conn)];
		live->table->by_key[key_bucket(&live->conn)] = live;
	}
	if (open->event.flags & GT_FLAG_HTTP2) {
		count_loss(live->table, LOSS_UNSUPPORTED_PROTOCOL, 1);
		conn_ignore(live, END_LOST, open->event.time_ns);
	}
}

static void on_name(struct live_conn *live, const struct gt_name_event *event)
{
	memcpy(live->conn.server_name, event->name, sizeof(event->name));
	live->conn.server_name[sizeof(live->conn.server_name) - 1] = '\0';
}

/* Bytes up to @offset did not come. */
static void catch_up(struct live_conn *live, enum gt_direction direction, uint64_t offset,
		     uint32_t flags, uint64_t time_ns)
{
	struct flow *flow = &live->flows[direction];

	if (flow->has_offset && offset > flow->next_offset)
		flow_gap(live, direction, offset - flow->next_offset, flags, time_ns);
	flow->next_offset = offset;
	flow->has_offset = true;
}

static void on_data(struct live_conn *live, const struct gt_data_event *data)
{
	uint64_t time_ns = data->event.time_ns;
	enum gt_direction direction = data->direction & 1;
	uint32_t captured = MIN(data->captured_len, data->len);
	struct flow *flow = &live->flows[direction];

	live->conn.tid = data->event.tid;
	/* Offsets only grow; one that does not is not of this connection. */
	if (live->conn.is_ignored || (flow->has_offset && data->offset < flow->next_offset))
		return;
	catch_up(live, direction, data->offset, data->event.flags, time_ns);
	flow->next_offset = data->offset + data->len;
	if (captured)
		flow_feed(live, direction, (struct slice){ data->bytes, captured }, time_ns);
	if (captured < data->len)
		flow_gap(live, direction, data->len - captured, data->event.flags, time_ns);
}

/* Who is gone when this side's end, or the peer's, comes first. */
static enum exchange_end cut_by(const struct live_conn *live, bool is_peer)
{
	return (live->role == ROLE_CLIENT) == is_peer ? END_CUT_BY_SERVER : END_CUT_BY_CLIENT;
}

static void catch_up_tails(struct live_conn *live, const struct gt_end_event *event)
{
	for (int direction = 0; direction < GT_DIRECTIONS; direction++)
		if (live->flows[direction].has_offset && event->offset[direction] > live->flows[direction].next_offset)
			catch_up(live, direction, event->offset[direction], event->event.flags,
				 event->event.time_ns);
}

static void on_peer_end(struct live_conn *live, const struct gt_end_event *event)
{
	bool is_reset = event->event.flags & GT_FLAG_RESET;

	live->has_peer_ended = true;
	/* A client that sends no more may still read, unless it reset. */
	if (live->role == ROLE_SERVER && !is_reset)
		return;
	if (!is_reset)
		exchange_close_delimited(live, event->event.time_ns);
	exchange_end_all(live, cut_by(live, /* is_peer */ true), event->event.time_ns);
}

static void on_own_end(struct live_conn *live, uint64_t time_ns)
{
	if (live->role == ROLE_SERVER && !live->has_peer_ended)
		exchange_close_delimited(live, time_ns);
	exchange_end_all(live, cut_by(live, live->has_peer_ended), time_ns);
}

static void on_event(struct live_conn *live, const struct gt_event *event)
{
	switch (event->type) {
	case GT_EVENT_OPEN:
		on_open(live, (const void *)event);
		break;
	case GT_EVENT_NAME:
		on_name(live, (const void *)event);
		break;
	case GT_EVENT_DATA:
		on_data(live, (const void *)event);
		break;
	case GT_EVENT_EOF:
		catch_up_tails(live, (const void *)event);
		if (((const struct gt_end_event *)event)->direction == GT_READ)
			on_peer_end(live, (const void *)event);
		else
			on_own_end(live, event->time_ns);
		break;
	case GT_EVENT_CLOSE:
		catch_up_tails(live, (const void *)event);
		on_own_end(live, event->time_ns);
		forget(live, END_LOST, event->time_ns);
		break;
	}
}

void conn_table_event(struct conn_table *table, const struct gt_event *event)
{
	struct live_conn *live;

	if (event->type == GT_EVENT_EXIT)
		conn_table_exit(table, event->pid, event->time_ns);
	if (event->type > GT_EVENT_CLOSE)
		return;
	live = find(table, event->conn_id);
	if (!live && (event->type == GT_EVENT_EOF || event->type == GT_EVENT_CLOSE))
		return;
	if (!live)
		live = add(table, event);
	if (!live)
		return;
	live->last_ns = event->time_ns;
	unlink_age(live);
	link_newest(live);
	on_event(live, event);
}

void conn_peer_text(const struct conn *conn, char *ret, size_t size)
{
	char addr[INET6_ADDRSTRLEN] = "";

	ret[0] = '\0';
	if (conn->family == AF_UNIX) {
		snprintf(ret, size, "unix");
	} else if (conn->family == AF_INET || conn->family == AF_INET6) {
		inet_ntop(conn->family, conn->peer_addr, addr, sizeof(addr));
		snprintf(ret, size, conn->family == AF_INET ? "%s:%u" : "[%s]:%u", addr, conn->peer_port);
	}
}
