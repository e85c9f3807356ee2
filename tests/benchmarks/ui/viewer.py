"""A viewer without a browser: Streamlit's own protocol over a websocket, for a crowd that one machine can play.

`Viewer.open` asks for a page as a browser does, `rerun` clicks, and both return when the server says that the script has run to
the end. What the page shows is kept by the place of each element, as a browser keeps it. Knows no page.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

MOST_BYTES = 64 << 20
PATIENCE = 60.0


class Viewer:
    """One session. url: of the server; page: the path of a page, as in a link; query: what follows its `?`."""

    def __init__(self, url: str, page: str = "", query: str = "") -> None:
        self.address = urlsplit(url)
        self.page, self.query = page, query
        self.elements: dict[tuple[int, ...], Any] = {}
        self.script = ""
        self.states: dict[str, WidgetState] = {}
        self.known: dict[str, ForwardMsg] = {}  # by their hash, those that the server need not say again
        self.bytes = 0
        self.socket: ClientConnection | None = None

    async def __aenter__(self) -> Viewer:
        address = f"ws://{self.address.netloc}/_stcore/stream"
        self.socket = await connect(address, subprotocols=["streamlit"], max_size=MOST_BYTES, open_timeout=PATIENCE)  # type: ignore[list-item]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.socket is not None
        await self.socket.close()

    async def open(self) -> float:
        """Ask for the page and wait for all of it. Returns the seconds until it stood."""
        return await self.rerun()

    async def rerun(self, *changed: WidgetState) -> float:
        """Run the script again with changed widgets, as after a click, and return the seconds until it had run to the end."""
        asked = BackMsg()
        state = asked.rerun_script
        state.query_string = self.query
        if self.script:
            state.page_script_hash = self.script
        else:
            state.page_name = self.page
        state.context_info.timezone = "UTC"
        state.context_info.locale = "en-GB"
        state.context_info.url = f"{self.address.scheme}://{self.address.netloc}/{self.page}"
        state.cached_message_hashes.extend(self.known)
        self.states |= {each.id: each for each in changed}
        state.widget_states.widgets.extend(self.states.values())
        began = time.perf_counter()
        await self._send(asked)
        await self._finished()
        # A trigger is one click and no state: it is not sent again.
        for each in changed:
            if each.WhichOneof("value") in ("trigger_value", "json_trigger_value", "string_trigger_value"):
                del self.states[each.id]
        return time.perf_counter() - began

    def texts(self) -> Iterator[str]:
        """Yield what headings and Markdown of the page say."""
        for element in self.elements.values():
            kind = element.WhichOneof("type")
            if kind in ("heading", "markdown"):
                yield getattr(element, kind).body

    def widget(self, key: str) -> Any:
        """Return the message of the widget that has a key in the page's code. Raises KeyError."""
        for element in self.elements.values():
            kind = element.WhichOneof("type")
            part = getattr(element, kind) if kind else None
            if getattr(part, "id", "").endswith(f"-{key}"):
                return part
        raise KeyError(f"no widget {key} on /{self.page}")

    async def listen(self) -> None:
        """Read what the server says by itself, without end."""
        while True:
            await self._read()

    async def _send(self, message: BackMsg) -> None:
        assert self.socket is not None
        await self.socket.send(message.SerializeToString())

    async def _finished(self) -> None:
        ended = (
            ForwardMsg.FINISHED_SUCCESSFULLY,
            ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
            ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
        )
        while (message := await self._read()).WhichOneof("type") != "script_finished" or message.script_finished not in ended:
            pass

    async def _read(self) -> ForwardMsg:
        assert self.socket is not None
        received = await self.socket.recv()
        assert isinstance(received, bytes)
        self.bytes += len(received)
        message: ForwardMsg = ForwardMsg.FromString(received)
        kind = message.WhichOneof("type")
        place = tuple(message.metadata.delta_path)
        if kind == "ref_hash":
            message = self.known[message.ref_hash]
            kind = message.WhichOneof("type")
        elif message.hash:
            self.known[message.hash] = message
        if kind == "new_session":
            self.script = message.new_session.page_script_hash
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self.elements[place] = message.delta.new_element
        return message
