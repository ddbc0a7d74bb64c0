-- The sequence that an attempt started from, and whether it starts now; nothing if its lease has run out.
local function start_of(attempt_name, known, lease)
  local start = redis.call('ZSCORE', live, attempt_name)
  if start then return tonumber(start), false end
  if known == '1' then return nil end
  start = redis.call('HGET', meta, 'seq') or '0'
  redis.call('ZADD', live, start, attempt_name)
  redis.call('ZADD', leases, text(now_ms() + lease), attempt_name)
  return tonumber(start), true
end

-- When everything was last removed and the alarm last changed, if anything was written after `start`.
local function written_since(start)
  local state = redis.call('HMGET', meta, 'seq', 'cleared', 'alarmed')
  if tonumber(state[1] or 0) <= start then return nil end
  return tonumber(state[2] or 0), tonumber(state[3] or 0)
end
