-- Removes a live record, of one version if one is named.
-- ARGV[2]: the version, or '' for any.
if not live then
  return 'G'
end
if ARGV[2] ~= '' and version ~= ARGV[2] then
  return 'C'
end
redis.call('DEL', KEYS[1])
return 'S' .. place
