// The official Node clients against a server: HERD_URL, HERD_KEY. Their accumulators throw where a stream breaks a rule.
import assert from "node:assert/strict";

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const url = process.env.HERD_URL;
const key = process.env.HERD_KEY;
const openai = new OpenAI({ baseURL: url + "/v1", apiKey: key, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const tools = [{ type: "function", function: { name: "add_note", description: "Writes a note down.",
  parameters: { type: "object", properties: { text: { type: "string" } }, required: ["text"] } } }];

const checks = {
  "S1 S4 S5 S8: the accumulator finishes a stream of two choices": async () => {
    const asked = { model: "cria", messages, max_tokens: 12, temperature: 0, n: 2 };
    const whole = await openai.chat.completions.create(asked);
    const stream = openai.chat.completions.stream({ ...asked, stream_options: { include_usage: true } });
    const final = await stream.finalChatCompletion();
    assert.deepEqual(final.choices.map((c) => c.message.content), whole.choices.map((c) => c.message.content));
    assert.equal(final.usage.completion_tokens, whole.usage.completion_tokens);
  },
  "S7 S8: the accumulator finishes a stream with tools": async () => {
    const asked = { model: "cria", messages: [{ role: "user", content: "Light on in the bathroom, please." }], tools,
      max_tokens: 60, temperature: 0 };
    const whole = await openai.chat.completions.create(asked);
    const final = await openai.chat.completions.stream(asked).finalChatCompletion();
    assert.equal(final.choices[0].finish_reason, whole.choices[0].finish_reason);
    const calls = (answer) => (answer.choices[0].message.tool_calls ?? []).map((c) => [c.function.name, c.function.arguments]);
    assert.deepEqual(calls(final), calls(whole));
  },
  "T3 T4: errors have code and param": async () => {
    await assert.rejects(openai.chat.completions.create({ model: "cria", messages, temperature: 3 }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature" && error.code === "out_of_range");
  },
  "T11: a client that aborts ends the answer": async () => {
    const stream = await openai.chat.completions.create(
      { model: "cria", messages, max_tokens: 2000, stream: true, ignore_eos: true });
    for await (const _ of stream) break;
    stream.controller.abort();
    for (let i = 0; i < 100; ++i) {
      const ready = await (await fetch(url + "/ready")).json();
      if (ready.running === 0) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    assert.fail("the answer goes on");
  },
  "A1 A2 A4: Anthropic's accumulator finishes a stream": async () => {
    const asked = { model: "cria", messages, max_tokens: 12, temperature: 0 };
    const whole = await anthropic.messages.create(asked);
    const final = await anthropic.messages.stream(asked).finalMessage();
    assert.deepEqual(final.content.map((b) => b.text), whole.content.map((b) => b.text));
    assert.equal(final.stop_reason, whole.stop_reason);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log("ok", name);
}
