#!/usr/bin/python3
"""A Tocsin plugin in Python: a receiver that posts every notification to a URL."""

import json
import urllib.error
import urllib.request

from tocsin_plugin import Permanent, Retry, serve

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["url"],
    "properties": {
        "url": {"type": "string", "description": "where notifications are posted", "pattern": "^https?://"},
        "token": {"type": "string", "description": "what the service knows us by", "writeOnly": True},
        "most": {"type": "integer", "description": "how many alerts are listed", "minimum": 1, "default": 20},
    },
}

# Statuses that a service gives while it is being deployed, or its key changed:
# they may pass, as 5xx do.
MAY_PASS = {401, 403, 404, 407, 408, 409, 423, 425, 429}


def notify(settings, notification, request, context):
    lines = list(notification.lines[: settings["most"]])
    left = len(notification.lines) - len(lines)
    if left:
        lines.append(f"and {left} more: {notification.list_url}")
    body = {"id": request.delivery_id, "title": notification.title, "lines": lines, "after": notification.reference}
    post = urllib.request.Request(
        settings["url"], json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    if settings.get("token"):
        post.add_header("Authorization", "Bearer " + settings["token"])
    try:
        with urllib.request.urlopen(post, timeout=min(context.time_remaining() or 30, 30)) as answer:
            return answer.headers.get("X-Message-Id")
    except urllib.error.HTTPError as e:
        text = f"the service answered {e.code} {e.reason}"
        if e.code >= 500 or e.code in MAY_PASS:
            wait = e.headers.get("Retry-After", "")
            raise Retry(text, after=int(wait) if wait.isdigit() else None, status=e.code) from None
        raise Permanent(text, status=e.code) from None
    except (OSError, ValueError) as e:
        raise Retry(f"no answer: {getattr(e, 'reason', e)}") from None


if __name__ == "__main__":
    serve("example-python", "1.0.0", SCHEMA, notify)
