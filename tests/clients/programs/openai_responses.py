"""The openai SDK's Responses: stateless, so the program keeps the items."""

import json

import openai
from dialogue import BASE_URL, MODEL, lead, lookup

TOOL = {
    "type": "function",
    "name": "lookup",
    "description": lookup.__doc__,
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


class Conversation:
    def __init__(self):
        self.client = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key="none", max_retries=0)
        self.new()

    def new(self):
        self.items = []
        return {}

    def models(self):
        return {"text": " ".join(model.id for model in self.client.models.list())}

    def ask(self, text):
        self.items.append({"role": "user", "content": text})
        return self.end(self.client.responses.create(**self.request()))

    def stream(self, text):
        self.items.append({"role": "user", "content": text})
        with self.client.responses.stream(**self.request()) as stream:
            said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            whole = stream.get_final_response()
        assert said == whole.output_text, "the helper's deltas are not its whole"
        return self.end(whole)

    def tool(self, text):
        self.items.append({"role": "user", "content": text})
        with self.client.responses.stream(**self.request(), tools=[TOOL]) as stream:
            called = stream.get_final_response()
        calls = [item for item in called.output if item.type == "function_call"]
        self.items += [
            {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
            for call in calls
        ]
        self.items += [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": lookup(**json.loads(call.arguments)),
            }
            for call in calls
        ]
        return self.end(self.client.responses.create(**self.request(), tools=[TOOL]))

    def wrong(self):
        self.client.responses.create(model=MODEL, input="Hi", previous_response_id="resp_1")

    def request(self):
        return {"model": MODEL, "instructions": "You are Timmy.", "input": self.items, "max_output_tokens": 300}

    def end(self, response):
        assert response.status in ("completed", "incomplete"), response.status
        self.items.append({"role": "assistant", "content": response.output_text})
        return {"text": response.output_text, "model": response.model}


lead(Conversation())
