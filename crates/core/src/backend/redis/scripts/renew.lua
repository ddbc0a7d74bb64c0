-- Extends the leases of attempts that still run, and of the handling of an alarm.
-- ARGV: lease (ms), name of the handling or '', attempts...
local now, lease = now_ms(), tonumber(ARGV[1])
for place = 3, #ARGV do
  if redis.call('ZSCORE', live, ARGV[place]) then
    redis.call('ZADD', leases, text(now + lease), ARGV[place])
  end
end
if ARGV[2] ~= '' and redis.call('HGET', meta, 'claim') == ARGV[2] then
  redis.call('HSET', meta, 'claim_until', text(now + lease))
end
return {'ok'}
