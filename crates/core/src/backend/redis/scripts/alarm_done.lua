-- Ends the handling of an alarm. ARGV: name of the handling.
-- Returns {'ok', name of the alarm that was handled}.
local state = redis.call('HMGET', meta, 'claim', 'claim_name')
if state[1] ~= ARGV[1] then return {'ok', ''} end
redis.call('HDEL', meta, 'claim', 'claim_until', 'claim_client', 'claim_name', 'claim_at', 'claim_on', 'claim_waits')
tidy()
return {'ok', state[2] or ''}
