"""The anthropic SDK's Messages, whole, by its strict stream helper, and with a tool."""

import anthropic
from dialogue import BASE_URL, MODEL, lead, lookup

TOOL = {
    "name": "lookup",
    "description": lookup.__doc__,
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Conversation:
    def __init__(self):
        self.client = anthropic.Anthropic(base_url=BASE_URL, api_key="none", max_retries=0)
        self.new()

    def new(self):
        self.messages = []
        return {}

    def models(self):
        return {"text": " ".join(model.id for model in self.client.models.list())}

    def ask(self, text):
        self.messages.append({"role": "user", "content": text})
        counted = self.client.messages.count_tokens(model=MODEL, messages=self.messages)
        assert counted.input_tokens > 0, "nothing was counted"
        return self.end(self.client.messages.create(**self.request()))

    def stream(self, text):
        self.messages.append({"role": "user", "content": text})
        with self.client.messages.stream(**self.request()) as stream:
            said = "".join(stream.text_stream)
            whole = stream.get_final_message()
        assert said == text_of(whole), "the helper's deltas are not its whole"
        assert whole.usage.output_tokens > 0, "no usage"
        return self.end(whole)

    def tool(self, text):
        self.messages.append({"role": "user", "content": text})
        with self.client.messages.stream(**self.request(), tools=[TOOL]) as stream:
            message = stream.get_final_message()
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": lookup(**block.input)}
            for block in message.content
            if block.type == "tool_use"
        ]
        self.messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        return self.end(self.client.messages.create(**self.request(), tools=[TOOL]))

    def wrong(self):
        self.client.messages.create(model=MODEL, messages=[], max_tokens=300)

    def request(self):
        return {"model": MODEL, "system": "You are Timmy.", "messages": self.messages, "max_tokens": 300}

    def end(self, message):
        assert message.stop_reason in ("end_turn", "max_tokens"), message.stop_reason
        self.messages.append({"role": "assistant", "content": message.content})
        return {"text": text_of(message), "model": message.model}


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


lead(Conversation())
