/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/target.h"

#include <errno.h>

#include "base/base.h"

static size_t index_of(const struct targets *targets, int pid)
{
	size_t i = 0;

	while (i < targets->count && targets->items[i]->pid != pid)
		i++;
	return i;
}

struct target *targets_find(const struct targets *targets, int pid)
{
	size_t i = index_of(targets, pid);

	return i < targets->count ? targets->items[i] : NULL;
}

struct target *targets_add(struct targets *targets, int pid)
{
	struct target *target = targets_find(targets, pid);

	if (target)
		return target;
	if (targets->count == targets->size) {
		size_t size = targets->size ? targets->size * 2 : 16;
		struct target **items = reallocarray(targets->items, size, sizeof(*items));

		if (!items)
			return NULL;
		targets->items = items;
		targets->size = size;
	}
	target = calloc(1, sizeof(*target));
	if (!target)
		return NULL;
	target->pid = pid;
	targets->items[targets->count++] = target;
	return target;
}

struct target *targets_take(struct targets *targets, int pid)
{
	size_t i = index_of(targets, pid);
	struct target *target;

	if (i == targets->count)
		return NULL;
	target = targets->items[i];
	targets->items[i] = targets->items[--targets->count];
	return target;
}

void target_free(struct target **target)
{
	if (!*target)
		return;
	links_close(&(*target)->links);
	free((*target)->libraries);
	freep(target);
}

void targets_done(struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++)
		target_free(&targets->items[i]);
	free(targets->items);
	*targets = (struct targets){};
}

struct attached_library *target_library(const struct target *target, uint64_t dev, uint64_t inode)
{
	for (size_t i = 0; i < target->library_count; i++)
		if (target->libraries[i].dev == dev && target->libraries[i].inode == inode)
			return &target->libraries[i];
	return NULL;
}

int target_add_library(struct target *target, const struct tls_library *library)
{
	struct attached_library *libraries = reallocarray(target->libraries, target->library_count + 1,
							  sizeof(*libraries));

	if (!libraries)
		return -ENOMEM;
	target->libraries = libraries;
	libraries += target->library_count++;
	*libraries = (struct attached_library){ .dev = library->dev, .inode = library->inode };
	snprintf(libraries->text, sizeof(libraries->text), "%s %s", library->kind, library->name);
	return 0;
}
