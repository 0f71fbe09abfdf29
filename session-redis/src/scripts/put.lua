-- Stores a record in place of what is expected, or says why not.
-- ARGV[2]: the version it replaces, or '' for none. ARGV[3]: its time to live. ARGV[4]: its bytes, with its
-- link in the index of its principal behind them. ARGV[5]: 'linked', or '' if the link is to be that of the
-- old record.
if ARGV[2] == '' then
  if live then
    return 'C'
  end
elseif not live then
  return 'G'
elseif version ~= ARGV[2] then
  return 'C'
end
local bytes = ARGV[4]
if ARGV[5] == '' then
  -- The entry of the old record stays true for the new one: same principal, same end.
  if place == '' or tag ~= string.sub(bytes, 49, 64) or string.sub(head, 41, 48) ~= string.sub(bytes, 41, 48) then
    return 'L'
  end
  bytes, place = bytes .. string.sub(place, 17, 32), ''
end
redis.call('SET', KEYS[1], bytes, 'PX', ARGV[3])
return 'S' .. place
