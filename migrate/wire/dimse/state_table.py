"""The upper layer's state machine as a table: PS3.8 9.2, Table 9-10, letter by letter.

The grid below is the table of the Standard: rows are events, columns are states Sta1 … Sta13, a
cell is an action. An empty cell (`-`) cannot happen; for a request of our own it is a mistake of
ours. `EFFECTS` says what each action does (PS3.8 Tables 9-6 to 9-9).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class State(IntEnum):
    """PS3.8 Tables 9-1 to 9-5."""

    IDLE = 1
    AWAITING_ASSOCIATE_RQ = 2
    AWAITING_LOCAL_ASSOCIATE_RESPONSE = 3
    AWAITING_TRANSPORT = 4
    AWAITING_ASSOCIATE_AC = 5
    ASSOCIATED = 6
    AWAITING_RELEASE_RP = 7
    AWAITING_LOCAL_RELEASE_RESPONSE = 8
    COLLISION_REQUESTOR_LOCAL = 9
    COLLISION_ACCEPTOR_REMOTE = 10
    COLLISION_REQUESTOR_REMOTE = 11
    COLLISION_ACCEPTOR_LOCAL = 12
    AWAITING_CLOSE = 13


class Happening(IntEnum):
    """Evt1 … Evt19 of PS3.8 Table 9-10. `_REQUEST` and `_RESPONSE` come from our own side."""

    ASSOCIATE_REQUEST = 1
    TRANSPORT_CONFIRMED = 2
    ASSOCIATE_AC_PDU = 3
    ASSOCIATE_RJ_PDU = 4
    TRANSPORT_INDICATED = 5
    ASSOCIATE_RQ_PDU = 6
    ASSOCIATE_RESPONSE_ACCEPT = 7
    ASSOCIATE_RESPONSE_REJECT = 8
    P_DATA_REQUEST = 9
    P_DATA_TF_PDU = 10
    RELEASE_REQUEST = 11
    RELEASE_RQ_PDU = 12
    RELEASE_RP_PDU = 13
    RELEASE_RESPONSE = 14
    ABORT_REQUEST = 15
    ABORT_PDU = 16
    TRANSPORT_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


_GRID: Final = """
  1  AE-1   -     -     -     -     -     -     -     -     -     -     -     -
  2   -     -     -    AE-2   -     -     -     -     -     -     -     -     -
  3   -    AA-1  AA-8   -    AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
  4   -    AA-1  AA-8   -    AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
  5  AE-5   -     -     -     -     -     -     -     -     -     -     -     -
  6   -    AE-6  AA-8   -    AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
  7   -     -    AE-7   -     -     -     -     -     -     -     -     -     -
  8   -     -    AE-8   -     -     -     -     -     -     -     -     -     -
  9   -     -     -     -     -    DT-1   -    AR-7   -     -     -     -     -
 10   -    AA-1  AA-8   -    AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 11   -     -     -     -     -    AR-1   -     -     -     -     -     -     -
 12   -    AA-1  AA-8   -    AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 13   -    AA-1  AA-8   -    AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
 14   -     -     -     -     -     -     -    AR-4  AR-9   -     -    AR-4   -
 15   -     -    AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1   -
 16   -    AA-2  AA-3   -    AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
 17   -    AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
 18   -    AA-2   -     -     -     -     -     -     -     -     -     -    AA-2
 19   -    AA-1  AA-8   -    AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""


def _transitions(grid: str) -> dict[tuple[Happening, State], str]:
    rows = [line.split() for line in grid.strip().splitlines()]
    return {
        (Happening(int(number)), State(column)): action
        for number, *cells in rows
        for column, action in enumerate(cells, start=1)
        if action != "-"
    }


TRANSITIONS: Final = _transitions(_GRID)


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action does.

    `state` is the next state. `sends` is what goes to the peer: the PDU of our own request or
    response ("own"), an A-ABORT, or nothing. `indicates` says that our user hears of it. `closes`
    closes the transport. `artim` starts (True), stops (False) or leaves (None) the timer.
    """

    state: State
    sends: str = ""
    indicates: bool = False
    closes: bool = False
    artim: bool | None = None


_S = State
EFFECTS: Final = {
    "AE-1": Effect(_S.AWAITING_TRANSPORT),
    "AE-2": Effect(_S.AWAITING_ASSOCIATE_AC, sends="own"),
    "AE-3": Effect(_S.ASSOCIATED, indicates=True),
    "AE-4": Effect(_S.IDLE, indicates=True, closes=True),
    "AE-5": Effect(_S.AWAITING_ASSOCIATE_RQ, artim=True),
    "AE-6": Effect(_S.AWAITING_LOCAL_ASSOCIATE_RESPONSE, indicates=True, artim=False),
    "AE-7": Effect(_S.ASSOCIATED, sends="own"),
    "AE-8": Effect(_S.AWAITING_CLOSE, sends="own", artim=True),
    "DT-1": Effect(_S.ASSOCIATED, sends="own"),
    "DT-2": Effect(_S.ASSOCIATED, indicates=True),
    "AR-1": Effect(_S.AWAITING_RELEASE_RP, sends="own"),
    "AR-2": Effect(_S.AWAITING_LOCAL_RELEASE_RESPONSE, indicates=True),
    "AR-3": Effect(_S.IDLE, indicates=True, closes=True),
    "AR-4": Effect(_S.AWAITING_CLOSE, sends="own", artim=True),
    "AR-5": Effect(_S.IDLE, closes=True, artim=False),
    "AR-6": Effect(_S.AWAITING_RELEASE_RP, indicates=True),
    "AR-7": Effect(_S.AWAITING_LOCAL_RELEASE_RESPONSE, sends="own"),
    # AR-8 leads the acceptor to Sta10: `UpperLayer` corrects it (PS3.8 9.2.3).
    "AR-8": Effect(_S.COLLISION_REQUESTOR_LOCAL, indicates=True),
    "AR-9": Effect(_S.COLLISION_REQUESTOR_REMOTE, sends="own"),
    "AR-10": Effect(_S.COLLISION_ACCEPTOR_LOCAL, indicates=True),
    "AA-1": Effect(_S.AWAITING_CLOSE, sends="abort", artim=True),
    "AA-2": Effect(_S.IDLE, closes=True, artim=False),
    "AA-3": Effect(_S.IDLE, indicates=True, closes=True),
    "AA-4": Effect(_S.IDLE, indicates=True, closes=True),
    "AA-5": Effect(_S.IDLE, closes=True, artim=False),
    "AA-6": Effect(_S.AWAITING_CLOSE),
    "AA-7": Effect(_S.AWAITING_CLOSE, sends="abort"),
    "AA-8": Effect(_S.AWAITING_CLOSE, sends="abort", indicates=True, artim=True),
}
