-- Removes an object without data from the index, unless a client was about to write it meanwhile.
-- KEYS: objects of a binding. ARGV: id, when it was last added (s), how long ago that must be (s).
local noted = redis.call('ZSCORE', KEYS[1], ARGV[1])
if noted ~= ARGV[2] or tonumber(noted) + tonumber(ARGV[3]) > tonumber(redis.call('TIME')[1]) then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
