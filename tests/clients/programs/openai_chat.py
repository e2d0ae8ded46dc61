"""The openai SDK's Chat Completions, whole, by its strict stream helper, and with a tool."""

import json

import openai
from dialogue import BASE_URL, MODEL, lead, lookup

TOOL = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": lookup.__doc__,
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Conversation:
    def __init__(self):
        self.client = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key="none", max_retries=0)
        self.new()

    def new(self):
        self.messages = [{"role": "system", "content": "You are Timmy."}]
        return {}

    def models(self):
        return {"text": " ".join(model.id for model in self.client.models.list())}

    def ask(self, text):
        self.messages.append({"role": "user", "content": text})
        return self.end(self.client.chat.completions.create(model=MODEL, messages=self.messages, max_tokens=300))

    def stream(self, text):
        self.messages.append({"role": "user", "content": text})
        with self.client.chat.completions.stream(
            model=MODEL, messages=self.messages, max_tokens=300, stream_options={"include_usage": True}
        ) as stream:
            said = "".join(event.delta for event in stream if event.type == "content.delta")
            whole = stream.get_final_completion()
        assert said == whole.choices[0].message.content, "the helper's deltas are not its whole"
        assert whole.usage.completion_tokens > 0, "no usage"
        return self.end(whole)

    def tool(self, text):
        self.messages.append({"role": "user", "content": text})
        with self.client.chat.completions.stream(
            model=MODEL, messages=self.messages, max_tokens=300, tools=[TOOL]
        ) as stream:
            message = stream.get_final_completion().choices[0].message
        self.messages.append(message.to_dict())
        for call in message.tool_calls:
            result = lookup(**json.loads(call.function.arguments))
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        return self.end(
            self.client.chat.completions.create(model=MODEL, messages=self.messages, max_tokens=300, tools=[TOOL])
        )

    def wrong(self):
        self.client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}], n=2)

    def end(self, completion):
        choice = completion.choices[0]
        assert choice.finish_reason in ("stop", "length"), choice.finish_reason
        self.messages.append({"role": "assistant", "content": choice.message.content})
        return {"text": choice.message.content, "model": completion.model}


lead(Conversation())
