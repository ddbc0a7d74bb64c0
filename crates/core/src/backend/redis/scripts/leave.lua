-- Ends attempts that do not commit. ARGV: attempts.
local turn = redis.call('HGET', meta, 'turn')
for _, who in ipairs(ARGV) do
  redis.call('ZREM', turns, who)
  leave(who, turn)
end
tidy()
return {'ok'}
