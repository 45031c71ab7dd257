/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the dialect table as Markdown, for the README. */
#include <stdio.h>

#include "llm/dialect.h"

int main(void)
{
	puts("| dialect | what it is | found at the end of the path | streams as |");
	puts("|---|---|---|---|");
	for (const struct dialect *const *d = dialects; *d; d++) {
		printf("| `%s` | %s | ", (*d)->name, (*d)->title);
		for (const char *const *route = (*d)->routes; *route; route++)
			printf("%s`%s`", route == (*d)->routes ? "" : ", ", *route);
		printf(" | %s |\n", (*d)->streams ? (*d)->streams : "");
	}
	return 0;
}
