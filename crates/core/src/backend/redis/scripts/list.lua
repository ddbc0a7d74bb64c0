-- One page of a list.
-- ARGV: attempt, whether it is registered ('1', '0', or 'lazy': only if a page is left), lease (ms), min, max,
--   '1' for descending order, limit (below 0 for none), most entries and about the most bytes of a page
-- Returns {'ok', start or '', '1' if a page is left, key, value, key, value...} or {'stale', what}.
local attempt_name, known, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local min, max, reverse = ARGV[4], ARGV[5], ARGV[6] == '1'
local limit, page, bytes_max = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local VALUES_AT_ONCE = 64

local wanted = page
if limit >= 0 and limit < page then wanted = limit end
local names
if reverse then
  names = redis.call('ZREVRANGEBYLEX', keys, max, min, 'LIMIT', 0, wanted)
else
  names = redis.call('ZRANGEBYLEX', keys, min, max, 'LIMIT', 0, wanted)
end
local entries, bytes, taken = {}, 0, 0
while taken < #names and bytes < bytes_max do
  local some = {}
  for place = taken + 1, math.min(taken + VALUES_AT_ONCE, #names) do some[#some + 1] = names[place] end
  for place, value in ipairs(redis.call('HMGET', values, unpack(some))) do
    entries[#entries + 1] = some[place]
    entries[#entries + 1] = value
    bytes = bytes + #some[place] + #(value or '')
  end
  taken = taken + #some
end
local more = taken < #names or (#names == page and (limit < 0 or limit > page))
if known == 'lazy' and not more then return {'ok', '', '0', unpack(entries)} end

local start, fresh = start_of(attempt_name, known, lease)
if not start then return {'stale', 'its registration'} end
local seen_min, seen_max = min, max
if more or (limit >= 0 and taken >= limit) then
  local last = names[taken]
  if last and reverse then seen_min = '[' .. last end
  if last and not reverse then seen_max = '[' .. last end
end
local cleared
if not fresh then cleared = written_since(start) end
local what = cleared and newer_in({{seen_min, seen_max}}, start, cleared)
if what then return {'stale', what} end
return {'ok', text(start), more and '1' or '0', unpack(entries)}
