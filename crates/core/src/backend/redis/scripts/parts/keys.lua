-- What of some keys was written after `start`. `cleared` is when everything was last removed.
local function newer_key(names, start, cleared)
  if #names == 0 then return nil end
  if cleared > start then return 'every key' end
  for _, name in ipairs(names) do
    local at = redis.call('ZSCORE', log, name)
    if at and tonumber(at) > start then return 'key "' .. name .. '"' end
  end
end
