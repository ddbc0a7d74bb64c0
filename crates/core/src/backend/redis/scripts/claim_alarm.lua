-- Claims the alarm if it is due, or goes on with a claim that waits. The claim keeps the alarm, which no reader sees
-- until the claim ends. `claim_on` says that the alarm was not set or removed since. `claim_waits` says that readers
-- see it again.
-- ARGV: due by (ms), name of the claim, lease (ms), lease of waiting (ms), '1' to go on with the claim of that name
-- Returns {'taken', time, name of an alarm that is gone or ''}, {'claimed'} (another handles it), {'over'} (the claim has
--   ended), {'none', time} with what is set, or {'wait', ms}.
local due, claim, lease, again = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[5] == '1'
local now = now_ms()
local state = redis.call('HMGET', meta, 'claim', 'claim_until', 'claim_name', 'claim_at', 'claim_on', 'claim_waits')
local held, name, at, on, waits = state[1], state[3], state[4], state[5], state[6]
if held == claim and not waits then return {'taken', at or '', ''} end
local turns_of = redis.call('HMGET', meta, 'turn', 'turn_until', 'arrivals')
local wait = waits_for_turn('', claim, tonumber(ARGV[4]), turns_of[1], turns_of[2], turns_of[3])
if wait then return {'wait', text(wait)} end

local set = redis.call('HMGET', meta, 'alarm', 'alarm_name')
local function forget()
  redis.call('HDEL', meta, 'claim', 'claim_until', 'claim_client', 'claim_name', 'claim_at', 'claim_on', 'claim_waits')
end
if again and not (held == claim and waits and set[2] == name) then
  if held == claim then forget() end
  tidy()
  return {'over'}
end
local gone = ''
if held and not again then
  -- A claim that waits ends when its alarm is set or removed.
  local lives = tonumber(state[2]) > now and not (waits and set[2] ~= name)
  if lives then return {'claimed'} end
  forget()
  if not set[1] and on then
    redis.call('HSET', meta, 'alarm', at, 'alarm_name', name)
    set = {at, name}
  elseif not set[1] and not at then
    -- A claim that keeps no alarm: its process has ended before it was handled.
    set = {text(now), name}
  elseif name ~= set[2] then
    gone = name or ''
  end
end
if not set[1] or (not again and tonumber(set[1]) > due) then
  tidy()
  return {'none', set[1] or ''}
end
redis.call('HDEL', meta, 'alarm', 'alarm_name', 'claim_waits', 'claim_client')
if redis.call('EXISTS', live) == 1 then
  redis.call('HSET', meta, 'alarmed', redis.call('HINCRBY', meta, 'seq', 1))
end
redis.call('HSET', meta, 'claim', claim, 'claim_until', text(now + lease), 'claim_name', set[2] or '', 'claim_at', set[1], 'claim_on', '1')
return {'taken', set[1], gone}
