-- Removes a live record, of one version if one is named.
-- KEYS[1]: the record. ARGV: the version, or '' for any; now.
local old, live = head_of(KEYS[1], tonumber(ARGV[2]))
if not old then
  return live
end
if not live then
  return 'G'
end
if ARGV[1] ~= '' and string.sub(old, 33, 40) ~= ARGV[1] then
  return 'C'
end
local place = place_of(KEYS[1], old)
redis.call('DEL', KEYS[1])
return 'S' .. place
