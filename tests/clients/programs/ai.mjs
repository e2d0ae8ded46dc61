// Vercel's AI SDK over @ai-sdk/openai-compatible or @ai-sdk/anthropic, as the argument says.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { BASE_URL, MODEL, check, citySchema, lead, lookup } from "./dialogue.mjs";

const options = { name: "pilot", baseURL: `${BASE_URL}/v1`, apiKey: "none" };
const provider = process.argv[2] === "anthropic" ? createAnthropic(options) : createOpenAICompatible(options);
const tools = { lookup: tool({ inputSchema: jsonSchema(citySchema), execute: lookup }) };

await lead({
  messages: [],
  async new() {
    this.messages = [];
    return {};
  },
  async ask(text) {
    this.messages.push({ role: "user", content: text });
    return this.end(await generateText(this.request()));
  },
  async stream(text) {
    this.messages.push({ role: "user", content: text });
    let failed = null;
    const stream = streamText({ ...this.request(), onError: ({ error }) => (failed = error) });
    let said = "";
    for await (const piece of stream.textStream) said += piece;
    if (failed) throw failed;
    check(said === (await stream.text), "the deltas are not the whole");
    return this.end({ text: said, response: await stream.response });
  },
  async tool(text) {
    this.messages.push({ role: "user", content: text });
    return this.end(await generateText({ ...this.request(), tools, stopWhen: stepCountIs(2) }));
  },
  request() {
    const system = "You are Timmy.";
    return { model: provider(MODEL), system, messages: this.messages, maxOutputTokens: 300, maxRetries: 0 };
  },
  end({ text, response }) {
    this.messages.push({ role: "assistant", content: text });
    return { text, model: response.modelId };
  },
});
