-- Most commits that one call looks through.
local EXAMINED_MAX = 20000

-- Byte order. Lua's own comparison follows the locale of the server.
local function before(a, b)
  local length = math.min(#a, #b)
  for place = 1, length do
    local x, y = string.byte(a, place), string.byte(b, place)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Whether a key lies in a range of ZRANGEBYLEX.
local function inside(key, min, max)
  local low, high = string.sub(min, 2), string.sub(max, 2)
  if string.sub(min, 1, 1) == '(' then
    if not before(low, key) then return false end
  elseif before(key, low) then
    return false
  end
  if max == '+' then return true end
  if string.sub(max, 1, 1) == '(' then return before(key, high) end
  return not before(high, key)
end

-- What inside some ranges {min, max} was written after `start`. `cleared` is when everything was last removed.
local function newer_in(ranges, start, cleared)
  if #ranges == 0 then return nil end
  if cleared > start then return 'every key' end
  local examined = 0
  while true do
    local page = redis.call('ZRANGEBYSCORE', log, '(' .. text(start), '+inf', 'LIMIT', examined, CHUNK)
    for _, name in ipairs(page) do
      for _, range in ipairs(ranges) do
        if inside(name, range[1], range[2]) then return 'key "' .. name .. '"' end
      end
    end
    examined = examined + #page
    if #page < CHUNK then return nil end
    if examined >= EXAMINED_MAX then return 'too much' end
  end
end
