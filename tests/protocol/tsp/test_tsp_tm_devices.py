"""The emulated TSP instruments as Tektronix's unmodified tm_devices sees them, over TCP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tm_devices import DeviceManager, configure_logging
from tm_devices.drivers import SMU2636B, SS3706A

from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served

# It wants to read a status byte out of band, which no plain socket has, and goes on without.
pytestmark = pytest.mark.filterwarnings("ignore:A VISA IO error occurred:UserWarning")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeviceManager]:
    monkeypatch.chdir(tmp_path)
    configure_logging(log_console_level="NONE", log_file_level="NONE")
    with DeviceManager(verbose=False) as manager:
        manager.visa_library = "@py"
        yield manager


def port_of(address: str) -> int:
    return int(address.split("::")[2])


def test_source_meter(manager: DeviceManager) -> None:
    with served(EmulatedKeithley2600B(ResistorWorld(1e4))) as address:
        smu = manager.add_smu("127.0.0.1", connection_type="SOCKET", port=port_of(address))
        assert isinstance(smu, SMU2636B)
        assert smu.total_channels == 2
        channel = smu.commands.smu["a"]
        channel.reset()
        channel.source.limiti = 1e-2
        channel.source.levelv = 1.5
        channel.source.output = 1
        assert float(channel.measure.i()) == pytest.approx(1.5e-4)
        smu.set_and_check("smua.source.levelv", 0.5)
        smu.load_script("count", script_body="for i = 1, 3 do\nx = i\nend", run_script=True)
        assert float(smu.query("print(x)")) == 3
        assert smu.get_buffers("smua.nvbuffer1.readings") == {"smua.nvbuffer1.readings": []}
        smu.write("smua.measure.count = 3 smua.measure.i(smua.nvbuffer1)")
        buffers = smu.get_buffers("smua.nvbuffer1", "smua.nvbuffer1.statuses")
        assert buffers["smua.nvbuffer1"] == pytest.approx([5e-5] * 3)
        assert smu.get_errors()[1] == ()
        smu.write("smua.source.levelv = 1e9")
        assert "Parameter too big" in smu.get_errors()[1][0]
        smu.reset()
        manager.remove_all_devices()


def test_switch(manager: DeviceManager) -> None:
    instrument = EmulatedKeithley3706A(ResistorWorld())
    with served(instrument) as address:
        switch = manager.add_ss("127.0.0.1", connection_type="SOCKET", port=port_of(address))
        assert isinstance(switch, SS3706A)
        switch.commands.channel.exclusiveclose("1101,1203")
        # A query first: when it is answered, what was written before has been done.
        assert switch.commands.channel.getclose("allslots") == "1101;1203"
        assert instrument.closed == {"1101", "1203"}
        assert switch.commands.slot[1].rows.matrix == "6.000000000e+00"
        switch.commands.channel.open("allslots")
        assert switch.get_errors()[1] == ()
        assert instrument.closed == frozenset()
        manager.remove_all_devices()
