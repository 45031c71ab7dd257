/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"
#include "llm/servers.h"

static const struct whole wholes[] = {
	{ "Cohere: searches are billed", "{\"model\":\"rerank-v4\",\"query\":\"capital\",\"documents\":[\"Oslo\",\"Bergen\"],\"top_n\":1}",
	  "{\"id\":\"r1\",\"results\":[{\"index\":0,\"relevance_score\":0.99}],\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_units\":{\"search_units\":1}}}",
	  "{\"query\":\"capital\",\"documents\":[\"Oslo\",\"Bergen\"]}", "[{\"index\":0,\"relevance_score\":0.99}]",
	  NULL, "{\"billedUnits\":{\"search_units\":1}}" },
	{ "Cohere: tokens as fractions", "{\"query\":\"q\",\"documents\":[\"d\"]}",
	  "{\"results\":[{\"index\":0,\"relevance_score\":0}],\"meta\":{\"tokens\":{\"input_tokens\":12.0,\"output_tokens\":0.0}}}",
	  "{\"query\":\"q\",\"documents\":[\"d\"]}", "[{\"index\":0,\"relevance_score\":0}]",
	  "{\"input\":12,\"output\":0}", NULL },
	{ "vLLM: tokens", "{\"query\":\"q\",\"documents\":[\"d\"]}",
	  "{\"id\":\"rerank-1\",\"model\":\"bge\",\"usage\":{\"prompt_tokens\":12,\"total_tokens\":12},\"results\":[{\"index\":0,\"document\":{\"text\":\"d\"},\"relevance_score\":0.5}]}",
	  "{\"query\":\"q\",\"documents\":[\"d\"]}", "[{\"index\":0,\"document\":{\"text\":\"d\"},\"relevance_score\":0.5}]",
	  "{\"input\":12,\"total\":12}", NULL },
	{ "TEI: the bare array", "{\"query\":\"q\",\"texts\":[\"d\"]}",
	  "[{\"index\":0,\"score\":0.5}]",
	  "{\"query\":\"q\",\"texts\":[\"d\"]}", "[{\"index\":0,\"score\":0.5}]",
	  NULL, NULL },
};

Test(rerank, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&rerank, &wholes[i]);
}
