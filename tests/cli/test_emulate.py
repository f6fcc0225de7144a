"""``hil emulate instrument``: instruments for clients that know nothing of this project."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import serial
from typer.testing import CliRunner

from drivers.emulated.catalogue import MODELS, emulate
from drivers.emulated.world import ResistorWorld
from hil.cli.main import app

IDENTITIES = {
    "keithley2400": b"MODEL 2400",
    "keithley2450": b"MODEL 2450",
    "keithley2636b": b"Model 2636B",
    "keysightb2962a": b"B2962A",
    "keithley6221": b"MODEL 6221",
    "keithley707b": b"Model 707B",
    "keithley3706a": b"Model 3706A",
    "keithley2750": b"MODEL 2750",
    "daq6510": b"MODEL DAQ6510",
    "agilent34970a": b"34970A",
    "shboard": b"EQPROP-HIL,SHBOARD",
}


@contextmanager
def served(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-c", "from hil.cli.main import main; main()"]
    process = subprocess.Popen(
        [*command, "emulate", "instrument", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split(" at ")[1].strip(), process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def ask(port: int, message: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(message.encode() + b"\n")
        return client.makefile().readline().strip()


@pytest.mark.parametrize("model", MODELS)
def test_every_model_says_who_it_is(model: str) -> None:
    assert set(MODELS) == set(IDENTITIES)
    assert IDENTITIES[model] in emulate(model, ResistorWorld()).receive(b"*IDN?\n")


def test_clients_come_and_go_and_the_state_stays() -> None:
    with served("keithley2400", "--listen", "127.0.0.1:0", "--load-ohms", "2000") as (at, process):
        port = int(at.split("::")[2])
        assert ask(port, ":SOUR:VOLT 1;:OUTP ON;:SENS:FUNC 'CURR';*OPC?") == "1"
        volts, amps = ask(port, ":FORM:ELEM VOLT,CURR;:SENS:CURR:PROT 1e-2;:READ?").split(",")
        assert float(volts) == pytest.approx(1.0)
        assert float(amps) == pytest.approx(5e-4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_a_pseudo_terminal_is_a_serial_port() -> None:
    with served("keithley6221", "--listen", "pty") as (at, process):
        with serial.Serial(at, timeout=30) as port:
            port.write(b"*IDN?\n")
            assert b"MODEL 6221" in port.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a closed terminal tells on POSIX only")
def test_a_closed_terminal_ends_it_too() -> None:
    with served("keithley707b", "--serial", "0042") as (at, process):
        assert ask(int(at.split("::")[2]), "*IDN?").split(", ")[2] == "0042"
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("model", [model for model in MODELS if model != "shboard"])
def test_serial_numbers_can_be_told_apart(model: str) -> None:
    instrument = emulate(model, ResistorWorld(), serial="77")
    assert instrument.receive(b"*IDN?\n").split(b",")[2].strip() == b"77"


def test_a_scanner_sees_the_voltages_named() -> None:
    options = ("--channel-volts", "101=0.01,102=-0.5", "--channel-volts", "110=2")
    with served("daq6510", *options) as (at, _):
        reply = ask(int(at.split("::")[2]), ":SENS:FUNC 'VOLT',(@101:110);:ROUT:SCAN:CRE (@101,102,103,110);:INIT;*WAI;:TRAC:DATA? 1,4,'defbuffer1',READ")  # noqa: E501  # fmt: skip
    assert [float(v) for v in reply.split(",")] == pytest.approx([0.01, -0.5, 0.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope"], "there is no emulated instrument 'nope'"),
        (["keithley2400", "--listen", "nowhere"], "--listen takes HOST:PORT"),
        (["keithley2400", "--listen", "127.0.0.1:99999"], "--listen takes HOST:PORT"),
        (["keithley2400", "--load-ohms", "-5"], "must be above 0"),
        (["daq6510", "--channel-volts", "101"], "--channel-volts takes"),
        (["daq6510", "--channel-volts", "101=nan"], "--channel-volts takes"),
        (["daq6510", "--channel-volts", "101=1", "--load-ohms", "5"], "not both"),
        (["keithley2400", "--serial", "1,2"], "letters and digits only"),
        (["shboard", "--serial", "12"], "has one of its own"),
    ],
)
def test_refusals(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["emulate", "instrument", *arguments])
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        result = CliRunner().invoke(app, ["emulate", "instrument", "keithley2400", "--listen", at])
    assert result.exit_code == 2
    assert "cannot listen" in result.stderr
