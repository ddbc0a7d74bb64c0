-- Validates an attempt's reads, or none, and applies its writes, once.
-- KEYS[9] remembers the reply, for a client that has not received it.
-- ARGV: number of the commit, how long to remember it (ms), turn that it belongs to, client, attempt or '',
--   lease of waiting (ms), counts of keys and ranges read, '1' if the alarm was read,
--   '1' to clear, alarm: '' | 'set' | 'none', its time, its name, counts of puts, deletes and questions,
--   then keys read, ranges read (min, max), puts (key, value), keys deleted, keys in question
-- Returns {'ok', name of the alarm before, for each key in question '1' if it existed or '0'}, {'lost', what},
--   {'wait', ms} or {'late'}.
local number, keep_ms, turn_token, client = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local attempt_name, lease = ARGV[5], tonumber(ARGV[6])
local read_count, range_count, reads_alarm = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1'
local clear, alarm, alarm_time, alarm_name = ARGV[10] == '1', ARGV[11], ARGV[12], ARGV[13]
local put_count, delete_count, question_count = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])
local writes = clear or alarm ~= '' or put_count + delete_count > 0
local at = 16
local function take(count)
  local taken = {}
  for place = 1, count do taken[place] = ARGV[at + place] end
  at = at + count
  return taken
end
local read, bounds = take(read_count), take(2 * range_count)

if writes then
  local known_answer = redis.call('GET', KEYS[9])
  if known_answer then
    local other, answer = string.match(known_answer, '^(%d+):(.*)$')
    if tonumber(other) == number then return cmsgpack.unpack(answer) end
    if tonumber(other) > number then return {'late'} end
  end
end

-- A server without memory refuses the first command that needs memory, but only if nothing was written before. So this is
-- called before the first write that needs none.
local asked_for_memory = put_count == 0 and alarm ~= 'set'
local function ask_for_memory()
  if not asked_for_memory then redis.call('SETRANGE', KEYS[9], 0, '') end
  asked_for_memory = true
end

local state = redis.call('HMGET', meta, 'turn', 'turn_until', 'arrivals', 'seq', 'cleared', 'alarmed', 'alarm_name', 'claim_on')
local turn = state[1]
if writes then
  local wait = waits_for_turn(turn_token, client .. '#' .. ARGV[1], lease, turn, state[2], state[3], ask_for_memory)
  if wait then return {'wait', text(wait)} end
end

local lost
if read_count + range_count > 0 or reads_alarm then
  local start = redis.call('ZSCORE', live, attempt_name)
  if not start then
    lost = 'its registration'
  elseif tonumber(state[4] or 0) > tonumber(start) then
    start = tonumber(start)
    local cleared = tonumber(state[5] or 0)
    local ranges = {}
    for place = 1, range_count do ranges[place] = {bounds[2 * place - 1], bounds[2 * place]} end
    lost = newer_key(read, start, cleared) or newer_in(ranges, start, cleared)
    if not lost and reads_alarm and tonumber(state[6] or 0) > start then lost = 'the alarm' end
  end
end
if lost or not writes then
  if attempt_name ~= '' then leave(attempt_name, turn) end
  tidy()
  if lost then return {'lost', lost} end
  return {'ok', '', ''}
end

local puts, deletes, questions = take(2 * put_count), take(delete_count), take(question_count)
local answers = {}
for place, name in ipairs(questions) do answers[place] = redis.call('HEXISTS', values, name) end
if clear then
  ask_for_memory()
  redis.call('UNLINK', values, keys)
end
local members, written = {}, {}
for place = 1, #puts, 2 do
  members[#members + 1] = '0'
  members[#members + 1] = puts[place]
  written[#written + 1] = puts[place]
end
in_chunks({'HSET', values}, puts)
in_chunks({'ZADD', keys}, members)
in_chunks({'HDEL', values}, deletes)
in_chunks({'ZREM', keys}, deletes)
local alarm_before = ''
if alarm ~= '' then
  alarm_before = state[7] or ''
  if state[8] then redis.call('HDEL', meta, 'claim_on') end
  if alarm == 'set' then
    redis.call('HSET', meta, 'alarm', alarm_time, 'alarm_name', alarm_name)
  else
    redis.call('HDEL', meta, 'alarm', 'alarm_name')
  end
end
-- Not before the data: after its first write a script may use more memory than the server allows.
local others
if attempt_name ~= '' then others = leave(attempt_name, turn) else others = redis.call('EXISTS', live) == 1 end
if others then
  purge(now_ms())
  local sequence = redis.call('HINCRBY', meta, 'seq', 1)
  if clear then redis.call('HSET', meta, 'cleared', sequence) end
  if alarm ~= '' then redis.call('HSET', meta, 'alarmed', sequence) end
  for _, name in ipairs(deletes) do written[#written + 1] = name end
  local entries = {}
  for _, name in ipairs(written) do
    entries[#entries + 1] = sequence
    entries[#entries + 1] = name
  end
  in_chunks({'ZADD', log}, entries)
end
if put_count == 0 and alarm ~= 'set' then tidy() end
local reply = {'ok', alarm_before, table.concat(answers)}
redis.call('SET', KEYS[9], text(number) .. ':' .. cmsgpack.pack(reply), 'PX', keep_ms)
return reply
