-- Ends attempts that do not commit. ARGV: attempts.
for _, who in ipairs(ARGV) do leave(who) end
tidy()
return {'ok'}
