/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/base.h"

/* Closing holds a lock that attaching waits for: what dies together, such as the
 * commands of a shell, goes together, after its like had time to attach. */
enum { PATIENCE_S = 1 };

struct reaper {
	pthread_t thread;
	pthread_mutex_t lock;		/* of all below */
	pthread_cond_t changed;
	struct targets dead;
	bool is_ending;
};

/* In one go, so that the waits overlap. */
static void close_all(struct targets *dead)
{
	struct links links = {};

	for (size_t i = 0; i < dead->count; i++)
		links_move(&links, &dead->items[i]->links);
	links_close(&links);
	targets_done(dead);
}

/* With the lock held: until the end comes, at most PATIENCE_S. */
static void be_patient(struct reaper *reaper)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (!reaper->is_ending &&
	       pthread_cond_timedwait(&reaper->changed, &reaper->lock, &until) != ETIMEDOUT)
		;
}

static void *reap(void *arg)
{
	struct reaper *reaper = arg;
	struct targets dead;

	pthread_mutex_lock(&reaper->lock);
	while (reaper->dead.count || !reaper->is_ending) {
		if (!reaper->dead.count) {
			pthread_cond_wait(&reaper->changed, &reaper->lock);
			continue;
		}
		be_patient(reaper);
		dead = reaper->dead;
		reaper->dead = (struct targets){};
		pthread_mutex_unlock(&reaper->lock);
		close_all(&dead);
		pthread_mutex_lock(&reaper->lock);
	}
	pthread_mutex_unlock(&reaper->lock);
	return NULL;
}

int reaper_new(struct reaper **ret)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));
	int r;

	if (!reaper)
		return -ENOMEM;
	pthread_mutex_init(&reaper->lock, NULL);
	pthread_cond_init(&reaper->changed, NULL);
	r = pthread_create(&reaper->thread, NULL, reap, reaper);
	if (r) {
		free(reaper);
		return -r;
	}
	*ret = reaper;
	return 0;
}

void reaper_take(struct reaper *reaper, struct target *target)
{
	struct target *slot;

	pthread_mutex_lock(&reaper->lock);
	slot = targets_add(&reaper->dead, target->pid);
	/* A pid that died twice since the last round: both are merged into one. */
	if (slot && links_move(&slot->links, &target->links) == 0)
		pthread_cond_signal(&reaper->changed);
	pthread_mutex_unlock(&reaper->lock);
	/* Without memory to hand it over, close it here. */
	target_free(&target);
}

void reaper_free(struct reaper **reaper)
{
	struct reaper *ending = *reaper;

	if (!ending)
		return;
	pthread_mutex_lock(&ending->lock);
	ending->is_ending = true;
	pthread_cond_signal(&ending->changed);
	pthread_mutex_unlock(&ending->lock);
	pthread_join(ending->thread, NULL);
	free(ending->dead.items);
	pthread_cond_destroy(&ending->changed);
	pthread_mutex_destroy(&ending->lock);
	freep(reaper);
}
