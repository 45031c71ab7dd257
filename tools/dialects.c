/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the dialect table as Markdown, for the README. */
#include <stdio.h>

#include "llm/dialect.h"
#include "llm/lanes.h"

static void print_paths(const struct dialect *dialect)
{
	const char *socket = lanes_route(dialect), *between = "";

	for (const char *const *route = dialect->routes; *route; route++, between = ", ")
		printf("%s`%s`", between, *route);
	if (socket)
		printf("%sWebSocket at `%s`", between, socket);
}

int main(void)
{
	puts("| dialect | what it is | found at the end of the path | streams as |");
	puts("|---|---|---|---|");
	for (const struct dialect *const *d = dialects; *d; d++) {
		printf("| `%s` | %s | ", (*d)->name, (*d)->title);
		print_paths(*d);
		printf(" | %s |\n", (*d)->streams ? (*d)->streams : "");
	}
	return 0;
}
