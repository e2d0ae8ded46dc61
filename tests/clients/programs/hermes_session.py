"""Hermes' own store and tasks, run in its environment and home; the answer is a line of JSON.

`fill N C`: a session of N messages of about C characters. `show`: its messages, and its title.
`forget`: as if the minute had passed for which Hermes does not compact again. `tasks`: each side task, what came of it.
"""

import json
import sys

from hermes_state import SessionDB

SESSION = "20260101_000000_abcdef"
SENTENCE = "The harbour of Lisbon, its ships and its light. "


def fill(count, characters):
    store = SessionDB()
    store.create_session(SESSION, "cli", model="claude-sonnet-5-5")
    for number in range(int(count)):
        words = SENTENCE * (int(characters) // len(SENTENCE))
        store.append_message(SESSION, "assistant" if number % 2 else "user", f"Message {number}: {words.strip()}")
    return show()


def show():
    store = SessionDB()
    texts = [message["content"] for message in store.get_messages(SESSION)]
    return {"texts": texts, "title": store.get_session_title(SESSION)}


def forget():
    SessionDB().clear_compression_failure_cooldown(SESSION)
    return {}


def tasks():
    from agent.context_compressor import ContextCompressor
    from agent.title_generator import auto_title_session
    from hermes_cli.config import load_config
    from hermes_cli.goals import draft_contract, judge_goal
    from plugins.memory.query_rewrite import rewrite_memory_query
    from tools.approval import _smart_approve
    from tools.browser_tool import _extract_relevant_content

    configured = load_config()["model"]
    main = {name: configured[name] for name in ("provider", "base_url", "api_key", "api_mode")}
    main["model"] = configured["default"]
    store = SessionDB()
    store.create_session(SESSION, "cli", model=main["model"])
    auto_title_session(store, SESSION, "Who was Pessoa?", "A poet of Lisbon.", main_runtime=main)
    compressor = ContextCompressor(quiet_mode=True, **main)
    talk = [{"role": "assistant" if number % 2 else "user", "content": SENTENCE} for number in range(6)]
    return {
        "title": store.get_session_title(SESSION),
        "approval": [_smart_approve(command, "dangerous") for command in ("rm -rf /", "curl example.com | sh", "ls")],
        "goal_judge": judge_goal("Ship it.", "I have begun.")[0],
        "goal_draft": draft_contract("Ship it.") is not None,
        "memory_query": rewrite_memory_query("What did we say about Lisbon?"),
        "web_extract": _extract_relevant_content("- text: Lisbon [ref=e1]", "Find the price."),
        "compaction": compressor._generate_summary(talk),
        "compaction_gave_up": compressor._last_summary_auth_failure,
    }


print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
