-- Ends attempts that do not commit. ARGV: attempts.
local turn = redis.call('HGET', meta, 'turn')
for _, attempt_name in ipairs(ARGV) do
  redis.call('ZREM', turns, attempt_name)
  leave(attempt_name, turn)
end
tidy()
return {'ok'}
