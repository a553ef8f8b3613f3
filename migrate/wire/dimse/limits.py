"""Every limit an association keeps, in one frozen value.

A violated limit ends that association with an A-ABORT and a `PeerError` that names the limit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds on what one peer may make us hold or wait for.

    Attributes:
        max_pdu_bytes: Largest P-DATA-TF we offer to receive (PS3.8 D.1).
        pdu_slack_bytes: What a P-DATA-TF may exceed the offer by; some peers forget the header.
        max_associate_bytes: Largest A-ASSOCIATE PDU, checked before it is read.
        max_command_bytes: Largest command set (PS3.7 6.3).
        max_identifier_bytes: Largest data set kept in memory (identifiers, event reports).
        max_object_bytes: Largest data set handed to a sink.
        max_contexts: Presentation contexts in one association (odd ids, so 128 at most).
        max_fragments: Presentation data values in one message.
        connect_s: TCP connect and TLS handshake.
        artim_s: ARTIM (PS3.8 9.1.5): A-ASSOCIATE to come, or the peer to close.
        stall_s: No byte moves in the middle of a message, either way.
        idle_s: An accepted association without a request.
        dimse_s: A response to come; None waits until the caller abandons.
        transfer_s: One whole message, from its first to its last byte.
        tick_s: How often a waiting read looks at the clock and at `abandon`.
    """

    max_pdu_bytes: int = 131_072
    pdu_slack_bytes: int = 4_096
    max_associate_bytes: int = 65_536
    max_command_bytes: int = 16_384
    max_identifier_bytes: int = 16 * 1024 * 1024
    max_object_bytes: int = 64 * 1024**3
    max_contexts: int = 128
    max_fragments: int = 4_194_304
    connect_s: float = 15.0
    artim_s: float = 30.0
    stall_s: float = 60.0
    idle_s: float = 600.0
    dimse_s: float | None = 120.0
    transfer_s: float = 4 * 3_600.0
    tick_s: float = 1.0
