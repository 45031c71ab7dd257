// SPDX-License-Identifier: Apache-2.0
// The official OpenAI client for Node; the same calls and reports as sdk_openai.py.

import OpenAI from 'openai';
import { KEY, SCHEMA, main, toolNames } from './sdk.mjs';

const starts = {
	chat: (client, call, body) => client.chat.completions.create({
		...body, ...(call.stream ? { stream_options: { include_usage: true } } : {}),
		messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: call.text }],
		...(call.tools ? { tools: toolNames(call).map((name) =>
			({ type: 'function', function: { name, parameters: SCHEMA } })) } : {}),
	}),
	responses: (client, call, body) => client.responses.create({
		...body, input: call.text, instructions: 'Be brief.',
		...(call.tools ? { tools: toolNames(call).map((name) =>
			({ type: 'function', name, parameters: SCHEMA, strict: false })) } : {}),
	}),
	embed: (client, call, body) => client.embeddings.create({
		...body, input: [call.text, 'another'] }),
	completion: (client, call, body) => client.completions.create({ ...body, prompt: call.text,
		...(call.stream ? { stream_options: { include_usage: true } } : {}) }),
	image: (client, call, body) => client.images.generate({ ...body, prompt: call.text }),
};

const wholes = {
	chat(report, answer) {
		const { message, finish_reason: finish } = answer.choices[0];
		report.set({ id: answer.id, model: answer.model, usage: answer.usage, finish });
		report.add({ text: message.content, reasoning: message.reasoning_content,
			refusal: message.refusal });
		for (const tool of message.tool_calls ?? [])
			report.tool(tool.id, tool.function.name, tool.function.arguments);
	},
	responses(report, answer) {
		report.set({ id: answer.id, model: answer.model, usage: answer.usage,
			finish: answer.incomplete_details?.reason ?? answer.status,
			text: answer.output_text ?? '' });
		if (answer.error)
			report.fields.error = { class: null, message: answer.error.message };
		for (const item of answer.output) {
			if (item.type === 'reasoning')
				report.fields.reasoning += item.summary.map((one) => one.text).join('');
			else if (item.type === 'function_call')
				report.fields.tools.push([item.call_id, item.name, item.arguments]);
			else if (item.type === 'message')
				for (const part of item.content)
					report.fields[part.type === 'refusal' ? 'refusal' : 'said'] +=
						part.refusal ?? part.text;
		}
		// A stream's last response has no output_text, its parts have.
		report.fields.text ||= report.fields.said;
	},
	completion: (report, answer) => events.completion(report, answer),
	embed(report, answer) {
		report.set({ model: answer.model, usage: answer.usage,
			vectors: [answer.data.length, answer.data[0].embedding.length] });
	},
	image(report, answer) {
		report.set({ usage: answer.usage, images: answer.data.length });
	},
};

const events = {
	completion(report, event) {
		report.set({ id: event.id, model: event.model, usage: event.usage });
		for (const choice of event.choices) {
			report.set({ finish: choice.finish_reason });
			report.add({ text: choice.text });
		}
	},
	chat(report, event) {
		report.set({ id: event.id, model: event.model, usage: event.usage });
		for (const choice of event.choices) {
			report.set({ finish: choice.finish_reason });
			report.add({ text: choice.delta.content, reasoning: choice.delta.reasoning_content,
				refusal: choice.delta.refusal });
			for (const part of choice.delta.tool_calls ?? []) {
				if (part.id)
					report.tool(part.id, part.function.name, '');
				report.fields.tools[part.index][2] += part.function.arguments ?? '';
			}
		}
	},
	responses(report, event) {
		if (event.type.endsWith('.delta'))
			report.mark();
		else if (/^response\.(completed|incomplete|failed)$/.test(event.type))
			wholes.responses(report, event.response);
	},
};

main({
	open: (base) => new OpenAI({ baseURL: `${base}/v1`, apiKey: KEY, maxRetries: 0 }),
	start: (client, call) => starts[call.op](client, call,
		{ model: call.model, ...(call.stream ? { stream: true } : {}) }),
	event: (report, event) => events[report.call.op](report, event),
	whole: (report, answer) => wholes[report.call.op](report, answer),
});
