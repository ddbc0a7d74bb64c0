-- Ends the claim of an alarm, or lets it wait.
-- ARGV: name of the claim, 'handled' | 'postponed' | 'released', lease (ms)
-- Returns {'kept' if the alarm was still set or 'over', name of an alarm that is gone or '', time of the alarm that is set or ''}.
local claim, ending = ARGV[1], ARGV[2]
local state = redis.call('HMGET', meta, 'claim', 'claim_name', 'claim_at', 'claim_on', 'claim_waits', 'alarm', 'alarm_name')
if state[1] ~= claim then return {'over', '', state[6] or ''} end
local name, at, waits, set = state[2], state[3], state[5], state[6]
local kept = state[4]
if waits then kept = state[7] == name end
local changed = false
if kept and ending == 'handled' and waits then
  redis.call('HDEL', meta, 'alarm', 'alarm_name')
  set, changed = false, true
elseif kept and ending ~= 'handled' and not waits then
  redis.call('HSET', meta, 'alarm', at, 'alarm_name', name)
  set, changed = at, true
end
if kept and ending == 'postponed' then
  redis.call('HSET', meta, 'claim_waits', '1', 'claim_until', text(now_ms() + tonumber(ARGV[3])))
else
  redis.call('HDEL', meta, 'claim', 'claim_until', 'claim_client', 'claim_name', 'claim_at', 'claim_on', 'claim_waits')
end
if changed and redis.call('EXISTS', live) == 1 then
  redis.call('HSET', meta, 'alarmed', redis.call('HINCRBY', meta, 'seq', 1))
end
tidy()
local gone = name
if kept and ending ~= 'handled' then gone = '' end
return {kept and 'kept' or 'over', gone, set or ''}
