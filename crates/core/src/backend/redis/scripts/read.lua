-- Reads keys, and the alarm, as an attempt may see them.
-- ARGV: attempt, whether it is registered, lease (ms), whether to read the alarm, keys...
-- Returns {'ok', start, alarm, values...} or {'stale', what}.
local attempt_name, known, lease, wants_alarm = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local start, fresh = start_of(attempt_name, known, lease)
if not start then return {'stale', 'its registration'} end
local names = {}
for place = 5, #ARGV do names[#names + 1] = ARGV[place] end
if not fresh then
  local cleared, alarmed = written_since(start)
  if cleared then
    local what = newer_key(names, start, cleared)
    if what then return {'stale', what} end
    if wants_alarm == '1' and alarmed > start then return {'stale', 'the alarm'} end
  end
end
local reply = {'ok', text(start), false}
if wants_alarm == '1' then reply[3] = redis.call('HGET', meta, 'alarm') end
for from = 1, #names, CHUNK do
  local some = {}
  for place = from, math.min(from + CHUNK - 1, #names) do some[#some + 1] = names[place] end
  for _, value in ipairs(redis.call('HMGET', values, unpack(some))) do reply[#reply + 1] = value end
end
return reply
