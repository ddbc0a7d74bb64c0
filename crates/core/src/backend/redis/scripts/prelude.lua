-- What every script starts with. KEYS are those of one object, in the order of names.rs.
local meta, values, keys, log, live, leases, turns, blocked = unpack(KEYS, 1, 8)

-- Most commits that one call looks through, and most entries that it forgets.
local EXAMINED_MAX = 20000
local FORGOTTEN_MAX = 256
-- Most arguments of one inner call: Lua's stack is not deep.
local CHUNK = 1000

local function text(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Forgets those whose lease has run out: their processes have died.
local function purge(now)
  local gone = redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, FORGOTTEN_MAX)
  for _, who in ipairs(gone) do
    redis.call('ZREM', leases, who)
    redis.call('ZREM', live, who)
    redis.call('ZREM', turns, who)
    redis.call('ZREM', blocked, who)
  end
end

-- The sequence that an attempt started from, registering it if it is new; nothing if its lease has run out.
local function start_of(who, known, now, lease)
  local start = redis.call('ZSCORE', live, who)
  if start then return tonumber(start) end
  if known == '1' then return nil end
  start = redis.call('HGET', meta, 'seq') or '0'
  redis.call('ZADD', live, start, who)
  redis.call('ZADD', leases, text(now + lease), who)
  return tonumber(start)
end

-- Byte order. Lua's own comparison follows the locale of the server.
local function before(a, b)
  local length = math.min(#a, #b)
  for place = 1, length do
    local x, y = string.byte(a, place), string.byte(b, place)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Whether a key lies in a range of ZRANGEBYLEX.
local function inside(key, min, max)
  local low, high = string.sub(min, 2), string.sub(max, 2)
  if string.sub(min, 1, 1) == '(' then
    if not before(low, key) then return false end
  elseif before(key, low) then
    return false
  end
  if max == '+' then return true end
  if string.sub(max, 1, 1) == '(' then return before(key, high) end
  return not before(high, key)
end

local function cleared_at()
  return tonumber(redis.call('HGET', meta, 'cleared') or '0')
end

-- What of some keys was written after `start`.
local function newer_key(names, start)
  if #names == 0 then return nil end
  if cleared_at() > start then return 'every key' end
  for _, name in ipairs(names) do
    local at = redis.call('ZSCORE', log, name)
    if at and tonumber(at) > start then return 'key "' .. name .. '"' end
  end
end

-- What inside of some ranges {min, max} was written after `start`.
local function newer_in(ranges, start)
  if #ranges == 0 then return nil end
  if cleared_at() > start then return 'every key' end
  local examined = 0
  while true do
    local page = redis.call('ZRANGEBYSCORE', log, '(' .. text(start), '+inf', 'LIMIT', examined, CHUNK)
    for _, name in ipairs(page) do
      for _, range in ipairs(ranges) do
        if inside(name, range[1], range[2]) then return 'key "' .. name .. '"' end
      end
    end
    examined = examined + #page
    if #page < CHUNK then return nil end
    if examined >= EXAMINED_MAX then return 'too much' end
  end
end

local function alarm_newer(start)
  return tonumber(redis.call('HGET', meta, 'alarmed') or '0') > start
end

-- Forgets an attempt, and what no other attempt can meet any more.
local function leave(who)
  redis.call('ZREM', live, who)
  redis.call('ZREM', leases, who)
  redis.call('ZREM', turns, who)
  if redis.call('HGET', meta, 'turn') == who then
    redis.call('HDEL', meta, 'turn', 'turn_until')
  end
  local oldest = redis.call('ZRANGE', live, 0, 0, 'WITHSCORES')
  if not oldest[1] then
    redis.call('UNLINK', log)
    return
  end
  local known = redis.call('ZRANGEBYSCORE', log, '-inf', oldest[2], 'LIMIT', 0, FORGOTTEN_MAX)
  if #known > 0 then redis.call('ZREM', log, unpack(known)) end
end

-- Removes what is left of an object without data, alarm or users.
local function tidy()
  if redis.call('EXISTS', values, live, turns, blocked) > 0 then return end
  local used = redis.call('HMGET', meta, 'alarm', 'claim', 'turn')
  if used[1] or used[2] or used[3] then return end
  redis.call('UNLINK', meta, keys, log, leases)
end

-- How many milliseconds a commit has to wait for the turn of another, and nothing if it may go on. Who waits
-- queues by order of arrival; `pass` is the turn that it belongs to.
local function waits_for_turn(pass, who, now, lease)
  local function queue()
    if not redis.call('ZSCORE', blocked, who) then
      redis.call('ZADD', blocked, redis.call('HINCRBY', meta, 'arrivals', 1), who)
    end
    redis.call('ZADD', leases, text(now + lease), who)
  end
  local turn = redis.call('HMGET', meta, 'turn', 'turn_until')
  if turn[1] then
    local left = tonumber(turn[2]) - now
    if left > 0 then
      if turn[1] == pass then return nil end
      queue()
      return left
    end
    redis.call('HDEL', meta, 'turn', 'turn_until')
  end
  local first = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')
  local mine = first[1] and redis.call('ZSCORE', blocked, who)
  if first[1] and not (mine and tonumber(mine) < tonumber(first[2])) then
    queue()
    return 1
  end
  -- Not in vain: after its first write a script may use more memory than the server allows.
  if redis.call('ZSCORE', blocked, who) then
    redis.call('ZREM', blocked, who)
    redis.call('ZREM', leases, who)
  end
  return nil
end

-- Calls a command with many arguments after some fixed ones, a bounded number at a time.
local function in_chunks(fixed, many)
  for from = 1, #many, CHUNK do
    local call = {}
    for _, argument in ipairs(fixed) do call[#call + 1] = argument end
    for place = from, math.min(from + CHUNK - 1, #many) do call[#call + 1] = many[place] end
    redis.call(unpack(call))
  end
end
