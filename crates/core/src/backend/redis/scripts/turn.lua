-- Asks for a turn, and registers the attempt that gets it.
-- ARGV: attempt, how long a turn lasts (ms), lease of the attempt (ms), lease of waiting (ms)
-- Returns {'ok', start} or {'wait', ms}.
local attempt_name, turn_ms, lease, wait_lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
purge(now)
local function wait(ms)
  if not redis.call('ZSCORE', turns, attempt_name) then
    redis.call('ZADD', turns, redis.call('HINCRBY', meta, 'arrivals', 1), attempt_name)
  end
  redis.call('ZADD', leases, text(now + wait_lease), attempt_name)
  return {'wait', text(ms)}
end
local turn = redis.call('HMGET', meta, 'turn', 'turn_until')
if turn[1] then
  local left = tonumber(turn[2]) - now
  if left > 0 and turn[1] == attempt_name then return {'ok', text(start_of(attempt_name, '0', lease))} end
  if left > 0 then return wait(left) end
  redis.call('HDEL', meta, 'turn', 'turn_until')
end
local first = redis.call('ZRANGE', turns, 0, 0)
if first[1] and first[1] ~= attempt_name then return wait(1) end
local writer = redis.call('ZRANGE', blocked, 0, 0, 'WITHSCORES')
local mine = redis.call('ZSCORE', turns, attempt_name)
if writer[1] and not (mine and tonumber(mine) < tonumber(writer[2])) then return wait(1) end
redis.call('ZREM', turns, attempt_name)
redis.call('HSET', meta, 'turn', attempt_name, 'turn_until', text(now + turn_ms))
local start = start_of(attempt_name, '0', lease)
redis.call('ZADD', leases, text(now + lease), attempt_name)
return {'ok', text(start)}
