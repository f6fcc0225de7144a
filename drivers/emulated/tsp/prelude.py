"""The Lua side of the sandbox: takes away what reaches outside, adds what TSP has."""

from __future__ import annotations

__all__ = ["PRELUDE"]

PRELUDE = r"""
local emit, allowance, call_cost = ...
local STEP = 10000
local LONGEST_STRING = 1000000
local error, getmetatable, ipairs, loadstring = error, getmetatable, ipairs, loadstring
local pcall, rawget, select, setmetatable = pcall, rawget, select, setmetatable
local tostring, type, unpack = tostring, type, unpack
local collect = collectgarbage
local getinfo, sethook = debug.getinfo, debug.sethook

-- ---- a script's allowance of instructions

local remaining = 0
local exhausted = "the script ran longer than the instrument allows and was ended"

local function charge(amount)
  remaining = remaining - amount
  if remaining < 0 then error(exhausted, 0) end
end

local tools = {}

local function hook()
  remaining = remaining - STEP
  if remaining < 0 and getinfo(2, "f").func ~= tools.run then
    sethook(hook, "", 1)  -- every further instruction raises: no pcall can hold it up
    error(exhausted, 0)
  end
end

function tools.compile(source)
  if source:byte(1) == 27 then return nil, "TSP:1: binary chunks are refused" end
  local chunk, message = loadstring(source, "=TSP")
  return chunk, message
end

function tools.run(chunk)
  remaining = allowance
  sethook(hook, "", STEP)
  local ok, message = pcall(chunk)
  sethook()
  if ok then return nil end
  message = tostring(message)
  if message:find("not enough memory", 1, true) then collect() end
  return message
end

-- ---- the instrument's tables

function tools.wrap(call)
  return function(...)
    charge(call_cost)
    return call(...)
  end
end

function tools.make(
  get, set, refuse, readable, writable, objects, luatype, handle, item, put_item, call
)
  local getters, setters = {}, {}
  for _, name in ipairs(readable) do
    getters[name] = function()
      charge(call_cost)
      return get(name)
    end
  end
  for _, name in ipairs(writable) do
    setters[name] = function(value)
      charge(call_cost)
      set(name, value)
    end
  end
  local meta = {
    Getters = getters, Setters = setters, Objects = objects, luatype = luatype, handle = handle,
  }
  function meta.__index(_, name)
    local object = objects[name]
    if object ~= nil then return object end
    local getter = getters[name]
    if getter then return getter() end
    if item and type(name) == "number" then
      charge(call_cost)
      return item(name)
    end
  end
  function meta.__newindex(_, name, value)
    local setter = setters[name]
    if setter then return setter(value) end
    if put_item and type(name) == "number" then return put_item(name, value) end
    error(refuse(name), 2)
  end
  if call then
    function meta.__call(_, ...) return call(...) end
  end
  return setmetatable({}, meta)
end

function tools.handle(table)
  local meta = getmetatable(table)
  return type(meta) == "table" and rawget(meta, "handle") or nil
end

function tools.length(table) return #table end

-- ---- Lua's own libraries: without the outside world

for _, name in ipairs {
  "io", "os", "package", "require", "module", "dofile", "loadfile", "load", "newproxy", "python",
  "debug", "gcinfo", "collectgarbage",
} do
  _G[name] = nil
end
string.dump = nil

local repeated = string.rep
function string.rep(text, count)
  if #tostring(text) * count > LONGEST_STRING then error("string is too long", 2) end
  return repeated(text, count)
end

function _G.loadstring(source, name)
  if tostring(source):byte(1) == 27 then return nil, "binary chunks are refused" end
  return loadstring(source, name)
end

function collectgarbage() return 0 end

local setfenv = setfenv
function _G.setfenv(place, scope)
  if place == 0 then error("the instrument's own scope stays", 2) end
  return setfenv(place, scope)
end

local create, resume = coroutine.create, coroutine.resume
function coroutine.create(body)
  local thread = create(body)
  sethook(thread, hook, "", STEP)  -- a hook belongs to one coroutine
  return thread
end
local function passed(ok, ...)
  if not ok then error((...), 0) end
  return ...
end
function coroutine.wrap(body)
  local thread = coroutine.create(body)
  return function(...) return passed(resume(thread, ...)) end
end

-- names of Lua 5.0, which TSP descends from
table.getn = table.getn or function(list) return #list end
string.gfind = string.gmatch
math.mod = math.fmod

function print(...)
  charge(call_cost)
  local values = {...}
  for i = 1, select("#", ...) do
    if type(values[i]) ~= "number" then values[i] = tostring(values[i]) end
  end
  if not emit(unpack(values, 1, select("#", ...))) then error("the output queue is full", 2) end
end

-- ---- bit operations on whole numbers (TSP's bit library)

local function bitwise(keep)
  return function(first, second)
    local result, weight = 0, 1
    while first > 0 or second > 0 do
      if keep(first % 2, second % 2) then result = result + weight end
      first, second, weight = math.floor(first / 2), math.floor(second / 2), weight * 2
    end
    return result
  end
end
bit = {
  bitand = bitwise(function(a, b) return a + b == 2 end),
  bitor = bitwise(function(a, b) return a + b > 0 end),
  bitxor = bitwise(function(a, b) return a + b == 1 end),
}
function bit.test(value, index) return math.floor(value / 2 ^ (index - 1)) % 2 == 1 end
function bit.set(value, index)
  return bit.test(value, index) and value or value + 2 ^ (index - 1)
end
function bit.clear(value, index)
  return bit.test(value, index) and value - 2 ^ (index - 1) or value
end
function bit.toggle(value, index)
  return bit.test(value, index) and bit.clear(value, index) or bit.set(value, index)
end
function bit.get(value, index) return bit.test(value, index) and 2 ^ (index - 1) or 0 end
function bit.getfield(value, index, width)
  return math.floor(value / 2 ^ (index - 1)) % 2 ^ width
end
function bit.setfield(value, index, width, field)
  local weight = 2 ^ (index - 1)
  return value + (field - bit.getfield(value, index, width)) * weight
end

return tools
"""
