-- The start of every script. KEYS are those of one object, in the order of PARTS in layout.rs.
local meta, values, keys, log, live, leases, turns, blocked = unpack(KEYS, 1, 8)
-- Most arguments of one inner call: Lua's stack is not deep.
local CHUNK = 1000

local function text(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
