-- Adds an object to the index, by when it was last about to be written. KEYS: objects of a binding. ARGV: id.
redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
return 'OK'
