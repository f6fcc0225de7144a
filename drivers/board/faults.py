"""What a board refuses, as errors: what happened, likely cause, remedy."""

from __future__ import annotations

from collections.abc import Sequence

from hil.errors import InstrumentError, ProgramError, SafetyError, SubstrateError

__all__ = ["misread", "pulses_failed", "refused", "wrong_board"]

_REMEDIES = {
    101: "It is not armed: arm it, and look in its error queue whether the dead-man timer expired",
    102: "Its interlock is open: close the lid or the key switch, then arm it again",
    103: "The host was silent for longer than the dead-man time: keep the board alive in pauses",
    104: "A block was damaged on the line: shorten the cable or lower the baud rate",
    105: "A level is beyond the limits set before: lower the drive, or raise the limit",
    106: "The host lost count of the pulses: read back which were applied last, then reopen",
    107: "It no longer has the inputs: run them again",
    108: "It has no comparators",
    109: "Nodes are isolated or lines float: join and ground them first",
    110: "The interlock opened meanwhile: close it, arm again, and read the devices back",
}


def refused(
    address: str, command: str, errors: Sequence[tuple[int, str]], code: int = 0
) -> SubstrateError:
    """The board's own errors after a command."""
    listed = ", ".join(f"{number} {text}" for number, text in errors) or f"code {code}"
    first = code or (errors[0][0] if errors else 0)
    remedy = _REMEDIES.get(first, "Its firmware may be older than this driver: compare versions")
    kind = SafetyError if first == 105 else InstrumentError
    return kind(
        f"{address}: the board refused {command} ({listed}). {remedy}",
        address=address,
        sent=command,
        errors=list(errors),
    )


def misread(address: str, sent: str, found: str, wanted: str) -> InstrumentError:
    """Settings that read back as others."""
    return InstrumentError(
        f"{address}: the settings read back as {found!r} instead of {wanted!r}; nothing was armed. "
        "The board's firmware does not follow the specification: update it",
        address=address,
        sent=sent,
        received=found,
    )


def wrong_board(address: str, found: str, wanted: str) -> InstrumentError:
    """Something else answers at this address."""
    return InstrumentError(
        f"{address}: found {found!r}, not {wanted}; nothing was sent to it. Check the address, or "
        "the identity in the configuration",
        address=address,
        received=found,
    )


def pulses_failed(
    address: str,
    sequence: int,
    wanted: int,
    last: int,
    applied: int,
    errors: Sequence[tuple[int, str]],
    lost: Exception | None,
) -> ProgramError:
    """Pulses that were not all applied; they are not repeated."""
    listed = ", ".join(f"{number} {text}" for number, text in errors) or "no error queued"
    if last == sequence:
        what = f"{applied} of {wanted} programming pulses were applied ({listed})"
    elif last == sequence - 1:
        what = f"none of {wanted} programming pulses was applied ({listed})"
    else:
        what = f"the board last counted pulse block {last}, not {sequence}; it may have restarted"
    reply = " and the reply was lost" if lost is not None else ""
    return ProgramError(
        f"{address}: {what}{reply}. They are not sent again: read the conductances back, and go "
        "on from there",
        address=address,
        sequence=sequence,
        wanted=wanted,
        last=last,
        applied=applied if last == sequence else 0,
        errors=list(errors),
    )
