"""The factory scripts of a Keithley 2600B that clients call: sweeps and pulses, in Lua.

Written from their description in the Series 2600B Reference Manual, 2600BS-901-01 Rev. F,
"Sweep operation" and "Factory scripts".
"""

from __future__ import annotations

__all__ = ["FACTORY_SCRIPTS"]

FACTORY_SCRIPTS = r"""
local function sweep(smu, levels, settling, source, func, measure)
  smu = smu or smua
  local kept = {
    func = smu.source.func, level = smu.source["level" .. source],
    autorange = smu.source["autorange" .. source], range = smu.source["range" .. source],
  }
  local largest = 0
  for _, level in ipairs(levels) do largest = math.max(largest, math.abs(level)) end
  smu.nvbuffer1.clear()
  smu.nvbuffer1.appendmode = 1
  smu.nvbuffer1.collectsourcevalues = 1
  smu.nvbuffer1.collecttimestamps = 1
  smu.source.func = func
  smu.source["level" .. source] = 0
  smu.source["range" .. source] = largest
  smu.source["level" .. source] = levels[1]
  smu.source.output = 1
  for _, level in ipairs(levels) do
    smu.source["level" .. source] = level
    delay(settling)
    smu.measure[measure](smu.nvbuffer1)
  end
  smu.source.output = 0
  smu.source["level" .. source] = 0
  smu.source.func = kept.func
  if kept.autorange == 1 then
    smu.source["autorange" .. source] = 1
  else
    smu.source["range" .. source] = kept.range
  end
  smu.source["level" .. source] = kept.level
end

local function linear(start, stop, points)
  local levels = {}
  for i = 1, points do levels[i] = start + (stop - start) * (i - 1) / (points - 1) end
  return levels
end

local function logarithmic(start, stop, points)
  local levels = {}
  for i = 1, points do levels[i] = start * (stop / start) ^ ((i - 1) / (points - 1)) end
  return levels
end

local function first(list, points)
  local levels = {}
  for i = 1, points do levels[i] = list[i] end
  return levels
end

local function family(source, func, measure)
  local suffix = measure:upper()
  local prefix = "Sweep" .. source:upper()
  _G[prefix .. "LinMeasure" .. suffix] = function(smu, start, stop, settling, points)
    sweep(smu, linear(start, stop, points), settling, source, func, measure)
  end
  _G[prefix .. "LogMeasure" .. suffix] = function(smu, start, stop, settling, points)
    sweep(smu, logarithmic(start, stop, points), settling, source, func, measure)
  end
  _G[prefix .. "ListMeasure" .. suffix] = function(smu, list, settling, points)
    sweep(smu, first(list, points), settling, source, func, measure)
  end
  _G["Pulse" .. source:upper() .. "Measure" .. suffix] =
    function(smu, bias, level, ton, toff, points)
      smu = smu or smua
      smu.nvbuffer1.clear()
      smu.nvbuffer1.appendmode = 1
      smu.nvbuffer1.collectsourcevalues = 1
      smu.nvbuffer1.collecttimestamps = 1
      smu.source.func = func
      smu.source["range" .. source] = math.max(math.abs(bias), math.abs(level))
      smu.source["level" .. source] = bias
      smu.source.output = 1
      for _ = 1, points do
        smu.source["level" .. source] = level
        delay(ton)
        smu.measure[measure](smu.nvbuffer1)
        smu.source["level" .. source] = bias
        delay(toff)
      end
      smu.source.output = 0
    end
end

family("v", 1, "i")
family("i", 0, "v")

-- ---- pulse tests, configured under a tag and run later

local owner = setmetatable({}, {__mode = "k"})  -- the channel a buffer was made by
for _, smu in pairs {smua, smub} do
  local make = smu.makebuffer
  owner[smu.nvbuffer1], owner[smu.nvbuffer2] = smu, smu
  getmetatable(smu).Objects.makebuffer = function(capacity)
    local buffer = make(capacity)
    if buffer then owner[buffer] = smu end
    return buffer
  end
end

local tests = {}

local function configure(test, tag)
  test.smu = owner[test.buffer]
  if not test.smu then return false, "the buffer is not one of a channel" end
  if type(tag) ~= "number" then return false, "the tag is not a number" end
  if test.buffer.n > 0 and test.buffer.appendmode == 0 then
    return false, "the buffer is not empty"
  end
  tests[tag] = test
  return true, "Success"
end

local function pulse(test, level)
  test.smu.source["limit" .. test.sensed] = test.limit
  test.smu.source["level" .. test.source] = level
end

local function rest(test)
  test.smu.source["level" .. test.source] = test.bias
  test.smu.source["limit" .. test.sensed] = test.kept
end

local function begin(test)
  test.kept = test.smu.source["limit" .. test.sensed]
  test.append, test.buffer.appendmode = test.buffer.appendmode, 1
end

local function finish(test)
  test.buffer.appendmode = test.append
end

local function run(list)
  for _, test in ipairs(list) do
    if test.smu.source.output ~= 1 then return false, "the output is off" end
    if test.smu.source.func ~= test.func then return false, "the source function is another" end
  end
  for _, test in ipairs(list) do begin(test) end
  for i = 1, #list[1].levels do
    for _, test in ipairs(list) do pulse(test, test.levels[i]) end
    delay(list[1].ton)
    for _, test in ipairs(list) do test.smu.measure[test.sensed](test.buffer) end
    for _, test in ipairs(list) do rest(test) end
    delay(list[1].toff)
  end
  for _, test in ipairs(list) do finish(test) end
  return true, "Success"
end

function InitiatePulseTest(tag)
  if not tests[tag] then return false, "no pulse test has this tag" end
  return run {tests[tag]}
end

function InitiatePulseTestDual(first, second)
  if not (tests[first] and tests[second]) then return false, "no pulse test has this tag" end
  return run {tests[first], tests[second]}
end

local function pulses(source, func, sensed)
  local name = "ConfigPulse" .. source:upper() .. "Measure" .. sensed:upper()
  local function test(buffer, bias, levels, limit, ton, toff)
    return {
      buffer = buffer, bias = bias, levels = levels, limit = limit, ton = ton, toff = toff,
      source = source, func = func, sensed = sensed,
    }
  end
  _G[name] = function(buffer, bias, level, limit, ton, toff, points, tag)
    local levels = {}
    for i = 1, points do levels[i] = level end
    return configure(test(buffer, bias, levels, limit, ton, toff), tag)
  end
  _G[name .. "SweepLin"] = function(buffer, bias, start, stop, limit, ton, toff, points, tag)
    return configure(test(buffer, bias, linear(start, stop, points), limit, ton, toff), tag)
  end
  _G[name .. "SweepLog"] = function(buffer, bias, start, stop, limit, ton, toff, points, tag)
    return configure(test(buffer, bias, logarithmic(start, stop, points), limit, ton, toff), tag)
  end
end

pulses("v", 1, "i")
pulses("i", 0, "v")
"""
