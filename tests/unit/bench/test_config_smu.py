"""Mistakes in files of benches with SMUs: each is told, in words that name it."""

from __future__ import annotations

import re

import pytest

from tests.unit.bench.spoiling import (
    Change,
    both,
    by_thirds,
    drop,
    extra_source,
    refusal,
    set_at,
)

SMU_MISTAKES: dict[str, tuple[Change, str]] = {
    # --- phases
    "too few inputs": (
        lambda t: t["phases"]["inputs"].pop(),
        r"phases\.inputs has 5 channels where the network has 6",
    ),
    "too many outputs": (
        lambda t: t["phases"]["outputs"].append("out2.a"),
        r"phases\.outputs has 3 channels where the network has 2",
    ),
    "too few nodes read": (
        lambda t: t["phases"]["voltmeter_channels"].pop(),
        r"phases\.voltmeter_channels has 4 channels where the network has 5",
    ),
    "input of nobody": (
        set_at("phases.inputs.0", "inn1.a"),
        r"phases: there is no instrument 'inn1'; there are: in1, in2, in3, out1",
    ),
    "input of a voltmeter": (
        set_at("phases.inputs.0", "meter.a"),
        r"phases: meter is a daq6510; one of keithley2400, .* is needed",
    ),
    "no such channel": (
        set_at("phases.outputs.0", "out1.1"),
        r"out1\.1 is no channel of a keithley2600b; it has: out1\.a, out1\.b",
    ),
    "a channel where there is but one": (
        both(extra_source("k2400", model="keithley2400"), set_at("phases.inputs.0", "k2400.a")),
        r"k2400\.a is no channel of a keithley2400; it has: k2400",
    ),
    "current source as input": (
        both(extra_source("k6221", model="keithley6221"), set_at("phases.inputs.0", "k6221")),
        r"phases\.inputs: k6221 is a current source; inputs are voltages",
    ),
    "no such voltmeter": (
        set_at("phases.voltmeter", "dmm"),
        r"phases\.voltmeter: there is no instrument 'dmm'",
    ),
    "SMU as voltmeter": (
        set_at("phases.voltmeter", "access"),
        r"phases\.voltmeter: access is a keithley2600b; one of daq6510, agilent34970a, keit",
    ),
    "a voltmeter channel by name": (
        set_at("phases.voltmeter_channels.1", "CH1"),
        r"'CH1' is no channel number such as 101",
    ),
    "no access": (
        drop("access"),
        r"wiring with SMUs programs through access\.high and access\.low; describe them",
    ),
    # --- access
    "gates without a board": (
        set_at("programming.scheme", "gate"),
        r"programming\.scheme = gate needs the gate drivers of a board",
    ),
    "access of nobody": (
        set_at("access.low", "acces.b"),
        r"access: there is no instrument 'acces'",
    ),
    "access through a channel that is not": (
        set_at("access.high", "access"),
        r"access: access is no channel of a keithley2600b; it has: access\.a, access\.b",
    ),
    "V/3 without its sources": (
        set_at("programming.scheme", "third"),
        r"programming\.scheme = third needs access\.third and access\.two_thirds",
    ),
    "access through a current source": (
        both(extra_source("k6221", model="keithley6221"), set_at("access.low", "k6221")),
        r"access\.low: k6221 is a current source \(keithley6221\), which neither brings volts nor "
        r"measures; name a channel of an SMU",
    ),
    "V/3 through a current source": (
        both(
            by_thirds(),
            extra_source("k6221", model="keithley6221"),
            set_at("access.two_thirds", "k6221"),
        ),
        r"access\.two_thirds: k6221 is a current source",
    ),
    # --- matrix
    "a matrix that is none": (
        set_at("matrix.0.instrument", "meter"),
        r"matrix\.instrument: meter is a daq6510; one of keithley707b, keithley3706a, keithley2750",
    ),
    "a matrix that is not there": (
        set_at("matrix.0.instrument", "matrix"),
        r"matrix\.instrument: there is no instrument 'matrix'",
    ),
    "a line without crosspoints": (
        lambda t: [t["matrix"][0][key].pop(3) for key in t["matrix"][0] if key != "instrument"],
        r"matrix: a0\.r3 not wired; every line needs its crosspoints",
    ),
    "many lines without crosspoints": (
        lambda t: [
            t["matrix"][0].update({k: v[:6]})
            for k, v in t["matrix"][0].items()
            if k != "instrument"
        ],
        r"matrix: a0\.c0, a0\.c1, a0\.c2, a1\.c0 and 4 more not wired",
    ),
    "a line that is not": (
        set_at("matrix.0.lines.13", "a2.r0"),
        r"matrix: a2\.r0: the network has no such lines",
    ),
    "a line twice": (
        set_at("matrix.0.lines.13", "a0.r0"),
        r"matrix: a0\.r0 wired twice",
    ),
    "no work relays": (
        drop("matrix.0.work"),
        r"matrix: every line needs its crosspoint work here",
    ),
    "no soft ground to idle on": (
        drop("matrix.0.soft"),
        r"matrix: every line needs its crosspoint soft here",
    ),
    "V/3 without its buses": (
        both(by_thirds(), drop("matrix.0.third")),
        r"matrix: every line needs its crosspoint third here",
    ),
    "V/3 without its other bus": (
        both(by_thirds(), drop("matrix.0.two_thirds")),
        r"matrix: every line needs its crosspoint two_thirds here",
    ),
    "fewer crosspoints than lines": (
        lambda t: t["matrix"][0]["low"].pop(),
        r"low names 13 crosspoints for 14 lines; give one for each line, in the same order",
    ),
    "no ground at all": (
        set_at("matrix.0.ground", []),
        r"ground names 0 crosspoints for 14 lines",
    ),
    # --- twice
    "a source for two lines": (
        set_at("phases.inputs.1", "in1.a"),
        r"source channel in1\.a used twice",
    ),
    "a source that also reaches devices": (
        set_at("access.low", "out1.a"),
        r"source channel out1\.a used twice",
    ),
    "a voltmeter channel for two nodes": (
        set_at("phases.voltmeter_channels.1", "101"),
        r"voltmeter channel 101 used twice",
    ),
    "a voltmeter channel written in two ways": (
        set_at("phases.voltmeter_channels.1", "0101"),
        r"voltmeter channel 101 used twice",
    ),
    "a crosspoint for two lines": (
        set_at("matrix.0.high.1", "1101"),
        r"crosspoint matrix1\.1101 used twice",
    ),
    "a crosspoint of two buses": (
        set_at("matrix.0.low.0", "1101"),
        r"crosspoint matrix1\.1101 used twice",
    ),
    "an address of two instruments": (
        set_at("instruments.in2.address", "TCPIP::192.168.0.11::5025::SOCKET"),
        r"address TCPIP::192\.168\.0\.11::5025::SOCKET used twice, by in1, in2",
    ),
    "an address in other letters": (
        set_at("instruments.in2.address", "tcpip::192.168.0.11::5025::socket"),
        r"address TCPIP::192\.168\.0\.11::5025::SOCKET used twice, by in1, in2",
    ),
    "an address with another spelling of its numbers": (
        set_at("instruments.in2.address", " tcpip0::192.168.0.11::05025::socket "),
        r"address TCPIP::192\.168\.0\.11::5025::SOCKET used twice, by in1, in2",
    ),
    "a GPIB address in two ways": (
        both(
            set_at("instruments.in2.address", "GPIB::24"),
            set_at("instruments.in3.address", "GPIB0::24::INSTR"),
        ),
        r"address GPIB::24 used twice, by in2, in3; each instrument has its own",
    ),
    "an address of spaces": (
        set_at("instruments.in2.address", "  "),
        r"instruments\.in2\.address\n\s+Value error, it is empty: give it",
    ),
    # --- who they are
    "an identity that is no expression": (
        set_at("instruments.in2.idn", "KEITHLEY(.*"),
        r"instruments\.in2\.idn\n\s+Value error, 'KEITHLEY\(\.\*' is no regular expression "
        r"\(missing \), .*\): put a backslash before characters that stand for themselves",
    ),
    "an identity of too many repetitions": (
        set_at("instruments.in2.idn", "a{99999999999999999999}"),
        r"instruments\.in2\.idn\n\s+Value error, 'a.*' is no regular expression",
    ),
    "an empty identity": (
        set_at("instruments.in2.idn", ""),
        r"instruments\.in2\.idn\n\s+Value error, an empty expression is found in whatever any "
        r"instrument answers: leave idn out",
    ),
    "an empty serial number": (
        set_at("instruments.in2.serial", " "),
        r"instruments\.in2\.serial\n\s+Value error, it is empty: give it, or leave the key out",
    ),
    # --- uses
    "a mainframe that switches and scans": (
        both(
            set_at("instruments.matrix1.model", "keithley2750"),
            set_at("phases.voltmeter", "matrix1"),
        ),
        r"matrix1 is phases\.voltmeter and in matrix: a scan opens all of its channels",
    ),
    "a board beside SMUs": (
        extra_source("board", model="shboard"),
        r"instruments\.board is a board that no phases use: name it in phases\.board, or take it",
    ),
    "an instrument that nothing uses": (
        extra_source("spare"),
        r"instruments\.spare is used nowhere: name it where it belongs, or take it out",
    ),
    # --- envelope in phases
    "inputs too high for devices": (
        set_at("phases.max_input_volts", 0.6),
        r"devices could see 1\.2 V \(1\.2052 V with the errors of sources\) in a phase, "
        r"envelope\.read_volts is 1\.01 V: lower phases\.max_input_volts, "
        r"phases\.nudge_limit_volts or network\.neuron_volts, or widen the envelope",
    ),
    "nudges too high for devices": (
        set_at("phases.nudge_limit_volts", 0.7),
        r"devices could see 1\.4 V \(1\.4054 V with the errors of sources\) in a phase",
    ),
    "neurons too high for devices": (
        set_at("network.neuron_volts", 0.8),
        r"devices could see 1\.6 V \(1\.6056 V with the errors of sources\) in a phase",
    ),
    "no room for errors of sources in phases": (
        set_at("envelope.read_volts", 1.0049),
        r"could see 1 V \(1\.005 V with .*\) in a phase, envelope\.read_volts is 1\.0049 V",
    ),
    "phases that program": (
        set_at("envelope.half_select_volts", 1.004),
        r"could see 1 V \(1\.005 V with the errors of sources\) in a phase, and only up to "
        r"envelope\.half_select_volts of 1\.004 V are devices sure to stay as they are: lower "
        r"phases\.max_input_volts.* or raise envelope\.half_select_volts if the devices bear it",
    ),
    "readings that program": (
        both(set_at("access.read_volts", 1.0), set_at("envelope.half_select_volts", 1.004)),
        r"could see 1 V \(1\.005 V with the errors of sources\) when they are read "
        r"\(access\.read_volts\), and only up to envelope\.half_select_volts of 1\.004 V are "
        r"devices sure to stay as they are: lower access\.read_volts",
    ),
    "no capacitance settles without conductance": (
        both(set_at("network.g_min_siemens", 0.0), drop("phases.settle_seconds")),
        r"phases\.settle_seconds is missing: with devices down to 0 S .*Give it, or a lower end",
    ),
    "nodes beyond the range of the voltmeter": (
        set_at("instruments.meter.volts_range", 0.4),
        r"nodes could reach 0\.5 V in a phase, instruments\.meter\.volts_range is 0\.4 V: choose "
        r"a higher range, or lower phases\.max_input_volts",
    ),
    "outputs of amplifiers that nobody reads": (
        set_at("network.amplifiers", {"forward_gain": 4.0, "backward_gain": 0.25}),
        r"phases\.voltmeter_channels has 5 channels where the network has 8",
    ),
    "readings too high for devices": (
        set_at("access.read_volts", 1.1),
        r"devices could see 1\.1 V \(1\.1051 V with the errors of sources\) when they are read "
        r"\(access\.read_volts\), envelope\.read_volts is 1\.01 V: lower access\.read_volts",
    ),
    "readings of too much current": (
        set_at("access.read_amps", 0.6),
        r"access\.read_amps of 0\.6 A is beyond envelope\.source_amps of 0\.0005 A: lower the "
        r"former, or raise the latter if lines and devices bear it",
    ),
    "readings of too little current": (
        set_at("access.read_amps", 6e-5),
        r"a line of 6 devices at network\.g_max_siemens could draw 6\.3e-05 A at "
        r"access\.read_volts "
        r"of 0\.1 V, 5% of margin included; access\.read_amps is 6e-05 A: raise it, or lower",
    ),
    "nudges of too much current": (
        set_at("phases.max_nudge_amps", 0.5),
        r"phases\.max_nudge_amps of 0\.5 A is beyond envelope\.source_amps of 0\.0005 A: lower",
    ),
    "inputs of too much current": (
        set_at("phases.input_limit_amps", 0.5),
        r"phases\.input_limit_amps of 0\.5 A is beyond envelope\.source_amps of 0\.0005 A: lower",
    ),
    # --- instruments' own limits
    "input beyond the volts of its instrument": (
        set_at("instruments.in2.volts_limit", 0.4),
        r"in2\.a: phases\.max_input_volts of 0\.5 V is beyond instruments\.in2\.volts_limit of "
        r"0\.4 V",
    ),
    "input beyond the amps of its instrument": (
        set_at("instruments.in3.amps_limit", 1e-5),
        r"in3\.b: phases\.input_limit_amps of 0\.0005 A is beyond instruments\.in3\.amps_limit "
        r"of 1e-05",
    ),
    "nudge beyond the volts of its instrument": (
        set_at("instruments.out1.volts_limit", 0.4),
        r"out1\.b: phases\.nudge_limit_volts of 0\.5 V is beyond instruments\.out1\.volts_limit "
        r"of 0\.4",
    ),
    "nudge beyond the amps of its instrument": (
        set_at("instruments.out1.amps_limit", 1e-6),
        r"out1\.a: phases\.max_nudge_amps of 1e-05 A is beyond instruments\.out1\.amps_limit of "
        r"1e-06",
    ),
    "pulse beyond the volts of its instrument": (
        set_at("instruments.access.volts_limit", 1.0),
        r"access\.a: half a programming amplitude of 1\.265 V is beyond "
        r"instruments\.access\.volts_limit of 1 V",
    ),
    "pulse beyond the amps of its instrument": (
        set_at("instruments.access.amps_limit", 1e-3),
        r"access\.b: programming\.limit_amps of 0\.005 A is beyond "
        r"instruments\.access\.amps_limit of 0\.001",
    ),
    "V/3 beyond the volts of its other sources": (
        both(by_thirds(), set_at("instruments.more.volts_limit", 0.4)),
        r"more\.b: V/6 while programming, of 0\.421667 V is beyond "
        r"instruments\.more\.volts_limit of 0\.4 V",
    ),
    "V/3 beyond the volts of its instrument": (
        both(by_thirds(), set_at("instruments.access.volts_limit", 1.0)),
        r"access\.a: half a programming amplitude of 1\.265 V is beyond "
        r"instruments\.access\.volts_limit of 1 V",
    ),
    "reading beyond the amps of its instrument": (
        both(
            set_at("instruments.access.amps_limit", 1e-5),
            set_at("programming.limit_amps", 1e-6),
        ),
        r"access\.a: access\.read_amps of 0\.0001 A is beyond instruments\.access\.amps_limit of "
        r"1e-05",
    ),
    # --- what models can do
    "millivolts for volts": (
        set_at("instruments.in2.volts_limit", 540.0),
        r"instruments\.in2\.volts_limit of 540 V is beyond what any keithley2600b can source, "
        r"202 V: give it in V, not in mV, or name the right model",
    ),
    "milliamps for amps": (
        set_at("instruments.access.amps_limit", 5.0),
        r"instruments\.access\.amps_limit of 5 A is beyond what any keithley2600b can source, "
        r"3\.03 A: give it in A, not in mA",
    ),
    "more volts than a current source allows": (
        both(
            extra_source("k6221", model="keithley6221", volts_limit=106.0),
            set_at("phases.outputs.0", "k6221"),
        ),
        r"instruments\.k6221\.volts_limit of 106 V is beyond what any keithley6221 can source, 105",
    ),
    # --- envelope of programming
    "set pulses too high": (
        set_at("programming.set_volts", 3.0),
        r"devices could see 3 V \(3\.007 V with the errors of sources\) when they are programmed, "
        r"envelope\.program_volts is 2\.54 V: lower programming\.set_volts and",
    ),
    "reset pulses too high": (
        set_at("programming.reset_volts", 3.0),
        r"devices could see 3 V \(3\.007 V with the errors of sources\) when they are programmed, "
        r"envelope\.program_volts is 2\.54 V: lower programming\.set_volts and",
    ),
    "no room for errors of sources in pulses": (
        set_at("envelope.program_volts", 2.53),
        r"could see 2\.53 V \(2\.53653 V with .*\) when they are programmed, envelope",
    ),
    "no room for errors of sources at half-selected devices": (
        set_at("envelope.half_select_volts", 1.265),
        r"could see 1\.265 V \(1\.27026 V with .*\), envelope\.half_select_volts is 1\.265 V",
    ),
    "pulses that no single device can get": (
        set_at("programming.limit_amps", 8e-4),
        r"one column of array 0 could draw 0\.0008888 A while a single one of its devices is "
        r"pulsed .*, programming\.limit_amps is 0\.0008 A: raise programming\.limit_amps, and with "
        r"it envelope\.program_amps and the amps_limit of the access sources",
    ),
    "half-selected devices": (
        set_at("envelope.half_select_volts", 1.0),
        r"half-selected devices could see 1\.265 V \(1\.27026 V with the errors of sources\), "
        r"envelope\.half_select_volts is 1 V: lower programming\.set_volts",
    ),
    "pulses of too much current": (
        set_at("programming.limit_amps", 0.2),
        r"programming\.limit_amps of 0\.2 A is beyond envelope\.program_amps of 0\.005 A: lower "
        r"the",
    ),
    # --- network
    "window upside down": (
        set_at("network.g_min_siemens", 1e-3),
        r"g_min_siemens must be below g_max_siemens",
    ),
    "a pulse beyond the window": (
        set_at("network.pulse_siemens", 1e-4),
        r"pulse_siemens of 0\.0001 S is more than the whole window, g_max_siemens - g_min_siemens "
        r"= 9\.9e-05 S: a single pulse would cross it.* correct it",
    ),
    "bias settings that are neither true nor false": (
        set_at("network.biased", [2, 0]),
        r"network\.biased\.0\n\s+Input should be a valid boolean",
    ),
    "a truth value for a size": (
        set_at("network.hidden", [True]),
        r"hidden: expected a number or text, not true or false",
    ),
    "bias settings of another network": (
        set_at("network.biased", [True]),
        r"biased has 1 values for 2 crossbars",
    ),
    # --- names
    "a range that runs down": (
        set_at("matrix.0.lines", "a0.r5:a0.r0"),
        r"a0\.r5:a0\.r0 is no range: both ends must be the same but for the number they end with",
    ),
    "a range of too many names": (
        set_at("phases.voltmeter_channels", "1:999999999"),
        r"1:999999999 makes 999,999,999 names, where 100,000 in all are the most: probably a digit",
    ),
    "ranges of too many names together": (
        set_at("phases.voltmeter_channels", ["1:60000", "1:60000"]),
        r"1:60000 makes 60,000 names, where 100,000 in all are the most",
    ),
    "a range of endless digits": (
        set_at("phases.voltmeter_channels", "1:" + "9" * 5000),
        r"a range ends in a number of more than 18 digits: correct it",
    ),
    "an empty name": (
        set_at("phases.inputs", "in1.a,,in1.b"),
        r"has an empty name; separate names by single commas",
    ),
    # --- numbers
    "a limit in quotation marks": (
        set_at("instruments.in2.volts_limit", "0.54"),
        r"volts_limit: expected a number, not the text '0\.54'; write it without quotation marks",
    ),
    "a size in quotation marks": (
        set_at("network.hidden", ["3"]),
        r"hidden: expected a number, not the text '3'",
    ),
    # --- keys
    "an unknown key": (
        set_at("phases.max_input_volt", 0.5),
        r"phases\.smu\.max_input_volt\n\s+Extra inputs are not permitted",
    ),
    "an unknown wiring": (
        set_at("phases.kind", "smus"),
        r"'smus' found using 'kind' does not match any of the expected tags: 'smu', 'board'",
    ),
    "an unknown model": (
        set_at("instruments.in1.model", "keithley237"),
        r"instruments\.in1\.model",
    ),
    "no envelope": (drop("envelope"), r"envelope\n\s+Field required"),
    "a limit that is none": (
        set_at("envelope.read_volts", 0.0),
        r"envelope\.read_volts\n\s+Input should be greater than",
    ),
}


@pytest.mark.parametrize("mistake", SMU_MISTAKES)
def test_a_mistake_on_a_bench_with_smus_is_told(mistake: str) -> None:
    change, told = SMU_MISTAKES[mistake]
    message = refusal("smu", change)
    assert re.search(told, message), message
