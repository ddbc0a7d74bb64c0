-- How many milliseconds a commit or a claim has to wait for the turn of another, and nothing if it may go on. Each queues by
-- order of arrival under a name of its own, `who`: a client keeps its own order, and this queue must not have another. `pass` is the turn that it belongs to. `turn`, `turn_until` and `arrivals` are what `meta` says of
-- them: without arrivals, no request waits. `first`, if given, is called before it writes.
local function waits_for_turn(pass, who, lease, turn, turn_until, arrivals, first)
  if not turn and not arrivals then return nil end
  local now = now_ms()
  purge(now, first)
  local function queue()
    if first then first() end
    if not redis.call('ZSCORE', blocked, who) then
      redis.call('ZADD', blocked, redis.call('HINCRBY', meta, 'arrivals', 1), who)
    end
    redis.call('ZADD', leases, text(now + lease), who)
  end
  if turn then
    local left = tonumber(turn_until) - now
    if left > 0 then
      if turn == pass then return nil end
      queue()
      return left
    end
    if first then first() end
    redis.call('HDEL', meta, 'turn', 'turn_until')
  end
  local next = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')
  local mine = redis.call('ZSCORE', blocked, who)
  if next[1] and not (mine and tonumber(mine) < tonumber(next[2])) then
    queue()
    return 1
  end
  if first and (mine or not next[1]) then first() end
  if mine then
    redis.call('ZREM', blocked, who)
    redis.call('ZREM', leases, who)
  end
  if not next[1] and redis.call('EXISTS', blocked) == 0 then redis.call('HDEL', meta, 'arrivals') end
  return nil
end
