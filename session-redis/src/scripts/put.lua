-- Stores a record in place of what is expected, or says why not.
-- ARGV[2]: the version it replaces, or '' for none. ARGV[3]: its time to live. ARGV[4]: its bytes.
-- ARGV[5]: 'linked' if the index of its principal names it until its end, or ''.
if ARGV[2] == '' then
  if live then
    return 'C'
  end
elseif not live then
  return 'G'
elseif version ~= ARGV[2] then
  return 'C'
end
-- The entry of the old record is true for the new one: same end, same principal.
if ARGV[5] == '' and string.sub(head, 41, 64) ~= string.sub(ARGV[4], 41, 64) then
  return 'L'
end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
return 'S'
