// SPDX-License-Identifier: Apache-2.0
// What Node's clients share: headers, and the report of client.py.

export const headers = {
	'content-type': 'application/json', 'authorization': 'Bearer GTCANARY-key',
	'x-api-key': 'GTCANARY-xkey', 'cookie': 'session=GTCANARY-cookie',
};
export const now = () => Number(process.hrtime.bigint());

export function addEvent(report, event) {
	report.id = event.id || report.id;
	report.model = event.model || report.model;
	report.usage = event.usage || report.usage;
	for (const choice of event.choices || []) {
		const message = choice.delta || choice.message || { content: choice.text };
		if (message.content || message.tool_calls)
			report.first ??= now();
		if (choice.index !== 0)
			continue;
		report.text += message.content || '';
		report.finish = choice.finish_reason || report.finish;
		(message.tool_calls || []).forEach((part, position) => {
			const tool = report.tools[part.index ?? position] ??= [part.id, part.function.name, ''];
			tool[2] += part.function.arguments || '';
		});
	}
}

export const newReport = () => ({ id: null, model: null, text: '',
	usage: null, finish: null, tools: [], error: null, started: now(), first: null });

// Adds the events that are whole in @text; gives back the rest of it.
export function addLines(report, text) {
	const lines = text.split('\n');
	const rest = lines.pop();
	for (const line of lines)
		if (line.startsWith('data: ') && line !== 'data: [DONE]')
			addEvent(report, JSON.parse(line.slice(6)));
	return rest;
}

export function addBody(report, body) {
	report.error = body.error?.message ?? null;
	addEvent(report, body);
	report.first = null;
}
