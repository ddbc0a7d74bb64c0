-- Claims the alarm if it is due: it is no longer set, but the client that claims it has to say when it is handled.
-- ARGV: due by (ms), name of the handling, client, lease (ms), lease of waiting (ms)
-- Returns {'taken', name of an alarm whose handling ends with that or ''}, {'claimed'} (another handles it),
--   {'none', time, name} with what is set, or {'wait', ms}.
local due, claim, client, lease = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local now = now_ms()
local state = redis.call(
  'HMGET', meta, 'alarm', 'alarm_name', 'claim', 'claim_until', 'claim_client', 'claim_name', 'turn', 'turn_until', 'arrivals'
)
local function take(name)
  redis.call('HSET', meta, 'claim', claim, 'claim_until', text(now + lease), 'claim_client', client, 'claim_name', name)
  if not state[6] or state[6] == name then return {'taken', ''} end
  return {'taken', state[6]}
end
if state[3] == claim then return {'taken', ''} end
local wait = waits_for_turn('', claim, tonumber(ARGV[5]), state[7], state[8], state[9])
if wait then return {'wait', text(wait)} end
local claimed = state[3] and tonumber(state[4]) > now
if claimed and state[5] ~= client then return {'claimed'} end
if state[1] and tonumber(state[1]) <= due then
  redis.call('HDEL', meta, 'alarm', 'alarm_name')
  if redis.call('EXISTS', live) == 1 then
    redis.call('HSET', meta, 'alarmed', redis.call('HINCRBY', meta, 'seq', 1))
  end
  return take(state[2])
end
if state[3] and not claimed then return take(state[6]) end
if claimed then return {'claimed'} end
return {'none', state[1] or '', state[2] or ''}
