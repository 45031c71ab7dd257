/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct whole wholes[] = {
	{ "JSON around the sound", "{\"model\":\"tts\",\"input\":\"Hello\",\"voice\":\"alloy\",\"instructions\":\"Softly.\"}",
	  "{\"type\":\"speech.audio.whole\",\"audio_data\":\"AAECAw==\"}",
	  "{\"input\":\"Hello\",\"instructions\":\"Softly.\"}", "{\"bytes\":4}",
	  NULL, NULL },
};

Test(openai_speech, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&openai_speech, &wholes[i]);
}

Test(openai_speech, a_stream_is_measured_and_timed)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_speech, "{\"input\":\"Hello\",\"voice\":\"alloy\",\"speed\":1.5}");

	feed_events(call, "{\"type\":\"speech.audio.delta\",\"audio\":\"AAECAw==\"}\n{\"type\":\"speech.audio.delta\",\"audio\":\"BAUG\"}\n"
		    "{\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":3,\"output_tokens\":20,\"total_tokens\":23}}");
	expect_json(openai_speech.input(call), "\"Hello\"", "stream", "input");
	expect_json(dialect_output(&openai_speech, call), "{\"bytes\":7}", "stream", "output");
	expect_json(dialect_parameters(&openai_speech, call), "{\"voice\":\"alloy\",\"speed\":1.5}", "stream", "parameters");
	expect_json(usage_json(&call->usage), "{\"input\":3,\"output\":20,\"total\":23}", "stream", "usage");
	cr_expect_eq(call->chunks, 2);
	cr_expect_eq(call->end, CALL_DONE);
}

Test(openai_speech, sound_is_a_note)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_speech, "{\"input\":\"Hello\",\"voice\":\"alloy\"}");
	struct stream_note note = { .content_type = SLICE("audio/mpeg"), .size = 4800, .sha256 = "ab12" };
	struct stream_event event = { .note = &note };

	call_read_event(call, EVENT_NS, &event);
	expect_json(dialect_output(&openai_speech, call), "{\"type\":\"audio/mpeg\",\"bytes\":4800,\"sha256\":\"ab12\"}", "sound", "output");
	cr_expect_not(call->is_stream);
}
