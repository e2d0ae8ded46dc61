// The @anthropic-ai/sdk package: Messages, whole, by its strict stream helper, and with a tool.
import Anthropic from "@anthropic-ai/sdk";
import { BASE_URL, MODEL, check, citySchema, lead, lookup } from "./dialogue.mjs";

const client = new Anthropic({ baseURL: BASE_URL, apiKey: "none", maxRetries: 0 });
const tools = [{ name: "lookup", input_schema: citySchema }];
const textOf = (message) =>
  message.content
    .filter((block) => block.type === "text")
    .map((block) => block.text)
    .join("");

await lead({
  messages: [],
  async new() {
    this.messages = [];
    return {};
  },
  async models() {
    return { text: (await client.models.list()).data.map((model) => model.id).join(" ") };
  },
  async ask(text) {
    this.messages.push({ role: "user", content: text });
    return this.end(await client.messages.create(this.request()));
  },
  async stream(text) {
    this.messages.push({ role: "user", content: text });
    let said = "";
    const whole = await client.messages
      .stream(this.request())
      .on("text", (delta) => (said += delta))
      .finalMessage();
    check(said === textOf(whole), "the helper's deltas are not its whole");
    check(whole.usage.output_tokens > 0, "no usage");
    return this.end(whole);
  },
  async tool(text) {
    this.messages.push({ role: "user", content: text });
    const message = await client.messages.stream({ ...this.request(), tools }).finalMessage();
    const results = message.content
      .filter((block) => block.type === "tool_use")
      .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: lookup(block.input) }));
    this.messages.push({ role: "assistant", content: message.content }, { role: "user", content: results });
    return this.end(await client.messages.create({ ...this.request(), tools }));
  },
  async wrong() {
    await client.messages.create({ model: MODEL, messages: [], max_tokens: 300 });
  },
  request() {
    return { model: MODEL, system: "You are Timmy.", messages: this.messages, max_tokens: 300 };
  },
  end(message) {
    check(["end_turn", "max_tokens"].includes(message.stop_reason), message.stop_reason);
    this.messages.push({ role: "assistant", content: message.content });
    return { text: textOf(message), model: message.model };
  },
});
