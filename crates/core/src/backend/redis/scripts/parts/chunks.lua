-- Calls a command with many arguments after some fixed ones, a bounded number at a time.
local function in_chunks(fixed, many)
  for from = 1, #many, CHUNK do
    local call = {}
    for _, argument in ipairs(fixed) do call[#call + 1] = argument end
    for place = from, math.min(from + CHUNK - 1, #many) do call[#call + 1] = many[place] end
    redis.call(unpack(call))
  end
end
