"""LangChain's chat models: `openai` (langchain-openai) or `anthropic` (langchain-anthropic), as the argument says."""

import sys

from dialogue import BASE_URL, MODEL, lead, lookup
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

if sys.argv[1] == "openai":
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(base_url=f"{BASE_URL}/v1", api_key="none", model=MODEL, max_tokens=300, max_retries=0)
else:
    from langchain_anthropic import ChatAnthropic

    chat = ChatAnthropic(base_url=BASE_URL, api_key="none", model=MODEL, max_tokens=300, max_retries=0)


class Conversation:
    def __init__(self):
        self.new()

    def new(self):
        self.messages = [SystemMessage("You are Timmy.")]
        return {}

    def ask(self, text):
        self.messages.append(HumanMessage(text))
        return self.end(chat.invoke(self.messages))

    def stream(self, text):
        self.messages.append(HumanMessage(text))
        whole = None
        for chunk in chat.stream(self.messages):
            whole = chunk if whole is None else whole + chunk
        return self.end(whole)

    def tool(self, text):
        self.messages.append(HumanMessage(text))
        with_tool = chat.bind_tools([tool(lookup)])
        message = with_tool.invoke(self.messages)
        self.messages.append(message)
        for call in message.tool_calls:
            self.messages.append(ToolMessage(lookup(**call["args"]), tool_call_id=call["id"]))
        return self.end(with_tool.invoke(self.messages))

    def end(self, message):
        self.messages.append(message)
        metadata = message.response_metadata
        return {"text": message.text, "model": metadata.get("model_name") or metadata.get("model")}


lead(Conversation())
