"""The refusal of a request that only Claude may answer, while Claude cannot."""

from gateway.dialects.errors import ApiError
from gateway.dialects.interface import Dialect
from gateway.relay.eligibility import Eligibility
from gateway.relay.failover import RETRY_AFTER_SECONDS
from gateway.status.contracts import ClaudeView

CODE = "claude_unavailable"  # nginx says the same without the gateway, see nginx.conf


def refusal(dialect: Dialect, eligible: Eligibility, claude: ClaudeView, reason: str) -> ApiError:
    """What the client gets: for a recognised task the status that leaves its data whole, else a 503.

    Only a 503 says more of Claude: clients read meanings of their own from the words of other errors.
    """
    task = eligible.task
    status = task.answer if task else 503
    retry_after_seconds = claude.retry_in_seconds or RETRY_AFTER_SECONDS
    if task:
        name = task.task.replace("_", " ")
        whose = f"this request ({name}) is not for the local model: what it wrote would be kept as if it were Claude's."
    else:
        whose = "this request is for Claude alone."
    said = [f"Claude cannot be asked right now, and {whose}"]
    if status == 503:
        # The last poll may be older than the failure.
        said.append(f"Claude: {f'it has just failed ({reason}).' if claude.state == 'closed' else claude.detail}")
    said.append(f"Try again in {retry_after_seconds} second{'s' if retry_after_seconds > 1 else ''}.")
    headers = {"Retry-After": str(retry_after_seconds), "X-Fallback-Reason": reason}
    if task:
        headers["X-Should-Retry"] = "false"  # the SDKs' own; a client that is at it at once would wait for nothing
    return dialect.error(status, " ".join(said), CODE, headers)
