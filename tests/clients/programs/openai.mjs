// The openai package: Chat Completions, whole, by its strict stream helper, and with a tool.
import OpenAI from "openai";
import { BASE_URL, MODEL, check, citySchema, lead, lookup } from "./dialogue.mjs";

const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: "none", maxRetries: 0 });
const tools = [{ type: "function", function: { name: "lookup", parameters: citySchema } }];

await lead({
  messages: [],
  async new() {
    this.messages = [{ role: "system", content: "You are Timmy." }];
    return {};
  },
  async models() {
    return { text: (await client.models.list()).data.map((model) => model.id).join(" ") };
  },
  async ask(text) {
    this.messages.push({ role: "user", content: text });
    return this.end(await client.chat.completions.create(this.request()));
  },
  async stream(text) {
    this.messages.push({ role: "user", content: text });
    const stream = client.chat.completions.stream({ ...this.request(), stream_options: { include_usage: true } });
    let said = "";
    stream.on("content", (delta) => (said += delta));
    const whole = await stream.finalChatCompletion();
    check(said === whole.choices[0].message.content, "the helper's deltas are not its whole");
    check(whole.usage.completion_tokens > 0, "no usage");
    return this.end(whole);
  },
  async tool(text) {
    this.messages.push({ role: "user", content: text });
    const { message } = (await client.chat.completions.stream({ ...this.request(), tools }).finalChatCompletion())
      .choices[0];
    this.messages.push(message);
    for (const call of message.tool_calls) {
      const content = lookup(JSON.parse(call.function.arguments));
      this.messages.push({ role: "tool", tool_call_id: call.id, content });
    }
    return this.end(await client.chat.completions.create({ ...this.request(), tools }));
  },
  async wrong() {
    await client.chat.completions.create({ model: MODEL, messages: [{ role: "user", content: "Hi" }], n: 2 });
  },
  request() {
    return { model: MODEL, messages: this.messages, max_tokens: 300 };
  },
  end(completion) {
    const { message, finish_reason } = completion.choices[0];
    check(["stop", "length"].includes(finish_reason), finish_reason);
    this.messages.push({ role: "assistant", content: message.content });
    return { text: message.content, model: completion.model };
  },
});
