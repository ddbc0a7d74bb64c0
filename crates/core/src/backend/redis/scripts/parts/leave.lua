-- Most entries that one call forgets.
local FORGOTTEN_MAX = 256

-- Forgets the attempts and waiting requests whose lease has run out: their processes have died. `first`, if given, is
-- called before the first write.
local function purge(now, first)
  local gone = redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, FORGOTTEN_MAX)
  if gone[1] and first then first() end
  for _, name in ipairs(gone) do
    redis.call('ZREM', leases, name)
    redis.call('ZREM', live, name)
    redis.call('ZREM', turns, name)
    redis.call('ZREM', blocked, name)
  end
end

-- Forgets an attempt, which has the turn if it is `turn`, and what no other attempt can meet any more. Returns whether
-- other attempts run.
local function leave(attempt_name, turn)
  redis.call('ZREM', live, attempt_name)
  redis.call('ZREM', leases, attempt_name)
  if turn == attempt_name then redis.call('HDEL', meta, 'turn', 'turn_until') end
  local oldest = redis.call('ZRANGE', live, 0, 0, 'WITHSCORES')
  if not oldest[1] then
    redis.call('UNLINK', log)
    return false
  end
  local known = redis.call('ZRANGEBYSCORE', log, '-inf', oldest[2], 'LIMIT', 0, FORGOTTEN_MAX)
  if known[1] then redis.call('ZREM', log, unpack(known)) end
  return true
end

-- Removes what is left of an object without data, alarm or users.
local function tidy()
  if redis.call('EXISTS', values, live, turns, blocked) > 0 then return end
  local used = redis.call('HMGET', meta, 'alarm', 'claim', 'turn')
  if used[1] or used[2] or used[3] then return end
  redis.call('UNLINK', meta, keys, log, leases)
end
