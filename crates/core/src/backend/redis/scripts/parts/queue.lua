-- How many milliseconds a commit or a claim has to wait for the turn of another attempt; nothing if it may go on.
-- Requests queue in order of arrival, each under a name of its own, `waiter_name`. A client keeps its own order, and
-- this queue must not have another. `turn_token` is the turn that the request belongs to. `turn`, `turn_until` and
-- `arrivals` are those of `meta`: without arrivals, no request waits. `first`, if given, is called before the first
-- write.
local function waits_for_turn(turn_token, waiter_name, lease, turn, turn_until, arrivals, first)
  if not turn and not arrivals then return nil end
  local now = now_ms()
  purge(now, first)
  local function queue()
    if first then first() end
    if not redis.call('ZSCORE', blocked, waiter_name) then
      redis.call('ZADD', blocked, redis.call('HINCRBY', meta, 'arrivals', 1), waiter_name)
    end
    redis.call('ZADD', leases, text(now + lease), waiter_name)
  end
  if turn then
    local left = tonumber(turn_until) - now
    if left > 0 then
      if turn == turn_token then return nil end
      queue()
      return left
    end
    if first then first() end
    redis.call('HDEL', meta, 'turn', 'turn_until')
  end
  local next = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')
  local mine = redis.call('ZSCORE', blocked, waiter_name)
  if next[1] and not (mine and tonumber(mine) < tonumber(next[2])) then
    queue()
    return 1
  end
  if first and (mine or not next[1]) then first() end
  if mine then
    redis.call('ZREM', blocked, waiter_name)
    redis.call('ZREM', leases, waiter_name)
  end
  if not next[1] and redis.call('EXISTS', blocked) == 0 then redis.call('HDEL', meta, 'arrivals') end
  return nil
end
