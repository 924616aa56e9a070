"""The server's side of Telnet, as far as a line-oriented console needs it.

Bytes go in; lines, interrupts and ends of input come out. Option negotiation is answered as
RFC 854 asks: every option is refused, so the client stays in its initial mode (it echoes and
edits lines by itself). The one exception is the timing mark (RFC 860): clients throw away all
output from an interrupt until it is answered. A client that is no telnet at all, such as
netcat, is understood as well: its bytes are lines.

A line ends with LF, CR LF, CR NUL, or a CR alone. The control characters that a terminal in
character mode sends for Ctrl-C and Ctrl-D mean what the commands IP and EOF mean.
"""

import re
from enum import Enum, auto
from typing import Final

__all__ = ["Signal", "TelnetDecoder"]

_IAC, _DONT, _DO, _WONT, _WILL, _SB, _SE = 255, 254, 253, 252, 251, 250, 240
_TIMING_MARK: Final = 6
_ARE_YOU_THERE, _ERASE_CHARACTER, _ERASE_LINE = 246, 247, 248
_CTRL_C, _CTRL_D, _LF, _CR, _NUL = 3, 4, 10, 13, 0

_SPECIAL: Final = re.compile(b"[\xff\r\n\x00\x03\x04]")
_VERBS: Final = {_WILL: _DONT, _DO: _WONT, _WONT: None, _DONT: None}
"""Commands about an option, with the refusal that answers them; a refusal needs no answer."""


class Signal(Enum):
    """What a client says besides lines.

    Attributes:
        INTERRUPT: stop what is running (IP, BRK, Ctrl-C).
        END_OF_INPUT: Ctrl-D on an empty line, or the command EOF; more may follow.
    """

    INTERRUPT = auto()
    END_OF_INPUT = auto()


_COMMANDS: Final = {
    236: Signal.END_OF_INPUT,  # EOF, RFC 1184
    238: Signal.INTERRUPT,  # ABORT, RFC 1184
    243: Signal.INTERRUPT,  # BRK
    244: Signal.INTERRUPT,  # IP
}


class _State(Enum):
    TEXT = auto()
    COMMAND = auto()  # after IAC
    OPTION = auto()  # after IAC and a verb
    SUBNEGOTIATION = auto()  # until IAC SE; what it says is ignored
    SUBNEGOTIATION_COMMAND = auto()


class TelnetDecoder:
    """Turns the bytes of a client into lines and signals.

    Attributes:
        speaks_telnet: whether a telnet command was seen; such a client wants CR LF.
        replies: what is to be sent to the client; the caller takes it out.
    """

    def __init__(self) -> None:
        self.speaks_telnet = False
        self.replies = bytearray()
        self._line = bytearray()
        self._state = _State.TEXT
        self._verb = 0
        self._after_cr = False
        self._found: list[str | Signal] = []

    def feed(self, data: bytes) -> list[str | Signal]:
        """Take what the client sent; return the lines and signals it completes, in order.

        Lines end with a newline character. Bytes that are not UTF-8 become U+FFFD.
        """
        position = 0
        while position < len(data):
            if self._state is _State.TEXT:
                position = self._take_text(data, position)
            else:
                self._take_command(data[position])
                position += 1
        found, self._found = self._found, []
        return found

    def _take_text(self, data: bytes, position: int) -> int:
        """Take text up to and including the next special byte; return the position after it."""
        special = _SPECIAL.search(data, position)
        end = len(data) if special is None else special.start()
        if end > position:
            self._line += data[position:end]
            self._after_cr = False
        if special is None:
            return end
        self._take_special(data[end])
        return end + 1

    def _take_special(self, byte: int) -> None:
        after_cr, self._after_cr = self._after_cr, byte == _CR
        if byte == _CR or (byte == _LF and not after_cr):
            self._end_line()
        elif byte == _CTRL_C:
            self._signal(Signal.INTERRUPT)
        elif byte == _CTRL_D:
            if not self._line:
                self._signal(Signal.END_OF_INPUT)
        elif byte == _IAC:
            self._state = _State.COMMAND
            self._after_cr = after_cr  # a command may come between CR and LF

    def _end_line(self) -> None:
        self._found.append(self._line.decode("utf-8", "replace") + "\n")
        self._line.clear()

    def _signal(self, signal: Signal) -> None:
        if signal is Signal.INTERRUPT:
            self._line.clear()
        self._found.append(signal)

    def _take_command(self, byte: int) -> None:
        state, self._state = self._state, _State.TEXT
        if state is _State.OPTION:
            self._answer(byte)
        elif state is _State.SUBNEGOTIATION:
            is_iac = byte == _IAC
            self._state = _State.SUBNEGOTIATION_COMMAND if is_iac else _State.SUBNEGOTIATION
        elif state is _State.SUBNEGOTIATION_COMMAND:
            if byte != _SE:
                self._state = _State.SUBNEGOTIATION
        elif byte == _IAC:
            self._line.append(_IAC)  # IAC twice is the byte itself
        else:
            self.speaks_telnet = True
            self._obey(byte)

    def _obey(self, command: int) -> None:
        if command in _VERBS:
            self._state, self._verb = _State.OPTION, command
        elif command == _SB:
            self._state = _State.SUBNEGOTIATION
        elif command in _COMMANDS:
            self._signal(_COMMANDS[command])
        elif command == _ERASE_LINE:
            self._line.clear()
        elif command == _ERASE_CHARACTER:
            while self._line and self._line.pop() & 0xC0 == 0x80:
                pass  # the rest of a character of several bytes
        elif command == _ARE_YOU_THERE:
            self.replies += b"\r\n[Yes]\r\n"

    def _answer(self, option: int) -> None:
        if self._verb == _DO and option == _TIMING_MARK:
            self.replies += bytes([_IAC, _WILL, option])
            return
        refusal = _VERBS[self._verb]
        if refusal is not None:
            self.replies += bytes([_IAC, refusal, option])
