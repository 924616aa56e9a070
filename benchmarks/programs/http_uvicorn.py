"""uvicorn with uvloop and httptools, and the same application written for ASGI."""

from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from benchmarks.programs import http_content as content
from benchmarks.programs.driver import announce_port
from benchmarks.programs.http_listener import listen

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def _answer(body: bytes, kind: str) -> tuple[Message, Message]:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


ANSWERS = {
    content.HELLO_PATH: _answer(content.HELLO, content.TEXT_TYPE),
    content.JSON_PATH: _answer(content.JSON, content.JSON_TYPE),
    content.DOWNLOAD_PATH: _answer(content.DOWNLOAD, content.OCTETS_TYPE),
}


async def application(scope: Message, receive: Receive, send: Send) -> None:
    if scope["method"] == "POST":
        length, is_more = 0, True
        while is_more:
            message = await receive()
            length += len(message.get("body", b""))
            is_more = message.get("more_body", False)
        start, body = _answer(b'{"received": %d}' % length, content.JSON_TYPE)
    else:
        start, body = ANSWERS[scope["path"]]
    await send(start)
    await send(body)


def main() -> None:
    listener = listen()
    announce_port(listener.getsockname()[1])
    config = uvicorn.Config(
        application, interface="asgi3", lifespan="off", log_level="warning", access_log=False
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
